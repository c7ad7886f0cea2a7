"""The script that measures a flow's statistics, on fields whose statistics are known."""

import math

import numpy as np
import pytest
import torch

from benchmarks.flow_statistics import flow_statistics
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.operators import velocity_from_vorticity


def test_a_taylor_green_vortex_and_a_power_law_are_measured_as_they_are():
    box = PeriodicBox((64, 64))
    y, x = torch.as_tensor(box.y)[:, None], torch.as_tensor(box.x)[None, :]
    # One plane wave per wavenumber of energy k^-3: ω has the amplitude 2 k^(-1/2).
    waves = sum(2 * k**-0.5 * torch.cos(k * (x + 0 * y) + k**2) for k in range(4, 25))
    fields = []
    for vorticity in (2 * torch.sin(2 * x) * torch.sin(2 * y), waves):
        fields.append(torch.stack([vorticity, *velocity_from_vorticity(vorticity, box)]))
    measured = flow_statistics(torch.stack(fields)[:, None].repeat(1, 3, 1, 1, 1), box, (8.0, 20.0))
    # u = sin 2x cos 2y / 2 and its partner: energy 1/16, largest speed 1/2, |k| = 2 √2.
    assert measured["kinetic energy"][0] == pytest.approx(1 / 16, rel=1e-12)
    assert measured["rms velocity"][0] == pytest.approx(math.sqrt(1 / 8), rel=1e-12)
    assert measured["enstrophy"][0] == pytest.approx(1 / 2, rel=1e-12)
    assert measured["largest speed"][0] == pytest.approx(1 / 2, rel=1e-12)
    assert measured["wavenumber of the spectrum's peak"][0] == pytest.approx(3.0)
    assert measured["slope of E(k), k = 8 to 20"][1] == pytest.approx(-3.0, abs=1e-9)
    np.testing.assert_allclose(measured["energy, later half over earlier"], 1.0)
