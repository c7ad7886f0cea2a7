"""The source of mass: where it stands at which time, what it adds, and the order in time."""

import math

import pytest
import torch

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.operators import spherical_harmonics
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import (
    Diagnosing,
    Equation,
    ForcedSphericalShallowWater,
    SeasonalDay,
    Solver,
    SphericalShallowWater,
)

GRID = GaussianSphere((32, 64))
DOUBLE = torch.float64
SHALLOW = SphericalShallowWater(mean_depth=5960.0)
HOUR, DAY, YEAR = 3600.0, 86400.0, 42 * 86400.0
LATITUDE = torch.tensor(GRID.y)[:, None]
LONGITUDE = torch.tensor(GRID.x)[None, :]


def at_rest(batch=1, depth=5960.0):
    still = torch.zeros(batch, *GRID.num_points, dtype=DOUBLE)
    return {"height": still + depth, "velocity_x": still, "velocity_y": still}


def rate(source, time):
    return source.rate(LATITUDE.deg2rad(), LONGITUDE.deg2rad(), torch.tensor([[time]]).double())


@pytest.mark.parametrize(
    ("time", "longitude", "latitude"),
    [
        (0.0, 0.0, 0.0),
        (6 * HOUR, 90.0, 0.4 * math.sin(2 * math.pi / 168)),
        (YEAR / 4, 180.0, 0.4),  # Ten and a half days: the northern summer at noon of 180°.
        (YEAR / 2, 0.0, 0.0),
        (3 * YEAR / 4, 180.0, -0.4),
    ],
)
def test_the_warm_side_follows_the_day_and_the_year(time, longitude, latitude):
    source = SeasonalDay()
    here = [torch.tensor([v]).double() for v in (latitude, math.radians(longitude), time)]
    assert float(source.rate(*here)) == pytest.approx(9 / 3600, rel=1e-12)
    field = rate(source, time)
    row, column = divmod(int(field.argmax()), 64)
    assert abs(float(LONGITUDE[0, column]) - longitude) < 360 / 64
    assert abs(float(LATITUDE[row, 0]) - math.degrees(latitude)) < 180 / 32
    opposite = source.rate(here[0], here[1] + math.pi, here[2])
    assert float(opposite) == pytest.approx(-9 / 3600, rel=1e-12)
    # A quarter of the globe to the north it has fallen by a factor of e.
    beyond = source.rate(here[0] + math.pi / 2, here[1], here[2])
    assert float(beyond) == pytest.approx(9 / 3600 / math.e, rel=1e-6)


def test_a_later_start_is_a_shift_in_time():
    early, late = SeasonalDay(), SeasonalDay(start=1e6)
    torch.testing.assert_close(rate(late, 5e5), rate(early, 1.5e6))


def test_it_keeps_the_contracts():
    equation = ForcedSphericalShallowWater()
    assert isinstance(equation, Equation)
    solver = equation.discretise(GRID, 600.0)
    assert isinstance(solver, Solver)
    assert isinstance(solver, Diagnosing)
    observed = solver.observe(solver.initialise(at_rest()), GRID)
    assert list(observed) == [field.name for field in equation.fields]
    diagnosed = solver.diagnose(solver.initialise(at_rest()))
    assert list(diagnosed) == [diagnostic.name for diagnostic in equation.diagnostics]


def test_the_depth_gains_what_the_source_gives():
    # No gravity to speak of, no rotation: the fluid stays, and the depth is the integral.
    equation = ForcedSphericalShallowWater(
        SphericalShallowWater(
            gravity=1e-12, rotation_rate=0.0, hyperdiffusion_time=math.inf, mean_depth=5960.0
        )
    )
    solver = equation.discretise(GRID, HOUR, dtype=DOUBLE)
    begin = 3 * DAY + 5 * HOUR
    state = repeat(solver.step, 5)(solver.initialise(at_rest(), begin))
    gained = solver.observe(state, GRID)["height"][0] - 5960
    sht = spherical_harmonics(GRID, 21, DOUBLE)
    nodes, weights = torch.tensor([-(0.6**0.5), 0.0, 0.6**0.5]), torch.tensor([5.0, 8.0, 5.0]) / 18
    exact = sum(
        float(w) * HOUR * rate(equation.source, begin + HOUR * (i + 0.5 + 0.5 * float(n)))
        for i in range(5)
        for n, w in zip(nodes, weights, strict=True)
    )
    exact = sht.synthesise(sht.analyse(exact))
    assert float((gained - exact).abs().max()) < 1e-5 * float(exact.abs().max())
    assert float(exact.abs().max()) > 30


