from __future__ import annotations

import typing

import pytest
import torch
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, PeriodicBox
from pdesurrogate.metrics import mean_square
from pdesurrogate.training import OneStep, Unrolled
from pdesurrogate.training.objectives import frame_loss, loss_scale

SCALE = torch.ones(1, 1, 1)


def numbers(*values: float) -> Tensor:
    """One window of frames that are a single number each."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, len(values), 1, 1, 1)


class Multiplication:
    """The step u -> a u."""

    def __init__(self, factor: float) -> None:
        self.factor = torch.tensor(factor, dtype=torch.float64, requires_grad=True)

    def __call__(self, window: Tensor) -> Tensor:
        return torch.cat([window[:, 1:], self.factor * window[:, -1:]], dim=1)


def loss_and_gradient(objective: OneStep | Unrolled, window: Tensor) -> tuple[float, float]:
    step = Multiplication(1.5)
    loss = objective(step, window, SCALE)
    loss.backward()
    assert step.factor.grad is not None
    return loss.item(), step.factor.grad.item()


def test_the_frame_loss_is_in_units_of_each_fields_scale() -> None:
    prediction = torch.zeros(1, 2, 1, 2)
    truth = torch.tensor([[[[3.0, 3.0]], [[20.0, 40.0]]]])
    scale = torch.tensor([3.0, 10.0])[:, None, None]
    # (1 + 1 + 4 + 16) / 4
    assert frame_loss(prediction, truth, scale).item() == pytest.approx(5.5)


@pytest.mark.parametrize("function", [frame_loss, OneStep.__call__, Unrolled.__call__])
def test_the_shape_of_the_scale_is_an_annotation_that_can_be_read(function) -> None:
    assert typing.get_type_hints(function)["scale"].dim_str.split() == ["field", "#y", "#x"]


def test_a_scale_of_another_shape_is_refused() -> None:
    frame = torch.zeros(1, 2, 4, 4)
    with pytest.raises(TypeError, match="scale"):
        frame_loss(frame, frame, torch.ones(2))


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


def test_objectives_say_how_many_frames_they_need() -> None:
    assert OneStep().horizon == 1
    assert Unrolled(4).horizon == 4


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

    loss = Unrolled(3)(step, torch.stack(frames, dim=1), torch.ones(2, 1, 1))
    loss.backward()
    assert loss.item() < 1e-28
    assert rotation.grad is not None
    assert rotation.grad.abs().max() < 1e-13


def test_on_a_sphere_the_loss_is_a_mean_over_the_area() -> None:
    grid = GaussianSphere((16, 32))
    deviation = torch.tensor([2.0, 3.0], dtype=torch.float64)[:, None, None]
    prediction, truth = torch.randn(2, 4, 2, *grid.num_points, dtype=torch.float64)
    expected = mean_square((prediction - truth) / deviation, grid).mean()
    loss = frame_loss(prediction, truth, loss_scale(deviation, grid))
    torch.testing.assert_close(loss, expected)
    assert loss_scale(deviation, PeriodicBox((16, 32))) is deviation
