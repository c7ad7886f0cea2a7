"""Reports: an evaluation as one self-contained HTML page, a network's levels as a picture."""

from pdesurrogate.report.levels import plot_levels
from pdesurrogate.report.page import write_report
from pdesurrogate.report.scaling_figure import plot_scaling

__all__ = ["plot_levels", "plot_scaling", "write_report"]
