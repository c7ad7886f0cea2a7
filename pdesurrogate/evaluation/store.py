"""Evaluations as files: netCDF-4, the root group readable by plain `xarray.open_dataset`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import xarray as xr

from pdesurrogate.evaluation.schema import CONVENTIONS, SCORES, VARIABLES
from pdesurrogate.files import replaced_atomically
from pdesurrogate.interrupts import interrupts_wait

__all__ = ["open_evaluation", "write_evaluation"]

_LARGE = "prediction"
"""The variable that is written piece by piece."""

_COMPRESSED: dict[str, Any] = {"zlib": True, "complevel": 1, "shuffle": True}


def write_evaluation(evaluation: xr.DataTree, path: str | os.PathLike[str]) -> None:
    """Write an evaluation; the file appears under its name only when it is complete.

    Args:
        evaluation: What `evaluate` returned.
        path: The file, replaced if it exists. Its directory is created.

    Raises:
        ValueError: If `path` is a directory.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a directory; an evaluation is one file, such as evaluation.nc")
    path.parent.mkdir(parents=True, exist_ok=True)
    large = {node.path: node[_LARGE] for node in evaluation.subtree if _LARGE in node.data_vars}
    small = xr.DataTree.from_dict(
        {
            node.path: node.to_dataset().drop_vars(_LARGE, errors="ignore")
            for node in evaluation.subtree
        }
    )
    encoding: dict[str, Any] = {
        node.path: {
            name: _COMPRESSED
            for name, v in node.data_vars.items()
            if v.dtype.kind == "f" and v.ndim
        }
        for node in small.subtree
    }
    with replaced_atomically(path) as aside:
        with interrupts_wait():
            small.to_netcdf(
                aside,
                engine="netcdf4",
                format="NETCDF4",
                encoding=encoding,
                write_inherited_coords=True,
            )
        with netCDF4.Dataset(aside, "a") as file:
            for group, predictions in large.items():
                _append(file[group], predictions)


def _append(group: netCDF4.Group, predictions: xr.DataArray) -> None:
    """Write predicted fields run by run: all of them may be more than fits in memory."""
    frame = (1, 1, 1, *predictions.shape[3:])
    variable = group.createVariable(
        _LARGE,
        "f4",
        [str(dim) for dim in predictions.dims],
        fill_value=np.float32(np.nan),
        chunksizes=frame,
        **_COMPRESSED,
    )
    variable.setncatts(predictions.attrs)
    for run, protocol in np.ndindex(*predictions.shape[:2]):
        fields = predictions[run, protocol].values
        if not np.isnan(fields).all():
            with interrupts_wait():
                variable[run, protocol] = fields


def open_evaluation(path: str | os.PathLike[str]) -> xr.DataTree:
    """Open an evaluation file lazily; use it as a context manager, or close it.

    Variables that files of earlier versions lack are there, holding what says that they were not
    run.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an evaluation.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no evaluation file {path}")
    try:
        evaluation = xr.open_datatree(path, engine="netcdf4", decode_timedelta=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not an evaluation: it is no netCDF-4 file") from error
    required = [score.name for score in SCORES if score.is_required]
    missing = [name for name in required if name not in evaluation.data_vars]
    if missing or evaluation.attrs.get("Conventions") != CONVENTIONS:
        evaluation.close()
        raise ValueError(
            f"{path} is not an evaluation: "
            + (f"it lacks {missing[0]!r}" if missing else f"it does not follow {CONVENTIONS}")
        )
    _fill_in(evaluation)
    return evaluation


def _fill_in(evaluation: xr.DataTree) -> None:
    """Add what files of earlier versions lack, as not run, without memory of its own."""
    for variable in VARIABLES:
        if variable.is_required or variable.name in evaluation.data_vars:
            continue
        shape = [evaluation.sizes[dim] for dim in variable.dims]
        not_run = np.broadcast_to(np.array(variable.not_run, variable.dtype), shape)
        evaluation[variable.name] = xr.DataArray(not_run, dims=variable.dims, attrs=variable.attrs)
