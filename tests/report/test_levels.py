from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import MultiResNet, residual_energy
from pdesurrogate.report import plot_levels
from pdesurrogate.report.looks import surrogate_look


def energy(height: float) -> xr.Dataset:
    values = np.full((2, 3), height)
    return xr.Dataset(
        dict.fromkeys(("residual_energy", "output_change"), (("level", "sample"), values)),
        coords={"level": [1, 2], "num_points_y": ("level", [8, 16])}
        | {"num_points_x": ("level", [16, 32])},
    )


def rows_of(colour: str, picture: Path) -> np.ndarray:
    pixels = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return np.nonzero((np.abs(pixels - wanted).max(-1) < 8).sum(-1) > 100)[0]


def test_higher_energies_are_drawn_higher(tmp_path: Path) -> None:
    out = plot_levels({"much": energy(0.8), "little": energy(0.2)}, tmp_path / "levels.png")
    much, little = (rows_of(surrogate_look(i).colour, out) for i in range(2))
    assert much.size
    assert little.size
    assert much.max() < little.min()


def test_a_networks_own_energies_are_drawn(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = MultiResNet(width=4, levels=2).build(1, 1, PeriodicBox((8, 8)))
    found = residual_energy(network, torch.randn(3, 1, 8, 8))
    out = plot_levels({"network": found}, str(tmp_path / "levels.svg"))
    assert out.read_text().startswith("<?xml")


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one network"):
        plot_levels({}, tmp_path / "levels.png")