def test_the_mean_depth_stays():
    solver = ForcedSphericalShallowWater(SHALLOW).discretise(GRID, 1800.0, dtype=DOUBLE)
    state = repeat(solver.step, 48)(solver.initialise(at_rest()))
    observed = solver.observe(state, GRID)
    mean = float((observed["height"][0] * torch.tensor(GRID.quadrature_weights)).sum())
    assert mean == pytest.approx(5960, rel=1e-12)
    assert float(observed["velocity_x"].abs().max()) > 1
    assert float(state.time) == DAY


def test_it_is_of_fourth_order_in_time():
    equation = ForcedSphericalShallowWater(
        SHALLOW, source=SeasonalDay(amplitude=0.05, day=6 * HOUR)
    )
    ends = []
    for steps in (8, 16, 64):
        solver = equation.discretise(GRID, 6 * HOUR / steps, dtype=DOUBLE)
        ends.append(repeat(solver.step, steps)(solver.initialise(at_rest())).waves)
    errors = [float((end - ends[-1]).abs().max()) for end in ends[:-1]]
    assert math.log2(errors[0] / errors[1]) > 3.7


def test_a_step_asks_for_the_source_at_three_times_and_leaves_the_free_step_unmade(monkeypatch):
    solver = ForcedSphericalShallowWater(SHALLOW).discretise(GRID, 1800.0, dtype=DOUBLE)
    asked, evaluate = [], solver.source_coefficients

    def count(time):
        asked.append(float(time))
        return evaluate(time)

    monkeypatch.setattr(solver, "source_coefficients", count)
    solver.step(solver.initialise(at_rest(), DAY))
    assert asked == [DAY, DAY + 900, DAY + 1800]
    assert "_step" not in vars(solver.free)


def test_variants_have_their_own_sources():
    kinds = [
        ForcedSphericalShallowWater(source=SeasonalDay(start=start)) for start in (0.0, DAY / 3)
    ]
    solver = kinds[0].discretise(GRID, 900.0, variants=kinds, dtype=DOUBLE)
    together = repeat(solver.step, 4)(solver.initialise(at_rest(2, 10000.0), 1e5))
    for row, equation in enumerate(kinds):
        alone = equation.discretise(GRID, 900.0, dtype=DOUBLE)
        state = repeat(alone.step, 4)(alone.initialise(at_rest(1, 10000.0), 1e5))
        torch.testing.assert_close(together.waves[row], state.waves[0], rtol=1e-10, atol=1e-13)


def test_without_source_it_is_the_free_solver():
    fields = at_rest(depth=9900.0)
    fields["velocity_x"] = fields["velocity_x"] + 20 * LATITUDE.deg2rad().cos()
    still = ForcedSphericalShallowWater(source=SeasonalDay(amplitude=0.0))
    ends = []
    for equation in (still, SphericalShallowWater()):
        solver = equation.discretise(GRID, 900.0, dtype=DOUBLE)
        ends.append(solver.observe(repeat(solver.step, 8)(solver.initialise(fields)), GRID))
    for name in ends[0]:
        torch.testing.assert_close(ends[0][name], ends[1][name], rtol=1e-12, atol=1e-15)


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match="day must be positive"):
        SeasonalDay(day=0.0)
    with pytest.raises(ValueError, match="amplitude must be finite"):
        SeasonalDay(amplitude=math.nan)
