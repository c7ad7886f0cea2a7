import pytest
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import BottleneckAttention, MultiResNet, ResidualUNet
from pdesurrogate.models.attention import SelfAttention


def test_attention_is_its_formula() -> None:
    torch.manual_seed(0)
    layer, v = SelfAttention(4, heads=2), torch.randn(2, 4, 3, 5)
    query, key, value = layer.look_up(layer.norm(v)).flatten(2).chunk(3, dim=1)
    gathered = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = torch.einsum("bdp,bdq->bpq", query[:, head], key[:, head]) / 2**0.5
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        gathered.append(torch.einsum("bpq,bdq->bdp", weights, value[:, head]))
    expected = v + layer.read_off(torch.cat(gathered, 1).reshape(2, 4, 3, 5))
    torch.testing.assert_close(layer(v), expected)


def test_refined_field_gathers_the_same() -> None:
    layer, v = SelfAttention(4, heads=2), torch.randn(1, 4, 4, 6)
    fine = v.repeat_interleave(2, -1).repeat_interleave(3, -2)
    torch.testing.assert_close(layer(fine)[..., ::3, ::2], layer(v), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("model", [MultiResNet, ResidualUNet])
def test_bottleneck_sees_the_whole_domain(model: type[ResidualUNet]) -> None:
    torch.manual_seed(0)
    box, attention = PeriodicBox((64, 64)), BottleneckAttention(heads=2)
    v = torch.randn(1, 2, 64, 64)
    elsewhere = v.clone()
    elsewhere[..., 32, 32] += 1

    def reach(network: torch.nn.Module) -> float:
        with torch.no_grad():
            return float((network(elsewhere) - network(v))[..., 0, 0].abs().max())

    assert reach(model(width=4, levels=1).build(2, 1, box)) == 0
    assert reach(model(width=4, levels=1, attention=attention).build(2, 1, box)) > 1e-9


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    spec = ResidualUNet(width=4, levels=2, attention=BottleneckAttention())
    network = spec.build(2, 1, PeriodicBox((16, 16)))
    network(torch.randn(2, 2, 16, 24)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="heads must be at least 1, got 0"):
        BottleneckAttention(heads=0)
    spec = ResidualUNet(width=5, levels=1, attention=BottleneckAttention(heads=4))
    with pytest.raises(ValueError, match="must divide the 10 channels of the bottleneck, got 4"):
        spec.build(2, 1, PeriodicBox((16, 16)))
