"""The Earth's mountains: where they stand, how high, and how they are truncated."""

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.solvers import EarthOrography, Orography

PLACES = {
    # Latitude, longitude, height in metres of the land within some 150 km, from an atlas.
    "Tibet": (33.0, 88.0, 5000),
    "Altiplano": (-20.0, 292.0, 3900),
    "Greenland": (73.0, 320.0, 3000),
    "East Antarctica": (-82.0, 70.0, 3900),
    "Colorado": (39.0, 254.0, 2800),
    "Kansas": (38.0, 262.0, 500),
    "Pacific": (0.0, 220.0, 0),
    "Atlantic": (30.0, 320.0, 0),
}


@pytest.mark.parametrize("place", PLACES)
def test_mountains_stand_where_they_do(place):
    latitude, longitude, expected = PLACES[place]
    points = (torch.tensor([latitude]).deg2rad(), torch.tensor([longitude]).deg2rad())
    height = EarthOrography(truncation=127).height(*points)
    assert float(height) == pytest.approx(expected, abs=400)


def test_the_mean_is_the_earths():
    # 29.2% land of mean height 797 m (Eakins & Sharman 2012, NOAA) makes 233 m.
    grid = GaussianSphere((64, 128))
    mean = float((EarthOrography().on(grid) * torch.tensor(grid.quadrature_weights)).sum())
    assert mean == pytest.approx(233, rel=0.03)


def test_it_is_truncated_and_scaled():
    grid = GaussianSphere((96, 192))
    sht = spherical_harmonics(grid, 95, torch.float64)
    whole, cut = (sht.analyse(EarthOrography(truncation=t).on(grid)) for t in (80, 42))
    torch.testing.assert_close(cut[:43, :43], whole[:43, :43], rtol=1e-9, atol=1e-6)
    assert float(cut[43:].abs().max()) < 1e-8
    half = EarthOrography(truncation=80, scale=0.5).on(grid)
    torch.testing.assert_close(sht.analyse(half), 0.5 * whole)


def test_it_keeps_the_contract_and_refuses_bad_values():
    assert isinstance(EarthOrography(), Orography)
    scattered = EarthOrography().height(torch.rand(7), torch.rand(7))
    assert scattered.shape == (7,)
    assert np.isfinite(scattered.numpy()).all()
    with pytest.raises(ValueError, match="truncation must be from 1 to 127"):
        EarthOrography(truncation=200)
    with pytest.raises(ValueError, match="scale must be finite"):
        EarthOrography(scale=float("nan"))
