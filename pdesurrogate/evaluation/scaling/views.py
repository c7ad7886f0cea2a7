"""The same frames on another rung, and what a step makes of them there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.entries import Entry, Frames
from pdesurrogate.evaluation.protocols import Native
from pdesurrogate.fields import Field
from pdesurrogate.grids import Grid
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["band_limited", "one_step", "restricted"]


def restricted(frames: Frames, fields: Sequence[Field], grid: Grid) -> Frames:
    """$R_n$ of all frames.

    Args:
        frames: On a finer grid, or on this one.
        fields: What their first channels are; any further ones are taken for scalars.
        grid: The coarser grid.
    """
    return _moved(frames, grid, lambda u: restrict_fields(u, fields, frames.grid, grid))


def band_limited(frames: Frames, fields: Sequence[Field], band_grid: Grid) -> Frames:
    """$Q R$ of all frames: on the points of a fine grid what a coarser one knows.

    Args:
        frames: On the finer grid.
        fields: What their first channels are; any further ones are taken for scalars.
        band_grid: The coarser grid.
    """

    def limited(u: Tensor) -> Tensor:
        band = restrict_fields(u, fields, frames.grid, band_grid)
        return prolong_fields(band, fields, band_grid, frames.grid)

    return _moved(frames, frames.grid, limited)


@torch.no_grad()
def one_step(entry: Entry, frames: Frames) -> Float[Tensor, "batch bundle field y x"]:
    """What one step predicts from the given frames, natively on their grid.

    Args:
        entry: A surrogate, or a solver on this grid.
        frames: With at least as many true frames as a step predicts; they are not looked at.
    """
    asked = replace(frames, truth=frames.truth[:, : entry.bundle])
    return torch.stack(list(entry.predict(asked, Native())), dim=1)


def _moved(frames: Frames, grid: Grid, move: Callable[[Tensor], Tensor]) -> Frames:
    return replace(frames, given=move(frames.given), truth=move(frames.truth[:, :]), grid=grid)
