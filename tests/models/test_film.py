"""Blocks that parameters modulate: alone, in every U-Net, and from the data to the saved run."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pdesurrogate.data import Ladder, generate
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ClassicalUNet, ConvNeXtUNet, FiLM, MultiResNet, ResidualUNet
from pdesurrogate.models.film import Modulation
from pdesurrogate.models.unet_spec import UNetSpec
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import TrainingConfig, train
from tests.decay import decay_recipe

BOX = PeriodicBox((16, 16))
every_unet = pytest.mark.parametrize(
    "model", [ClassicalUNet, ConvNeXtUNet, MultiResNet, ResidualUNet]
)


def conditioned(model: type[UNetSpec], norm: str = "none") -> nn.Module:
    """Two parameters, which are neither the last channels nor next to each other."""
    torch.manual_seed(0)
    spec = model(width=4, levels=2, norm=norm, film=FiLM(hidden=6))
    return spec.build_conditioned(5, 1, BOX, (1, 3))


def awake(network: nn.Module) -> nn.Module:
    """Modulations that have learned something."""
    for part in network.modules():
        if isinstance(part, Modulation):
            nn.init.normal_(part.scale_and_shift.weight)
    return network


def given(first: float, second: float) -> Tensor:
    v = torch.randn(1, 5, 16, 24, generator=torch.Generator().manual_seed(1))
    v[:, 1], v[:, 3] = first, second
    return v


@every_unet
@pytest.mark.parametrize("norm", ["none", "group"])
def test_network_starts_as_one_that_knows_no_parameters(model: type[UNetSpec], norm: str) -> None:
    network = conditioned(model, norm)
    torch.manual_seed(0)
    unaware = model(width=4, levels=2, norm=norm).build(3, 1, BOX)
    v = given(1.0, -2.0)
    assert torch.equal(network(v), unaware(v[:, [0, 2, 4]]))
    assert torch.equal(network(given(0.5, 3.0)), network(v))


@every_unet
def test_each_parameter_changes_the_output(model: type[UNetSpec]) -> None:
    network = awake(conditioned(model))
    before = network(given(1.0, -2.0))
    assert (network(given(1.5, -2.0)) - before).abs().max() > 1e-4
    assert (network(given(1.0, -1.5)) - before).abs().max() > 1e-4


@every_unet
def test_every_parameter_of_the_network_gets_a_gradient(model: type[UNetSpec]) -> None:
    network = awake(conditioned(model))
    network(given(1.0, -2.0)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


@every_unet
def test_every_normalisation_is_followed_by_a_modulation(model: type[UNetSpec]) -> None:
    network = conditioned(model, "group")
    norms = [part for part in network.modules() if isinstance(part, nn.GroupNorm)]
    modulations = [part for part in network.modules() if isinstance(part, Modulation)]
    assert len(norms) == len(modulations) > 4
    for part in network.modules():
        if isinstance(part, nn.Sequential) and len(part) and isinstance(part[-1], Modulation):
            assert isinstance(part[0], nn.GroupNorm)


def test_modulation_is_its_formula() -> None:
    network = awake(conditioned(ResidualUNet))
    modulation = next(part for part in network.modules() if isinstance(part, Modulation))
    numbers, v = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), torch.randn(2, 8, 3, 3)
    with network.embedding.given(numbers):
        out = modulation(v)
    for sample in range(2):
        both = modulation.scale_and_shift(network.embedding(numbers)[sample])
        scale, shift = both[:8, None, None], both[8:, None, None]
        torch.testing.assert_close(out[sample], (1 + scale) * v[sample] + shift)


def test_samples_have_their_own_parameters() -> None:
    network = awake(conditioned(MultiResNet))
    both = network(torch.cat([given(1.0, -2.0), given(0.5, 3.0)]))
    torch.testing.assert_close(both[1:], network(given(0.5, 3.0)), atol=1e-5, rtol=1e-5)


def test_levels_need_to_be_told() -> None:
    network, v = awake(conditioned(ResidualUNet)), torch.randn(1, 16, 4, 4)
    with pytest.raises(RuntimeError, match="modulated by parameters"):
        network.network.level(0)(v[:, :8])
    with network.embedding.given(torch.ones(1, 2)):
        network.network.level(0)(v[:, :8])


def test_threads_do_not_hear_each_others_parameters() -> None:
    network = awake(conditioned(ResidualUNet))
    inputs = [given(1.0, -2.0), given(0.5, 3.0)]
    alone = [network(v) for v in inputs]
    both_are_told = threading.Barrier(2, timeout=20)

    def meet(*_: object) -> None:
        both_are_told.wait()

    network.network.lift.register_forward_pre_hook(meet)
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(network, inputs))
    for ours, expected in zip(together, alone, strict=True):
        assert torch.equal(ours, expected)


def test_whole_network_may_be_recomputed_for_its_gradient() -> None:
    network = awake(conditioned(ResidualUNet))
    gradients = []
    for is_recomputed in (False, True):
        v = given(1.0, -2.0)
        network.zero_grad()
        out = checkpoint(network, v, use_reentrant=False) if is_recomputed else network(v)
        out.square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    torch.testing.assert_close(*gradients)


def test_copies_have_their_own_embedding() -> None:
    network, v = awake(conditioned(ResidualUNet)), given(1.0, -2.0)
    before = network(v)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(v), before)
        with torch.no_grad():
            twin.embedding.layers[0].weight.zero_()
        assert not torch.equal(twin(v), before)
        assert torch.equal(network(v), before)


def test_gradients_are_those_of_finite_differences() -> None:
    network = awake(conditioned(MultiResNet)).double()
    v = given(1.0, -2.0).double()[..., :4, :4]
    numbers = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)

    def response(numbers: Tensor) -> Tensor:
        told = v.clone()
        told[:, [1, 3]] = numbers[:, None, None].expand(2, 4, 4)
        return network(told)

    assert torch.autograd.gradcheck(response, (numbers,), eps=1e-5, atol=1e-5)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="hidden must be at least 1, got 0"):
        FiLM(hidden=0)
    spec = ResidualUNet(width=4, levels=1, film=FiLM())
    with pytest.raises(ValueError, match="build the network with build_conditioned"):
        spec.build(3, 1, BOX)
    with pytest.raises(ValueError, match="conditioning names none"):
        spec.build_conditioned(3, 1, BOX, ())


CONFIG = TrainingConfig(epochs=2, batch_size=6, validation_steps=2)
SPEC = MultiResNet(width=4, levels=1, film=FiLM(hidden=8))


@pytest.fixture(scope="module")
def decay(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """Trajectories that decay at a rate of their own, past an obstacle."""
    return generate(decay_recipe(), tmp_path_factory.mktemp("decay") / "data", workers=1)


def test_trained_network_is_told_the_rate_and_loads_as_it_was(
    decay: Ladder, tmp_path: Path
) -> None:
    surrogate = train(SPEC, decay, 8, tmp_path / "run", CONFIG)
    # The rate and the place of the edge modulate; the mask, a field, is told as a channel.
    assert surrogate.info.condition_names == ("rate", "edge", "mask")
    assert surrogate.info.parameter_channels == (1, 2)
    modulations = [part for part in surrogate.module.modules() if isinstance(part, Modulation)]
    assert all(part.scale_and_shift.weight.abs().max() > 0 for part in modulations)
    data = decay.test[8]
    loaded = Surrogate.load(tmp_path / "run")
    first, second = (s.rollout(data.isel(time=slice(0, 1)), 1) for s in (surrogate, loaded))
    assert (first.concentration.values == second.concentration.values).all()
    changed = data.assign_coords(rate=2 * data["rate"])
    assert (
        loaded.rollout(changed.isel(time=slice(0, 1)), 1).concentration != first.concentration
    ).any()


def test_training_without_parameters_is_refused(decay: Ladder, tmp_path: Path) -> None:
    for conditioning in ((), ("mask",)):
        with pytest.raises(ValueError, match="conditioning names none"):
            train(SPEC, decay, 8, tmp_path / "run", replace(CONFIG, conditioning=conditioning))
