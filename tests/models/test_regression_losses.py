"""Theorem 1 of the U-Net paper on random fields whose losses can be worked out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import MultiResNet, losses_along_levels, optimal_linear_losses
from pdesurrogate.models.spaces import HaarProjection

P = HaarProjection()
LEVELS, SIDE = 3, 8
PROJECTIONS = [P] * LEVELS
DETAILS = (1, 3, 12, 48)
"""Dimensions of W_0 and of what each finer level adds to the next coarser."""


def onto_level(i: int) -> Tensor:
    """The orthogonal projector of an 8 x 8 field onto level i, as a matrix."""
    v = torch.eye(SIDE**2, dtype=torch.float64).reshape(-1, 1, SIDE, SIDE)
    for _ in range(LEVELS - i):
        v = P(v)
    cells = 2 ** (LEVELS - i)
    return v.repeat_interleave(cells, -2).repeat_interleave(cells, -1).flatten(1).T


def detail(i: int) -> Tensor:
    return onto_level(i) - onto_level(i - 1) if i else onto_level(0)


def samples_with(root: Tensor) -> Tensor:
    """A few vectors whose mean is zero and whose covariance is exactly `root @ root.T`."""
    scaled = math.sqrt(root.shape[1]) * root.T
    return torch.cat([scaled, -scaled])


def fields(vectors: Tensor) -> Tensor:
    return vectors.reshape(-1, 1, SIDE, SIDE)


def random_problem() -> tuple[Tensor, Tensor]:
    """Any linear operator with noise on any correlated fields."""
    generator = torch.Generator().manual_seed(3)
    draw = lambda *shape: torch.randn(*shape, dtype=torch.float64, generator=generator)  # noqa: E731
    root, operator, noise = draw(64, 64), draw(64, 64) / 8, draw(64, 64) / 4
    both = torch.cat([torch.cat([root, 0 * root], 1), torch.cat([operator @ root, noise], 1)])
    samples = samples_with(both)
    return fields(samples[:, :64]), fields(samples[:, 64:])


@pytest.mark.parametrize("i", range(LEVELS + 1))
def test_projectors_are_orthogonal_idempotent_and_nested(i: int) -> None:
    onto = onto_level(i)
    assert (onto @ onto - onto).abs().max() < 1e-15
    assert (onto - onto.T).abs().max() < 1e-15
    assert torch.linalg.matrix_rank(onto) == 4**i
    for coarser in range(i):
        assert (onto_level(coarser) @ onto - onto_level(coarser)).abs().max() < 1e-15
        assert (onto @ onto_level(coarser) - onto_level(coarser)).abs().max() < 1e-15


def test_known_spectrum_gives_the_known_losses() -> None:
    # v has variance s_k, w = a_k v + noise of variance 0.01 in each coefficient of level k.
    # What an input of level j leaves open of a target of level i is the signal of the levels
    # between and the noise of all levels up to i.
    s, a, noise = (4.0, 1.0, 0.25, 0.0625), (0.9, 0.7, 0.5, 0.3), 0.01
    root = sum(math.sqrt(s[k]) * detail(k) for k in range(4))
    operator = sum(a[k] * detail(k) for k in range(4))
    rough = math.sqrt(noise) * torch.eye(64, dtype=torch.float64)
    both = torch.cat([torch.cat([root, 0 * root], 1), torch.cat([operator @ root, rough], 1)])
    samples = samples_with(both)
    found = optimal_linear_losses(fields(samples[:, :64]), fields(samples[:, 64:]), PROJECTIONS)
    for i in range(4):
        for j in range(4):
            signal = sum(DETAILS[k] * a[k] ** 2 * s[k] for k in range(j + 1, i + 1))
            expected = (signal + noise * sum(DETAILS[: i + 1])) / 64
            at = found.sel(target_level=i, input_level=j).item()
            assert at == pytest.approx(expected, rel=1e-9)


def test_fourier_spectrum_gives_the_conditional_variance() -> None:
    # Heat flow of a random periodic field: translation-invariant, so no level diagonalises it.
    k = np.fft.fftfreq(SIDE, 1 / SIDE)
    squared = k[:, None] ** 2 + k[None, :] ** 2
    fourier = np.kron(np.fft.fft(np.eye(SIDE)), np.fft.fft(np.eye(SIDE))) / SIDE
    root, heat = (
        torch.from_numpy((fourier.conj().T * multiplier.ravel() @ fourier).real)
        for multiplier in (1 / (1 + squared), np.exp(-0.1 * squared))
    )
    vectors = samples_with(root)
    found = optimal_linear_losses(fields(vectors), fields(vectors @ heat.T), PROJECTIONS)
    covariance = root @ root.T
    for j in range(4):
        onto = onto_level(j)
        gain = covariance @ onto @ torch.linalg.pinv(onto @ covariance @ onto, rtol=1e-10)
        left = heat @ (covariance - gain @ onto @ covariance) @ heat.T
        for i in range(4):
            expected = torch.trace(onto_level(i) @ left).item() / 64
            at = found.sel(target_level=i, input_level=j).item()
            assert at == pytest.approx(expected, abs=1e-12)
    assert found.sel(input_level=3).max() < 1e-20
    assert found.sel(target_level=3, input_level=0) > 1e-3


def test_losses_are_ordered_and_bounded_by_the_truncation() -> None:
    v, w = random_problem()
    table = optimal_linear_losses(v, w, PROJECTIONS)
    assert (table.diff("target_level") > 0).all()
    assert (table.diff("input_level") < 0).all()
    for i in range(LEVELS + 1):
        missing = w - fields(w.flatten(1) @ onto_level(i))
        truncation = missing.square().mean().item()
        assert (table.sel(target_level=3) - table.sel(target_level=i) <= truncation + 1e-12).all()


def test_losses_of_a_resolution_may_rise_and_fall() -> None:
    # The target's mean is the input's finest detail: level 0 cannot see it, level 3 can. And
    # noise that only level 3 holds has to be answered for at level 3 alone.
    finest = torch.zeros(64, dtype=torch.float64)
    finest[0], finest[1] = 1.0, -1.0
    root = torch.eye(64, dtype=torch.float64)
    operator = torch.outer(torch.ones(64, dtype=torch.float64), finest)
    noise = 0.5 * detail(1)
    both = torch.cat([torch.cat([root, 0 * root], 1), torch.cat([operator, noise], 1)])
    samples = samples_with(both)
    table = optimal_linear_losses(fields(samples[:, :64]), fields(samples[:, 64:]), PROJECTIONS)
    diagonal = [table.sel(target_level=i, input_level=i).item() for i in range(4)]
    noise_on_one = 0.25 * DETAILS[1] / 64
    expected = [2, 2 + noise_on_one, 2 + noise_on_one, noise_on_one]
    assert diagonal == pytest.approx(expected, rel=1e-9)


def test_no_affine_map_does_better() -> None:
    v, w = random_problem()
    best = optimal_linear_losses(v, w, PROJECTIONS).sel(target_level=2, input_level=1).item()
    seen, aim = P(P(v)).flatten(1), P(w).flatten(1)
    generator = torch.Generator().manual_seed(0)
    fit = torch.linalg.lstsq(seen, aim).solution
    for _ in range(5):
        other = fit + 1e-2 * torch.randn(*fit.shape, dtype=torch.float64, generator=generator)
        assert (aim - seen @ other).square().mean() > best
    assert (aim - seen @ fit).square().mean().item() == pytest.approx(best, rel=1e-9)


def test_means_are_given_away() -> None:
    v, w = random_problem()
    table = optimal_linear_losses(v, w, PROJECTIONS)
    shifted = optimal_linear_losses(v + 5, w - 3, PROJECTIONS)
    np.testing.assert_allclose(shifted, table, rtol=1e-9, atol=1e-12)


def test_too_few_samples_give_no_number() -> None:
    v = torch.randn(10, 2, 4, 4)
    table = optimal_linear_losses(v, v, [P, P])
    assert table.isnull().values.tolist() == [[False, False, True]] * 3


def test_constant_and_zero_networks_by_hand() -> None:
    checkerboard = torch.ones(1, 1, 4, 4)
    checkerboard[..., ::2, 1::2] = checkerboard[..., 1::2, ::2] = -1
    targets = 3.0 + 2.0 * checkerboard
    found = losses_along_levels(nn.Identity(), torch.ones(1, 1, 4, 4), targets, [P, P])
    assert found["squared_loss"].values.tolist() == [4.0, 4.0, 8.0]
    assert found["squared_truncation"].values.tolist() == [4.0, 4.0, 0.0]


def test_losses_of_any_network_rise_to_that_of_the_whole_problem() -> None:
    torch.manual_seed(0)
    network = MultiResNet(4, 2).build(2, 3, PeriodicBox((16, 16)))
    v, w = torch.randn(8, 2, 16, 16), torch.randn(8, 3, 16, 16)
    found = losses_along_levels(network, v, w, [P] * 4)
    assert (found["squared_loss"].diff("level") > 0).all()
    assert (found["squared_truncation"].diff("level") < 0).all()
    whole = (network(v) - w).square().sum(1).mean().item()
    assert found["squared_loss"].sel(level=4).item() == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize("i", range(4))
def test_projected_answer_errs_by_loss_and_truncation(i: int) -> None:
    torch.manual_seed(0)
    network = MultiResNet(4, 2).build(1, 1, PeriodicBox((8, 8))).double()
    v, w = torch.randn(4, 1, 8, 8).double(), torch.randn(4, 1, 8, 8).double()
    at = losses_along_levels(network, v, w, PROJECTIONS).sel(level=i)
    projected = fields(network(v).flatten(1) @ onto_level(i))
    error = (projected - w).square().mean().item()
    assert (at["squared_loss"] + at["squared_truncation"]).item() == pytest.approx(error, rel=1e-12)
