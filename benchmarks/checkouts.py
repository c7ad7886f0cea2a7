"""Networks out of checkouts of other repositories, whose packages want far more than torch."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

__all__ = [
    "Images",
    "PDEArenaPlainUNet",
    "PDEArenaResidualUNet",
    "checkout_modules",
    "checkout_version",
    "pdearena_modules",
]


def checkout_modules(variable: str, folder: str) -> Callable[[str], ModuleType]:
    """Imports single files of a checkout.

    Args:
        variable: The environment variable that holds the checkout's path.
        folder: Where the files are in it.

    Raises:
        KeyError: If the variable is not set.
    """
    package = sys.modules.setdefault(variable.lower(), ModuleType(variable.lower()))
    package.__path__ = [str(Path(os.environ[variable]) / folder)]
    return lambda name: importlib.import_module(f"{package.__name__}.{name}")


def checkout_version(variable: str) -> str:
    """The commit of a checkout, as far as git can tell."""
    command = ["git", "-C", os.environ[variable], "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def pdearena_modules(name: str) -> ModuleType:
    """One of PDEArena's files `pdearena/modules/*.py`."""
    return checkout_modules("PDEARENA_PATH", "pdearena/modules")(name)


class Images(nn.Module):
    """A peer's network, which wants time as a dimension, as one of images.

    Args:
        network: From `(batch, time, field, y, x)` to the same with one frame.
        frames: How many it is given.
    """

    def __init__(self, network: nn.Module, frames: int) -> None:
        super().__init__()
        self.network = network
        self.frames = frames

    def forward(self, v: Tensor) -> Tensor:
        return self.network(v.unflatten(1, (self.frames, -1)))[:, 0]


class PDEArenaResidualUNet(Images):
    """PDEArena's residual U-Net, with group normalisation."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        kind = pdearena_modules("twod_unet").Unet
        super().__init__(*_pdearena(kind, in_channels, out_channels, width, norm=True))


class PDEArenaPlainUNet(Images):
    """PDEArena's plain U-Net, which always has group normalisation."""

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        kind = pdearena_modules("twod_unetbase").Unetbase
        super().__init__(*_pdearena(kind, in_channels, out_channels, width))


def _pdearena(
    kind: Any, in_channels: int, out_channels: int, width: int, **options: Any
) -> tuple[nn.Module, int]:
    """The network, and how many frames it is given."""
    frames = in_channels // out_channels
    network = kind(
        n_input_scalar_components=out_channels,
        n_input_vector_components=0,
        n_output_scalar_components=out_channels,
        n_output_vector_components=0,
        time_history=frames,
        time_future=1,
        hidden_channels=width,
        activation="gelu",
        **options,
    )
    return network, frames
