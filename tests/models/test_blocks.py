import numpy as np
import pytest
import torch
from torch import nn

from pdesurrogate.models.blocks import (
    BoundaryConv2d,
    ChannelTiling,
    ConvStyle,
    FullyResidualBlock,
    PlainBlock,
    ResidualBlock,
    Tiling,
)

PERIODIC = ("circular", "circular")
CLOSED = ("replicate", "replicate")
NUMPY_MODES = {"circular": "wrap", "replicate": "symmetric"}


def convolved_by_hand(v: np.ndarray, convolution: nn.Conv2d, edges: tuple[str, str]) -> np.ndarray:
    kernel, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
    ny, nx = v.shape[-2:]
    v = np.pad(v, ((0, 0), (1, 1), (0, 0)), mode=NUMPY_MODES[edges[0]])
    v = np.pad(v, ((0, 0), (0, 0), (1, 1)), mode=NUMPY_MODES[edges[1]])
    out = np.zeros((len(kernel), ny, nx))
    for a in range(3):
        for b in range(3):
            out += np.einsum("oi,iyx->oyx", kernel[:, :, a, b], v[:, a : a + ny, b : b + nx])
    return out + bias[:, None, None]


@pytest.mark.parametrize(
    "edges", [PERIODIC, CLOSED, ("replicate", "circular"), ("circular", "replicate")]
)
def test_convolution_continues_the_field_as_the_grid_says(edges: tuple[str, str]) -> None:
    torch.manual_seed(0)
    convolution = BoundaryConv2d(2, 3, edges)
    v = torch.randn(1, 2, 5, 6)
    expected = convolved_by_hand(v[0].numpy(), convolution, edges)
    np.testing.assert_allclose(convolution(v)[0].detach(), expected, atol=1e-6)


def test_edges_matter_only_within_reach_of_the_kernel() -> None:
    torch.manual_seed(0)
    periodic, closed = BoundaryConv2d(1, 1, PERIODIC), BoundaryConv2d(1, 1, CLOSED)
    closed.load_state_dict(periodic.state_dict())
    v = torch.randn(1, 1, 8, 8)
    difference = (periodic(v) - closed(v)).abs()
    assert difference[..., 1:-1, 1:-1].max() == 0
    assert (difference[..., 0, :] > 0).all()
    assert (difference[..., :, -1] > 0).all()


def test_weights_are_named_alike_for_every_kind_of_edge() -> None:
    names = {
        tuple(BoundaryConv2d(2, 3, edges).state_dict())
        for edges in (PERIODIC, CLOSED, ("replicate", "circular"))
    }
    assert names == {("weight", "bias")}


def test_blocks_connect_their_two_convolutions_differently() -> None:
    torch.manual_seed(0)
    style = ConvStyle(PERIODIC, "none")
    plain, residual = PlainBlock(4, 4, style), ResidualBlock(4, 4, style)
    full = FullyResidualBlock(4, style)
    residual.load_state_dict(plain.state_dict())
    full.residual.load_state_dict(plain.state_dict())
    v = torch.randn(2, 4, 8, 8)
    first = torch.nn.functional.gelu(plain.conv1(v))
    second = torch.nn.functional.gelu(plain.conv2(first))
    torch.testing.assert_close(plain(v), second)
    torch.testing.assert_close(residual(v), first + second)
    torch.testing.assert_close(full(v), v + second)


def test_group_normalisation_has_one_group() -> None:
    torch.manual_seed(0)
    block = PlainBlock(3, 4, ConvStyle(PERIODIC, "group"))
    v = 5 + 3 * torch.randn(2, 3, 8, 8)
    w = block.norm1(block.conv1(v))
    torch.testing.assert_close(w.mean((1, 2, 3)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(w.std((1, 2, 3), correction=0), torch.ones(2), atol=1e-3, rtol=0)


def test_tiling_repeats_channels_in_turn() -> None:
    v = torch.arange(3.0).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert ChannelTiling(7)(v)[0, :, 0, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert ChannelTiling(3)(v) is v


def test_a_convolution_on_a_sphere_looks_across_the_poles() -> None:
    rows, columns = 6, 8
    v = torch.arange(rows * columns).float().reshape(1, 1, rows, columns)
    convolution = BoundaryConv2d(1, 1, ("polar", "circular"), kernel_size=5)
    for offset in (-2, -1, 1, 2):
        with torch.no_grad():
            convolution.weight.zero_()[0, 0, 2 + offset, 2] = 1
            convolution.bias.zero_()
        seen = convolution(v)[0, 0]
        for row in range(rows):
            beyond = row + offset
            if 0 <= beyond < rows:
                expected = v[0, 0, beyond]
            else:  # -1 is row 0, -2 row 1, 6 row 5, ...; half a circle further
                expected = v[0, 0, -1 - beyond if beyond < 0 else 2 * rows - 1 - beyond].roll(4)
            assert seen[row].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("kernel_size", "dilation"), [(1, 1), (3, 2), (3, 4), (3, 8), (3, 9), (7, 1), (5, 6)]
)
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("edges", [PERIODIC, CLOSED, ("replicate", "circular")])
def test_kernels_reach_as_far_as_they_like(
    kernel_size: int, dilation: int, groups: int, edges: tuple[str, str]
) -> None:
    torch.manual_seed(0)
    options = {"kernel_size": kernel_size, "dilation": dilation, "groups": groups}
    convolution = BoundaryConv2d(4, 4, edges, **options)
    v = torch.randn(2, 4, 5, 6)
    reach = dilation * (kernel_size // 2)
    padded = v.numpy()
    for axis, edge in zip((2, 3), edges, strict=True):
        width = [(0, 0)] * 4
        width[axis] = (reach, reach)
        padded = np.pad(padded, width, mode=NUMPY_MODES[edge])
    expected = nn.functional.conv2d(
        torch.from_numpy(padded),
        convolution.weight,
        convolution.bias,
        dilation=dilation,
        groups=groups,
    )
    torch.testing.assert_close(convolution(v), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dilation", [1, 3, 8])
def test_far_reach_across_the_poles_goes_on_around_the_meridian(dilation: int) -> None:
    torch.manual_seed(0)
    convolution = BoundaryConv2d(1, 1, ("polar", "circular"), dilation=dilation)
    v = torch.randn(1, 1, 4, 8)
    circle = torch.cat([v, v.flip(-2).roll(4, -1)], -2)  # the whole meridians
    periodic = BoundaryConv2d(1, 1, PERIODIC, dilation=dilation)
    periodic.load_state_dict(convolution.state_dict())
    torch.testing.assert_close(convolution(v), periodic(circle)[..., :4, :])


def test_kernel_without_a_centre_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        BoundaryConv2d(1, 1, PERIODIC, kernel_size=4)


def test_a_convolution_given_untiled_channels_answers_as_for_tiled_ones() -> None:
    edges = ("circular", "replicate")
    folded = BoundaryConv2d(11, 2, edges, tiling=Tiling(8, 4))
    plain = BoundaryConv2d(11, 2, edges)
    plain.load_state_dict(folded.state_dict())
    distinct, rest = torch.randn(1, 4, 6, 6), torch.randn(1, 3, 6, 6)
    expected = plain(torch.cat([ChannelTiling(8)(distinct), rest], dim=1))
    found = folded(torch.cat([distinct, rest], dim=1))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tiling", [Tiling(8, 3), Tiling(12, 4)])
def test_a_tiling_that_does_not_fit_is_refused(tiling: Tiling) -> None:
    with pytest.raises(ValueError, match="cannot be tiled"):
        BoundaryConv2d(11, 2, ("circular", "circular"), tiling=tiling)
