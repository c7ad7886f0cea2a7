"""The two problems of Williams, Falck et al. (2023), as their networks see them."""

from pdesurrogate.grids import PeriodicBox

CHANNELS = {"navier_stokes": (12, 3), "shallow_water": (6, 3)}
GRID = PeriodicBox((32, 32))
SIZE = {"width": 64, "levels": 4, "norm": "group"}
