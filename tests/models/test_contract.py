"""What every exported model promises."""

import copy
import dataclasses
import inspect
import itertools
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import pdesurrogate.models
from pdesurrogate.grids import ClosedBox, Grid, PeriodicBox
from pdesurrogate.models import ModelSpec, MultiResNet
from pdesurrogate.models.extension import FineDecoder
from pdesurrogate.models.part import Part, parts_from_plain, parts_to_plain
from pdesurrogate.models.unet_spec import UNetSpec

SMALL = {
    "width": 4,
    "levels": 3,
    "modes": 4,
    "layers": 2,
    "blocks": 1,
    "extra_decoder_blocks": 1,
    "base": MultiResNet(width=4, levels=2),  # with the level on top as deep as the others
}
IN_CHANNELS, OUT_CHANNELS = 3, 2
ON_SPHERES = {"SFNO"}
"""They do not go on boxes; each has its own tests."""

MODELS = [
    member
    for name in pdesurrogate.models.__all__
    if inspect.isclass(member := getattr(pdesurrogate.models, name))
    and issubclass(member, ModelSpec)
    and not inspect.isabstract(member)
    and name not in ON_SPHERES
]
PARTS = [
    member
    for name in pdesurrogate.models.__all__
    if inspect.isclass(member := getattr(pdesurrogate.models, name)) and issubclass(member, Part)
]

NORMS = [
    (model, norm)
    for model in MODELS
    for norm in (
        ("none", "group", "layer", "band")
        if issubclass(model, UNetSpec) or model.__name__ == "DilatedResNet"
        else ("none", "group")
        if "norm" in {field.name for field in dataclasses.fields(model)}
        else (None,)
    )
]

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
every_model_and_norm = pytest.mark.parametrize(
    ("model", "norm"), NORMS, ids=lambda value: getattr(value, "__name__", value)
)


class Channel(PeriodicBox):
    """Periodic along x, closed along y."""

    @property
    def padding(self) -> tuple[str, str]:
        return ("replicate", "circular")


def options(model: type[ModelSpec], small: Mapping[str, Any] = SMALL) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(model)}
    return {name: value for name, value in small.items() if name in names}


def default(model: type[ModelSpec]) -> ModelSpec:
    """The model with all defaults, and a base if there must be one."""
    return model(**options(model, {"base": MultiResNet()}))


def build(model: type[ModelSpec], grid: Grid | None = None, **more: object) -> nn.Module:
    torch.manual_seed(0)
    spec = model(**options(model), **more)
    network = spec.build(IN_CHANNELS, OUT_CHANNELS, grid or PeriodicBox((32, 32)))
    for part in network.modules():
        if isinstance(part, FineDecoder):  # starts as if its level were not there
            nn.init.normal_(part.read_off.weight, std=0.1)
    return network


def build_with(model: type[ModelSpec], norm: str | None) -> nn.Module:
    return build(model) if norm is None else build(model, norm=norm)


def field(ny: int = 32, nx: int = 32, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, IN_CHANNELS, ny, nx, generator=generator)


def test_models_are_found() -> None:
    named = {"ClassicalUNet", "ResidualUNet", "MultiResNet", "ConvNeXtUNet", "DilatedResNet"}
    assert named | {"FNO", "TFNO", "UNO"} <= {m.__name__ for m in MODELS}


@every_model
@pytest.mark.parametrize("domain", [PeriodicBox, ClosedBox, Channel])
def test_runs_unchanged_on_every_grid(model: type[ModelSpec], domain: type[Grid]) -> None:
    network = build(model, domain((32, 32)))
    with torch.no_grad():
        before = network(field())
        for ny, nx in [(32, 32), (48, 48), (64, 64), (96, 96), (32, 48), (64, 40)]:
            out = network(field(ny, nx))
            assert out.shape == (2, OUT_CHANNELS, ny, nx)
            assert out.isfinite().all()
        assert torch.equal(network(field()), before)


@every_model
def test_default_options_serve_the_ladder(model: type[ModelSpec]) -> None:
    network = default(model).build(IN_CHANNELS, OUT_CHANNELS, PeriodicBox((32, 32)))
    for n in (32, 48, 64, 96):
        assert network(field(n, n, 1)).shape == (1, OUT_CHANNELS, n, n)


