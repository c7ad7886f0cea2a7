from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from pdesurrogate.conditioning import Condition
from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.models import (
    SFNO,
    ConstrainedUNet,
    Extended,
    IncompressibleFlow,
    ModelSpec,
    MultiResNet,
    Spectral,
    Wavelet,
)
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import (
    BandWeighted,
    Conservation,
    FrameLoss,
    MeanSquare,
    RelativeL2,
    TrainingConfig,
)
from pdesurrogate.training.losses import LossSetting
from pdesurrogate.training.precision import (
    check_precision,
    computing_in,
    forward_in,
    resolved_precision,
)
from pdesurrogate.training.preparation import bound_loss
from tests.models.named_networks import GRID, NAMED, build, given
from tests.models.test_constrained_unet import difference, mean
from tests.models.test_contract import MODELS
from tests.models.test_sfno import needs_harmonics
from tests.test_surrogate import INFO

CPU = torch.device("cpu")
A_FLOW = "ConstrainedUNet, flow"
EVERY = {
    "Extended": Extended(MultiResNet(width=3, levels=1), width=4),
    **NAMED,
    "MultiResNet, spectral": MultiResNet(width=3, levels=2, space=Spectral()),
    "MultiResNet, wavelets": MultiResNet(width=3, levels=2, space=Wavelet("db3")),
    "MultiResNet, details": MultiResNet(width=3, levels=2, details=True),
}


def pretend_capability(monkeypatch: pytest.MonkeyPatch, *capability: int) -> torch.device:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    return torch.device("cuda")


def state() -> tuple[str, bool, bool]:
    """All that a precision changes of the process."""
    return (
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.allow_tf32,
        torch.is_autocast_enabled("cpu"),
    )


def test_a_cpu_computes_in_float32_unless_told_otherwise() -> None:
    assert resolved_precision(None, CPU) == "float32"
    assert resolved_precision("bf16", CPU) == "bf16"


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "float32"), ((8, 0), "tf32"), ((9, 0), "tf32")]
)
def test_a_gpu_computes_in_tf32_if_it_can(
    capability: tuple[int, int], precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = pretend_capability(monkeypatch, *capability)
    assert resolved_precision(None, cuda) == precision
    assert resolved_precision("float32", cuda) == "float32"


def test_what_a_device_does_not_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="tf32 is a mode of CUDA devices, the device is cpu"):
        check_precision("tf32", CPU)
    old = pretend_capability(monkeypatch, 7, 5)
    for precision in ("tf32", "bf16"):
        with pytest.raises(ValueError, match=rf"{precision} needs.* 8\.0 or higher, cuda has 7\.5"):
            check_precision(precision, old)
    check_precision("float32", old)
    check_precision("bf16", CPU)
    new = pretend_capability(monkeypatch, 8, 0)
    check_precision("tf32", new)


@pytest.mark.parametrize(
    ("precision", "inside"),
    [
        ("float32", ("highest", False, False)),
        ("tf32", ("high", True, False)),
        ("bf16", ("highest", False, True)),
    ],
)
def test_the_state_of_the_process_is_as_before_afterwards(
    precision: Any, inside: tuple[str, bool, bool]
) -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        before = state()
        with computing_in(precision), forward_in(precision, CPU):
            assert state() == inside
        assert state() == before

        def break_off() -> None:
            with computing_in(precision), forward_in(precision, CPU):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            break_off()
        assert state() == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_every_exported_model_is_tried() -> None:
    assert {type(spec) for spec in EVERY.values()} == set(MODELS)


def learn(network: nn.Module, precision: Any, predicts_change: bool = True) -> tuple[Tensor, float]:
    """The frame after a step, and the loss, whose gradients are in the network afterwards."""
    told = Condition("viscosity", is_field=False, is_logarithmic=False, mean=0.7, std=0.1)
    info = replace(INFO, history=1, predicts_change=predicts_change, conditioning=(told,))
    surrogate = Surrogate(network, info)
    window = given(batch=2)[:, None]
    window[:, :, 1] = 100 + 10 * window[:, :, 1]
    truth = window[:, :, :2].roll(1, dims=-1)
    compare = MeanSquare().on(LossSetting(info.fields, GRID, surrogate.change_std))
    with computing_in(precision):
        with forward_in(precision, CPU):
            predicted = surrogate.step(window)[:, :, :2]
            loss = compare(predicted, truth)
        loss.backward()
    assert predicted.dtype == loss.dtype == torch.float32
    return predicted.detach() - window[:, :, :2], loss.item()


