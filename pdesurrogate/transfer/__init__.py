"""Moving fields between the grids of a ladder: restriction `R` and prolongation `Q`."""

from __future__ import annotations

from pdesurrogate.transfer.cell_average import average_cells, reconstruct_cells, repeat_cells
from pdesurrogate.transfer.fields import prolong_fields, resample_wind, restrict_fields
from pdesurrogate.transfer.interpolation import interpolate
from pdesurrogate.transfer.scalar import prolong, restrict
from pdesurrogate.transfer.spectral import resample
from pdesurrogate.transfer.spherical import resample_sphere

__all__ = [
    "average_cells",
    "interpolate",
    "prolong",
    "prolong_fields",
    "reconstruct_cells",
    "repeat_cells",
    "resample",
    "resample_sphere",
    "resample_wind",
    "restrict",
    "restrict_fields",
]
