from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.report.gather import gather
from tests.report.conftest import Mock, Write


def _only(mock: Mock, *runs: str) -> Mock:
    root, examples = mock
    return root.sel(run=list(runs)), {k: e.sel(run=list(runs)) for k, e in examples.items()}


def test_files_are_laid_side_by_side(mock: Mock, write: Write) -> None:
    first = write(_only(mock, "MultiResNet", "persistence"), "a.nc")
    second = write(_only(mock, "FNO", "persistence", "coarse solver 32"), "b.nc")
    with ExitStack() as files:
        gathered = gather([first, str(second)], files)
        table = gathered.table
        assert list(table["run"].values) == [
            "MultiResNet",
            "persistence",
            "FNO",
            "coarse solver 32",
        ]
        assert table["seed"].values.tolist() == [0, -1, 0, -1]
        for run in table["run"].values:
            xr.testing.assert_equal(table["nrmse"].sel(run=run), mock[0]["nrmse"].sel(run=run))
        assert table["blow_up"].dtype == np.int8
        frame = gathered.examples[64][1].prediction("FNO", "native", 2, "velocity_x")
        expected = mock[1]["example_64"]["prediction"].sel(
            run="FNO", protocol="native", field="velocity_x"
        )
        np.testing.assert_array_equal(frame, expected[2])
        assert gathered.examples[64][0].prediction("FNO", "native", 2, "velocity_x") is None


def test_the_commands_of_all_files_are_told_once(mock: Mock, write: Write) -> None:
    root, examples = mock

    def made_by(*commands: str) -> Mock:
        return root.assign_attrs(commands=json.dumps(commands)), examples

    ours, theirs = made_by("generate", "train a", "evaluate a"), made_by("generate", "evaluate b")
    first = write((ours[0].sel(run=["MultiResNet"]), {}), "a.nc")
    second = write((theirs[0].sel(run=["FNO"]), {}), "b.nc")
    with ExitStack() as files:
        assert gather([first, second], files).commands == (
            "generate",
            "train a",
            "evaluate a",
            "evaluate b",
        )


def test_commands_that_do_not_make_all_files_are_not_told(mock: Mock, write: Write) -> None:
    root, _ = mock
    telling = root.assign_attrs(commands=json.dumps(["generate", "evaluate a"]))
    silent = root.assign_attrs(commands="[]")
    first = write((telling.sel(run=["MultiResNet"]), {}), "a.nc")
    second = write((silent.sel(run=["FNO"]), {}), "b.nc")
    with ExitStack() as files:
        assert gather([first], files).commands == ("generate", "evaluate a")
        assert gather([first, second], files).commands == ()


def test_protocols_and_grids_that_one_file_lacks_were_not_run(mock: Mock, write: Write) -> None:
    root, _ = mock
    first = write(_only((root.sel(protocol=["native"]), {}), "MultiResNet"), "a.nc")
    second = write(_only((root.sel(resolution=[32, 64]), {}), "FNO"), "b.nc")
    with ExitStack() as files:
        table = gather([first, second], files).table
    assert (table["blow_up"].sel(run="MultiResNet", protocol="projected") == -1).all()
    assert (table["blow_up"].sel(run="FNO", resolution=128) == -1).all()
    assert np.isfinite(table["nrmse"].sel(run="FNO", protocol="native", resolution=64)).all()
    xr.testing.assert_equal(table["true_spectrum"], root["true_spectrum"])


def test_mistakes_are_one_sentence(mock: Mock, write: Write, tmp_path: Path) -> None:
    root, _ = mock
    good = write((root, {}), "good.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc")
    nameless = root.copy()
    del nameless.attrs["dataset_sha256"]
    cases = {
        "no two": ([], "at least one"),
        "text": ([tmp_path / "text.nc"], "text.nc is not an evaluation"),
        "other": ([tmp_path / "other.nc"], "other.nc is not an evaluation"),
        "nameless": ([write((nameless, {}), "nameless.nc")], "does not say of which dataset"),
        "dataset": (
            [good, write((root.assign_attrs(dataset_sha256="1" * 64), {}), "foreign.nc")],
            "another dataset",
        ),
        "times": ([good, write((root.isel(lead_time=[0]), {}), "short.nc")], "lead time"),
        "names": ([good, good], "MultiResNet"),
    }
    for paths, message in cases.values():
        with ExitStack() as files, pytest.raises(ValueError, match=message) as caught:
            gather(paths, files)
        assert "\n" not in str(caught.value)
    with ExitStack() as files, pytest.raises(FileNotFoundError, match=r"absent\.nc"):
        gather([tmp_path / "absent.nc"], files)


@pytest.mark.parametrize(("key", "value"), [("split", "train"), ("history", 4)])
def test_rollouts_of_other_frames_are_not_laid_side_by_side(
    key: str, value: object, mock: Mock, write: Write
) -> None:
    first = write(_only(mock, "MultiResNet"), "a.nc")
    other, _ = _only(mock, "FNO")
    second = write((other.assign_attrs({key: value}), {}), "b.nc")
    with ExitStack() as files, pytest.raises(ValueError, match=f"of a different {key}"):
        gather([first, second], files)
