import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.models import FNO

SMALL = FNO(modes=4, width=8, layers=3)


def build(spec: FNO = SMALL, num_points: tuple[int, int] = (32, 32)) -> nn.Module:
    torch.manual_seed(0)
    return spec.build(2, 1, PeriodicBox(num_points))


def band_limited(ny: int, nx: int) -> Tensor:
    y = 2 * torch.pi * torch.arange(ny)[:, None] / ny
    x = 2 * torch.pi * torch.arange(nx) / nx
    return torch.stack([torch.sin(2 * y + x) + torch.cos(3 * x), torch.cos(y - 3 * x)])[None]


@pytest.mark.parametrize("refinement", [(2, 2), (3, 2), (1, 4)])
def test_same_function_gives_same_output_on_finer_grids(refinement: tuple[int, int]) -> None:
    network = build()
    coarse = network(band_limited(32, 32))
    fine = network(band_limited(32 * refinement[0], 32 * refinement[1]))
    error = (fine[..., :: refinement[0], :: refinement[1]] - coarse).norm() / coarse.norm()
    assert error < 1e-6


def test_difference_between_grids_is_aliasing_and_vanishes_on_finer_ones() -> None:
    network = build()
    errors = []
    with torch.no_grad():
        for n in (16, 32, 64):
            coarse, fine = network(band_limited(n, n)), network(band_limited(2 * n, 2 * n))
            errors.append(float((fine[..., ::2, ::2] - coarse).norm() / coarse.norm()))
    assert errors[0] > 100 * errors[1]
    assert errors[2] < 2e-6


def test_points_along_x_may_be_odd() -> None:
    network = build()
    even, odd = network(band_limited(32, 48)), network(band_limited(32, 45))
    # The grids share the thirds of the period.
    shared = zip(range(0, 45, 15), range(0, 48, 16), strict=True)
    for i, j in shared:
        torch.testing.assert_close(odd[..., i], even[..., j], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("shift", [(1, 0), (5, -7)])
def test_commutes_with_every_translation(shift: tuple[int, int]) -> None:
    network, v = build(), torch.randn(1, 2, 32, 48)
    torch.testing.assert_close(
        network(v.roll(shift, (-2, -1))), network(v).roll(shift, (-2, -1)), atol=1e-5, rtol=1e-5
    )


def test_positional_embedding_breaks_translations() -> None:
    network = build(FNO(modes=4, width=8, layers=2, positional_embedding=True))
    v = torch.randn(1, 2, 32, 32)
    assert (network(v.roll(5, -1)) - network(v).roll(5, -1)).abs().max() > 1e-3


def test_every_fourier_layer_is_called_once() -> None:
    network = build()
    calls = []
    for i, layer in enumerate(network.operator.fno_blocks.convs):
        layer.register_forward_hook(lambda *_, i=i: calls.append(i))
    network(band_limited(32, 32))
    assert calls == [0, 1, 2]


def test_fourier_layers_keep_exactly_the_chosen_modes() -> None:
    network = build()
    layer = network.operator.fno_blocks.convs[0]
    with torch.no_grad():
        out = layer(torch.randn(1, 8, 32, 32)) - layer.bias
    power = torch.fft.fft2(out).abs().amax((0, 1))
    k = (torch.fft.fftfreq(32) * 32).abs()
    kept = (k[:, None] <= 4) & (k <= 4)
    assert power[~kept].max() < 1e-4 * power[kept].min()


@pytest.mark.parametrize("channel_mlp", [True, False])
def test_channel_perceptron_is_an_option(channel_mlp: bool) -> None:
    network = build(FNO(modes=4, width=8, layers=2, channel_mlp=channel_mlp))
    assert any("channel_mlp" in name for name, _ in network.named_parameters()) == channel_mlp


@pytest.mark.parametrize(("norm", "parts"), [("none", 0), ("instance", 4), ("group", 4)])
def test_normalisation_is_an_option(norm: str, parts: int) -> None:
    network = build(FNO(modes=4, width=8, layers=2, norm=norm))
    assert len(network.operator.fno_blocks.norm or []) == parts


def test_walls_are_mirrors() -> None:
    torch.manual_seed(0)
    closed = SMALL.build(2, 1, ClosedBox((16, 24)))
    periodic = SMALL.build(2, 1, PeriodicBox((32, 48)))
    periodic.load_state_dict(closed.state_dict())
    v = torch.randn(1, 2, 16, 24)
    mirrored = torch.cat([v, v.flip(-1)], -1)
    mirrored = torch.cat([mirrored, mirrored.flip(-2)], -2)
    torch.testing.assert_close(closed(v), periodic(mirrored)[..., :16, :24])


def test_grid_too_coarse_for_the_modes_is_refused() -> None:
    complaint = "8 x 64 points is too coarse for an FNO of 4 modes; at most 3 modes fit"
    with pytest.raises(ValueError, match=complaint):
        build(num_points=(8, 64))
    with pytest.raises(ValueError, match=complaint):
        build()(torch.zeros(1, 2, 8, 64))
    build(num_points=(10, 10))
    SMALL.build(2, 1, ClosedBox((6, 6)))  # mirrored, it has 12 points


def test_odd_number_of_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="even number of points along y, got 33"):
        build(num_points=(33, 32))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"modes": 0}, "FNO.modes must be at least 1, got 0"),
        ({"width": 1}, "FNO.width must be at least 2, got 1"),
        ({"layers": 0}, "FNO.layers must be at least 1, got 0"),
    ],
)
def test_nonsense_is_refused(options: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        FNO(**options)


def test_library_is_imported_only_when_a_network_is_built() -> None:
    code = "import sys, pdesurrogate.models; sys.exit('neuralop' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_double_precision_is_refused_in_one_sentence() -> None:
    network = FNO(width=4, modes=2, layers=1).build(1, 1, PeriodicBox((8, 8))).double()
    with pytest.raises(ValueError, match=r"an FNO computes in single precision only"):
        network(torch.zeros(1, 1, 8, 8, dtype=torch.float64))
