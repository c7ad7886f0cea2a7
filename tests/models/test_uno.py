import pytest
import torch
from torch import nn

from pdesurrogate.grids import ClosedBox, PeriodicBox
from pdesurrogate.models import UNO
from pdesurrogate.transfer.spectral import resample
from tests.models.test_fno import band_limited


def build(spec: UNO | None = None) -> nn.Module:
    torch.manual_seed(0)
    return (spec or UNO(modes=8, width=4, levels=2)).build(2, 1, PeriodicBox((64, 64)))


def test_layers_go_down_and_up_with_the_modes_of_their_coarser_grid() -> None:
    network = build()
    shapes, modes = [], []
    for block in network.operator.fno_blocks:
        block.register_forward_hook(lambda _part, _given, out: shapes.append(out.shape[1:]))
        modes.append(block.convs[0].weight.shape[-2:])
    network(torch.randn(1, 2, 64, 96))
    fine, middle, coarse = (4, 64, 96), (8, 32, 48), (16, 16, 24)
    assert shapes == [fine, middle, coarse, coarse, middle, fine, fine]
    m = {"fine": (17, 9), "middle": (9, 5), "coarse": (5, 3)}
    names = ("fine", "middle", "coarse", "coarse", "coarse", "middle", "fine")
    assert modes == [m[name] for name in names]


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_changing_the_grid_keeps_the_modes_in_their_places(factor: float) -> None:
    """The library's own layer moves the rows of the spectrum when it changes the grid."""
    network = build()
    layers = [block.convs[0] for block in network.operator.fno_blocks]
    layer = next(c for c in layers if c.resolution_scaling_factor == [factor, factor])
    v = torch.randn(1, layer.in_channels, 16, 24)
    same = type(layer).__mro__[1].forward(layer, v, output_shape=[16, 24])
    expected = resample(same, (round(16 * factor), round(24 * factor)))
    torch.testing.assert_close(layer(v), expected, atol=1e-5, rtol=1e-5)


def test_same_function_gives_same_output_on_finer_grids() -> None:
    network = build(UNO(modes=8, width=4, levels=1))
    coarse, fine = network(band_limited(64, 64)), network(band_limited(128, 192))
    spread = (coarse - coarse.mean()).norm()
    # Rounding: a fresh network is close to a constant, of 300 times the spread's size.
    assert (fine[..., ::2, ::3] - coarse).norm() / spread < 5e-3


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    build()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("num_points", "complaint"),
    [
        ((36, 32), "a UNO needs a multiple of 8 of points along y, got 36; .* work: 32 and 40"),
        ((32, 34), "a UNO needs a multiple of 4 of points along x, got 34; .* work: 32 and 36"),
        ((16, 32), "16 x 32 points is too coarse for a UNO of 8 modes; at most 7 modes fit"),
    ],
)
def test_grid_that_does_not_fit_is_refused(num_points: tuple[int, int], complaint: str) -> None:
    spec = UNO(modes=8, width=4, levels=2)
    with pytest.raises(ValueError, match=complaint):
        spec.build(2, 1, PeriodicBox(num_points))
    with pytest.raises(ValueError, match=complaint):
        build(spec)(torch.zeros(1, 2, *num_points))


def test_walls_allow_half_the_multiple() -> None:
    network = UNO(modes=8, width=4, levels=2).build(2, 1, ClosedBox((20, 18)))
    assert network(torch.randn(1, 2, 20, 18)).shape == (1, 1, 20, 18)
