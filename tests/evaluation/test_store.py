from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from pdesurrogate.evaluation import open_evaluation, write_evaluation
from pdesurrogate.evaluation.schema import VARIABLES


def test_file_round_trip(table: xr.DataTree, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "evaluation.nc"
    write_evaluation(table, path)
    assert [p.name for p in path.parent.iterdir()] == ["evaluation.nc"]
    with xr.open_dataset(path) as root:
        xr.testing.assert_identical(root.drop_attrs(), table.to_dataset().drop_attrs())
        for variable in root.variables.values():
            assert variable.attrs["long_name"]
    with open_evaluation(path) as again:
        for name in ("/", "/example_16", "/example_32"):
            ours, theirs = table[name].to_dataset(), again[name].to_dataset()
            xr.testing.assert_identical(theirs.drop_attrs(), ours.drop_attrs())


def test_other_files_are_no_evaluations(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no evaluation file"):
        open_evaluation(tmp_path / "absent.nc")
    text = tmp_path / "text.nc"
    text.write_text("not netCDF")
    with pytest.raises(ValueError, match="is no netCDF-4 file"):
        open_evaluation(text)
    foreign = tmp_path / "foreign.nc"
    xr.Dataset({"a": 1}).to_netcdf(foreign)
    with pytest.raises(ValueError, match="it lacks 'nrmse'"):
        open_evaluation(foreign)


def test_files_without_the_later_variables_open(table: xr.DataTree, tmp_path: Path) -> None:
    later = [v for v in VARIABLES if not v.is_required]
    assert {v.name for v in later} == {
        "distribution_distance",
        "increment_distance",
        "error_spectrum",
        "late_spectrum",
        "true_late_spectrum",
    }
    path = tmp_path / "old.nc"
    table.to_dataset().drop_vars([v.name for v in later]).to_netcdf(path)
    with open_evaluation(path) as old:
        for variable in later:
            assert old[variable.name].dims == variable.dims
            assert old[variable.name].isnull().all()
        xr.testing.assert_equal(old["nrmse"].drop_attrs(), table["nrmse"].drop_attrs())


def test_a_directory_is_no_place_for_a_file(table: xr.DataTree, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a directory; an evaluation is one file"):
        write_evaluation(table, tmp_path)


def test_an_evaluation_is_replaced_while_it_is_open(table: xr.DataTree, tmp_path: Path) -> None:
    path = tmp_path / "evaluation.nc"
    write_evaluation(table, path)
    with open_evaluation(path) as before:
        write_evaluation(table, path)
        xr.testing.assert_identical(before["nrmse"].drop_attrs(), table["nrmse"].drop_attrs())
