"""Networks that are named by a path."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models.user_model import UserModel, described, find_class

GRID = PeriodicBox((8, 8))


class Pointwise(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, width: int = 2) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, width, 1), nn.Conv2d(width, out_channels, 1)
        )

    def forward(self, v: Tensor) -> Tensor:
        return self.net(v)


def test_builds_the_class_with_its_options() -> None:
    spec = UserModel.of(Pointwise, width=5)
    network = spec.build(3, 2, GRID)
    assert isinstance(network, Pointwise)
    assert network.net[0].out_channels == 5
    assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 2, 8, 8)
    assert find_class(spec.network) is Pointwise
    assert described(spec) == (f"{__name__}.Pointwise", {"width": 5})


def test_says_what_the_constructor_takes() -> None:
    with pytest.raises(ValueError, match=r"'heads'; it takes \(in_channels"):
        UserModel.of(Pointwise, heads=2).build(3, 2, GRID)


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("Pointwise", "must be a path"),
        ("no_such_module.Net", "cannot be imported"),
        (f"{__name__}.Missing", "has no class 'Missing'"),
        (f"{__name__}.GRID", "has no class 'GRID'"),
        ("collections.OrderedDict", "is not an nn.Module"),
    ],
)
def test_refuses_what_is_no_network(path: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        UserModel(path).build(3, 2, GRID)


def test_refuses_a_class_without_a_name_of_its_own() -> None:
    class Local(Pointwise):
        pass

    with pytest.raises(ValueError, match="top of a module"):
        UserModel.of(Local)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("ps.models.MultiResNet(space='Haar')", "MultiResNet.space must be a Space such as Haar()"),
        ("ps.models.Extended(ps.models.FNO)", "Extended.base must be a ModelSpec, got"),
        ("ps.models.Extended(ps.models.FNO(), 8, 'Haar')", "Extended.space must be a Space, got"),
        ("ps.train(torch.nn.Identity, None, 8, 'run')", "train needs a ModelSpec such as"),
    ],
)
def test_an_easy_mistake_in_python_is_told(code: str, sentence: str) -> None:
    # In a process of its own: here, types are checked before the code is reached.
    code = f"import torch, pdesurrogate as ps; {code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"ValueError: {sentence}" in done.stderr
