"""PDEArena's numerics: against PhiFlow's own, by hand, and what they leave out."""

import itertools
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.initial_conditions import SmokeNoise
from pdesurrogate.operators import divergence, sample_bilinear
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import SemiLagrangianSmoke
from pdesurrogate.transfer import average_cells

DOUBLE = torch.float64
BOX = ClosedBox((32, 32), (8.0, 8.0))
WORKER = Path(__file__).parents[2] / "benchmarks" / "phiflow_worker.py"


def smoke_at_rest(grid, seeds=(0,)):
    drawn = [SmokeNoise(scale=3.0).sample(np.random.default_rng(seed), grid) for seed in seeds]
    return {name: torch.stack([fields[name] for fields in drawn]) for name in drawn[0]}


def run(equation, grid, dt, steps, start, **options):
    solver = equation.discretise(grid, dt, **options)
    return solver, repeat(solver.step, steps)(solver.initialise(start))


def test_uniform_smoke_rests_without_viscosity_only_and_nothing_moves_without_buoyancy():
    # Theirs diffuses the lift before the projection, with zeros beyond the walls: of the uniform
    # lift b s dt the faces beside a wall lose a share ν dt / h², which is no pressure gradient.
    uniform = {name: torch.zeros(1, 32, 32, dtype=DOUBLE) for name in ("velocity_x", "velocity_y")}
    uniform["smoke"] = torch.full((1, 32, 32), 0.7, dtype=DOUBLE)
    _, state = run(SemiLagrangianSmoke(viscosity=0.0), BOX, 0.5, 5, uniform, dtype=DOUBLE)
    assert state.velocity_x.abs().max() < 1e-13
    assert state.velocity_y.abs().max() < 1e-13
    _, state = run(SemiLagrangianSmoke(viscosity=0.01), BOX, 0.5, 1, uniform, dtype=DOUBLE)
    lost = 0.5 * 0.5 * 0.7 * 0.01 * 0.5 / 0.25**2
    assert 0.1 * lost < state.velocity_y.abs().max() < lost
    assert torch.equal(state.smoke, uniform["smoke"])
    start = smoke_at_rest(BOX)
    _, state = run(SemiLagrangianSmoke(buoyancy=0.0), BOX, 0.5, 5, start, dtype=DOUBLE)
    assert torch.equal(state.smoke, start["smoke"])


def test_a_step_by_hand():
    # The same five stages, written with loops over a grid of four by five cells.
    grid, dt, nu, b = ClosedBox((4, 5), (2.0, 5.0)), 0.4, 0.05, 0.3
    generator = torch.Generator().manual_seed(0)
    fields = {
        name: torch.randn(1, 4, 5, dtype=DOUBLE, generator=generator)
        for name in ("smoke", "velocity_x", "velocity_y")
    }
    solver = SemiLagrangianSmoke(viscosity=nu, buoyancy=b).discretise(grid, dt, dtype=DOUBLE)
    start = solver.initialise(fields)
    end = solver.step(start)
    hy, hx = grid.spacing
    s, u, v = (field[0] for field in start)

    def wide(field):  # one zero beyond every side
        return torch.nn.functional.pad(field, (1, 1, 1, 1))

    def look(field, y, x, first_y, first_x):
        """Bilinear at a place given in lengths, samples starting at `first`."""
        place = ((y - first_y) / hy, (x - first_x) / hx)
        points = [torch.tensor([[[p]]], dtype=DOUBLE) for p in place]
        return float(sample_bilinear(field[None], *points))

    def wind(y, x):
        along_x = look(wide(u[:, 1:-1]), y, x, -0.5 * hy, 0.0)
        along_y = look(wide(v[1:-1]), y, x, 0.0, -0.5 * hx)
        return along_x, along_y

    def carried(field, shape, offset_y, offset_x, first_y, first_x):
        out = torch.empty(shape, dtype=DOUBLE)
        for i in range(shape[0]):
            for j in range(shape[1]):
                y, x = (i + offset_y) * hy, (j + offset_x) * hx
                along_x, along_y = wind(y, x)
                out[i, j] = look(field, y - dt * along_y, x - dt * along_x, first_y, first_x)
        return out

    def diffused(field):
        w = wide(field)
        across = (w[1:-1, 2:] - 2 * field + w[1:-1, :-2]) / hx**2
        up = (w[2:, 1:-1] - 2 * field + w[:-2, 1:-1]) / hy**2
        return field + nu * dt * (across + up)

    smoke = carried(s, (4, 5), 0.5, 0.5, 0.5 * hy, 0.5 * hx)
    new_u = carried(wide(u[:, 1:-1]), (4, 4), 0.5, 1.0, -0.5 * hy, 0.0)
    new_v = carried(wide(v[1:-1]), (3, 5), 1.0, 0.5, 0.0, -0.5 * hx)
    new_v += dt * b * (smoke[1:] + smoke[:-1]) / 2
    new_u, new_v = diffused(new_u), diffused(new_v)
    torch.testing.assert_close(end.smoke[0], smoke, rtol=0, atol=1e-12)
    # The projection takes away a gradient: the vorticity at the corners inside is left.
    before = (new_v.diff(dim=-1) / hx)[:, :] - (new_u.diff(dim=-2) / hy)
    u, v = end.velocity_x[0, :, 1:-1], end.velocity_y[0, 1:-1]
    after = v.diff(dim=-1) / hx - u.diff(dim=-2) / hy
    torch.testing.assert_close(after, before, rtol=0, atol=1e-12)
    assert divergence(end.velocity_x, end.velocity_y, grid.spacing).abs().max() < 1e-12


