from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from pdesurrogate.evaluation.schema import SCORES, VARIABLES
from tests.evaluation.mock_evaluation import mock_evaluation, write_mock_evaluation


def test_every_variable_and_coordinate_is_described() -> None:
    root, examples = mock_evaluation(num_trajectories=2, num_steps=3)
    for dataset in (root, *examples.values()):
        for variable in dataset.variables.values():
            assert variable.attrs["long_name"]
    for variable in VARIABLES:
        assert root[variable.name].dims == variable.dims
        assert root[variable.name].dtype == variable.dtype
        assert {"units", "comment"} & set(root[variable.name].attrs)


def test_what_was_not_run_is_missing() -> None:
    root, _ = mock_evaluation(num_trajectories=2, num_steps=3)
    trained_grid = root.sel(protocol="projected", resolution=32)
    for score in SCORES:
        assert np.isnan(trained_grid[score.name]).all()
    assert (trained_grid.blow_up == -1).all()


def test_mock_opens_as_a_dataset_and_as_a_tree(tmp_path: Path) -> None:
    path = write_mock_evaluation(tmp_path / "evaluation.nc")
    with xr.open_dataset(path) as root:
        assert root.nrmse.dtype == np.float32
        assert root.blow_up.dtype == np.int8
    with xr.open_datatree(path) as tree:
        assert list(tree.children) == ["example_32", "example_64", "example_128"]
