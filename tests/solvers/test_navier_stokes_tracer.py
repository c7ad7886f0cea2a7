"""The passive tracer: exact relations, budgets, and a solution worked out another way."""

import itertools
import math

import numpy as np
import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.initial_conditions import (
    CombinedInitialCondition,
    GaussianRandomField,
    McWilliamsVorticity,
)
from pdesurrogate.operators import derivative
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes

DOUBLE = torch.float64
FLOW = CombinedInitialCondition(
    [
        McWilliamsVorticity(max_wavenumber=6, peak_wavenumber=3.0),
        GaussianRandomField(6, scale=9.0, inverse_length=3.0, field="tracer"),
    ]
)


def start(n, seed=0):
    drawn = FLOW.sample(np.random.default_rng(seed), PeriodicBox((n, n)))
    return {name: values[None] for name, values in drawn.items()}


def run(equation, n, dt, steps, fields, dtype=DOUBLE):
    solver = equation.discretise(PeriodicBox((n, n)), dt, dtype=dtype)
    state = repeat(solver.step, steps)(solver.initialise(fields))
    return solver.observe(state, solver.grid)


def relative(a, b):
    return float((a - b).norm() / b.norm())


def test_a_tracer_that_starts_as_the_vorticity_stays_the_vorticity():
    equation = PeriodicNavierStokes(viscosity=0.01, tracer_diffusivity=0.01)
    vorticity = start(48)["vorticity"]
    end = run(equation, 48, 0.02, 50, {"vorticity": vorticity, "tracer": vorticity})
    # Two forms of one term, -div (u ω) and Basdevant's: equal but for rounding.
    assert relative(end["tracer"], end["vorticity"]) < 1e-12
    assert relative(end["vorticity"], vorticity) > 0.1


def test_the_tracer_does_not_touch_the_flow():
    fields = start(32)
    with_tracer = run(PeriodicNavierStokes(1e-2, tracer_diffusivity=1e-3), 32, 0.02, 20, fields)
    without = run(PeriodicNavierStokes(1e-2), 32, 0.02, 20, fields)
    assert set(with_tracer) - set(without) == {"tracer"}
    for name, values in without.items():
        torch.testing.assert_close(with_tracer[name], values, rtol=0, atol=1e-13)


def test_a_wave_in_a_steady_shear_agrees_with_a_dense_matrix_exponential():
    # u = U sin y, c = Re f(y, t) exp(i x): ∂t f = -i U sin(y) f + κ (∂yy - 1) f, in Fourier modes
    # of y a tridiagonal matrix. The force n = 1 and viscosity keep the shear steady.
    kappa, strength, time, modes = 0.02, 1.5, 2.0, 60
    m = np.arange(-modes, modes + 1)
    matrix = np.diag(-kappa * (m**2 + 1.0)).astype(complex)
    # sin y = (e^{iy} - e^{-iy}) / 2i
    matrix += (
        -1j * strength / 2j * (np.diag(np.ones(2 * modes), -1) - np.diag(np.ones(2 * modes), 1))
    )
    values, vectors = np.linalg.eig(matrix)
    initial = np.zeros(2 * modes + 1, dtype=complex)
    initial[modes] = 1
    f_hat = vectors @ (np.exp(values * time) * np.linalg.solve(vectors, initial))
    box = PeriodicBox((64, 16))
    f = (f_hat[None, :] * np.exp(1j * np.outer(box.y, m))).sum(1)
    expected = torch.as_tensor((f[:, None] * np.exp(1j * box.x)[None, :]).real)

    equation = PeriodicNavierStokes(
        viscosity=0.1, forcing=KolmogorovForcing(0.1 * strength, 1), tracer_diffusivity=kappa
    )
    solver = equation.discretise(box, time / 100, dtype=DOUBLE)
    y, x = torch.as_tensor(box.y)[:, None], torch.as_tensor(box.x)[None, :]
    fields = {
        "vorticity": (-strength * torch.cos(y)).expand(1, 64, 16),
        "tracer": torch.cos(x).expand(1, 64, 16),
    }
    state = repeat(solver.step, 100)(solver.initialise(fields))
    assert relative(solver.observe(state, box)["tracer"][0], expected) < 1e-7


@pytest.mark.parametrize("gradient", [0.0, 0.8])
def test_the_budget_of_variance_closes_and_the_mean_is_kept(gradient):
    # d<c²>/dt = -2 κ <|∇c|²> - 2 Γ <u_y c>
    kappa, dt, box = 0.02, 1e-3, PeriodicBox((64, 64))
    equation = PeriodicNavierStokes(
        viscosity=0.02,
        forcing=KolmogorovForcing(0.7, 3),
        tracer_diffusivity=kappa,
        tracer_gradient=gradient,
    )
    fields = start(64)
    fields["tracer"] = fields["tracer"] + 0.5
    before, now, after = (run(equation, 64, dt, 200 + i, fields) for i in range(3))
    c = now["tracer"]
    steepness = (derivative(c, box, "x") ** 2 + derivative(c, box, "y") ** 2).mean()
    rate = -2 * kappa * steepness - 2 * gradient * (now["velocity_y"] * c).mean()
    measured = ((after["tracer"] ** 2).mean() - (before["tracer"] ** 2).mean()) / (2 * dt)
    assert float(measured) == pytest.approx(float(rate), rel=1e-5)
    assert float(c.mean()) == pytest.approx(0.5, abs=1e-13)


