"""Modulation of a network's blocks by the parameters of a trajectory."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.part import Part

__all__ = ["FiLM", "Modulated", "ModulatedNetwork", "Modulation", "ParameterEmbedding"]


@dataclass(frozen=True)
class FiLM(Part):
    r"""Feature-wise linear modulation: every normalised field is scaled and shifted.

    $$ w_c = \bigl(1 + \gamma_c(p)\bigr)\, v_c + \beta_c(p) $$

    where $\gamma$ and $\beta$ are linear in an embedding of the parameters $p$, a perceptron of two
    layers that all blocks share. They start at zero, so that the network starts as one that knows
    no parameters.

    Args:
        hidden: Values of the embedding.

    Raises:
        ValueError: If `hidden` is below 1.

    References:
        Perez et al. (2018), *FiLM: Visual Reasoning with a General Conditioning Layer*, §2.
        Gupta & Brandstetter (2022), *Towards Multi-spatiotemporal-scale Generalized PDE Modeling*.
    """

    hidden: int = 64

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise ValueError(f"FiLM.hidden must be at least 1, got {self.hidden}")

    def modulate(self, network: nn.Module, parameters: Sequence[int]) -> ModulatedNetwork:
        """The network with all its blocks modulated, changed in place.

        Args:
            network: Takes the input without the parameters; holds blocks that are `Modulated`.
            parameters: Which channels of the input are parameters.

        Raises:
            ValueError: If there is no parameter.
        """
        if not parameters:
            raise ValueError(
                "film needs parameters of the trajectories to modulate the blocks with, "
                "and conditioning names none"
            )
        embedding = ParameterEmbedding(len(parameters), self.hidden)
        for block in list(network.modules()):
            if isinstance(block, Modulated):
                block.modulate(embedding)
        return ModulatedNetwork(network, embedding, parameters)


class Modulated(nn.Module, ABC):
    """A block whose normalised fields can be modulated."""

    def modulate(self, embedding: ParameterEmbedding) -> None:
        """Put a `Modulation` after each normalisation, the children whose name starts so."""
        for name, norm in list(self.named_children()):
            if name.startswith("norm"):
                channels = self.normalised_channels
                setattr(self, name, nn.Sequential(norm, Modulation(channels, embedding)))

    @property
    @abstractmethod
    def normalised_channels(self) -> int:
        """Channels of the normalised fields."""


class _Held(threading.local):
    """What the networks that now compute in this thread were given, outermost first."""

    def __init__(self) -> None:
        # No `ContextVar`, which neither torch.compile nor a strict export can follow.
        self.embeddings: tuple[tuple[ParameterEmbedding, Tensor], ...] = ()


_held = _Held()


class ParameterEmbedding(nn.Module):
    """A perceptron from parameters to what the modulations are linear in.

    The embedding of the parameters is held while the network that they are given to computes: they
    reach every block without passing through the levels. Each thread holds its own, so that several
    may apply one network. Nothing is held during the backward pass: activation checkpointing must
    recompute the whole `ModulatedNetwork`, not a block inside it, which complains that it was given
    no parameters.

    Args:
        num_parameters: Numbers per trajectory.
        hidden: Values of the embedding.
    """

    def __init__(self, num_parameters: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.layers = nn.Sequential(
            nn.Linear(num_parameters, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )

    def forward(self, parameters: Float[Tensor, "batch parameter"]) -> Float[Tensor, "batch h"]:
        """Embed the parameters."""
        return self.layers(parameters)

    @contextmanager
    def given(self, parameters: Float[Tensor, "batch parameter"]) -> Iterator[None]:
        """Let the modulations know the parameters for a while.

        Args:
            parameters: Normalised, of each sample of the batch.
        """
        before = _held.embeddings
        _held.embeddings = (*before, (self, self(parameters)))
        try:
            yield
        finally:
            _held.embeddings = before

    @property
    def current(self) -> Float[Tensor, "batch h"]:
        """The embedding of the parameters that were given.

        Raises:
            RuntimeError: If none were given.
        """
        for owner, embedding in reversed(_held.embeddings):
            if owner is self:
                return embedding
        raise RuntimeError(
            "the blocks are modulated by parameters: call the whole network, or its levels "
            "within `with network.embedding.given(parameters):`"
        )


class Modulation(nn.Module):
    """Scales and shifts each channel as the parameters say; at first the identity.

    Args:
        channels: Channels of the field.
        embedding: Of the parameters; shared among the modulations of a network.
    """

    def __init__(self, channels: int, embedding: ParameterEmbedding) -> None:
        super().__init__()
        self.scale_and_shift = nn.Linear(embedding.hidden, 2 * channels)
        for parameter in self.scale_and_shift.parameters():
            nn.init.zeros_(parameter)
        # In a tuple, so that its weights count as the network's alone.
        self._embedding = (embedding,)

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Modulate `v` by the parameters that the network was given."""
        scale, shift = self.scale_and_shift(self._embedding[0].current)[..., None, None].chunk(2, 1)
        return (1 + scale) * v + shift


class ModulatedNetwork(nn.Module):
    """Takes the parameters out of the input and modulates a network's blocks with them.

    Args:
        network: Takes the other channels.
        embedding: That of the network's modulations.
        parameters: Which channels of the input are parameters: constant in space.
    """

    def __init__(
        self, network: nn.Module, embedding: ParameterEmbedding, parameters: Sequence[int]
    ) -> None:
        super().__init__()
        self.network = network
        self.embedding = embedding
        self._told = list(parameters)

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Apply the network to the fields."""
        fields = [c for c in range(v.shape[1]) if c not in self._told]
        with self.embedding.given(v[:, self._told, 0, 0]):
            return self.network(v[:, fields])
