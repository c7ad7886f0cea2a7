import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.models.normalisation import BandNorm, ChannelNorm, band_strength

PERIODIC = ("circular", "circular")
CLOSED = ("replicate", "replicate")


def flow(n: int, m: int, edges: tuple[str, str], detail: float = 0.0) -> Tensor:
    """Two channels within the band of three wavenumbers, and `detail` far beyond it."""
    offset = 0.0 if edges == PERIODIC else 0.5
    y = (2 * torch.pi * (torch.arange(n, dtype=torch.float64) + offset) / n)[:, None]
    x = 2 * torch.pi * (torch.arange(m, dtype=torch.float64) + offset) / m
    if edges == CLOSED:  # half waves, which are even about the walls
        waves = [1 + (1.5 * y).cos() * (3 * x).cos(), (0.5 * y).cos() + 2 * (2.5 * x).cos()]
    else:
        waves = [1 + (3 * y + 2 * x).sin() + 0 * x, (y - 3 * x).cos() + 2 * (2 * x).sin()]
    beyond = detail * (10 * y).cos() * (11 * x).cos()
    return torch.stack([wave + beyond for wave in waves])[None]


@pytest.mark.parametrize("edges", [PERIODIC, CLOSED])
@pytest.mark.parametrize("detail", [0.0, 5.0])
def test_band_statistics_are_the_same_on_every_grid(edges: tuple[str, str], detail: float) -> None:
    strengths = [
        float(band_strength(flow(n, m, edges, detail if n > 22 else 0.0), edges, 3))
        for n, m in [(8, 8), (9, 12), (16, 14), (32, 32), (33, 47), (64, 48), (128, 256)]
    ]
    # A constant 1, and waves of mean square 1/2, or 1/4 if they are a product.
    expected = (1 + 0.25 + 0.5 + 2) / 2 if edges == CLOSED else (1 + 0.5 + 0.5 + 2) / 2
    for strength in strengths:
        assert strength == pytest.approx(expected, rel=1e-12)


def test_detail_changes_the_statistics_of_a_group_but_not_of_the_band() -> None:
    plain, detailed = flow(64, 64, PERIODIC).float(), flow(64, 64, PERIODIC, 5.0).float()
    kept = (torch.arange(64) % 8)[:, None] == torch.arange(64) % 8  # detail is no constant there

    def response(norm: nn.Module) -> float:
        # What the norm makes of the difference is that of the detail alone, if it is linear.
        with torch.no_grad():
            factor = (norm(detailed) - norm(plain))[0, :, kept].norm()
        return float(factor / (detailed - plain)[0, :, kept].norm())

    band, group = BandNorm(2, PERIODIC), nn.GroupNorm(1, 2)
    strength = float(band_strength(plain, PERIODIC, 3)) ** 0.5
    assert response(band) == pytest.approx(1 / strength, rel=1e-5)
    assert abs(response(group) * strength - 1) > 0.1


def test_normalised_band_has_mean_square_one() -> None:
    norm = BandNorm(2, PERIODIC)
    out = norm(flow(32, 48, PERIODIC).float()).detach()
    assert float(out.square().mean()) == pytest.approx(1, rel=1e-4)


def test_a_coarse_grid_gives_what_it_resolves() -> None:
    v = torch.randn(3, 2, 4, 6)
    coefficients = torch.fft.fft2(v, norm="forward").abs().square()
    kept = torch.tensor([True, True, False, True])[:, None] & (torch.arange(6) != 3)
    expected = (coefficients * kept).sum((-2, -1)).mean(1)
    torch.testing.assert_close(band_strength(v, PERIODIC, 3), expected)


def test_channel_norm_is_a_layer_norm_at_each_point() -> None:
    torch.manual_seed(0)
    norm, v = ChannelNorm(5), torch.randn(2, 5, 3, 4)
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    expected = nn.functional.layer_norm(v.movedim(1, -1), (5,), norm.weight, norm.bias, 1e-6)
    torch.testing.assert_close(norm(v), expected.movedim(-1, 1))
    torch.testing.assert_close(norm(v[..., 1:2, 2:3]), norm(v)[..., 1:2, 2:3])


@pytest.mark.parametrize("norm", [ChannelNorm(2), BandNorm(2, PERIODIC), BandNorm(2, CLOSED)])
def test_gradients_are_those_of_finite_differences(norm: nn.Module) -> None:
    v = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm.double(), (v,))
