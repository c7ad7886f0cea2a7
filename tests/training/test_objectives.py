from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pdesurrogate.training import Objective, OneStep, Unrolled


def squares(prediction: Tensor, truth: Tensor) -> Tensor:
    return (prediction - truth).square().mean()


def numbers(*values: float) -> Tensor:
    """One window of frames that are a single number each."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, len(values), 1, 1, 1)


class Multiplication:
    """The step u -> a u."""

    def __init__(self, factor: float) -> None:
        self.factor = torch.tensor(factor, dtype=torch.float64, requires_grad=True)

    def __call__(self, window: Tensor) -> Tensor:
        return torch.cat([window[:, 1:], self.factor * window[:, -1:]], dim=1)


def loss_and_gradient(objective: Objective, window: Tensor) -> tuple[float, float]:
    step = Multiplication(1.5)
    n = objective.num_steps
    loss = objective(step, window[:, :-n], window[:, -n:], squares)
    loss.backward()
    assert step.factor.grad is not None
    return loss.item(), step.factor.grad.item()


def test_one_step_against_the_hand() -> None:
    # (a u - y)^2 and 2 u (a u - y) at a = 1.5, u = 2, y = 5
    loss, gradient = loss_and_gradient(OneStep(), numbers(2.0, 5.0))
    assert loss == pytest.approx(4.0)
    assert gradient == pytest.approx(-8.0)


def test_one_step_looks_at_the_last_frame_only() -> None:
    loss, gradient = loss_and_gradient(OneStep(), numbers(7.0, 2.0, 5.0))
    assert (loss, gradient) == (pytest.approx(4.0), pytest.approx(-8.0))


def test_unrolled_steps_have_the_full_gradient() -> None:
    # Frames a u, a^2 u, a^3 u with errors e1, e2, e3; the gradient passes through every step:
    # (2/3) (e1 u + e2 2 a u + e3 3 a^2 u)
    a, u, truth = 1.5, 2.0, (5.0, 4.0, 6.0)
    e1, e2, e3 = a * u - truth[0], a**2 * u - truth[1], a**3 * u - truth[2]
    loss, gradient = loss_and_gradient(Unrolled(3), numbers(u, *truth))
    assert loss == pytest.approx((e1**2 + e2**2 + e3**2) / 3)
    assert gradient == pytest.approx(2 / 3 * (e1 * u + e2 * 2 * a * u + e3 * 3 * a**2 * u))


def test_one_unrolled_step_is_the_one_step_objective() -> None:
    window = numbers(7.0, 2.0, 5.0)
    assert loss_and_gradient(Unrolled(1), window) == loss_and_gradient(OneStep(), window)


def test_objectives_say_how_many_steps_they_need() -> None:
    assert OneStep().num_steps == 1
    assert Unrolled(4).num_steps == 4


def test_the_optimum_of_an_unrolled_training_is_the_exact_linear_operator() -> None:
    """Two-channel rotation: the loss and its gradient vanish at the true operator."""
    angle = torch.tensor(0.3, dtype=torch.float64)
    rotation = torch.stack(
        [torch.stack([angle.cos(), -angle.sin()]), torch.stack([angle.sin(), angle.cos()])]
    ).requires_grad_()
    frames = [torch.randn(5, 2, 4, 4, dtype=torch.float64)]
    for _ in range(3):
        frames.append(torch.einsum("ij,bjyx->biyx", rotation.detach(), frames[-1]))

    def step(window: Tensor) -> Tensor:
        return torch.einsum("ij,btjyx->btiyx", rotation, window)

    windows = torch.stack(frames, dim=1)
    loss = Unrolled(3)(step, windows[:, :1], windows[:, 1:], squares)
    loss.backward()
    assert loss.item() < 1e-28
    assert rotation.grad is not None
    assert rotation.grad.abs().max() < 1e-13
