r"""The laminar Kolmogorov flow loses its stability where theory says.

Linear theory of the flow $u = U \sin y$ with viscosity ν, in a box that is $2\pi$ high and
$2\pi/\alpha$ long (Meshalkin & Sinai 1961), with $\omega' = \sum_m w_m e^{i(\alpha x + m y)}$:

$$ \dot w_m = -\nu (m^2 + \alpha^2) w_m - \frac{\alpha U}{2} (c_{m-1} w_{m-1} - c_{m+1} w_{m+1}),
   \qquad c_m = 1 - \frac{1}{m^2 + \alpha^2} . $$
"""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import KolmogorovForcing, PeriodicNavierStokes

POINTS = 24


def growth_rate(reynolds: float, alpha: float, modes: int = 12) -> float:
    """The largest real part of the eigenvalues for U = 1, ν = 1 / Re, by a dense matrix."""
    m = np.arange(-modes, modes + 1)
    k2 = m**2 + alpha**2
    coupling = -0.5 * alpha * (1 - 1 / k2)
    matrix = np.diag(-k2 / reynolds) + np.diag(coupling[:-1], -1) - np.diag(coupling[1:], 1)
    return float(np.linalg.eigvals(matrix).real.max())


def critical_reynolds_number(alpha: float) -> float:
    return float(brentq(growth_rate, 1.0, 4.0, args=(alpha,), xtol=1e-12))


def test_the_critical_reynolds_number_tends_to_the_square_root_of_two():
    alphas = (0.4, 0.2, 0.1, 0.05)
    excess = [critical_reynolds_number(alpha) / math.sqrt(2) - 1 for alpha in alphas]
    assert all(e > 0 for e in excess)
    orders = [math.log2(excess[i] / excess[i + 1]) for i in range(3)]
    assert orders[-1] == pytest.approx(2, abs=0.05)
    assert excess[-1] < 5e-3


@pytest.mark.parametrize("alpha", [0.4, 0.1])
def test_the_solver_grows_and_decays_perturbations_as_linear_theory(alpha):
    critical = critical_reynolds_number(alpha)
    numbers = [0.98 * critical, 1.02 * critical]
    variants = [
        PeriodicNavierStokes(viscosity=1 / r, forcing=KolmogorovForcing(1 / r, 1)) for r in numbers
    ]
    box = PeriodicBox((POINTS, POINTS), (2 * math.pi, 2 * math.pi / alpha))
    y, x = torch.as_tensor(box.y)[:, None], torch.as_tensor(box.x)[None, :]
    laminar = (-torch.cos(y)).expand(2, POINTS, POINTS)
    perturbed = laminar + 1e-6 * torch.cos(alpha * x)
    solver = variants[0].discretise(box, 0.2, variants=variants, dtype=torch.float64)

    def size(state):
        # Only waves of length 2 pi / alpha: the laminar flow itself has none.
        return state.spectrum[:, 0, :, 1].abs().square().sum(-1).sqrt()

    # After a while only the slowest perturbation is left; the next decays like exp(-ν t).
    early = repeat(solver.step, 200)(solver.initialise({"vorticity": perturbed}))
    late = repeat(solver.step, 200)(early)
    measured = torch.log(size(late) / size(early)) / 40.0
    expected = [growth_rate(r, alpha) for r in numbers]
    np.testing.assert_allclose(measured.numpy(), expected, rtol=0, atol=1e-8)
    assert measured[0] < 0 < measured[1]
    assert expected[1] > 1e-4
