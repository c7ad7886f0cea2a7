"""Conditions that hold whatever the weights are, at every level and on every grid."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.data import Ladder, generate
from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import ClosedBox, Grid, OpenBox, PeriodicBox
from pdesurrogate.models import (
    Clamped,
    ConstrainedUNet,
    Dirichlet,
    FiLM,
    IncompressibleFlow,
    Neumann,
    OutputSpace,
    Scalars,
    UNet,
)
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import TrainingConfig, train

from .test_splines import as_function

GRIDS = [(8, 8), (16, 24), (32, 32)]
EXTENT = (2.0, 3.0)
VELOCITY = (
    Field("smoke", "1", "smoke"),
    Field("velocity_x", "1", "velocity along x", vector_part="x"),
    Field("velocity_y", "1", "velocity along y", vector_part="y"),
)


def network(output: OutputSpace, kind: type[Grid] = ClosedBox, fields: int = 3) -> UNet:
    """With large random weights, as no training would leave them."""
    torch.manual_seed(0)
    spec = ConstrainedUNet(width=4, levels=2, output=output)
    built = spec.build(3, fields, kind((16, 24), EXTENT)).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return built


def field(ny: int, nx: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, channels, ny, nx, generator=generator, dtype=torch.float64)


def input_of_level(unet: UNet, i: int, ny: int, nx: int) -> Tensor:
    """What level `i` is given when the network is given a random field."""
    v = unet.lift(field(ny, nx))
    for level in reversed(unet.levels[i:]):
        v = level.projection(level.encoder(v))
    return v


@torch.no_grad()
def answers(unet: UNet, ny: int, nx: int) -> list[Tensor]:
    """The coefficients that each level gives."""
    count = unet.bottleneck._splines.channels
    return [
        unet.level(i)(input_of_level(unet, i, ny, nx))[:, :count]
        for i in range(unet.num_levels + 1)
    ]


@pytest.mark.parametrize("wall", [Neumann(), Dirichlet(), Clamped()])
@pytest.mark.parametrize(("ny", "nx"), GRIDS)
def test_every_level_obeys_the_walls(wall, ny: int, nx: int) -> None:
    unet = network(Scalars(wall))
    for c in answers(unet, ny, nx):
        assert c.abs().max() > 0.1 or min(c.shape[-2:]) <= 2
        for along in (c, c.mT):
            if isinstance(wall, Clamped):
                assert along[..., [0, -1]].abs().max() == 0
            function = as_function(along, wall)
            at_walls = np.array([0.0, 1.0])
            size = np.abs(along.numpy()).max()
            if not isinstance(wall, Neumann):
                assert np.abs(function(at_walls)).max() <= 1e-12 * size
            if not isinstance(wall, Dirichlet):
                assert np.abs(function.derivative()(at_walls)).max() <= 1e-12 * size


def test_output_is_read_off_the_function() -> None:
    unet = network(Scalars(Dirichlet()))
    c = answers(unet, 16, 24)[-1]
    rows = as_function(c, Dirichlet())((np.arange(24) + 0.5) / 24)  # x first
    rows = torch.from_numpy(np.moveaxis(rows, 0, -2))  # ..., x, y
    both = as_function(rows, Dirichlet())((np.arange(16) + 0.5) / 16)
    expected = np.moveaxis(both, 0, -2)
    np.testing.assert_allclose(
        unet(field(16, 24)).detach(), expected, atol=1e-12 * np.abs(expected).max()
    )


def test_each_level_adds_to_the_function_of_the_coarser() -> None:
    unet = network(IncompressibleFlow(1, 2))
    coarse = answers(unet, 16, 24)[1]
    carried = unet.preconditioner(2)(input_of_level(unet, 2, 16, 24))[:, :2]
    assert carried.shape[-2:] == (16, 24)
    torch.testing.assert_close(carried, unet.bottleneck._splines.refined(coarse))


def difference(u: Tensor, axis: int) -> Tensor:
    return 0.5 * (u.roll(-1, axis) - u.roll(1, axis))


def mean(u: Tensor, axis: int) -> Tensor:
    return (u.roll(-1, axis) + 6 * u + u.roll(1, axis)) / 8


def divergence(u: Tensor, v: Tensor) -> Tensor:
    """The stated operator; points beside an edge are those of the other side."""
    ny, nx = u.shape[-2:]
    per_y, per_x = ny / EXTENT[0], nx / EXTENT[1]
    return per_x * mean(difference(u, -1), -2) + per_y * mean(difference(v, -2), -1)


@pytest.mark.parametrize("walls", [Clamped(), Dirichlet()])
@pytest.mark.parametrize(("ny", "nx"), GRIDS)
def test_flow_in_a_box_is_incompressible_at_every_level(walls, ny: int, nx: int) -> None:
    unet = network(IncompressibleFlow(x_channel=1, y_channel=2, flow_walls=walls))
    for i in range(unet.num_levels + 1):
        fields = nn.Sequential(unet.level(i), unet.head)(input_of_level(unet, i, ny, nx))
        assert fields.shape[1] == 3
        u, v = fields[:, 1].detach(), fields[:, 2].detach()
        if min(u.shape[-2:]) < 6:
            continue  # every cell is beside a wall
        inner = divergence(u, v)[..., 2:-2, 2:-2]
        scale = difference(u, -1).abs().max() * nx / EXTENT[1]
        assert scale > 0.1
        assert inner.abs().max() <= 1e-12 * scale


@pytest.mark.parametrize(("ny", "nx"), GRIDS)
def test_flow_in_a_periodic_box_is_incompressible(ny: int, nx: int) -> None:
    unet = network(IncompressibleFlow(2, 0), PeriodicBox)
    fields = unet(field(ny, nx)).detach()
    u, v = fields[:, 2], fields[:, 0]
    scale = difference(u, -1).abs().max() * nx / EXTENT[1]
    assert divergence(u, v).abs().max() <= 1e-12 * scale
    for component in (u, v):
        assert component.mean((-2, -1)).abs().max() <= 1e-12 * component.abs().max()


@pytest.mark.parametrize("walls", [Clamped(), Dirichlet()])
def test_velocity_at_the_walls(walls) -> None:
    """From the stream function alone: u = d psi / dy, v = -d psi / dx on the walls."""
    unet = network(IncompressibleFlow(1, 2, flow_walls=walls))
    for c in answers(unet, 16, 24):
        psi, size = c[:, :1], c.abs().max().numpy() * max(c.shape)
        for along in (psi, psi.mT):  # along the last axis, from wall to wall
            function = as_function(along, walls)
            assert np.abs(function([0.0, 1.0])).max() <= 1e-13 * size  # no flow through
            tangential = np.abs(function.derivative()([0.0, 1.0])).max()
            assert (tangential <= 1e-13 * size) == isinstance(walls, Clamped)


def test_velocity_is_the_derivative_of_the_stream_function() -> None:
    """The curl of a smooth stream function, to the second order of its sampling."""
    errors = []
    for n in (32, 64):
        y, x = (torch.arange(n, dtype=torch.float64) + 0.5) / n, (torch.arange(n) + 0.5) / n
        sin_y, sin_x = torch.sin(torch.pi * y)[:, None], torch.sin(torch.pi * x)
        psi = (sin_y * sin_x) ** 2
        head = IncompressibleFlow().read_out(2, ClosedBox((n, n), (16.0, 16.0)))
        inner = slice(n // 4, -n // 4)
        u = torch.pi * torch.sin(2 * torch.pi * y)[:, None] * sin_x**2
        v = -torch.pi * torch.sin(2 * torch.pi * x) * sin_y**2
        error = 16 * head(psi[None, None].double())[0] - torch.stack([u, v])
        errors.append(float(error[:, inner, inner].abs().max()))
    assert errors[0] < 0.05
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_nothing_moves_inside_a_body() -> None:
    torch.manual_seed(0)
    solid = torch.zeros(2, 1, 32, 48, dtype=torch.float64)
    solid[..., 10:18, 20:30] = 1
    solid[..., 9, 20:30] = 0.4  # a cell that the surface cuts
    inside = solid[:, 0] == 1
    for output in (Scalars(), IncompressibleFlow(0, 1)):
        spec = ConstrainedUNet(width=4, levels=2, output=output, obstacle_channel=-1)
        built = spec.build(4, 2, ClosedBox((32, 48), EXTENT)).double()
        for shown in (solid, (solid - 0.03) / 0.17):  # as it is, and normalised
            out = built(torch.cat([field(32, 48), shown], dim=1)).detach()
            assert out.movedim(1, -1)[inside].abs().max() == 0
            assert out.movedim(1, -1)[~inside].abs().max() > 0.1
        if isinstance(output, IncompressibleFlow):
            inner = divergence(out[:, 0], out[:, 1])[..., 2:-2, 2:-2]
            assert inner.abs().max() <= 1e-12 * out.abs().max() * 16


def test_without_a_body_nothing_is_cleared() -> None:
    torch.manual_seed(0)
    spec = ConstrainedUNet(width=4, levels=2, obstacle_channel=2)
    built = spec.build(3, 2, ClosedBox((16, 16), EXTENT)).double()
    v = torch.cat([field(16, 16, 2), torch.zeros(2, 1, 16, 16).double()], dim=1)
    torch.testing.assert_close(built(v), built.head(built.unet(v)))


@pytest.mark.parametrize("film", [None, FiLM(hidden=4)])
@pytest.mark.parametrize("channel", [4, -2])
def test_the_body_is_found_among_the_parameters(film: FiLM | None, channel: int) -> None:
    torch.manual_seed(0)
    solid = torch.zeros(2, 1, 16, 16, dtype=torch.float64)
    solid[..., 4:9, 6:12] = 1
    spec = ConstrainedUNet(width=4, levels=2, obstacle_channel=channel, film=film)
    built = spec.build_conditioned(6, 2, ClosedBox((16, 16), EXTENT), (1, 3, 5)).double()
    told = torch.ones(2, 1, 16, 16).double()
    fields = field(16, 16, 2)
    v = torch.cat([fields[:, :1], told, fields[:, 1:], told, solid, told], dim=1)
    out = built(v).detach().movedim(1, -1)
    inside = solid[:, 0] == 1
    assert out[inside].abs().max() == 0
    assert out[~inside].abs().max() > 0.1
    for parameter in (3, -1):
        wrong = dataclasses.replace(spec, obstacle_channel=parameter)
        with pytest.raises(ValueError, match=f"channel {parameter} is a parameter"):
            wrong.build_conditioned(6, 2, ClosedBox((16, 16), EXTENT), (1, 3, 5))


def test_too_few_cells_between_walls_are_refused() -> None:
    spec = ConstrainedUNet(width=2, levels=4, output=Scalars(Clamped()))
    with pytest.raises(ValueError, match=r"Clamped needs at least 2 cells.*4 levels on 16 points"):
        spec.build(1, 1, ClosedBox((32, 16)))
    built = spec.build(1, 1, ClosedBox((32, 32)))
    assert built(torch.zeros(1, 1, 32, 32)).shape == (1, 1, 32, 32)
    with pytest.raises(ValueError, match="Clamped needs at least 2 cells between two walls, got 1"):
        built(torch.zeros(1, 1, 16, 16))
    assert spec.build(1, 1, PeriodicBox((16, 16)))(torch.zeros(1, 1, 16, 16)).isfinite().all()


@pytest.mark.parametrize(
    ("output", "grid", "words"),
    [
        (Scalars(Dirichlet()), OpenBox((16, 16)), "open sides"),
        (IncompressibleFlow(), OpenBox((16, 16)), "open sides"),
        (IncompressibleFlow(1, 5), ClosedBox((16, 16)), "below the number of fields, 3"),
    ],
)
def test_conditions_without_a_meaning_are_refused(output, grid: Grid, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ConstrainedUNet(width=2, levels=1, output=output).build(3, 3, grid)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="two different channels"):
        IncompressibleFlow(1, 1)
    with pytest.raises(ValueError, match="Clamped or Dirichlet"):
        IncompressibleFlow(flow_walls=Neumann())
    with pytest.raises(ValueError, match="obstacle_channel must be one of the 3"):
        ConstrainedUNet(obstacle_channel=3).build(3, 1, ClosedBox((16, 16)))


STATISTICS = FieldStatistics(
    ("smoke", "velocity_x", "velocity_y"), (0.3, 0.0, 0.0), (0.4, 1.0, 1.0), (0.1, 0.2, 0.2)
)


@pytest.mark.parametrize("predicts_change", [True, False])
def test_a_flow_without_means_is_accepted(predicts_change: bool) -> None:
    spec = ConstrainedUNet(output=IncompressibleFlow(1, 2))
    spec.check_fields(VELOCITY, STATISTICS, predicts_change)


@pytest.mark.parametrize(
    ("output", "changes", "predicts_change", "words"),
    [
        (IncompressibleFlow(0, 1), {}, True, "'smoke', which is no velocity along x"),
        (IncompressibleFlow(2, 1), {}, True, "no velocity along x"),
        (IncompressibleFlow(1, 2), {"std": (1.0, 1.0, 2.0)}, False, "different numbers"),
        (IncompressibleFlow(1, 2), {"change_std": (1.0, 1.0, 2.0)}, True, "different numbers"),
        (IncompressibleFlow(1, 2), {"mean": (0.0, 0.1, 0.0)}, False, "only with predicts_change"),
        (Scalars(Dirichlet()), {}, False, "'smoke' only with predicts_change"),
    ],
)
def test_normalisation_that_breaks_a_condition_is_refused(
    output: OutputSpace, changes: dict, predicts_change: bool, words: str
) -> None:
    statistics = dataclasses.replace(STATISTICS, **changes)
    with pytest.raises(ValueError, match=words):
        ConstrainedUNet(output=output).check_fields(VELOCITY, statistics, predicts_change)


def test_several_frames_at_once_are_splines_each_but_no_flow() -> None:
    flow = ConstrainedUNet(output=IncompressibleFlow(1, 2))
    flow.check_fields(VELOCITY, STATISTICS, True, 1)
    with pytest.raises(
        ValueError, match="bundle must be 1, got 2: an IncompressibleFlow gives one"
    ):
        flow.check_fields(VELOCITY, STATISTICS, True, 2)
    spec = ConstrainedUNet(width=4, levels=1, output=Scalars(Dirichlet()), obstacle_channel=-1)
    spec.check_fields(VELOCITY, STATISTICS, True, 2)
    body = torch.zeros(16, 16)
    body[4:9, 6:12] = 1
    network = spec.build(4, 2 * 3, ClosedBox((16, 16), EXTENT))
    frames = network(torch.cat([torch.randn(1, 3, 16, 16), body.expand(1, 1, -1, -1)], dim=1))
    assert (frames[:, :, body > 0] == 0).all()
    assert (frames[:, :, 0].abs().amax(-1) > 0).all()


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    return generate(
        "buoyant_smoke",
        tmp_path_factory.mktemp("data") / "smoke",
        resolutions=[16],
        reference_resolution=16,
        num_frames=6,
        splits={"train": 2, "valid": 1, "test": 1},
        batch_size=2,
        accuracy_trajectories=0,
        workers=1,
    )


def test_a_trained_surrogate_keeps_the_condition(smoke: Ladder, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    spec = ConstrainedUNet(width=4, levels=2, output=IncompressibleFlow(1, 2))
    config = TrainingConfig(epochs=1, validation_steps=1, batch_size=4)
    surrogate = train(spec, smoke, 16, tmp_path / "run", config)
    grid = surrogate.info.training_grid
    given = smoke.test[16]
    change = surrogate.rollout(given.isel(time=slice(0, 1)), 1)
    before = given.isel(time=0)
    u, v = (
        torch.from_numpy(
            (change[name].isel(time=0) - before[name]).transpose("trajectory", "y", "x").values
        )
        for name in ("velocity_x", "velocity_y")
    )
    per_y, per_x = (1 / h for h in grid.spacing)
    along_x, along_y = per_x * mean(difference(u, -1), -2), per_y * mean(difference(v, -2), -1)
    inner = (along_x + along_y)[..., 2:-2, 2:-2].abs().max()
    assert inner <= 1e-4 * along_x.abs().max()  # float32
    again = Surrogate.load(tmp_path / "run").rollout(given.isel(time=slice(0, 1)), 1)
    assert again.equals(change)


def test_training_refuses_channels_that_are_no_velocity(smoke: Ladder, tmp_path: Path) -> None:
    spec = ConstrainedUNet(width=4, levels=2, output=IncompressibleFlow(0, 1))
    with pytest.raises(ValueError, match="no velocity along x"):
        train(spec, smoke, 16, tmp_path / "run", TrainingConfig(epochs=1, validation_steps=1))
