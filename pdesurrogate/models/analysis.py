"""What each level of a U-Net adds: the network as a ResNet, preconditioned level by level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.unet import Decoder, UNet

__all__ = ["Summands", "preconditioned_residual", "residual_energy"]


class Summands(NamedTuple):
    r"""What a level's answer is the sum of, $U_i = U_i^\mathrm{pre} + U_i^\mathrm{res}$.

    Args:
        preconditioner: What the coarser levels contribute, in $W_i$.
        residual: What only this level knows, in $W_i$.
    """

    preconditioner: Float[Tensor, "batch c_out y x"]
    residual: Float[Tensor, "batch c_out y x"]


def preconditioned_residual(
    network: nn.Module, v: Float[Tensor, "batch c_in y x"]
) -> list[Summands]:
    r"""Split the answer of every level into what it was given and what it adds.

    $$ U_i(v_i) = \underbrace{D_{i,\mathrm{pre}}(w \mid \tilde v_i)}_{U_i^\mathrm{pre}(v_i)}
                + \underbrace{D_{i,\mathrm{res}}(w \mid \tilde v_i)}_{U_i^\mathrm{res}(v_i)},
       \qquad w = U_{i-1}(P_{i-1} \tilde v_i), \quad \tilde v_i = E_i v_i $$

    A U-Net whose decoders have this form is conjugate to a ResNet that is preconditioned by the
    next smaller U-Net. Both summands are computed by the decoder's own paths, not as a difference,
    so that their sum equals the level's answer to rounding and no better.

    Finds the levels wherever they are: an extended network has those of the network it extends,
    followed by the new ones.

    Args:
        network: A `UNet`, or any network that holds one.
        v: The input of the whole network.

    Returns:
        The summands of each level, coarse to fine.

    Raises:
        ValueError: If the network has no levels, or a decoder that is no such sum.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §2.
    """
    found: list[Summands] = []

    def split(decoder: Decoder, given: tuple[Tensor, ...], _answer: Tensor) -> None:
        found.append(Summands(decoder.precondition(*given), decoder.residual(*given)))

    _apply_watched(network, v, split)
    return found


@torch.no_grad()
def residual_energy(network: nn.Module, inputs: Float[Tensor, "sample c_in y x"]) -> xr.Dataset:
    r"""Measure what each level adds to its own answer, and to the network's.

    $$ \text{residual\_energy}_i = \frac{\lVert U_i^\mathrm{res} \rVert^2}{\lVert U_i \rVert^2},
       \qquad
       \text{output\_change}_i = \frac{\lVert N - N_{\setminus i} \rVert^2}{\lVert N \rVert^2} $$

    with the network $N$ and the same network $N_{\setminus i}$ in which level $i$ hands on its
    preconditioner alone. A ratio above 1 says that the residual works against the preconditioner,
    or the level against the others. A small energy does not make a level superfluous: what is
    small there may be all that the head looks at, which is what the second number tells.

    Args:
        network: A `UNet`, or any network that holds one.
        inputs: What the network is applied to; see `Surrogate.network_inputs`.

    Returns:
        Both over `(level, sample)`, levels counted from 1, coarse to fine, with the number of
        points of each level's grid as coordinates.

    Raises:
        ValueError: If the network has no levels, or a decoder that is no such sum.
    """
    energies, changes, points = [], [], []
    decoders: list[Decoder] = []

    def measure(decoder: Decoder, given: tuple[Tensor, ...], answer: Tensor) -> None:
        energies.append(_energy(decoder.residual(*given)) / _energy(answer))
        points.append(tuple(answer.shape[-2:]))
        decoders.append(decoder)

    output = _apply_watched(network, inputs, measure)
    for decoder in decoders:
        with _without_residual(decoder):
            changes.append(_energy(output - network(inputs)) / _energy(output))
    return _labelled(energies, changes, points)


def _apply_watched(
    network: nn.Module, v: Tensor, watch: Callable[[Decoder, tuple[Tensor, ...], Tensor], None]
) -> Tensor:
    """Apply the network, and look at each decoder when it has answered, coarse to fine.

    While the network computes, because what its blocks know besides their input, such as the
    parameters of a `FiLM`, they may know only then.
    """

    def look(decoder: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
        assert isinstance(decoder, Decoder)
        watch(decoder, given, answer)

    # Only what makes a level: a decoder may hold others as parts of its own.
    unets = [part for part in network.modules() if isinstance(part, UNet)]
    decoders = list(dict.fromkeys(level.decoder for unet in unets for level in unet.levels))
    if not decoders:
        raise ValueError(f"a {type(network).__name__} has no levels: no part of it is a decoder")
    for decoder in decoders:
        if not decoder.has_preconditioner:
            raise ValueError(
                f"a {type(decoder).__name__.lstrip('_')} is no sum of a preconditioner and a "
                "residual, so there is nothing that its level adds to the coarser ones; the "
                "decoders of ResidualUNet, MultiResNet and fine_level are"
            )
    hooks = [decoder.register_forward_hook(look) for decoder in decoders]
    try:
        return network(v)
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def _without_residual(decoder: Decoder) -> Iterator[None]:
    """Let the decoder hand on its preconditioner alone."""

    def answer(_decoder: nn.Module, given: tuple[Tensor, ...], _answer: Tensor) -> Tensor:
        return decoder.precondition(*given)

    hook = decoder.register_forward_hook(answer)
    try:
        yield
    finally:
        hook.remove()


def _energy(v: Tensor) -> Tensor:
    return v.double().square().sum(dim=(1, 2, 3))


def _labelled(
    energies: Sequence[Tensor], changes: Sequence[Tensor], points: Sequence[tuple[int, ...]]
) -> xr.Dataset:
    levels = np.arange(1, len(points) + 1)
    dims = ("level", "sample")
    return xr.Dataset(
        {
            "residual_energy": (
                dims,
                torch.stack(list(energies)).cpu().numpy(),
                {
                    "units": "1",
                    "long_name": "square norm of the level's residual over that of its answer",
                },
            ),
            "output_change": (
                dims,
                torch.stack(list(changes)).cpu().numpy(),
                {
                    "units": "1",
                    "long_name": "square norm of the output's change without the level's residual, "
                    "over that of the output",
                },
            ),
        },
        coords={
            "level": ("level", levels, {"long_name": "level, 1 is the coarsest"}),
            "num_points_y": ("level", [ny for ny, _ in points]),
            "num_points_x": ("level", [nx for _, nx in points]),
        },
    )
