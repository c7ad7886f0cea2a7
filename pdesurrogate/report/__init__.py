"""Reports: an evaluation as one self-contained HTML page."""

from pdesurrogate.report.page import write_report

__all__ = ["write_report"]
