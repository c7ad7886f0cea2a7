import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import FNO, TFNO, count_parameters
from tests.models.test_fno import band_limited

BOX = PeriodicBox((32, 32))


def test_rank_is_the_share_of_the_parameters() -> None:
    dense = FNO(modes=6, width=16, layers=2).build(2, 1, BOX)
    factored = TFNO(modes=6, width=16, layers=2, rank=0.25).build(2, 1, BOX)

    def fourier(network: torch.nn.Module) -> int:
        return sum(count_parameters(c.weight) for c in network.operator.fno_blocks.convs)

    full = 2 * 2 * 16 * 16 * 13 * 7
    assert sum(2 * c.weight.numel() for c in dense.operator.fno_blocks.convs) == full
    assert 0.1 < fourier(factored) / full < 0.3


def test_layer_multiplies_with_the_product_of_the_factors() -> None:
    torch.manual_seed(0)
    layer = TFNO(modes=4, width=6, layers=1).build(2, 1, BOX).operator.fno_blocks.convs[0]
    core, (a, b, y, x) = layer.weight.core, layer.weight.factors
    matrices = torch.einsum("pqrs,ap,bq,yr,xs->abyx", core, a, b, y, x)
    v = torch.randn(1, 6, 16, 16)
    spectrum = torch.fft.fftshift(torch.fft.rfft2(v, norm="forward"), dim=-2)
    out = torch.zeros_like(spectrum)
    out[..., 4:13, :5] = torch.einsum("nayx,abyx->nbyx", spectrum[..., 4:13, :5], matrices)
    out = torch.fft.irfft2(torch.fft.ifftshift(out, dim=-2), s=(16, 16), norm="forward")
    torch.testing.assert_close(layer(v), out + layer.bias, atol=1e-5, rtol=1e-5)


def test_same_function_gives_same_output_on_finer_grids() -> None:
    torch.manual_seed(0)
    network = TFNO(modes=4, width=8, layers=3).build(2, 1, BOX)
    coarse, fine = network(band_limited(32, 32)), network(band_limited(64, 96))
    assert (fine[..., ::2, ::3] - coarse).norm() / coarse.norm() < 1e-5


def test_grid_too_coarse_is_refused() -> None:
    with pytest.raises(ValueError, match="too coarse for a TFNO of 12 modes; at most 11 modes fit"):
        TFNO().build(2, 1, PeriodicBox((24, 32)))
    with pytest.raises(ValueError, match="a TFNO needs an even number of points along y, got 33"):
        TFNO().build(2, 1, PeriodicBox((33, 32)))


@pytest.mark.parametrize("rank", [0.0, 1.5])
def test_nonsense_is_refused(rank: float) -> None:
    with pytest.raises(ValueError, match=r"TFNO.rank must be above 0 and at most 1"):
        TFNO(rank=rank)
