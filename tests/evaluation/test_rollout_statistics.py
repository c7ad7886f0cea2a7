from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from pdesurrogate.evaluation import (
    blow_up_rate,
    conserved_drift,
    correlation_time,
    late_mean,
    open_evaluation,
    spectral_distance,
    window_errors,
)
from tests.evaluation.mock_evaluation import mock_root

AT = {"run": "FNO", "protocol": "native", "resolution": 64, "field": "vorticity"}


@pytest.fixture(scope="module")
def original() -> xr.Dataset:
    return mock_root(num_trajectories=3, num_steps=31)


@pytest.fixture
def root(original: xr.Dataset) -> xr.Dataset:
    return original.copy(deep=True)


def test_correlation_time_of_a_planted_decay(root: xr.Dataset) -> None:
    """`exp(-t / T)` is at least 0.8 until `T ln 1.25`; frames are 0.25 apart, from 0.25 on."""
    scales = np.array([0.5, 5.0, 50.0])
    root["correlation"].loc[AT] = np.exp(-root["lead_time"].values / scales[:, None])
    found = correlation_time(root)
    until = 0.25 * np.floor(scales * math.log(1.25) / 0.25)  # 0, 1, and beyond the horizon
    times = found["correlation_time"].sel(AT)
    assert times.values.tolist() == [0.0, 1.0, 7.75]
    assert until.tolist() == [0.0, 1.0, 11.0]
    assert found["is_censored"].sel(AT).values.tolist() == [False, False, True]
    half = correlation_time(root, 0.5)["correlation_time"].sel(AT)
    assert half.values.tolist() == [0.25, 3.25, 7.75]


def test_a_correlation_that_comes_back_does_not_count(root: xr.Dataset) -> None:
    root["correlation"].loc[AT] = 0.9
    root["correlation"].loc[{**AT, "lead_time": 0.75}] = 0.7
    found = correlation_time(root).sel(AT)
    assert (found["correlation_time"] == 0.5).all()
    assert not found["is_censored"].any()
    assert found["correlation_time"].attrs["units"] == "1"


def test_what_was_not_run_has_no_time(root: xr.Dataset) -> None:
    found = correlation_time(root).sel(run="persistence", protocol="projected")
    assert found["correlation_time"].isnull().all()
    assert not found["is_censored"].any()


