"""Networks answer what they answered when `make_golden_outputs` was last run."""

import json

import pytest
import torch

from tests.models.make_golden_outputs import GOLDEN, corner
from tests.models.named_networks import NAMED

EXPECTED = json.loads(GOLDEN.read_text())


def test_every_named_network_is_there() -> None:
    assert list(EXPECTED) == list(NAMED)
    assert GOLDEN.stat().st_size < 50_000


@pytest.mark.parametrize("name", NAMED)
def test_output_is_the_golden_one(name: str) -> None:
    found, expected = torch.tensor(corner(name)), torch.tensor(EXPECTED[name])
    assert expected.std() > 1e-3  # it says something
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)
