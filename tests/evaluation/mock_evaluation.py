"""An evaluation made from the schema alone, with plausible numbers and no model behind it.

Native errors grow with resolution, projected ones stay in band at the trained grid's level and
keep the truncation floor beyond it, everything grows with lead time.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import xarray as xr

from pdesurrogate.evaluation.schema import (
    EXAMPLE_PREFIX,
    RunLabel,
    empty_evaluation,
    empty_example,
)
from pdesurrogate.fields import Field
from pdesurrogate.grids import PeriodicBox

__all__ = ["mock_evaluation", "mock_root", "write_mock_evaluation"]

_FIELDS = (
    Field("vorticity", "1", "vorticity"),
    Field("velocity_x", "1", "velocity along x", is_prognostic=False, vector_part="x"),
    Field("velocity_y", "1", "velocity along y", is_prognostic=False, vector_part="y"),
)
_MODELS = {
    "MultiResNet": (0.9, 510_000),
    "ResidualUNet": (1.0, 560_000),
    "FNO": (1.6, 480_000),
}
_FLOOR = {32: 0.0, 64: 0.18, 128: 0.195}
_TIME_STEP = 0.25


def mock_evaluation(
    num_trajectories: int = 8, num_steps: int = 12, seeds: tuple[int, ...] = (0,)
) -> tuple[xr.Dataset, dict[str, xr.Dataset]]:
    """The root group and the example groups, by name, of an evaluation that never took place."""
    root = mock_root(num_trajectories, num_steps, seeds)
    examples = {
        f"{EXAMPLE_PREFIX}{resolution}": _example(root, int(resolution))
        for resolution in root.resolution.values
    }
    return root, examples


def mock_root(
    num_trajectories: int = 8, num_steps: int = 12, seeds: tuple[int, ...] = (0,)
) -> xr.Dataset:
    """The root group alone, which takes no time to make."""
    rng = np.random.default_rng(0)
    root = empty_evaluation(
        runs=_runs(seeds),
        protocols=["native", "projected"],
        resolutions=sorted(_FLOOR),
        trajectories=range(num_trajectories),
        lead_times=[_TIME_STEP * (k + 1) for k in range(num_steps)],
        fields=_FIELDS,
        wavenumbers=np.arange(65.0),
        wavenumber_attributes={"units": "1", "long_name": "wavenumber (radians per unit length)"},
        spectrum_lead_times=[_TIME_STEP * k for k in (1, (num_steps + 1) // 2, num_steps)],
    )
    for run in root.run.values:
        for resolution in root.resolution.values:
            for protocol in root.protocol.values:
                _fill(root.sel(run=run), str(protocol), int(resolution), rng)
    _fill_true_spectra(root, rng)
    root["true_spatial_mean"].values[:] = 0.0
    root["true_mean_square"].values[:] = 1.0
    root.attrs |= _attributes(num_steps)
    return root


def write_mock_evaluation(path: Path) -> Path:
    """Write the mock as an evaluation file and return its path."""
    root, examples = mock_evaluation()
    root.to_netcdf(path, engine="netcdf4")
    for group, example in examples.items():
        example.to_netcdf(path, group=group, mode="a", engine="netcdf4")
    return path


def _runs(seeds: tuple[int, ...]) -> list[RunLabel]:
    surrogates = [
        RunLabel(
            name if len(seeds) == 1 else f"{name} seed {seed}",
            "surrogate",
            name,
            training_resolution=32,
            seed=seed,
            parameters=parameters,
            flops=2.1e8 * quality,
            training_seconds=65.0 * quality,
        )
        for name, (quality, parameters) in _MODELS.items()
        for seed in seeds
    ]
    return [
        *surrogates,
        RunLabel("persistence", "baseline", "persistence"),
        RunLabel("truncation floor 32", "baseline", "truncation floor", training_resolution=32),
        RunLabel("coarse solver 32", "baseline", "coarse solver", training_resolution=32),
    ]


def _fill(run: xr.Dataset, protocol: str, resolution: int, rng: np.random.Generator) -> None:
    """Write one run's numbers at one resolution, through views of the root group's arrays."""
    errors = _errors(run, protocol, resolution)
    if errors is None:
        return
    at = {"protocol": protocol, "resolution": resolution}
    shape = (run.sizes["trajectory"], run.sizes["lead_time"], run.sizes["field"])
    scatter = np.exp(0.15 * rng.standard_normal((shape[0], 1, shape[2])))
    growth = np.linspace(1.0, 3.0, shape[1])[None, :, None]
    in_band = errors[0] * scatter * growth
    out_of_band = errors[1] * scatter * growth**0.4
    total = np.hypot(in_band, out_of_band)
    scores = {
        "in_band_error": in_band,
        "out_of_band_error": out_of_band,
        "total_error": total,
        "nrmse": total,
        "vrmse": 1.02 * total,
        "r_mse": total**2,
        "correlation": np.clip(1 - total**2 / 2, 0, 1),
        "spatial_mean": np.zeros(shape),
        "mean_square": 1 + 0.1 * total,
        "distribution_distance": 0.2 * total,
        "increment_distance": 0.3 * total,
        "blow_up": (total > 10).any(axis=-1),
    }
    for name, value in scores.items():
        run[name].loc[at] = value
    spectra = _spectra(run, resolution, float(np.mean(total)))
    run["spectrum"].loc[at] = spectra
    run["error_spectrum"].loc[at] = np.mean(total**2) * spectra
    run["late_spectrum"].loc[at] = spectra[:, -1]
    seconds = {"persistence": 1e-5, "coarse solver": 1.5e-3}.get(str(run.model.values), 4e-3)
    if run.model != "truncation floor":
        run["seconds_per_step"].loc[at] = seconds * (resolution / 32) ** (
            2 * (protocol == "native")
        )


def _errors(run: xr.Dataset, protocol: str, resolution: int) -> tuple[float, float] | None:
    """In-band and out-of-band error at the first step, or None where a run does not take part."""
    model, floor = str(run.model.values), _FLOOR[resolution]
    is_native = protocol == "native"
    if model == "persistence":
        return (0.45, 1.1 * floor) if is_native else None
    if not is_native and resolution == 32:
        return None
    if model == "truncation floor":
        return None if is_native else (0.0, floor)
    if model == "coarse solver":
        return None if is_native and resolution > 32 else (0.25, floor)
    quality = _MODELS[model][0]
    if not is_native:
        return 0.09 * quality, floor
    if model == "FNO":
        return 0.09 * quality, 1.05 * floor
    return 0.09 * quality * (resolution / 32) ** 1.2, 1.6 * floor


def _spectra(run: xr.Dataset, resolution: int, error: float) -> np.ndarray:
    wavenumber = run.wavenumber.values
    with np.errstate(divide="ignore"):
        power = np.where(wavenumber == 0, 0.0, np.minimum(1.0, (4 / wavenumber) ** 3))
    power = power * (1 + error * np.cos(wavenumber))
    power[wavenumber > resolution / 2] = np.nan
    shape = [run.sizes[d] for d in ("trajectory", "spectrum_lead_time", "field", "wavenumber")]
    return np.broadcast_to(power, shape)


def _fill_true_spectra(root: xr.Dataset, rng: np.random.Generator) -> None:
    for resolution in root.resolution.values:
        spectra = _spectra(root, int(resolution), 0.0)
        scatter = np.exp(0.1 * rng.standard_normal((*spectra.shape[:-1], 1)))
        root["true_spectrum"].loc[{"resolution": resolution}] = spectra * scatter
        root["true_late_spectrum"].loc[{"resolution": resolution}] = (spectra * scatter)[:, -1]


def _example(root: xr.Dataset, resolution: int) -> xr.Dataset:
    grid = PeriodicBox((resolution, resolution), (2 * math.pi, 2 * math.pi))
    example = empty_example(root, grid, trajectory=0)
    truth = np.stack(
        [_smooth_field(resolution, np.random.default_rng(7 + i), root) for i in range(3)], axis=1
    )
    example["truth"].values[:] = truth
    for i, run in enumerate(root.run.values):
        if root.model.values[i] in ("persistence", "truncation floor"):
            continue
        disturbance = np.stack(
            [_smooth_field(resolution, np.random.default_rng(70 + i + j), root) for j in range(3)],
            axis=1,
        )
        for protocol in root.protocol.values:
            error = root["nrmse"].sel(run=run, protocol=protocol, resolution=resolution)[0]
            prediction = truth + disturbance * error.values[:, :, None, None]
            example["prediction"].loc[{"run": run, "protocol": protocol}] = prediction
    return example


def _smooth_field(resolution: int, rng: np.random.Generator, root: xr.Dataset) -> np.ndarray:
    """A sum of drifting waves with unit mean square, the same function at every resolution."""
    points = 2 * math.pi * np.arange(resolution) / resolution
    y, x = np.meshgrid(points, points, indexing="ij")
    field = np.zeros((root.sizes["lead_time"], resolution, resolution))
    for _ in range(24):
        ky, kx = rng.integers(-8, 9, size=2)
        phase, speed = rng.uniform(0, 2 * math.pi), rng.uniform(-1, 1)
        amplitude = 1 / (1 + ky**2 + kx**2)
        time = root.lead_time.values[:, None, None]
        field += amplitude * np.cos(ky * y + kx * x + phase + speed * time)
    return field / np.sqrt((field**2).mean())


def _attributes(num_steps: int) -> dict[str, object]:
    return {
        "title": "Resolution transfer on kolmogorov",
        "dataset": "kolmogorov",
        "dataset_path": "data/kolmogorov",
        "dataset_sha256": "0" * 64,
        "resolutions": sorted(_FLOOR),
        "versions": json.dumps({"pdesurrogate": "0.1.0", "torch": "2.13.0"}),
        "machine": "a machine that never was, 2 threads",
        "commands": json.dumps(
            [
                "pdesurrogate generate kolmogorov --out data/kolmogorov",
                "pdesurrogate evaluate runs/multi-resnet --data data/kolmogorov --out e.nc",
            ]
        ),
        "history": 1,
        "num_steps": num_steps,
        "split": "test",
        "time_units": "1",
    }
