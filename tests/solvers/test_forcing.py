"""Forces: their sources at points, what they hold, and one that changes in time."""

import math
from dataclasses import dataclass

import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.operators import vorticity_from_velocity
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    DiagonalForcing,
    KolmogorovForcing,
    PeriodicNavierStokes,
    UnsteadyForcing,
)

DOUBLE = torch.float64
BOX = PeriodicBox((24, 32), (2.0, 3.0))


@dataclass(frozen=True)
class TravellingForcing(UnsteadyForcing):
    """A cos(k y - Ω t): two patterns, always both."""

    amplitude: float = 1.0
    frequency: float = 1.0

    def highest_wavenumbers(self, domain_extent):
        return (1, 0)

    def weights(self, time):
        return {
            0: self.amplitude * math.cos(self.frequency * time),
            1: self.amplitude * math.sin(self.frequency * time),
        }

    def pattern(self, index, grid):
        angle = 2 * math.pi * torch.as_tensor(grid.y)[:, None] / grid.domain_extent[0]
        return (torch.sin(angle) if index else torch.cos(angle)).expand(grid.num_points)


def test_the_kolmogorov_source_is_the_curl_of_its_force():
    force = KolmogorovForcing(1.5, 3)
    f_x = 1.5 * torch.sin(2 * math.pi * 3 * torch.as_tensor(BOX.y) / 2.0)[:, None].expand(24, 32)
    curl = vorticity_from_velocity(f_x, torch.zeros(24, 32, dtype=DOUBLE), BOX)
    torch.testing.assert_close(force.vorticity_source(BOX), curl, rtol=0, atol=1e-12)
    assert force.highest_wavenumbers(BOX.domain_extent) == (3, 0)


def test_the_source_of_li_et_al_at_a_point():
    source = DiagonalForcing(0.1).vorticity_source(PeriodicBox((8, 8), (1.0, 1.0)))
    assert source[1, 2] == pytest.approx(
        0.1 * (math.sin(2 * math.pi * 3 / 8) + math.cos(2 * math.pi * 3 / 8)), rel=1e-14
    )


def test_an_unsteady_source_is_the_sum_of_its_patterns():
    source = TravellingForcing(2.0, 3.0).vorticity_source(BOX, 0.4)
    y = torch.as_tensor(BOX.y)[:, None]
    expected = 2.0 * torch.cos(math.pi * y - 1.2)
    torch.testing.assert_close(source, expected.expand(24, 32), rtol=0, atol=1e-14)


def test_the_response_to_travelling_forces_is_that_of_a_damped_oscillator():
    # ω' = -λ ω + A cos(ky - Ω t) from rest: ω = Re A e^{iky} (e^{-iΩt} - e^{-λt}) / (λ - iΩ).
    settings = ((1.0, 2.0), (3.0, 0.5))
    variants = [
        PeriodicNavierStokes(viscosity=0.05, drag=0.1, forcing=TravellingForcing(a, f))
        for a, f in settings
    ]
    solver = variants[0].discretise(BOX, 0.02, variants=variants, dtype=DOUBLE)
    rest = {"vorticity": torch.zeros(2, 24, 32, dtype=DOUBLE)}
    end = solver.observe(repeat(solver.step, 100)(solver.initialise(rest)), BOX)["vorticity"]
    k, time = math.pi, 2.0
    rate = 0.05 * k**2 + 0.1
    wave = torch.exp(1j * k * torch.as_tensor(BOX.y))[:, None]
    for row, (amplitude, frequency) in enumerate(settings):
        factor = complex(math.cos(frequency * time), -math.sin(frequency * time))
        response = amplitude * (factor - math.exp(-rate * time)) / complex(rate, -frequency)
        expected = (wave * response).real.expand(24, 32)
        torch.testing.assert_close(end[row], expected, rtol=0, atol=1e-7)


def test_wrong_use_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        KolmogorovForcing(1.0, 0)
    with pytest.raises(ValueError, match="amplitude must be finite, got nan"):
        DiagonalForcing(math.nan)
