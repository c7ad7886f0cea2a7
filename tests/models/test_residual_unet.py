import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ResidualUNet, count_parameters
from tests.models.paper import CHANNELS, GRID, SIZE
from tests.models.restatement import average, convolve, decode, residual_block


@pytest.mark.parametrize(
    ("problem", "published"), [("navier_stokes", 34_531_971), ("shallow_water", 34_528_515)]
)
def test_papers_parameter_count(problem: str, published: int) -> None:
    network = ResidualUNet(**SIZE).build(*CHANNELS[problem], GRID)
    assert count_parameters(network) == published


@pytest.mark.parametrize("norm", ["none", "group"])
@pytest.mark.parametrize("extra_blocks", [0, 2])
def test_network_is_its_formula(norm: str, extra_blocks: int) -> None:
    torch.manual_seed(0)
    spec = ResidualUNet(width=4, levels=2, norm=norm, extra_decoder_blocks=extra_blocks)
    network = spec.build(2, 3, PeriodicBox((8, 8)))
    w, v = network.state_dict(), torch.randn(2, 2, 8, 12)

    fine = residual_block(w, "encoders.1", v)
    middle = residual_block(w, "encoders.0", average(fine))
    out = residual_block(w, "bottleneck", average(middle))
    out = decode(w, "decoders.0", out, middle, extra_blocks)
    out = decode(w, "decoders.1", out, fine, extra_blocks)
    torch.testing.assert_close(network(v), convolve(w, "head", out), atol=1e-5, rtol=1e-5)
