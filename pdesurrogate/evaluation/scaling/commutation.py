"""Whether a step is one operator seen on many grids, or a different one on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.scaling.norms import relative_norm
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.transfer import restrict_fields

__all__ = ["Commutation", "commutation_error"]


class Commutation(NamedTuple):
    r"""$\lVert R_n U_N u - U_n R_n u \rVert$ in two units.

    Args:
        error: Over $\lVert U_N u \rVert$.
        error_of_change: Over $\lVert U_N u - u \rVert$: a short step, which is near the identity,
            has a small `error` whatever it does.
    """

    error: Float[Tensor, "batch field"]
    error_of_change: Float[Tensor, "batch field"]


def commutation_error(
    fine: Float[Tensor, "batch field y x"],
    coarse: Float[Tensor, "batch field m n"],
    before: Float[Tensor, "batch field y x"],
    fields: Sequence[Field],
    top: Grid,
    grid: Grid,
) -> Commutation:
    r"""Compare stepping and restricting with restricting and stepping.

    $$ c(n) = \frac{\lVert R_n U_N u - U_n R_n u \rVert}{\lVert U_N u \rVert} $$

    It is zero for an operator that acts point by point and is linear, and for a Fourier multiplier
    that is a function of the physical wavenumber.

    Args:
        fine: $U_N u$.
        coarse: $U_n R_n u$.
        before: $u$.
        fields: What the channels are.
        top: The finest grid, $N$.
        grid: The coarser one, $n$.
    """
    difference = restrict_fields(fine.double(), fields, top, grid) - coarse.double()
    change = fine.double() - before.double()
    return Commutation(
        relative_norm(difference, grid, fine, top), relative_norm(difference, grid, change, top)
    )
