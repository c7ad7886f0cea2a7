from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr

from pdesurrogate.report import write_report
from pdesurrogate.report.methods import Study
from tests.evaluation.mock_evaluation import mock_evaluation

Mock = tuple[xr.Dataset, dict[str, xr.Dataset]]
Write = Callable[[Mock, str], Path]


def write_file(mock: Mock, path: Path) -> Path:
    """A mock as an evaluation file."""
    root, examples = mock
    root.to_netcdf(path, engine="netcdf4")
    for group, example in examples.items():
        example.to_netcdf(path, group=group, mode="a", engine="netcdf4")
    return path


@pytest.fixture(scope="session")
def original() -> Mock:
    """A small evaluation that stays as it is."""
    return mock_evaluation(num_trajectories=4, num_steps=3)


@pytest.fixture
def mock(original: Mock) -> Mock:
    """A small evaluation that may be changed."""
    root, examples = original
    return root.copy(deep=True), {name: e.copy(deep=True) for name, e in examples.items()}


@pytest.fixture
def study(mock: Mock) -> Study:
    """The small evaluation by method."""
    return Study.of(mock[0])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a mock under a name."""
    return lambda mock, name: write_file(mock, tmp_path / name)


@pytest.fixture(scope="session")
def page(original: Mock, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page about the small evaluation, with a name that would be markup if not escaped."""
    folder = tmp_path_factory.mktemp("report")
    root, examples = original
    hostile = "<b>bold & \"quoted\" 'network'</b>"
    models = [hostile if m == "FNO" else m for m in root["model"].values]
    root = root.assign_coords(model=("run", models, root["model"].attrs))
    evaluation = write_file((root, examples), folder / "evaluation.nc")
    return write_report([evaluation], folder / "report.html")
