"""The question `device` of training.py: how much of a GPU's peak a training step reaches."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import machine
from benchmarks.training_case import CHANNELS, NETWORKS, OURS, Case, dataset, parameters
from benchmarks.training_runs import fastest
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import count_flops

__all__ = ["device_rows"]

EPOCH_WINDOWS = 5200 * (14 - 4)
"""Windows of 4 + 1 frames in as many trajectories of 14 frames as PDEArena's smoke has."""

DATA_SHEET = {
    "H100 PCIe": {"float32": 51.0, "tf32": 378.0, "bf16": 756.0},
    "H100": {"float32": 67.0, "tf32": 494.7, "bf16": 989.4},
    "H200": {"float32": 67.0, "tf32": 494.7, "bf16": 989.4},
    "A100": {"float32": 19.5, "tf32": 156.0, "bf16": 312.0},
}
"""Peak teraflops of dense products, by a part of the device's name; the first that fits counts."""


def device_rows(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Rows of the question `device`."""
    name = torch.cuda.get_device_name() if options.device == "cuda" else machine()
    sheet = next((peaks for part, peaks in DATA_SHEET.items() if part in name), {})
    products = {kind: _product_teraflops(options.device, kind) for kind in options.precisions}
    flops = _step_flops(options.large_width, options.points)
    cases = _cases(options, folder)
    rows = []
    for label, found in fastest(cases, options.repetitions).items():
        case = cases[label]
        precision = case.options["precision"]
        reached = flops * case.batch / found["wall_s"] / 1e12
        row = {
            "device": name,
            "recipe": options.recipe,
            "network": case.network,
            "parameters": parameters(case.network, case.width),
            "points": case.points,
            **case.options,
            "batch": case.batch,
            "step_s": found["wall_s"],
            "samples_per_s": case.batch / found["wall_s"],
            "epoch_s": EPOCH_WINDOWS * found["wall_s"] / case.batch,
            "peak_MB": found["peak_MB"],
            "teraflops": reached,
            "of_product": reached / products[precision],
            "of_data_sheet": reached / sheet[precision] if sheet else None,
        }
        rows.append({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()})
    return rows


def _cases(options: argparse.Namespace, folder: Path) -> dict[str, Case]:
    """Our training of the large network in every way that is asked for."""
    data = {
        batch: str(dataset(options.recipe, options.points, options.steps * batch, folder))
        for batch in options.batches
    }
    return {
        f"{precision}, compiled {compiled}, batch {batch}": Case(
            loop=OURS,
            network="ResidualUNet",
            width=options.large_width,
            data=data[batch],
            points=options.points,
            batch=batch,
            device=options.device,
            threads=options.threads,
            options={"precision": precision, "compile": compiled == "yes"},
        )
        for compiled in options.compiled
        for precision in options.precisions
        for batch in options.batches
    }


def _step_flops(width: int, points: int) -> int:
    """Operations of a training step of one sample; its backward pass counts as two forward ones."""
    grid = PeriodicBox((points, points))
    network = NETWORKS["ResidualUNet"](width).build(*CHANNELS, grid)
    return 3 * count_flops(network, CHANNELS[0], grid)


def _product_teraflops(device: str, precision: str) -> float:
    """What a product of large square matrices reaches, the best of ten."""
    size = 8192 if device == "cuda" else 512
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix = torch.randn(size, size, device=device, dtype=dtype)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    seconds = []
    for _ in range(10):
        start = _now(device)
        matrix @ matrix
        seconds.append(_now(device) - start)
    torch.set_float32_matmul_precision("highest")
    return 2 * size**3 / min(seconds) / 1e12


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
