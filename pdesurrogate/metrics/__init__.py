"""What a prediction is judged by. Every metric keeps the leading axes and averages over none."""

from __future__ import annotations

from pdesurrogate.metrics.conservation import mean_square, spatial_mean
from pdesurrogate.metrics.correlation import correlation
from pdesurrogate.metrics.distribution import distribution_distance, increment_distance
from pdesurrogate.metrics.error import (
    in_band_error,
    nrmse,
    out_of_band_error,
    r_mse,
    total_error,
    vrmse,
)
from pdesurrogate.metrics.spectrum import log_spectral_distance, power_spectrum

__all__ = [
    "correlation",
    "distribution_distance",
    "in_band_error",
    "increment_distance",
    "log_spectral_distance",
    "mean_square",
    "nrmse",
    "out_of_band_error",
    "power_spectrum",
    "r_mse",
    "spatial_mean",
    "total_error",
    "vrmse",
]
