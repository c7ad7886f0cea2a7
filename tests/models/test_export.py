"""What `torch.export` makes of every named network is the network, on other grids too."""

import io

import pytest
import torch
from torch.export import Dim

from tests.models.named_networks import NAMED, build, given

NEURAL_OPERATORS = {"FNO", "TFNO", "UNO"}
"""neuraloperator's slices tie the program to the number of samples."""


@pytest.mark.parametrize("name", NAMED)
def test_exported_program_serves_every_grid(name: str) -> None:
    network = build(NAMED[name])
    sizes = {2: 4 * Dim("rows", min=2, max=256), 3: 4 * Dim("columns", min=2, max=256)}
    batches = [2, 2] if name in NEURAL_OPERATORS else [1, 3]
    if name not in NEURAL_OPERATORS:
        sizes[0] = Dim("batch", min=1, max=64)
    program = torch.export.export(network, (given(batch=2),), dynamic_shapes=(sizes,))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for (ny, nx), batch in zip([(16, 16), (24, 40)], batches, strict=True):
        v = given(ny, nx, batch)
        torch.testing.assert_close(loaded(v), network(v), atol=1e-6, rtol=1e-6)
