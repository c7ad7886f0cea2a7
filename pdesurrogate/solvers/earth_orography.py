"""The Earth's mountains as spherical harmonics."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.operators.legendre import legendre_functions
from pdesurrogate.operators.tables import made_once
from pdesurrogate.solvers.orography import Orography

__all__ = ["EarthOrography"]

_HIGHEST_DEGREE = 127
_UNIT = 0.1
"""Metres per unit of the file."""


@dataclass(frozen=True)
class EarthOrography(Orography):
    """The height of the Earth's land, zero at sea, truncated to harmonics of a degree.

    Truncation makes ripples beside steep coasts and ranges, hundreds of metres deep at degree 62.
    `earth_orography.md` beside this file says where the heights come from.

    Args:
        truncation: Highest degree, at most 127.
        scale: Factor on all heights, for a fluid that is shallower than the Earth's mountains are
            high.

    Raises:
        ValueError: If a value is out of its range.

    References:
        Farr et al. (2007), *Rev. Geophys.* 45 (the Shuttle Radar Topography Mission).
    """

    truncation: int = 62
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.truncation <= _HIGHEST_DEGREE:
            raise ValueError(
                f"truncation must be from 1 to {_HIGHEST_DEGREE}, got {self.truncation}"
            )
        if not math.isfinite(self.scale):
            raise ValueError(f"scale must be finite, got {self.scale}")

    def height(
        self, latitude: Float[Tensor, "*#points"], longitude: Float[Tensor, "*#points"]
    ) -> Float[Tensor, "*points"]:
        """Height of the ground in metres; see `Orography.height`."""
        count = self.truncation + 1
        coefficients = self.scale * _coefficients()[:count, :count]
        legendre = legendre_functions(latitude.double().sin().flatten(), count, count)
        waves = torch.einsum("lm,mly->my", coefficients, legendre.to(coefficients))
        height = torch.zeros(torch.broadcast_shapes(latitude.shape, longitude.shape)).double()
        for order, along in enumerate(waves.reshape(count, *latitude.shape)):
            wave = (along * torch.exp(1j * order * longitude.double())).real
            height = height + (wave if order == 0 else 2 * wave)
        return height


@made_once(maxsize=1)
def _coefficients() -> Complex[Tensor, "l m"]:
    """Of the heights in metres, as `SphericalHarmonics` holds them."""
    stored = np.load(Path(__file__).with_suffix(".npy"), allow_pickle=False)
    degree, order = np.tril_indices(_HIGHEST_DEGREE + 1)
    coefficients = torch.zeros(_HIGHEST_DEGREE + 1, _HIGHEST_DEGREE + 1, dtype=torch.complex128)
    coefficients[degree, order] = torch.from_numpy(_UNIT * (stored[:, 0] + 1j * stored[:, 1]))
    return coefficients