def test_bounds_hold_and_mass_does_not():
    start = smoke_at_rest(BOX)
    _, state = run(SemiLagrangianSmoke(), BOX, 1.0, 12, start, dtype=DOUBLE)
    assert state.smoke.max() <= start["smoke"].max()
    assert state.smoke.min() >= start["smoke"].min()
    assert abs(state.smoke.mean() / start["smoke"].mean() - 1) > 1e-4
    assert divergence(state.velocity_x, state.velocity_y, BOX.spacing).abs().max() < 1e-12


def test_face_velocities_are_the_lower_faces():
    solver, state = run(SemiLagrangianSmoke(), BOX, 0.5, 3, smoke_at_rest(BOX))
    fine, coarse = solver.observe(state, BOX), solver.observe(state, BOX.at_resolution(8))
    assert torch.equal(fine["face_velocity_x"], state.velocity_x[..., :-1])
    assert torch.equal(fine["face_velocity_y"], state.velocity_y[..., :-1, :])
    assert fine["face_velocity_x"][..., 0].abs().max() == 0
    assert list(fine) == [field.name for field in SemiLagrangianSmoke().fields]
    for name in fine:
        torch.testing.assert_close(coarse[name], average_cells(fine[name], (8, 8)))


def test_variants_and_batches_run_alone():
    equations = (SemiLagrangianSmoke(buoyancy=0.2), SemiLagrangianSmoke(0.02, 0.5))
    start = smoke_at_rest(BOX, seeds=(1, 2))
    solver = equations[0].discretise(BOX, 0.5, variants=equations, dtype=DOUBLE)
    state = repeat(solver.step, 4)(solver.initialise(start))
    for row, equation in enumerate(equations):
        given = {name: u[row : row + 1] for name, u in start.items()}
        _, alone = run(equation, BOX, 0.5, 4, given, dtype=DOUBLE)
        for u, v in zip(state, alone, strict=True):
            torch.testing.assert_close(u[row : row + 1], v, rtol=0, atol=1e-12)


def test_mirror_symmetry_is_kept():
    start = smoke_at_rest(BOX)
    start["smoke"] = start["smoke"] + start["smoke"].flip(-1)
    _, state = run(SemiLagrangianSmoke(), BOX, 0.5, 6, start, dtype=DOUBLE)
    assert state.velocity_x.abs().max() > 0.1
    torch.testing.assert_close(state.smoke, state.smoke.flip(-1), rtol=0, atol=1e-11)
    torch.testing.assert_close(state.velocity_x, -state.velocity_x.flip(-1), rtol=0, atol=1e-11)


