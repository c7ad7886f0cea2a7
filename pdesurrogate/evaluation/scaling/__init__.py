"""The scaling limit: whether networks on a ladder of grids tend to an operator, and to which.

`commutation` compares rungs, `order` says how fast they agree, `new_detail` what a step makes
beyond its input's band, `level_losses` how the levels of a U-Net err; `plan` and `walk` take all
networks up the ladder.
"""

from __future__ import annotations

from pdesurrogate.evaluation.scaling.commutation import Commutation, commutation_error
from pdesurrogate.evaluation.scaling.measure import measure_scaling
from pdesurrogate.evaluation.scaling.new_detail import out_of_band_change
from pdesurrogate.evaluation.scaling.order import OrderFit, observed_order
from pdesurrogate.evaluation.scaling.store import open_scaling, write_scaling

__all__ = [
    "Commutation",
    "OrderFit",
    "commutation_error",
    "measure_scaling",
    "observed_order",
    "open_scaling",
    "out_of_band_change",
    "write_scaling",
]
