"""Random vortices in balance: the equation they solve, and what a grid does not change."""

import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.initial_conditions import (
    BalancedVortices,
    SolidBodyRotation,
    balanced_height,
    random_harmonics,
)
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import ConicalMountain, SphericalShallowWater

GRID = GaussianSphere((64, 128))
DOUBLE = torch.float64
EARTH = {"gravity": 9.80616, "rotation_rate": 7.292e-5, "radius": 6.37122e6}
SMOOTH = BalancedVortices(max_degree=18, peak_degree=6.0)


def sample(state, grid=GRID, seed=0):
    return state.sample(np.random.default_rng(seed), grid)


def mean(field, grid=GRID):
    return float((field * torch.tensor(grid.quadrature_weights)).sum())


def harmonics(field, truncation=63):
    return spherical_harmonics(GRID, truncation, DOUBLE).analyse(field)


def test_more_degrees_leave_the_others_as_they_were():
    small, large = (random_harmonics(np.random.default_rng(3), n) for n in (7, 20))
    torch.testing.assert_close(large[:8, :8], small, rtol=0, atol=0)
    assert small[0, 0] == 0
    assert not small[:, 0].imag.any()
    assert not torch.triu(small.real, 1).any()


def test_noise_has_the_same_variance_in_every_direction():
    noise = random_harmonics(np.random.default_rng(0), 150)
    power = (torch.where(torch.arange(151) > 0, 2.0, 1.0) * noise.abs() ** 2).sum(-1)
    expected = 2.0 * torch.arange(151) + 1
    # 22800 normal numbers: the mean square is good to 1%.
    assert float(power.sum() / expected[1:].sum()) == pytest.approx(1, abs=0.04)


def test_solid_body_rotation_has_its_exact_height():
    flow = sample(SolidBodyRotation())
    sht = spherical_harmonics(GRID, 20, DOUBLE)
    spin, _ = sht.vorticity_and_divergence(flow["velocity_x"], flow["velocity_y"])
    height = balanced_height(spin / EARTH["radius"], **EARTH)
    on_grid = spherical_harmonics(GRID, 43, DOUBLE).synthesise(height[:44, :44])
    expected = flow["surface"] - mean(flow["surface"])
    assert float((on_grid - expected).abs().max()) < 1e-12 * float(flow["surface"].max())


def test_the_wind_sets_out_without_divergence():
    # T42 holds the products of degree 36: the tendency of the divergence is zero to rounding.
    solver = SphericalShallowWater(hyperdiffusion_time=math.inf).discretise(GRID, 1.0, dtype=DOUBLE)
    balanced = {name: field[None] for name, field in sample(SMOOTH).items()}
    flat = balanced | {"surface": torch.full_like(balanced["surface"], 10000.0)}
    growth = []
    for fields in (balanced, flat):
        state = solver.step(solver.initialise(fields))
        growth.append(float(solver.observe(state, GRID)["divergence"].abs().max()))
    assert growth[0] < 1e-3 * growth[1]
    tendency = solver.linear * solver.initialise(balanced)
    tendency = tendency + solver.nonlinear(solver.initialise(balanced), torch.zeros(1))
    _, spread, _ = solver._physical(tendency)
    unbalanced = solver.linear * solver.initialise(flat)
    unbalanced = unbalanced + solver.nonlinear(solver.initialise(flat), torch.zeros(1))
    assert float(spread.abs().max()) < 1e-12 * float(solver._physical(unbalanced)[1].abs().max())


def test_divergence_stays_small():
    solver = SphericalShallowWater().discretise(GRID, 900.0)
    balanced = {name: field[None] for name, field in sample(SMOOTH).items()}
    flat = balanced | {"surface": torch.full_like(balanced["surface"], 10000.0)}
    sizes = []
    for fields in (balanced, flat):
        state = repeat(solver.step, 24)(solver.initialise(fields))
        observed = solver.observe(state, GRID)
        sizes.append(observed["divergence"].pow(2).mean().sqrt())
    # Six hours on; the ratio is 0.062. The rest is what vortices radiate and the next order.
    assert sizes[0] < 0.1 * sizes[1]


def test_it_has_the_wind_depth_and_jets_that_were_asked_for():
    state = BalancedVortices(wind=15.0, mean_depth=6000.0)
    fields = sample(state)
    square = fields["velocity_x"] ** 2 + fields["velocity_y"] ** 2
    assert math.sqrt(mean(square)) == pytest.approx(15, rel=1e-10)
    assert mean(fields["surface"]) == pytest.approx(6000, rel=1e-12)
    jets = sample(BalancedVortices(wind=0.0, jet_speed=40.0))
    assert float(jets["velocity_x"].max()) == pytest.approx(40, rel=1e-2)
    row = int(jets["velocity_x"][:, 0].argmax())
    assert abs(GRID.y[row]) == pytest.approx(39.2, abs=1.5)
    # Westerlies lie around a polar low.
    assert jets["surface"][0, 0] < jets["surface"][32, 0]


def test_its_energy_peaks_at_the_peak_degree():
    state = BalancedVortices(max_degree=40, peak_degree=10.0, sharpness=40.0)
    energy = torch.zeros(64)
    for seed in range(4):
        fields = sample(state, seed=seed)
        sht = spherical_harmonics(GRID, 63, DOUBLE)
        spin, spread = sht.vorticity_and_divergence(fields["velocity_x"], fields["velocity_y"])
        degree = torch.arange(64)
        energy += (spin.abs() ** 2).sum(-1) / (degree * (degree + 1)).clamp(min=1)
        assert float(spread.abs().max()) < 1e-10 * float(spin.abs().max())
    assert 8 <= int(energy.argmax()) <= 12


def test_every_grid_sees_the_same_function():
    fine, coarse = GaussianSphere((96, 192)), GaussianSphere((32, 64))
    one, two = sample(SMOOTH, fine), sample(SMOOTH, coarse)
    sht = [spherical_harmonics(grid, 30, DOUBLE) for grid in (fine, coarse)]
    for name in ("surface",):
        torch.testing.assert_close(
            sht[0].analyse(one[name]), sht[1].analyse(two[name]), rtol=1e-9, atol=1e-6
        )
    spins = [
        s.vorticity_and_divergence(f["velocity_x"], f["velocity_y"])[0]
        for s, f in zip(sht, (one, two), strict=True)
    ]
    torch.testing.assert_close(*spins, rtol=1e-9, atol=1e-9)


def test_the_surface_stays_level_over_a_mountain():
    still = BalancedVortices(wind=0.0)
    over = SphericalShallowWater(orography=ConicalMountain())
    solver = over.discretise(GRID, 600.0, dtype=DOUBLE)
    state = solver.initialise({name: field[None] for name, field in sample(still).items()})
    fields = solver.observe(repeat(solver.step, 10)(state), GRID)
    surface = fields["height"] + fields["orography"]
    assert float((surface - 10000).abs().max()) < 1e-8


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="mean_depth must be positive"):
        BalancedVortices(mean_depth=0.0)
    with pytest.raises(ValueError, match="max_degree must be at least 5"):
        BalancedVortices(max_degree=3)
    with pytest.raises(ValueError, match="wind must be"):
        BalancedVortices(wind=-1.0)
    with pytest.raises(ValueError, match="less wind"):
        sample(BalancedVortices(mean_depth=100.0, wind=60.0))
    with pytest.raises(ValueError, match="needs a GaussianSphere"):
        sample(SMOOTH, PeriodicBox((8, 8)))
