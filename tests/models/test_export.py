"""What `torch.export` makes of every named network is the network, on other grids where it can."""

import io
from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from torch import nn
from torch.export import Dim

from tests.models.named_networks import NAMED, build, given

ONE_BATCH_SIZE = {"FNO", "TFNO"}
"""neuraloperator's slices tie the program to the number of samples."""

ONE_GRID = {"UNO"}
"""neuraloperator rounds its numbers of points, which `torch.export` cannot write to a file."""


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """The checks of shapes want numbers, but tracing sees symbols."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def exported(network: nn.Module, sizes: dict[int, object] | None) -> nn.Module:
    """Through a file and back."""
    dynamic = None if sizes is None else (sizes,)
    program = torch.export.export(network, (given(batch=2),), dynamic_shapes=dynamic)
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    return torch.export.load(file).module()


@pytest.mark.parametrize(
    "name",
    [
        # Of every kind of network one is enough for every day: each takes seconds.
        pytest.param(name, marks=() if name in ("FNO", "MultiResNet") else pytest.mark.slow)
        for name in sorted(NAMED.keys() - ONE_GRID)
    ],
)
def test_exported_program_serves_every_grid(name: str) -> None:
    network = build(NAMED[name])
    sizes = {2: 4 * Dim("rows", min=2, max=256), 3: 4 * Dim("columns", min=2, max=256)}
    batches = [2, 2]
    if name not in ONE_BATCH_SIZE:
        sizes[0], batches = Dim("batch", min=1, max=64), [1, 3]
    program = exported(network, sizes)
    for (ny, nx), batch in zip([(16, 16), (24, 40)], batches, strict=True):
        v = given(ny, nx, batch)
        torch.testing.assert_close(program(v), network(v), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(ONE_GRID))
def test_exported_program_serves_the_grid_that_it_was_exported_for(name: str) -> None:
    network, v = build(NAMED[name]), given(batch=2)
    torch.testing.assert_close(exported(network, None)(v), network(v), atol=1e-6, rtol=1e-6)
