"""The jet on the sphere, and how the peers of `benchmarks.shallow_water` are given it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.sphere_error import Fields
from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet
from pdesurrogate.solvers import SphericalShallowWater

__all__ = [
    "DEDALUS",
    "DTYPES",
    "GRIDS",
    "TORCH_HARMONICS",
    "VISCOSITY",
    "PeerSettings",
    "jet",
    "peer_case",
]

VISCOSITY = 1e5
"""Of everything, in square metres per second."""
DTYPES = ("float32", "float64")
GRIDS = {42: 64, 63: 96, 85: 128, 106: 160, 127: 192, 170: 256}
"""Latitudes for each truncation, twice as many longitudes: products without aliasing. Many call
96 x 192 points T62."""


@dataclass(frozen=True)
class PeerSettings:
    """How a peer is run.

    Args:
        name: What it is called.
        worker: The script that answers.
        dtypes: What it computes in.
        dealiased: Whether it adds the points for products itself: its grid then has one latitude
            for every degree.
        steps: Seconds for each truncation.
        tried: Truncations of `error`, in the first of the `dtypes`.
    """

    name: str
    worker: str
    dtypes: tuple[str, ...]
    dealiased: bool
    steps: Mapping[int, int]
    tried: tuple[int, ...]

    def grid(self, truncation: int) -> GaussianSphere:
        """What its fields are given on."""
        latitudes = truncation + 2 - truncation % 2 if self.dealiased else GRIDS[truncation]
        return GaussianSphere((latitudes, 2 * latitudes))


TORCH_HARMONICS = PeerSettings(
    "torch-harmonics",
    "torch_harmonics_worker.py",
    DTYPES,
    dealiased=False,
    steps={42: 270, 63: 180, 85: 120, 127: 90},
    tried=(42, 63, 85),
)
DEDALUS = PeerSettings(
    "Dedalus",
    "dedalus_worker.py",
    ("float64",),
    dealiased=True,
    steps={42: 1800, 63: 1200, 85: 900, 127: 600},
    tried=(42, 63, 85, 127),
)


def jet(grid: GaussianSphere) -> Fields:
    """The initial state."""
    return BarotropicJet().sample(np.random.default_rng(0), grid)


def peer_case(
    settings: PeerSettings, truncation: int, dtype: str, scratch: str, device: str
) -> dict[str, Any]:
    """What a worker wants to know."""
    physics = SphericalShallowWater()
    path = f"{scratch}/start.npz"
    np.savez(path, **{name: u.numpy() for name, u in jet(settings.grid(truncation)).items()})
    return {
        "initial": path,
        "truncation": truncation,
        "dt": settings.steps[truncation],
        "dtype": dtype,
        "viscosity": VISCOSITY,
        "device": device,
        **{n: getattr(physics, n) for n in ("gravity", "mean_depth", "rotation_rate", "radius")},
    }
