"""Regression losses along the levels of nested spaces, and how they bound one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.models.spaces import Projection

__all__ = ["losses_along_levels", "optimal_linear_losses"]


@torch.no_grad()
def losses_along_levels(
    network: nn.Module,
    inputs: Float[Tensor, "sample c_in y x"],
    targets: Float[Tensor, "sample c_out y x"],
    projections: Sequence[Projection],
) -> xr.Dataset:
    r"""How well a network solves the regression problem of each level, and what the level misses.

    With orthogonal projections $Q_i$ onto $W_0 \subset W_1 \subset \dots \subset W_n$,

    $$ L_i^2 = \mathbb E \lVert Q_i (w - U(v)) \rVert^2 , \qquad
       T_i^2 = \mathbb E \lVert (I - Q_i) w \rVert^2 . $$

    The losses rise with the level and end at that of the whole problem, $L_0 \le \dots \le L_n$.
    $T_i$ is the truncation error: a network that answered $Q_i U(v)$ would err by
    $(L_i^2 + T_i^2)^{1/2}$. Norms are means over points, summed over channels; so this is no
    measure on a sphere's grid, whose points stand for unequal areas.

    Args:
        network: From inputs to targets.
        inputs: What it is applied to.
        targets: What it should answer.
        projections: Coarse to fine, as in a `UNet`; the last one acts first. They must be
            orthogonal, such as those of `Haar`: for others the squares do not add up and
            nothing above is promised.

    Returns:
        `squared_loss` and `squared_truncation` over `level`; level 0 is the coarsest.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §2.2.
    """
    errors = list(_down(targets - network(inputs), projections))
    aims = list(_down(targets, projections))
    whole = _mean_square(aims[0])
    losses = [_mean_square(error) for error in reversed(errors)]
    truncations = [whole - _mean_square(aim) for aim in reversed(aims)]
    return xr.Dataset(
        {
            "squared_loss": ("level", losses, {"long_name": "mean square error on the level"}),
            "squared_truncation": (
                "level",
                truncations,
                {"long_name": "mean square of what the level cannot represent of the target"},
            ),
        },
        coords={"level": np.arange(len(errors))},
    )


@torch.no_grad()
def optimal_linear_losses(
    inputs: Float[Tensor, "sample c_in y x"],
    targets: Float[Tensor, "sample c_out y x"],
    projections: Sequence[Projection],
) -> xr.DataArray:
    r"""The least losses that affine maps reach when inputs and targets are seen through levels.

    $$ L_{i \mid j}^2 = \min_U \, \mathbb E \lVert Q_i w - U(P_j v) \rVert^2 $$

    over the samples and all affine $U$, with orthogonal projections $P_j$ of the inputs and $Q_i$
    of the targets. The minimiser for $Q_i w$ is $Q_i$ of the minimiser for $w$, because both the
    set of maps and the norm respect the projection. Hence

    - $L_{i \mid j}$ does not fall with the target's level $i$, and ends at that of the whole
      target, $L_{i \mid j} \le L_{n \mid j}$;
    - what is missing is bounded by the truncation error,
      $L_{n \mid j}^2 - L_{i \mid j}^2 \le \mathbb E \lVert (I - Q_i) w \rVert^2$;
    - $L_{i \mid j}$ does not rise with the input's level $j$.

    Along the diagonal, where a U-Net of resolution $i$ lives, the first and the last pull in
    opposite directions: $L_{i \mid i}$ may rise, fall, or do both. The same holds for the minimum
    over all measurable maps, the conditional expectation, for which the first statement is the
    paper's theorem of high-resolution scaling; for a set of maps with fixed architecture it holds
    only as far as that set respects the projections.

    Args:
        inputs: Samples of $v$.
        targets: Samples of $w$.
        projections: Coarse to fine, as in a `UNet`; the last one acts first. Orthogonal, such as
            those of `Haar` on a box. On a sphere no projection is orthogonal in a mean over points.

    Returns:
        $L_{i \mid j}^2$ over `(target_level, input_level)`, in the targets' unit squared; means
        over points, summed over channels. NaN where the map has at least as many coefficients a
        value as there are samples, so that a fit would mean nothing.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*, §2.2.
    """
    aims = targets.double()
    table = []
    for seen in _down(inputs.double(), projections):
        left_over = aims - _affine_fit(seen, aims)
        table.append([_mean_square(part) for part in _down(left_over, projections)])
    levels = np.arange(len(projections) + 1)
    return xr.DataArray(
        np.array(table).T[::-1, ::-1],
        dims=("target_level", "input_level"),
        coords={"target_level": levels, "input_level": levels},
        name="squared_loss",
        attrs={"long_name": "least mean square error of affine maps"},
    )


def _affine_fit(seen: Tensor, aims: Tensor) -> Tensor:
    """The best affine function of `seen` for `aims`, at the samples; NaN if they are too few."""
    factors = seen.flatten(1)
    if factors.shape[1] + 1 >= len(factors):
        return torch.full_like(aims, torch.nan)
    factors = torch.cat([torch.ones_like(factors[:, :1]), factors], dim=1)
    # A divide-and-conquer driver, because fields with a spectrum leave columns that depend.
    fit = torch.linalg.lstsq(factors.cpu(), aims.flatten(1).cpu(), driver="gelsd").solution
    return (factors @ fit.to(factors)).reshape_as(aims)


def _down(v: Tensor, projections: Sequence[Projection]) -> Iterator[Tensor]:
    """A field on every level, fine to coarse."""
    yield v
    for projection in reversed(projections):
        v = projection(v)
        yield v


def _mean_square(v: Tensor) -> float:
    return float(v.double().square().sum(dim=1).mean())
