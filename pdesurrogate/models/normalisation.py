"""Normalisation whose statistics do not depend on how finely a field is sampled."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Padding

__all__ = ["BandNorm", "ChannelNorm", "band_strength"]


class ChannelNorm(nn.Module):
    r"""Normalise over the channels at each point, each point by itself.

    $$ w_c = \gamma_c \frac{v_c - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \beta_c $$

    with mean $\mu$ and variance $\sigma^2$ over the channels. No statistic runs over the grid.

    Args:
        channels: Channels of the field; with a single one the output is $\beta$.
        epsilon: $\varepsilon$.

    References:
        Ba et al. (2016), *Layer Normalization*.
        Liu et al. (2022), *A ConvNet for the 2020s*, §2.6.
    """

    def __init__(self, channels: int, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self._epsilon = epsilon

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Normalise every point."""
        variance, mean = torch.var_mean(v, dim=1, correction=0, keepdim=True)
        standardised = (v - mean) * torch.rsqrt(variance + self._epsilon)
        return standardised * self.weight[:, None, None] + self.bias[:, None, None]


class BandNorm(nn.Module):
    r"""Divide by the root mean square of the field's lowest wavenumbers.

    $$ w_c = \gamma_c \frac{v_c}{\sqrt{s^2 + \varepsilon}} + \beta_c, \qquad
       s^2 = \frac{1}{C} \sum_c \sum_{|k_y|, |k_x| \le K} |\hat v_c(k)|^2 $$

    Detail that only a finer grid shows lies at higher wavenumbers and does not change $s$, so that
    the response to the rest stays as it was learned. On periodic grids of more than $2K$ points
    the statistic is the same on every grid to rounding; a coarser grid has what it resolves. Along
    a direction with walls the waves are those of the cosine series, which may be half ones: up to
    $K$ whole waves, that is $2K$ half ones, fit between the walls. So they are along the meridians
    of a sphere, whose latitudes are not quite equidistant: there the statistic converges with the
    grid.

    Args:
        channels: Channels of the field.
        edges: How the field continues along y and x, from `Grid.padding`.
        highest: $K$, in whole waves per side.
        epsilon: $\varepsilon$.
    """

    def __init__(
        self,
        channels: int,
        edges: tuple[Padding, Padding],
        highest: int = 3,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self._edges = edges
        self._highest = highest
        self._epsilon = epsilon

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Normalise each sample."""
        strength = band_strength(v, self._edges, self._highest)
        inverse = torch.rsqrt(strength + self._epsilon)[:, None, None, None]
        return v * inverse * self.weight[:, None, None] + self.bias[:, None, None]


def band_strength(
    v: Float[Tensor, "batch c y x"], edges: tuple[Padding, Padding], highest: int
) -> Float[Tensor, " batch"]:
    r"""$s^2$ of `BandNorm`: mean over the channels of the energy in the lowest wavenumbers.

    Args:
        v: Field.
        edges: How it continues along y and x.
        highest: Highest wavenumber of the band along each axis, in whole waves per side.
    """
    rows, columns = (
        _low_waves(v.shape[axis], edge, highest, v)
        for axis, edge in zip((-2, -1), edges, strict=True)
    )
    return (rows @ v @ columns.mT).square().sum((-2, -1)).mean(1)


def _low_waves(
    num_points: int, edge: Padding, highest: int, like: Tensor
) -> Float[Tensor, "wave point"]:
    r"""Orthonormal waves on the points, divided by their number: `waves @ v` are coefficients.

    Those that the points cannot tell from others are zero: the number of waves knows no grid.
    """
    points = torch.arange(num_points, device=like.device, dtype=like.dtype)
    if edge == "circular":
        k = torch.arange(1, highest + 1, device=like.device)[:, None]
        phase = (2 * math.pi / num_points) * ((k * points) % num_points)
        waves = torch.cat([phase.cos(), phase.sin()])
        is_resolved = torch.cat([2 * k, 2 * k]) < num_points
    else:  # half a wave fits between walls
        k = torch.arange(1, 2 * highest + 1, device=like.device)[:, None]
        waves = ((math.pi / num_points) * (k * (points + 0.5))).cos()
        is_resolved = k < num_points
    constant = torch.ones_like(points)[None]
    return torch.cat([constant, math.sqrt(2) * (waves * is_resolved)]) / num_points
