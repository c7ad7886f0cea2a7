"""Scaling files: netCDF-4, readable by plain `xarray.open_dataset`."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import xarray as xr

from pdesurrogate.evaluation.scaling.schema import SCALING_VARIABLES
from pdesurrogate.evaluation.store import write_evaluation

__all__ = ["is_scaling_file", "open_scaling", "write_scaling"]


def write_scaling(scaling: xr.Dataset, path: str | os.PathLike[str]) -> None:
    """Write what `measure_scaling` returned; the file appears only when it is complete.

    Args:
        scaling: What was measured.
        path: The file, replaced if it exists. Its directory is created.

    Raises:
        ValueError: If `path` is a directory.
        OSError: If the file cannot be written.
    """
    write_evaluation(xr.DataTree(scaling), path)


def open_scaling(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read a scaling file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no scaling file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no scaling file {path}")
    try:
        scaling = xr.load_dataset(path, engine="netcdf4", decode_timedelta=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no scaling file: it is no netCDF-4 file") from error
    missing = [v.name for v in SCALING_VARIABLES if v.name not in scaling]
    if missing:
        raise ValueError(f"{path} is no scaling file: it lacks {missing[0]!r}")
    return scaling


def is_scaling_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file is meant to be a scaling file, by its first variable.

    Whoever wants to know what is wrong with another file tries to open it as what it should be.
    """
    try:
        with h5py.File(path, "r") as file:  # disturbs nobody who has opened it by xarray
            return SCALING_VARIABLES[0].name in file
    except OSError:
        return False
