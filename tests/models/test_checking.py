"""Networks with one fault each, and the check that finds it."""

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.models import (
    FNO,
    FiLM,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    check_model,
)
from pdesurrogate.models.checking import Verdict
from tests.models.test_contract import MODELS, options


class Sound(nn.Module):
    """Two convolutions that know what is periodic."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(4, out_channels, 3, padding=1, padding_mode="circular")

    def forward(self, v: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(v)))


class ZeroPadded(Sound):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.first.padding_mode = "zeros"


class Located(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v + torch.linspace(0, 1, v.shape[-1]))


class WithIdlePart(Sound):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.forgotten = nn.Conv2d(in_channels, out_channels, 1)


class Muted(Sound):
    """A part that is called, and whose answer is thrown away."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.activation = nn.GELU()

    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) + 0 * self.activation(v).mean()


class Detached(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(v)).detach())


class Mixing(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v - v.mean(0))


class OfOneSize(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v.view(-1, 3, 16, 16)) if v.shape[-2:] == (16, 16) else v.view(1)


class Shrinking(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v)[..., :-1, :-1]


class Infinite(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) / 0


class Random(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) + torch.rand(())


class Overwriting(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v.mul_(2))


class Forgetful(Sound):
    """What it was made with is not among its weights."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.offset = torch.randn(())

    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) + self.offset


class BatchNormed(Sound):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.norm = nn.BatchNorm2d(in_channels)

    def forward(self, v: Tensor) -> Tensor:
        return super().forward(self.norm(v))


def verdicts(model: type[nn.Module]) -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in check_model(model, resolution=16)}


def broken(model: type[nn.Module]) -> set[str]:
    return {check for check, verdict in verdicts(model).items() if verdict.is_kept is False}


def test_a_sound_network_keeps_every_promise() -> None:
    found = verdicts(Sound)
    assert broken(Sound) == set()
    assert sum(verdict.is_kept is None for verdict in found.values()) == 3
    assert found["moves along with periodic shifts"].finding == "commutes with every shift"


@pytest.mark.parametrize(
    ("model", "check"),
    [
        (ZeroPadded, "moves along with periodic shifts"),
        (Located, "moves along with periodic shifts"),
        (WithIdlePart, "has no idle part"),
        (Muted, "has no idle part"),
        (Detached, "has a gradient for every parameter"),
        (Mixing, "keeps samples apart"),
        (OfOneSize, "runs on other grids"),
        (Shrinking, "runs on other grids"),
        (Infinite, "is finite at first"),
        (Random, "gives the same twice"),
        (Overwriting, "leaves its input alone"),
        (Forgetful, "has weights that survive a file"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_fault_is_found(model: type[nn.Module], check: str) -> None:
    assert check in broken(model)


def test_a_leaking_edge_is_told_from_a_network_that_knows_where_it_is() -> None:
    check = "moves along with periodic shifts"
    assert "edges" in verdicts(ZeroPadded)[check].finding
    assert "knows where it is" in verdicts(Located)[check].finding


def test_batch_statistics_are_mentioned() -> None:
    found = verdicts(BatchNormed)["keeps samples apart"]
    assert found.is_kept
    assert "not in training" in found.finding


def test_our_own_models_keep_the_promises() -> None:
    found = check_model(MultiResNet(width=4, levels=2), resolution=16)
    assert all(verdict.is_kept is not False for verdict in found)
    by_name = {verdict.check: verdict.finding for verdict in found}
    assert (
        by_name["moves along with periodic shifts"]
        == "commutes with shifts by multiples of 4 points"
    )
    assert by_name["keeps constants"] == "stays constant"
    spectral = {v.check: v.finding for v in check_model(FNO(width=4, modes=4, layers=2))}
    assert spectral["answers alike on a finer grid"].startswith("0.0%")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_exported_model_keeps_the_promises(model: type[ModelSpec]) -> None:
    small = {"width": 4, "levels": 1, "modes": 3, "layers": 1, "blocks": 1}
    spec = model(**options(model, {**small, "base": MultiResNet(width=4, levels=1)}))
    found = {verdict.check: verdict for verdict in check_model(spec, resolution=16)}
    assert [v for v in found.values() if v.is_kept is False] == []
    assert found["is told the edges"].finding.startswith("yes")


def test_a_network_that_is_told_no_edges_is_found_out() -> None:
    assert verdicts(Sound)["is told the edges"].finding.startswith("no")


def test_the_generator_of_the_caller_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    check_model(Sound, resolution=16)
    assert torch.rand(()) == expected


def test_a_network_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be made from in_channels, out_channels"):
        check_model(nn.Conv2d)


@pytest.mark.parametrize("parameters", [None, 2])
def test_a_network_that_parameters_modulate_keeps_the_promises(parameters: int | None) -> None:
    spec = ResidualUNet(width=4, levels=1, film=FiLM(hidden=4))
    verdicts = check_model(spec, in_channels=4, resolution=16, parameters=parameters)
    assert [verdict for verdict in verdicts if verdict.is_kept is False] == []


def test_parameters_leave_a_channel_for_the_fields() -> None:
    with pytest.raises(ValueError, match=r"parameters must be 0 to 2.*got 3"):
        check_model(ResidualUNet(width=4, levels=1), in_channels=3, parameters=3)


class StartingAtZero(Sound):
    """As a residual of ReZero does."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        nn.init.zeros_(self.second.weight)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, v: Tensor) -> Tensor:
        return self.gain * super().forward(v)


class Frozen(Sound):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.first.requires_grad_(False)


class FrozenAndIdle(WithIdlePart):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)
        self.forgotten.requires_grad_(False)


class Pair(Sound):
    def forward(self, v: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(v), v


class Complex(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v) * 1j


class Half(Sound):
    def forward(self, v: Tensor) -> Tensor:
        return super().forward(v).half()


def test_a_network_may_start_at_zero() -> None:
    assert broken(StartingAtZero) == set()


def test_a_frozen_parameter_must_only_be_used() -> None:
    assert broken(Frozen) == set()
    assert verdicts(Frozen)["has a gradient for every parameter"].finding.endswith("; 2 frozen")
    assert broken(FrozenAndIdle) == {"has no idle part"}


def test_what_is_no_tensor_gets_one_verdict() -> None:
    (verdict,) = check_model(Pair, resolution=16)
    assert verdict.is_kept is False
    assert verdict.finding == "not a tensor but a tuple"


@pytest.mark.parametrize(("model", "name"), [(Complex, "complex64"), (Half, "float16")])
def test_another_type_of_output_is_refused(model: type[nn.Module], name: str) -> None:
    verdict = verdicts(model)["gives a tensor of its input's type"]
    assert verdict.is_kept is False
    assert verdict.finding == f"float32 in, {name} out"
