"""What every network on nested spaces promises, whichever the spaces and the grid."""

import copy
import inspect
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import pdesurrogate.models
from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, PeriodicBox
from pdesurrogate.models import (
    Haar,
    MaxPooling,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    Space,
    Spectral,
    Strided,
    Wavelet,
)
from pdesurrogate.models.part import Part, parts_from_plain, parts_to_plain

SPACES = [Haar(), MaxPooling(), Strided(), Wavelet("db2"), Wavelet("sym4"), Spectral()]
WITH_DETAILS = [Haar(), Wavelet("db2")]
SIZE = {"width": 4, "levels": 2}
SPECS = [
    *(model(space=space, **SIZE) for space in SPACES for model in (ResidualUNet, MultiResNet)),
    *(MultiResNet(space=space, details=True, **SIZE) for space in WITH_DETAILS),
]
EXPORTED = [
    member
    for name in pdesurrogate.models.__all__
    if inspect.isclass(member := getattr(pdesurrogate.models, name)) and issubclass(member, Part)
]


class HalfPeriodic(PeriodicBox):
    """Periodic along x, walls along y."""

    @property
    def padding(self) -> tuple[str, str]:
        return ("replicate", "circular")


DOMAINS = [PeriodicBox, ClosedBox, Channel, HalfPeriodic, GaussianSphere]


def name(spec: ModelSpec) -> str:
    details = "-details" if getattr(spec, "details", False) else ""
    return f"{type(spec).__name__}-{space_name(spec.space)}{details}"


def space_name(space: Space) -> str:
    return getattr(space, "family", type(space).__name__)


every_spec = pytest.mark.parametrize("spec", SPECS, ids=name)
PAIRS = [
    pytest.param(spec, domain, id=f"{name(spec)}-{domain.__name__}")
    for spec in SPECS
    for domain in DOMAINS
    # Refused, see test_wavelets.py.
    if not (isinstance(spec.space, Wavelet) and domain is GaussianSphere)
]
every_pair = pytest.mark.parametrize(("spec", "domain"), PAIRS)


def build(spec: ModelSpec, grid: Grid) -> nn.Module:
    torch.manual_seed(0)
    return spec.build(3, 2, grid)


def field(ny: int = 32, nx: int = 32, batch: int = 1) -> Tensor:
    return torch.randn(batch, 3, ny, nx, generator=torch.Generator().manual_seed(1))


def sizes(space: Space, domain: type[Grid]) -> list[tuple[int, int]]:
    """The ladder, rectangles, and odd sizes where the space has some on the domain."""
    known = [(32, 32), (48, 48), (64, 64), (96, 96), (32, 48), (64, 40)]
    if domain is GaussianSphere:
        return [*known, (18, 36)] if isinstance(space, Spectral) else known
    if isinstance(space, Spectral):
        return [*known, (33, 47), (21, 32)]
    if isinstance(space, Wavelet):
        odd = {HalfPeriodic: [(33, 48)], ClosedBox: [(33, 47)], Channel: [(21, 49)]}
        return known + odd.get(domain, [])
    return known


def test_every_exported_space_is_here() -> None:
    spaces = {kind for kind in EXPORTED if issubclass(kind, Space) and not inspect.isabstract(kind)}
    assert spaces == {type(space) for space in SPACES}


@every_pair
def test_runs_unchanged_on_every_size(spec: ModelSpec, domain: type[Grid]) -> None:
    network = build(spec, domain((32, 32)))
    with torch.no_grad():
        before = network(field())
        for ny, nx in sizes(spec.space, domain):
            out = network(field(ny, nx))
            assert out.shape == (1, 2, ny, nx)
            assert out.isfinite().all()
        assert torch.equal(network(field()), before)


@every_pair
def test_every_parameter_gets_a_gradient(spec: ModelSpec, domain: type[Grid]) -> None:
    network = build(spec, domain((32, 32)))
    out = network(field(batch=2))
    (out * torch.randn_like(out)).sum().backward()
    for parameter_name, parameter in network.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        assert parameter.grad.abs().max() > 1e-7, parameter_name


@every_pair
def test_constants_stay_constant(spec: ModelSpec, domain: type[Grid]) -> None:
    network = build(spec, domain((32, 32)))
    randomise_details(network)
    for ny, nx in sizes(spec.space, domain)[-2:]:
        out = network(field(1, 1).expand(-1, -1, ny, nx))
        torch.testing.assert_close(out, out[..., :1, :1].expand_as(out), atol=2e-5, rtol=1e-5)


@every_spec
def test_commutes_with_translations_by_whole_cells(spec: ModelSpec) -> None:
    network, v = build(spec, PeriodicBox((32, 48))), field(32, 48)
    randomise_details(network)
    for shift in [(4, 0), (0, 4), (16, -8)]:  # two levels: cells of 4 x 4 points
        torch.testing.assert_close(
            network(v.roll(shift, (-2, -1))), network(v).roll(shift, (-2, -1)), atol=2e-5, rtol=1e-5
        )


@pytest.mark.parametrize(
    ("spec", "domain"),
    [pair for pair in PAIRS if pair.values[1] in (HalfPeriodic, GaussianSphere)],
)
def test_commutes_with_translations_along_the_periodic_axis(
    spec: ModelSpec, domain: type[Grid]
) -> None:
    network, v = build(spec, domain((32, 48))), field(32, 48)
    for shift in (4, -12):
        torch.testing.assert_close(
            network(v.roll(shift, -1)), network(v).roll(shift, -1), atol=2e-5, rtol=1e-5
        )


def randomise_details(network: nn.Module) -> None:
    """They start as zero, where they could break nothing."""
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if parameter_name.endswith("embedding.weight"):
                parameter.normal_(std=0.1)


@every_spec
def test_weights_do_not_depend_on_resolution_or_edges(spec: ModelSpec) -> None:
    shapes = [
        {key: value.shape for key, value in build(spec, grid).state_dict().items()}
        for grid in (PeriodicBox((32, 32)), PeriodicBox((64, 96)), ClosedBox((48, 32)))
    ]
    assert shapes[0] == shapes[1] == shapes[2]


@every_spec
def test_weights_and_options_survive_a_file(spec: ModelSpec, tmp_path: Path) -> None:
    network = build(spec, ClosedBox((32, 32)))
    randomise_details(network)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    plain = json.loads(json.dumps(parts_to_plain(spec)))
    again = type(spec)(**parts_from_plain(plain, EXPORTED))
    assert again == spec
    other = again.build(3, 2, ClosedBox((32, 32)))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    v = field()
    assert torch.equal(other(v), network(v))
    assert torch.equal(copy.deepcopy(network)(v), network(v))


@every_spec
def test_double_precision(spec: ModelSpec) -> None:
    network = build(spec, PeriodicBox((32, 32)))
    single = network(field())
    double = network.double()(field().double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("space", [Wavelet("db2"), Spectral()], ids=space_name)
def test_exported_networks_compute_the_same(space: Space) -> None:
    network = build(MultiResNet(width=2, levels=1, space=space), ClosedBox((8, 8)))
    v = field(8, 8)
    program = torch.export.export(network, (v,), strict=False)
    torch.testing.assert_close(program.module()(v), network(v))