@pytest.mark.parametrize("threshold", [-1.0, 1.1])
def test_a_threshold_is_a_correlation(root: xr.Dataset, threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold must lie above -1 and be at most 1"):
        correlation_time(root, threshold)


def test_windows_are_frames_counted_from_one_both_ends_in(root: xr.Dataset) -> None:
    root["vrmse"].loc[AT] = np.arange(1.0, 32.0)
    errors = window_errors(root)
    assert errors.dims == ("window", "run", "protocol", "resolution", "trajectory", "field")
    assert errors["window"].values.tolist() == ["1", "6:12", "13:30"]
    for window, expected in (("1", 1.0), ("6:12", 9.0), ("13:30", 21.5)):
        assert (errors.sel(window=window, **AT) == expected).all()


def test_windows_beyond_the_horizon_are_left_out(root: xr.Dataset) -> None:
    short = root.isel(lead_time=slice(12))
    assert window_errors(short)["window"].values.tolist() == ["1", "6:12"]
    assert window_errors(root.isel(lead_time=slice(11)))["window"].values.tolist() == ["1"]
    with pytest.raises(ValueError, match="within the 12 predicted frames"):
        window_errors(short, [(2, 13)])


def test_a_rollout_that_broke_is_in_its_windows(root: xr.Dataset) -> None:
    root["vrmse"].loc[{**AT, "trajectory": 1, "lead_time": root["lead_time"][20:]}] = np.inf
    errors = window_errors(root).sel(AT)
    assert np.isinf(errors).values.tolist() == [[False] * 3, [False] * 3, [False, True, False]]
    assert window_errors(root).sel(run="persistence", protocol="projected").isnull().all()


@pytest.mark.parametrize("windows", [[(0, 2)], [(3, 2)]])
def test_windows_begin_before_they_end(root: xr.Dataset, windows: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="counted from 1, the first not after the last"):
        window_errors(root, windows)


def test_only_scores_are_averaged(root: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="metric must be a score of the evaluation"):
        window_errors(root, metric="spectrum")
    with pytest.raises(ValueError, match="got 'brilliance'"):
        late_mean(root, "brilliance")


def test_blow_up_rate_is_the_share_of_trajectories(root: xr.Dataset) -> None:
    at = {key: value for key, value in AT.items() if key != "field"}
    root["blow_up"].loc[{**at, "trajectory": 0, "lead_time": root["lead_time"][10:]}] = 1
    rate = blow_up_rate(root)
    np.testing.assert_allclose(rate.sel(at), [0.0] * 10 + [1 / 3] * 21)
    assert rate.sel(run="persistence", protocol="projected").isnull().all()


def test_drifts_are_shares_of_the_truth(root: xr.Dataset) -> None:
    root["true_mean_square"].values[:] = 4.0
    root["true_spatial_mean"].values[:] = 1.0
    root["spatial_mean"].loc[AT] = 1.5
    root["mean_square"].loc[AT] = 3.0
    drift = conserved_drift(root)
    assert drift["mean_drift"].dims == root["spatial_mean"].dims
    assert (drift["mean_drift"].sel(AT) == 0.25).all()
    assert (drift["mean_square_drift"].sel(AT) == -0.25).all()
    root["true_mean_square"].values[:] = 0.0
    assert conserved_drift(root)["mean_drift"].isnull().all()


def test_late_means_are_of_the_second_half(root: xr.Dataset) -> None:
    root["distribution_distance"].loc[AT] = np.arange(1.0, 32.0)
    assert (late_mean(root, "distribution_distance").sel(AT) == 23.5).all()  # 16 to 31
    even = root.isel(lead_time=slice(4))
    assert (late_mean(even, "distribution_distance").sel(AT) == 3.5).all()


def test_spectral_distance_of_a_planted_factor(root: xr.Dataset) -> None:
    root["late_spectrum"].loc[AT] = 100 * root["true_late_spectrum"].sel(
        resolution=64, field="vorticity"
    )
    distance = spectral_distance(root)
    assert distance.dims == ("run", "protocol", "resolution", "trajectory", "field")
    np.testing.assert_allclose(distance.sel(AT), 20.0, rtol=1e-5)
    assert distance.sel(run="persistence", protocol="projected").isnull().all()


def test_spectral_distance_of_the_shells_below_a_wavenumber(root: xr.Dataset) -> None:
    truth = root["true_late_spectrum"].sel(resolution=64, field="vorticity")
    root["late_spectrum"].loc[AT] = truth * xr.where(root["wavenumber"] < 10, 10.0, 1000.0)
    np.testing.assert_allclose(spectral_distance(root, below=10.0).sel(AT), 10.0, rtol=1e-5)
    expected = np.sqrt((9 * 10**2 + 23 * 30**2) / 32)  # shells 1 to 9, and 10 to 32
    np.testing.assert_allclose(spectral_distance(root).sel(AT), expected, rtol=1e-5)
    assert spectral_distance(root, below=1.0).isnull().all()


def test_statistics_of_a_file(root: xr.Dataset, tmp_path: Path) -> None:
    root.to_netcdf(tmp_path / "e.nc")
    with open_evaluation(tmp_path / "e.nc") as tree:
        for statistic in (correlation_time, conserved_drift):
            xr.testing.assert_equal(statistic(tree), statistic(tree.to_dataset()))
        for statistic in (window_errors, blow_up_rate, spectral_distance):
            xr.testing.assert_equal(statistic(tree), statistic(tree.to_dataset()))
