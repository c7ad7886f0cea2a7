"""One training to be measured: which loop, which network, which data; and the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.checkouts import PDEArenaPlainUNet, PDEArenaResidualUNet
from pdesurrogate.data import Ladder, generate
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import FNO, ClassicalUNet, ModelSpec, ResidualUNet, count_parameters, match
from pdesurrogate.models.user_model import UserModel

__all__ = [
    "FIELDS",
    "HISTORY",
    "NETWORKS",
    "OURS",
    "SMOKE",
    "TURBULENCE",
    "Case",
    "dataset",
    "matched_width",
    "parameters",
]

OURS = "pdesurrogate.train"
"""The name of our loop."""

HISTORY, NUM_FRAMES = 4, 14
"""Frames that a network is given, and frames of a trajectory, as with PDEArena's smoke."""

TURBULENCE, SMOKE = "decaying_turbulence", "buoyant_smoke_pdearena"
FIELDS = {
    TURBULENCE: ("vorticity", "velocity_x", "velocity_y"),
    SMOKE: ("smoke", "velocity_x", "velocity_y"),
}
"""Recipes and the fields that are trained: three, a scalar and a vector."""

CHANNELS = 3 * HISTORY, 3
"""Of every network, in and out."""

NETWORKS: dict[str, Callable[[int], ModelSpec]] = {
    "FNO": lambda width: FNO(width=width),
    "ResidualUNet": lambda width: ResidualUNet(width=width, levels=4, norm="group"),
    "ClassicalUNet": lambda width: ClassicalUNet(width=width, levels=4, norm="group"),
    "PDEArena residual U-Net": lambda width: UserModel.of(PDEArenaResidualUNet, width=width),
    "PDEArena plain U-Net": lambda width: UserModel.of(PDEArenaPlainUNet, width=width),
}
"""Networks by name, given a width."""


@dataclass(frozen=True)
class Case:
    """One training, in plain values that another process can be handed.

    Args:
        loop: What trains, one of `training_worker.LOOPS`.
        network: One of `NETWORKS`.
        width: Its width.
        data: Folder of the dataset.
        points: The rung.
        batch: Windows per optimiser step, over all processes.
        device: Where to train.
        threads: Threads of each process.
        options: What differs from the defaults in the configuration of our training.
        epochs: How often it goes through the data; peers do once.
        from_disk: Whether our training reads its windows from disk though they would fit in memory.
    """

    loop: str
    network: str
    width: int
    data: str
    points: int
    batch: int
    device: str
    threads: int
    options: dict[str, Any] = field(default_factory=dict)
    from_disk: bool = False
    epochs: int = 1

    @property
    def spec(self) -> ModelSpec:
        """The network's options."""
        return NETWORKS[self.network](self.width)

    @property
    def num_steps(self) -> int:
        """Optimiser steps of all epochs."""
        windows = self.open()[0].num_trajectories("train") * (NUM_FRAMES - HISTORY)
        return -(-windows // self.batch) * self.epochs

    def open(self) -> tuple[Ladder, tuple[str, ...]]:
        """The dataset, and the fields that are trained."""
        data = Ladder(Path(self.data))
        return data, FIELDS[data.name]


@cache
def parameters(network: str, width: int) -> int:
    """Trainable real numbers of a network."""
    return count_parameters(NETWORKS[network](width).build(*CHANNELS, PeriodicBox((64, 64))))


def matched_width(network: str, value: int) -> int:
    """The width at which a network has about so many parameters."""
    found = match(
        NETWORKS[network](8),
        target="parameters",
        value=value,
        grid=PeriodicBox((64, 64)),
        in_channels=CHANNELS[0],
        out_channels=CHANNELS[1],
    )
    return int(vars(found.spec)["width"])


def dataset(recipe: str, points: int, windows: int, folder: Path) -> Path:
    """Generate trajectories that hold at least so many training windows.

    Turbulence is simulated in few and short steps: its fields are only to be read.

    Args:
        recipe: One of `FIELDS`.
        points: Points a side.
        windows: Training windows of `HISTORY + 1` frames.
        folder: Where datasets are kept.
    """
    overrides: dict[str, Any] = {}
    if recipe == TURBULENCE:
        overrides = {
            "reference_resolution": max(96, 3 * points // 2),
            "frame_interval": 0.01,
            "steps_per_frame": 1,
            "spin_up_frames": 0,
            "accuracy_trajectories": 0,
            "batch_size": 16,
        }
    trajectories = -(-windows // (NUM_FRAMES - HISTORY))
    out = folder / f"{recipe}-{points}-{trajectories}"
    generate(
        recipe,
        out,
        resolutions=[points],
        num_frames=NUM_FRAMES,
        splits={"train": trajectories, "valid": 1, "test": 0},
        **overrides,
    )
    return out
