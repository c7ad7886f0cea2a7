"""Deep supervision: a loss on what every coarser level of a U-Net answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.hooks import RemovableHandle

from pdesurrogate.grids import Grid
from pdesurrogate.models.counting import evaluating
from pdesurrogate.models.film import ModulatedNetwork
from pdesurrogate.models.spaces import HaarProjection, MaximumProjection, Projection
from pdesurrogate.models.unet import UNet
from pdesurrogate.operators.tables import made_once

__all__ = ["LevelHeads"]


class LevelHeads(nn.Module):
    r"""Reads the target off every coarser level of a U-Net, by a linear map a level.

    $$ \ell = \frac1n \sum_{i=0}^{n-1}
       \overline{\bigl(H_i\, U_i(v) - P_i \cdots P_{n-1}\, w\bigr)^2} $$

    with the answers $U_i(v)$ of levels $0, \dots, n - 1$, a 1 x 1 convolution $H_i$ for each, the
    network's target $w$, and means over batch, channels and area. The target is brought to a level
    by the level's own projections where they are fixed linear maps, which then project any field;
    where they are learned, or maxima, by means over cells. A U-Net within a U-Net, as of a model
    that is `Extended`, counts with all its levels.

    The heads are learned along with the network and are no part of it. In each step of the
    optimiser, and in each piece of one:

        heads.reset()
        loss = objective(step, given, following, compare)
        loss = loss + weight * heads.loss(surrogate.network_target(given, following[:, :bundle]))

    The network must not be compiled: it would be recompiled around the heads, or pass them by.

    Args:
        network: A `UNet`, or one that is modulated by parameters.
        in_channels: Of the network's input.
        out_channels: Of the network's output, and so of the target.
        grid: The grid on which it is tried out once, and by whose kind areas are weighed.
        name: What the network is called, should it be refused.

    Raises:
        ValueError: If it is no U-Net, has no levels above its bottleneck, or is compiled.

    References:
        Lee et al. (2015), *Deeply-Supervised Nets*. Williams, Falck et al. (2023), *A Unified
        Framework for U-Net Design and Analysis*, §2, on the target of a level.
    """

    def __init__(
        self, network: nn.Module, in_channels: int, out_channels: int, grid: Grid, name: str
    ) -> None:
        super().__init__()
        if any(_is_compiled(part) for part in network.modules()):
            raise ValueError(f"the levels of {name} cannot be looked at once it is compiled")
        unet = _unet_in(network)
        if unet is None or not unet.num_levels:
            raise ValueError(
                f"{name} has no levels whose errors could be weighed: level_loss is for U-Nets"
            )
        self._grid = grid
        # In a tuple, so that the network's weights do not count as the heads'.
        self._levels = tuple(_coarser_levels(unet))
        self._handles: list[RemovableHandle] = []
        self._answers: dict[int, Tensor] = {}
        self._saw_gradients = True
        like = next(network.parameters(), torch.empty(0))
        sample = torch.zeros((1, in_channels, *grid.num_points), device=like.device)
        self.reset()
        with evaluating(network), torch.no_grad():
            network(sample.to(like.dtype.to_real()))
        channels = [self._answers[i].shape[1] for i in range(len(self._levels))]
        self._forget()
        self.heads = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in channels)
        self.heads.to(sample.device, like.dtype.to_real())

    def reset(self) -> None:
        """From now on note the levels' answers in the network's next forward pass."""
        self._forget()
        for i, level in enumerate(self._levels):
            self._handles.append(level.operator.register_forward_hook(self._note(i)))

    def loss(self, target: Float[Tensor, "batch c_out y x"]) -> Float[Tensor, ""]:
        """The mean over the levels of their mean square errors, in the first pass since `reset`.

        Args:
            target: What the network itself should have answered, see `Surrogate.network_target`.

        Raises:
            RuntimeError: If there was no forward pass since `reset`.
            ValueError: If gradients are wanted, but none flowed in that pass.
        """
        answers = [self._answers.get(i) for i in range(len(self._levels))]
        if torch.is_grad_enabled() and not self._saw_gradients:
            raise ValueError(
                "level_loss needs an objective in whose first step gradients flow, which is the "
                "step that the levels' answers are compared in"
            )
        self._forget()
        ny, nx = target.shape[-2:]
        area = _area(replace(self._grid, num_points=(ny, nx)), target.device)
        errors = []
        for level, head, answer in zip(self._levels, self.heads, answers, strict=True):
            if answer is None:
                raise RuntimeError("the network has not been applied since heads.reset()")
            wanted = level.restricted(target)
            weights = F.adaptive_avg_pool2d(area, (wanted.shape[-2], wanted.shape[-1]))
            squares = (head(answer.to(wanted.dtype)) - wanted).square()
            errors.append(((weights / weights.mean()).to(wanted.dtype) * squares).mean())
        return torch.stack(errors).mean()

    def _note(self, i: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(_operator: nn.Module, _given: tuple[Tensor, ...], answer: Tensor) -> None:
            if i not in self._answers:
                self._answers[i] = answer
                self._saw_gradients = torch.is_grad_enabled()

        return hook

    def _forget(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles, self._answers, self._saw_gradients = [], {}, True


class _Level(NamedTuple):
    """One of the coarser levels.

    Args:
        operator: What gives its answer.
        projections: From the network's grid to the level's, fine to coarse.
    """

    operator: nn.Module
    projections: tuple[Projection, ...]

    def restricted(self, target: Tensor) -> Tensor:
        """The network's target on the level's grid."""
        for projection in self.projections:
            target = projection(target)
        return target


def _coarser_levels(unet: UNet) -> list[_Level]:
    """Levels 0 to `num_levels - 1`, after those of a U-Net that is the bottleneck."""
    down = tuple(_of_any_field(level.projection) for level in reversed(unet.levels))
    inner = _unet_in(unet.bottleneck)
    within = [] if inner is None else _coarser_levels(inner)
    operators: Sequence[nn.Module] = [unet.bottleneck, *unet.decoders][: unet.num_levels]
    return [
        *(_Level(level.operator, down + level.projections) for level in within),
        *(_Level(operator, down[: len(down) - i]) for i, operator in enumerate(operators)),
    ]


def _of_any_field(projection: Projection) -> Projection:
    """The projection if it is a linear map that knows no channels, else the mean over cells."""
    is_fixed = next(projection.parameters(), None) is None
    return projection if is_fixed and not isinstance(projection, MaximumProjection) else _HAAR


_HAAR = HaarProjection()


def _unet_in(network: nn.Module) -> UNet | None:
    """The U-Net that a network is, or that is modulated by it."""
    if isinstance(network, ModulatedNetwork):
        network = network.network
    return network if isinstance(network, UNet) else None


def _is_compiled(part: nn.Module) -> bool:
    return hasattr(part, "_orig_mod") or part._compiled_call_impl is not None


@made_once(maxsize=8)
def _area(grid: Grid, device: torch.device) -> Float[Tensor, "1 y x"]:
    """The share of the domain that each point stands for."""
    return torch.tensor(grid.quadrature_weights, device=device)[None]