def test_variance_is_conserved_without_diffusion():
    solver = PeriodicNavierStokes(0.0, tracer_diffusivity=0.0).discretise(
        PeriodicBox((32, 32)), 1e-3, dtype=DOUBLE
    )
    state = solver.initialise(start(32))
    rate = solver.observe(state._replace(spectrum=solver.nonlinear(*state)), solver.grid)["tracer"]
    tracer = solver.observe(state, solver.grid)["tracer"]
    assert abs((tracer * rate).mean()) < 1e-12 * rate.norm() * tracer.norm()
    assert rate.norm() > 1


def test_a_gradient_is_a_tracer_that_grows_along_y():
    # With c + Γ y of the same equation without gradient: in the shear u_y = V sin x, which is
    # steady here, c = -Γ V sin x (1 - exp(-κ t)) / κ.
    kappa, gradient = 0.3, 0.7
    equation = PeriodicNavierStokes(
        viscosity=0.0, tracer_diffusivity=kappa, tracer_gradient=gradient
    )
    x = torch.as_tensor(PeriodicBox((16, 16)).x)[None, :]
    fields = {
        "vorticity": (2.0 * torch.cos(x)).expand(1, 16, 16),  # u_y = 2 sin x
        "tracer": torch.zeros(1, 16, 16, dtype=DOUBLE),
    }
    end = run(equation, 16, 0.05, 40, fields)["tracer"]
    expected = -gradient * 2.0 * torch.sin(x) * (1 - math.exp(-kappa * 2.0)) / kappa
    torch.testing.assert_close(end, expected.expand(1, 16, 16), rtol=0, atol=1e-12)


def test_order_in_time_is_four_and_single_precision_follows():
    equation = PeriodicNavierStokes(viscosity=0.01, tracer_diffusivity=0.005, tracer_gradient=1.0)
    fields = start(48)
    exact = run(equation, 48, 1 / 256, 256, fields)["tracer"]
    errors = [relative(run(equation, 48, 1 / n, n, fields)["tracer"], exact) for n in (16, 32, 64)]
    assert min(math.log2(a / b) for a, b in itertools.pairwise(errors)) > 3.6
    double, single = (
        run(equation, 48, 1 / 64, 64, fields, dtype)["tracer"] for dtype in (DOUBLE, torch.float32)
    )
    assert relative(single.double(), double) < 2e-6


def test_gradient_through_steps_agrees_with_differences():
    equation = PeriodicNavierStokes(
        viscosity=1e-2,
        forcing=KolmogorovForcing(),
        tracer_diffusivity=5e-3,
        tracer_gradient=0.5,
    )
    fields, along = start(16), start(16, seed=9)
    weight = torch.randn(16, 16, dtype=DOUBLE, generator=torch.Generator().manual_seed(2))

    def objective(vorticity, tracer):
        end = run(equation, 16, 0.05, 3, {"vorticity": vorticity, "tracer": tracer})
        return ((end["tracer"] + end["vorticity"]) ** 2 * weight).sum()

    given = [fields[name].clone().requires_grad_() for name in ("vorticity", "tracer")]
    gradients = torch.autograd.grad(objective(*given), given)
    for i, name in enumerate(("vorticity", "tracer")):
        ahead, behind = ([fields["vorticity"], fields["tracer"]] for _ in range(2))
        ahead[i] = ahead[i] + 1e-5 * along[name]
        behind[i] = behind[i] - 1e-5 * along[name]
        difference = float(objective(*ahead) - objective(*behind)) / 2e-5
        assert float((gradients[i] * along[name]).sum()) == pytest.approx(difference, rel=1e-6)


def test_fields_and_refusals():
    names = [field.name for field in PeriodicNavierStokes(tracer_diffusivity=0.1).fields]
    assert names == ["vorticity", "tracer", "velocity_x", "velocity_y"]
    tracer = PeriodicNavierStokes(tracer_diffusivity=0.1).fields[1]
    assert tracer.is_prognostic
    assert tracer.transported_by == ("velocity_x", "velocity_y")
    with pytest.raises(ValueError, match="tracer_diffusivity must be finite and not negative"):
        PeriodicNavierStokes(tracer_diffusivity=-0.1)
    with pytest.raises(ValueError, match="tracer_diffusivity must be given as well"):
        PeriodicNavierStokes(tracer_gradient=1.0)
    solver = PeriodicNavierStokes(tracer_diffusivity=0.1).discretise(PeriodicBox((8, 8)), 0.1)
    with pytest.raises(ValueError, match=r"starts from `tracer`, got only \['vorticity'\]"):
        solver.initialise({"vorticity": torch.zeros(1, 8, 8)})