def test_gradient_through_steps_agrees_with_differences():
    grid = ClosedBox((8, 8), (4.0, 4.0))
    solver = SemiLagrangianSmoke().discretise(grid, 0.5, dtype=DOUBLE)
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(8, 8, dtype=DOUBLE, generator=generator)
    still = torch.zeros(1, 8, 8, dtype=DOUBLE)

    def objective(smoke):
        start = {"smoke": smoke, "velocity_x": still, "velocity_y": still}
        state = repeat(solver.step, 3)(solver.initialise(start))
        seen = solver.observe(state, grid)
        return (seen["smoke"] * weight + seen["velocity_y"] * weight.T).sum()

    start = smoke_at_rest(grid)["smoke"].requires_grad_()
    (gradient,) = torch.autograd.grad(objective(start), start)
    direction = torch.randn(1, 8, 8, dtype=DOUBLE, generator=generator)
    step = 1e-7
    with torch.no_grad():
        difference = objective(start + step * direction) - objective(start - step * direction)
    assert float((gradient * direction).sum()) == pytest.approx(
        float(difference) / (2 * step), rel=1e-6
    )


def test_first_order_in_time():
    start, ends = smoke_at_rest(BOX), []
    for steps in (16, 32, 64, 128):
        _, state = run(SemiLagrangianSmoke(), BOX, 1.6 / steps, steps, start, dtype=DOUBLE)
        ends.append(state.velocity_y)
    differences = [float((a - b).norm()) for a, b in itertools.pairwise(ends)]
    assert differences[0] / differences[1] == pytest.approx(2.0, rel=0.2)


def test_courant_number_by_hand():
    solver = SemiLagrangianSmoke().discretise(BOX, 0.5, dtype=DOUBLE)
    zeros = torch.zeros(1, 32, 32, dtype=DOUBLE)
    state = solver.initialise({"smoke": zeros, "velocity_x": zeros, "velocity_y": zeros})
    state.velocity_y[0, 5, 7] = -3.0
    assert solver.courant_number(state)[0] == pytest.approx(3.0 * 0.5 / 0.25)
    state.smoke[0, 0, 0] = torch.nan
    assert not solver.courant_number(state).isfinite()


def test_wrong_use_is_refused_in_a_sentence():
    equation, fine = SemiLagrangianSmoke(), ClosedBox((256, 256), (32.0, 32.0))
    with pytest.raises(ValueError, match=r"largest stable step is 0\.390625"):
        equation.check_stable(fine, 1.5)
    with pytest.raises(ValueError, match="unstable on 256 x 256 cells"):
        equation.discretise(fine, 0.3, variants=(equation, SemiLagrangianSmoke(viscosity=0.02)))
    equation.check_stable(ClosedBox((128, 128), (32.0, 32.0)), 1.5)
    with pytest.raises(ValueError, match="viscosity must be finite and not negative, got -1"):
        SemiLagrangianSmoke(viscosity=-1.0)
    with pytest.raises(ValueError, match="buoyancy must be finite, got inf"):
        SemiLagrangianSmoke(buoyancy=float("inf"))
    with pytest.raises(ValueError, match="needs a ClosedBox, got PeriodicBox"):
        equation.discretise(PeriodicBox((8, 8)), 0.1)
    with pytest.raises(ValueError, match="time step must be positive, got -1"):
        equation.discretise(BOX, -1.0)


@pytest.mark.slow
def test_agrees_with_phiflow(tmp_path):
    """PDEArena's loop in PhiFlow 2.1, ten steps; single precision and conjugate gradients."""
    python = os.environ.get("PHIFLOW_PYTHON")
    if not python:
        pytest.skip("PHIFLOW_PYTHON names no Python that has phiflow 2.1")
    grid = ClosedBox((128, 128), (32.0, 32.0))
    drawn = SmokeNoise().sample(np.random.default_rng(0), grid)
    smoke = drawn["smoke"].float()
    np.savez(tmp_path / "start.npz", smoke=smoke.numpy())
    case = {"initial": str(tmp_path / "start.npz"), "out": str(tmp_path / "end.npz")}
    subprocess.run([python, WORKER, json.dumps({**case, "num_steps": 10})], check=True)
    theirs = np.load(tmp_path / "end.npz")
    still = torch.zeros(1, 128, 128)
    start = {"smoke": smoke[None], "velocity_x": still, "velocity_y": still}
    solver, state = run(SemiLagrangianSmoke(), grid, 1.5, 10, start)
    ours = solver.observe(state, grid)
    names = {"smoke": "smoke", "face_velocity_x": "velocity_x", "face_velocity_y": "velocity_y"}
    for mine, other in names.items():
        expected = torch.from_numpy(theirs[other][-1:])
        assert (ours[mine] - expected).norm() < 1e-4 * expected.norm()
