"""How long detail is worth carrying, told from the training grid alone."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.frame_rollout import rollout_frames
from pdesurrogate.grids import Grid
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.transfer import prolong_fields, restrict_fields

__all__ = ["OCTAVE_EXPONENT", "detail_trust"]

OCTAVE_EXPONENT = 4
"""Of what is left at one wavenumber, to what is left at twice that.

A structure of wavenumber `k` that stands a random distance off keeps the share
$e^{-k^2 \\sigma^2 / 2}$ of its coherence: twice the wavenumber, the fourth power.
"""

_LARGEST_BATCH = 16
_LEAST_SHARE = 1e-6
"""Of the truth's square: what a predicted octave must have to be one."""


@torch.no_grad()
def detail_trust(
    surrogate: Surrogate, data: Ladder, num_steps: int, split: str = "valid"
) -> tuple[float, ...]:
    r"""What detail is to be multiplied by after each step of a rollout.

    The finest octave of the training grid's own band is predicted by the network. Its regression
    on the truth, over rollouts of the validation split,

    $$ \alpha_k = \frac{\sum_c \langle d_k^c, y_k^c \rangle / \lVert y^c \rVert^2}
                       {\sum_c \langle d_k^c, d_k^c \rangle / \lVert y^c \rVert^2},
       \qquad d = (I - Q_{1/2} R_{1/2})\, p $$

    is the factor that would minimise its squared error. Detail beyond the grid is an octave finer
    and loses its place sooner: it is trusted as far as $\alpha_k^4$, between 0 and 1. No fine data
    are seen.

    Args:
        surrogate: On any device.
        data: The dataset in the surrogate's steps.
        num_steps: Frames of a rollout.
        split: Whose rollouts, from the first frames on.

    Returns:
        One number per predicted frame that the split's trajectories reach; none, empty, where the
        training grid cannot be halved or there are no trajectories.
    """
    grid = surrogate.info.training_grid
    half = _halved(grid)
    count = data.num_trajectories(split)
    history = surrogate.info.history
    num_steps = min(num_steps, data.num_frames - history)
    if half is None or count == 0 or num_steps < 1:
        return ()
    both, own, true = torch.zeros(3, num_steps)
    for first in range(0, count, _LARGEST_BATCH):
        rows = slice(first, min(first + _LARGEST_BATCH, count))
        products = _products(surrogate, data, num_steps, split, rows, half)
        both, own, true = both + products[0], own + products[1], true + products[2]
    # Rounding is no prediction, and what is not finite has blown up: neither is to be trusted.
    regression = both / own.clamp(min=_LEAST_SHARE * true)
    regression = torch.nan_to_num(regression, nan=0.0, posinf=0.0, neginf=0.0).clamp(0, 1)
    return tuple(float(share) for share in regression**OCTAVE_EXPONENT)


def _products(
    surrogate: Surrogate, data: Ladder, num_steps: int, split: str, rows: slice, half: Grid
) -> Float[Tensor, "product=3 step"]:
    """Products of prediction and truth, and of each with itself, by step."""
    info, grid = surrogate.info, surrogate.info.training_grid
    fields, count = info.fields, len(info.fields)
    names = (*info.field_names, *info.condition_names)
    time = slice(0, info.history + num_steps)
    frames = load_frames(data, split, grid.resolution, names, rows, time).to(surrogate.device)
    weights = torch.tensor(grid.quadrature_weights).to(frames.device, frames.dtype)
    scale = (weights * frames[:, :, :count] ** 2).sum((-2, -1)).mean((0, 1))
    scale = torch.where(scale > 0, scale, 1.0)

    def finest(u: Tensor) -> Tensor:
        return u - prolong_fields(restrict_fields(u, fields, grid, half), fields, half, grid)

    def product(a: Tensor, b: Tensor) -> Tensor:
        return ((weights * a * b).sum((-2, -1)) / scale).sum().cpu()

    rows_of_products = []
    start = frames[:, : info.history]
    steps = rollout_frames(surrogate.step, start, num_steps, info.bundle)
    for predicted, truth in zip(steps, frames[:, info.history :].unbind(1), strict=True):
        p, y = finest(predicted[:, :count]), finest(truth[:, :count])
        rows_of_products.append(torch.stack([product(p, y), product(p, p), product(y, y)]))
    return torch.stack(rows_of_products, dim=1)


def _halved(grid: Grid) -> Grid | None:
    """The next coarser grid, if there is one."""
    if any(n % 2 for n in grid.num_points):
        return None
    try:
        return grid.at_resolution(grid.resolution // 2)
    except ValueError:
        return None