@every_model_and_norm
def test_every_parameter_gets_a_gradient(model: type[ModelSpec], norm: str | None) -> None:
    network = build_with(model, norm)
    out = network(field())
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 1e-7, name


@every_model_and_norm
def test_every_parameter_changes_the_output(model: type[ModelSpec], norm: str | None) -> None:
    network, v = build_with(model, norm), field()
    with torch.no_grad():
        before = network(v)
        for name, parameter in network.named_parameters():
            kept = parameter.clone()
            parameter += torch.randn_like(parameter)
            assert (network(v) - before).abs().max() > 1e-5, name
            parameter.copy_(kept)
        assert torch.equal(network(v), before)


@every_model_and_norm
def test_every_part_changes_the_output(model: type[ModelSpec], norm: str | None) -> None:
    network, v = build_with(model, norm), field()
    with torch.no_grad():
        before = network(v)
        for name, part in network.named_modules():
            # Lists of parts, and the modules that neuraloperator keeps weights in, do nothing.
            if isinstance(part, nn.ModuleList | nn.ModuleDict) or ".weight" in name:
                continue
            hook = part.register_forward_hook(
                lambda _part, _given, out: out + torch.randn_like(out)
            )
            assert (network(v) - before).abs().max() > 1e-5, name
            hook.remove()


@every_model
def test_commutes_with_translations_by_whole_cells(model: type[ModelSpec]) -> None:
    network, v = build(model), field(32, 48, 1)
    # Three levels: cells of 8 x 8 points. All shifts by whole cells that there are:
    shifts = list(itertools.product(range(0, 32, 8), range(0, 48, 8)))
    with torch.no_grad():
        shifted = network(torch.cat([v.roll(shift, (-2, -1)) for shift in shifts]))
        expected = torch.cat([shifted[:1].roll(shift, (-2, -1)) for shift in shifts])
    torch.testing.assert_close(shifted, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "model",
    # A transposed convolution tells the four points of a cell apart.
    [model for model in MODELS if model.__name__ != "ClassicalUNet"],
    ids=lambda model: model.__name__,
)
@pytest.mark.parametrize("domain", [PeriodicBox, ClosedBox, Channel])
def test_constants_stay_constant(model: type[ModelSpec], domain: type[Grid]) -> None:
    out = build(model, domain((32, 32)))(field(1, 1).expand(-1, -1, 32, 32))
    torch.testing.assert_close(out, out[..., :1, :1].expand_as(out), atol=1e-5, rtol=1e-5)


@every_model
def test_edges_change_the_output(model: type[ModelSpec]) -> None:
    periodic, closed = build(model), build(model, ClosedBox((32, 32)))
    closed.load_state_dict(periodic.state_dict())
    assert (periodic(field()) - closed(field())).abs().max() > 1e-3


@every_model_and_norm
def test_samples_of_a_batch_do_not_mix(model: type[ModelSpec], norm: str | None) -> None:
    network, v = build_with(model, norm), field()
    # Over four channels a variance may be small: rounding grows by its inverse root.
    tolerance = 1e-4 if norm == "layer" else 1e-5
    torch.testing.assert_close(network(v)[1:], network(v[1:]), atol=tolerance, rtol=tolerance)


@every_model
def test_seed_decides_the_weights(model: type[ModelSpec]) -> None:
    assert torch.equal(build(model)(field()), build(model)(field()))


@every_model
def test_weights_survive_a_file(model: type[ModelSpec], tmp_path: Path) -> None:
    network = build(model)
    enclosing = nn.ModuleDict({"module": network})
    assert all(isinstance(value, Tensor) for value in enclosing.state_dict().values())
    save_file(enclosing.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(2)
    other = model(**options(model)).build(IN_CHANNELS, OUT_CHANNELS, PeriodicBox((64, 64)))
    assert not torch.equal(other(field()), network(field()))
    nn.ModuleDict({"module": other}).load_state_dict(load_file(tmp_path / "model.safetensors"))
    assert torch.equal(other(field()), network(field()))


@every_model
def test_network_can_be_copied_and_pickled(model: type[ModelSpec]) -> None:
    network = build(model)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(field()), network(field()))


@every_model
def test_options_are_plain_data(model: type[ModelSpec]) -> None:
    spec = model(**options(model))
    plain = json.loads(json.dumps(parts_to_plain(spec)))
    assert model(**parts_from_plain(plain, [*PARTS, *MODELS])) == spec
