from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pdesurrogate.training import (
    Curriculum,
    CutGradients,
    Objective,
    OneStep,
    Pushforward,
    Unrolled,
    objectives,
)

EXPORTED = [
    kind
    for name in objectives.__all__
    if isinstance(kind := getattr(objectives, name), type)
    and issubclass(kind, Objective)
    and kind is not Objective
]
CHOSEN: list[Objective] = [
    *(kind() for kind in EXPORTED),
    Unrolled(3),
    CutGradients(5, every=2),
    Pushforward(3, one_step=False),
    Pushforward(1),
    Curriculum(Pushforward(3)),
]


def squares(prediction: Tensor, truth: Tensor) -> Tensor:
    return (prediction - truth).square().mean()


def numbers(*values: float) -> Tensor:
    """One window of frames that are a single number each."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, len(values), 1, 1, 1)


class Multiplication:
    """The step u -> a u; or a u, a^2 u, ... all at once."""

    def __init__(self, factor: float, bundle: int = 1) -> None:
        self.factor = torch.tensor(factor, dtype=torch.float64, requires_grad=True)
        self.bundle, self.calls = bundle, 0

    def __call__(self, window: Tensor) -> Tensor:
        self.calls += 1
        new = [self.factor**k * window[:, -1:] for k in range(1, self.bundle + 1)]
        return torch.cat([window, *new], dim=1)[:, self.bundle :]


class Factors:
    """A step u -> a_k u that has another factor each time that it is called."""

    def __init__(self, *factors: float) -> None:
        self.factors = torch.tensor(factors, dtype=torch.float64, requires_grad=True)
        self.left = list(self.factors)

    def __call__(self, window: Tensor) -> Tensor:
        return torch.cat([window[:, 1:], self.left.pop(0) * window[:, -1:]], dim=1)


def loss_and_gradient(objective: Objective, window: Tensor) -> tuple[float, float]:
    step = Multiplication(1.5)
    n = objective.num_steps
    loss = objective(step, window[:, :-n], window[:, -n:], squares)
    loss.backward()
    assert step.factor.grad is not None
    return loss.item(), step.factor.grad.item()


# What every objective promises


@pytest.mark.parametrize("bundle", [1, 3])
@pytest.mark.parametrize("objective", CHOSEN, ids=str)
def test_an_objective_vanishes_with_its_gradient_at_the_exact_step(
    objective: Objective, bundle: int
) -> None:
    """Two channels that turn into each other."""
    frames = bundle * objective.num_steps
    angle = torch.tensor(0.3, dtype=torch.float64)
    rotation = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    ).requires_grad_()

    def turned(u: Tensor) -> Tensor:
        return torch.einsum("ij,b...jyx->b...iyx", rotation, u)

    def step(window: Tensor) -> Tensor:
        new = [turned(window[:, -1])]
        for _ in range(bundle - 1):
            new.append(turned(new[-1]))
        return torch.cat([window, torch.stack(new, dim=1)], dim=1)[:, bundle:]

    truth = [torch.randn(5, 2, 4, 3, dtype=torch.float64)]
    for _ in range(frames):
        truth.append(turned(truth[-1]).detach())
    # A window that is longer than what is given needs other frames than the last: repeat it.
    windows = torch.stack([truth[0]] * (bundle - 1) + truth, dim=1)
    loss = objective(step, windows[:, :bundle], windows[:, bundle:], squares)
    loss.backward()
    assert loss.item() < 1e-28
    assert rotation.grad is not None
    assert rotation.grad.abs().max() < 1e-13


@pytest.mark.parametrize("bundle", [1, 2])
@pytest.mark.parametrize("objective", CHOSEN, ids=str)
def test_an_objective_asks_for_its_steps_and_is_a_mean_over_the_batch(
    objective: Objective, bundle: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (3, bundle * (1 + objective.num_steps), 1, 2, 2)
    windows = torch.randn(shape, generator=generator, dtype=torch.float64)

    def loss(of: Tensor) -> float:
        step = Multiplication(0.8, bundle)
        value = objective(step, of[:, :bundle], of[:, bundle:], squares)
        assert value.shape == ()
        assert step.calls == objective.num_steps
        return value.item()

    assert loss(windows) > 0
    assert loss(windows) == pytest.approx((loss(windows[:1]) + 2 * loss(windows[1:])) / 3)


@pytest.mark.parametrize("objective", CHOSEN, ids=str)
def test_an_objective_asks_for_no_more_steps_on_the_way(objective: Objective) -> None:
    for progress in (0.0, 0.3, 0.999, 1.0):
        then = objective.at(progress)
        assert 1 <= then.num_steps <= objective.num_steps
        window = torch.ones(1, 1 + then.num_steps, 1, 1, 1, dtype=torch.float64)
        assert then(Multiplication(1.0), window[:, :1], window[:, 1:], squares).item() == 0
    assert objective.at(1.0).num_steps == objective.num_steps


# Against the hand: frames a u, a^2 u, a^3 u with errors e1, e2, e3

A, U, TRUTH = 1.5, 2.0, (5.0, 4.0, 6.0)
E1, E2, E3 = (A**k * U - truth for k, truth in enumerate(TRUTH, start=1))


def test_one_step_against_the_hand() -> None:
    # (a u - y)^2 and 2 u (a u - y) at a = 1.5, u = 2, y = 5
    loss, gradient = loss_and_gradient(OneStep(), numbers(2.0, 5.0))
    assert loss == pytest.approx(4.0)
    assert gradient == pytest.approx(-8.0)


def test_one_step_looks_at_the_last_frame_only() -> None:
    loss, gradient = loss_and_gradient(OneStep(), numbers(7.0, 2.0, 5.0))
    assert (loss, gradient) == (pytest.approx(4.0), pytest.approx(-8.0))


@pytest.mark.parametrize(
    ("objective", "loss", "gradient"),
    [
        # Through every step
        (
            Unrolled(3),
            (E1**2 + E2**2 + E3**2) / 3,
            2 / 3 * (E1 * U + E2 * 2 * A * U + E3 * 3 * A**2 * U),
        ),
        # Through the step's own factor alone
        (
            CutGradients(3),
            (E1**2 + E2**2 + E3**2) / 3,
            2 / 3 * (E1 * U + E2 * A * U + E3 * A**2 * U),
        ),
        # Through the first two, then through the third
        (
            CutGradients(3, every=2),
            (E1**2 + E2**2 + E3**2) / 3,
            2 / 3 * (E1 * U + E2 * 2 * A * U + E3 * A**2 * U),
        ),
        (Pushforward(3, one_step=False), E3**2, 2 * E3 * A**2 * U),
        (Pushforward(3), (E1**2 + E3**2) / 2, E1 * U + E3 * A**2 * U),
    ],
    ids=str,
)
def test_steps_in_a_row_against_the_hand(
    objective: Objective, loss: float, gradient: float
) -> None:
    found = loss_and_gradient(objective, numbers(U, *TRUTH))
    assert found == (pytest.approx(loss), pytest.approx(gradient))


@pytest.mark.parametrize(
    ("objective", "gradient"),
    [
        # d/da_i of (e1^2 + e2^2 + e3^2) / 3 with all factors equal to a
        (
            Unrolled(3),
            (
                2 / 3 * (E1 * U + E2 * A * U + E3 * A**2 * U),
                2 / 3 * (E2 * A * U + E3 * A**2 * U),
                2 / 3 * E3 * A**2 * U,
            ),
        ),
        (CutGradients(3), (2 / 3 * E1 * U, 2 / 3 * E2 * A * U, 2 / 3 * E3 * A**2 * U)),
        (
            CutGradients(3, every=2),
            (2 / 3 * (E1 * U + E2 * A * U), 2 / 3 * E2 * A * U, 2 / 3 * E3 * A**2 * U),
        ),
        (Pushforward(3, one_step=False), (0.0, 0.0, 2 * E3 * A**2 * U)),
        (Pushforward(3), (E1 * U, 0.0, E3 * A**2 * U)),
    ],
    ids=str,
)
def test_the_gradient_reaches_the_right_steps(
    objective: Objective, gradient: tuple[float, ...]
) -> None:
    step = Factors(A, A, A)
    window = numbers(U, *TRUTH)
    objective(step, window[:, :1], window[:, 1:], squares).backward()
    assert step.factors.grad is not None
    assert step.factors.grad.tolist() == pytest.approx(gradient)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Unrolled(1), OneStep()),
        (Pushforward(1), OneStep()),
        (Pushforward(1, one_step=False), OneStep()),
        (CutGradients(1), OneStep()),
        (CutGradients(3, every=3), Unrolled(3)),
        (Curriculum(Unrolled(3)), Unrolled(3)),
    ],
    ids=str,
)
def test_objectives_that_are_the_same(one: Objective, other: Objective) -> None:
    window = numbers(7.0, U, *TRUTH)
    assert loss_and_gradient(one, window) == loss_and_gradient(other, window)


def test_no_gradient_flows_where_none_is_wanted() -> None:
    with torch.no_grad():
        window = numbers(U, *TRUTH)
        loss = Pushforward(3)(Multiplication(A), window[:, :1], window[:, 1:], squares)
    assert not loss.requires_grad


# Where trainings end


def noisy_windows() -> Tensor:
    """Windows of a linear decay that is stirred at random."""
    generator = torch.Generator().manual_seed(0)
    frames = [2 + torch.randn(40, 1, 1, 1, generator=generator, dtype=torch.float64)]
    for _ in range(3):
        noise = torch.randn(frames[0].shape, generator=generator, dtype=torch.float64)
        frames.append(0.9 * frames[-1] + 0.5 * noise)
    return torch.stack(frames, dim=1)


def trained_factor(objective: Objective, windows: Tensor) -> float:
    step = Multiplication(0.5)
    optimiser = torch.optim.SGD([step.factor], lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        objective(step, windows[:, :1], windows[:, 1:], squares).backward()
        optimiser.step()
    return step.factor.item()


CANDIDATES = torch.linspace(0.6, 1.2, 60_001, dtype=torch.float64)


def errors(windows: Tensor) -> list[Tensor]:
    """Of one, two and three steps with each of the candidates, by candidate and window."""
    frames = windows[:, :, 0, 0, 0]
    return [CANDIDATES[:, None] ** k * frames[:, 0] - frames[:, k] for k in (1, 2, 3)]


def test_unrolled_training_ends_at_the_least_error_over_all_steps() -> None:
    windows = noisy_windows()
    mean_square = sum(e.square().mean(dim=1) for e in errors(windows))
    assert isinstance(mean_square, Tensor)
    best = CANDIDATES[mean_square.argmin()].item()
    assert trained_factor(Unrolled(3), windows) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize(
    ("objective", "weights"),
    [
        # The gradients by hand, as weights of e_k a^(k - 1) u
        (Unrolled(3), (1, 2, 3)),
        (CutGradients(3), (1, 1, 1)),
        (CutGradients(3, every=2), (1, 2, 1)),
        (Pushforward(3), (1, 0, 1)),
        (Pushforward(3, one_step=False), (0, 0, 1)),
    ],
    ids=str,
)
def test_cut_gradients_lead_elsewhere_and_it_is_known_where(
    objective: Objective, weights: tuple[int, ...]
) -> None:
    windows = noisy_windows()
    u = windows[:, 0, 0, 0, 0]
    gradient = sum(
        weight * (e * CANDIDATES[:, None] ** k * u).mean(dim=1)
        for k, (weight, e) in enumerate(zip(weights, errors(windows), strict=True))
    )
    assert isinstance(gradient, Tensor)
    end = CANDIDATES[gradient.abs().argmin()].item()
    assert trained_factor(objective, windows) == pytest.approx(end, abs=1e-5)
    if weights != (1, 2, 3):
        assert abs(end - trained_factor(Unrolled(3), windows)) > 1e-4


# Curriculum


def test_the_horizon_grows_in_equal_shares_of_the_growth() -> None:
    curriculum = Curriculum(Unrolled(4), growth=0.6)
    horizons = [curriculum.at(progress) for progress in (0.0, 0.19, 0.21, 0.39, 0.41, 0.6, 1.0)]
    assert horizons == [Unrolled(k) for k in (1, 1, 2, 2, 3, 4, 4)]


def test_another_objective_keeps_its_options_as_it_grows() -> None:
    curriculum = Curriculum(CutGradients(3, every=2))
    assert curriculum.at(0.3) == CutGradients(2, every=2)
    assert curriculum.num_steps == 3


# Nonsense


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Unrolled(0), "Unrolled.steps must be at least 1, got 0"),
        (lambda: CutGradients(0), "CutGradients.steps must be at least 1, got 0"),
        (lambda: CutGradients(2, every=0), "CutGradients.every must be at least 1, got 0"),
        (lambda: Pushforward(-1), "Pushforward.steps must be at least 1, got -1"),
        (
            lambda: Curriculum(OneStep()),
            "Curriculum.of must be an objective with an option steps, such as Unrolled, "
            "got OneStep",
        ),
        (
            lambda: Curriculum(Curriculum()),
            "Curriculum.of must be an objective with an option steps, such as Unrolled, "
            "got Curriculum",
        ),
        (lambda: Curriculum(growth=0.0), "Curriculum.growth must lie between 0 and 1, got 0.0"),
    ],
)
def test_nonsense_is_refused(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        make()