@pytest.mark.parametrize("name", EVERY)
def test_every_model_learns_in_bfloat16(name: str) -> None:
    network = build(EVERY[name])
    exact, exact_loss = learn(network, "float32")
    network.zero_grad()
    rounded, rounded_loss = learn(network, "bf16")
    for parameter in network.parameters():
        assert parameter.dtype in (torch.float32, torch.complex64)
        assert parameter.grad is not None
        assert torch.view_as_real(parameter.grad + 0j).isfinite().all()
    # A stream function is differenced, and what its features are rounded to with it.
    tolerance = 0.1 if name == A_FLOW else 0.02
    assert 0 < (rounded - exact).norm() < tolerance * exact.norm()
    assert abs(rounded_loss - exact_loss) < 0.02 * exact_loss


@pytest.mark.parametrize("name", ["MultiResNet", "FNO"])
def test_a_model_may_predict_the_frame_itself_in_bfloat16(name: str) -> None:
    exact, _ = learn(build(NAMED[name]), "float32", predicts_change=False)
    rounded, _ = learn(build(NAMED[name]), "bf16", predicts_change=False)
    assert (rounded - exact).norm() < 0.02 * exact.norm()


class Transforms(TorchFunctionMode):
    """Notes what Fourier transforms are given: on a CPU autocast would mend it, on a GPU not."""

    def __init__(self) -> None:
        super().__init__()
        self.given: set[torch.dtype] = set()

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if "fft" in getattr(function, "__name__", "") and isinstance(args[0], Tensor):
            self.given.add(args[0].dtype)
        return function(*args, **(kwargs or {}))


def apply_in_bfloat16(spec: ModelSpec, grid: Grid) -> tuple[Tensor, set[torch.dtype]]:
    network = spec.build(3, 2, grid)
    v = torch.randn(2, 3, *grid.num_points)
    with Transforms() as transforms, forward_in("bf16", CPU):
        out = network(v)
    return (out - network(v)).norm() / network(v).norm(), transforms.given


@pytest.mark.parametrize("name", ["FNO", "TFNO", "UNO"])
def test_fourier_transforms_are_given_single_precision(name: str) -> None:
    _, given_to_them = apply_in_bfloat16(NAMED[name], GRID)
    assert given_to_them
    assert torch.bfloat16 not in given_to_them


def test_spherical_harmonics_are_transformed_in_single_precision() -> None:
    spec = MultiResNet(width=4, levels=2, space=Spectral())
    error, given_to_them = apply_in_bfloat16(spec, GaussianSphere((16, 32)))
    assert error < 0.02
    assert given_to_them
    assert torch.bfloat16 not in given_to_them


@needs_harmonics
def test_a_spherical_operator_stays_in_single_precision() -> None:
    error, _ = apply_in_bfloat16(SFNO(degrees=8, width=8, layers=2), GaussianSphere((16, 32)))
    assert error == 0


def test_flow_stays_incompressible_in_bfloat16() -> None:
    network = build(ConstrainedUNet(width=3, levels=2, output=IncompressibleFlow()))
    with torch.no_grad(), forward_in("bf16", CPU):
        out = network(given())
    u, v = out.unbind(1)
    stretching = mean(difference(u, -1), -2)
    assert stretching.abs().max() > 1e-3
    divergence = stretching + mean(difference(v, -2), -1)
    assert divergence.abs().max() < 1e-5 * stretching.abs().max()


@pytest.mark.parametrize("loss", [MeanSquare(), BandWeighted(), Conservation(), RelativeL2()])
def test_a_loss_is_float32_whatever_the_network_computes_in(loss: FrameLoss) -> None:
    surrogate = Surrogate(nn.Identity(), replace(INFO, history=1))
    frames = given(batch=3)[:, None]
    config = TrainingConfig(loss=loss)
    compare = bound_loss(surrogate, config, GRID)
    expected = compare(frames, frames.roll(1, dims=-1))
    with forward_in("bf16", CPU):
        found = compare(frames, frames.roll(1, dims=-1))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
