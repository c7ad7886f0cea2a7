"""Time and memory of a training step: our U-Nets beside PDEArena's, at equal parameters.

    PDEARENA_PATH=... UNET_DESIGN_PATH=... python -m benchmarks.models

The peers' paths are checkouts of microsoft/pdearena and FabianFalck/unet-design; either may be
absent, and the second needs pytorch_wavelets. All networks have one group normalisation after (or
before) each convolution and GELU; the peers pad with zeros, which is cheaper than our continuing
beyond the edges. The width of PDEArena's residual U-Net is given, that of the others is the one at
which they have as many parameters. Repetitions are interleaved, the fastest one counts; ratios are
to PDEArena's residual U-Net.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.checkouts import (
    Images,
    PDEArenaPlainUNet,
    PDEArenaResidualUNet,
    checkout_modules,
    pdearena_modules,
)
from benchmarks.measuring import memory_status, write_table
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    ClassicalUNet,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
    count_activation_bytes,
    count_parameters,
)

RESULTS = Path(__file__).with_name("results")
CHANNELS, LEVELS, STRIDE = 3, 4, 8  # PDEArena's last normalisation asks for multiples of eight
REFERENCE = "PDEArena residual U-Net"

Build = Callable[[int], nn.Module]


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    candidates = {**_peers(), **_ours()}
    if REFERENCE in candidates:
        target = count_parameters(candidates[REFERENCE](options.width))
    else:
        target = count_parameters(candidates["ResidualUNet"](options.width))
    widths = {name: _matched(build, target, options.width) for name, build in candidates.items()}
    rows: list[dict[str, Any]] = []
    for points in options.points:
        networks = {
            name: build(widths[name]).to(options.device) for name, build in candidates.items()
        }
        rows += _measured(networks, widths, points, options)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.out is not None:
        clock = "CPU" if options.device == "cpu" else "clock"
        where = f"{options.device}, {options.threads} threads, {clock} seconds"
        write_table(rows, where, {"torch": torch.__version__}, options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=64, help="of PDEArena's; a multiple of 8")
    parser.add_argument("--points", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help=f"such as {RESULTS}/models.csv")
    return parser.parse_args()


def _ours() -> dict[str, Build]:
    grid = PeriodicBox((64, 64))

    def builder(spec: Callable[[int], ModelSpec]) -> Build:
        return lambda width: spec(width).build(CHANNELS, CHANNELS, grid)

    common: dict[str, Any] = {"levels": LEVELS, "norm": "group"}
    return {
        "ClassicalUNet": builder(lambda w: ClassicalUNet(width=w, **common)),
        "ResidualUNet": builder(lambda w: ResidualUNet(width=w, **common)),
        "MultiResNet": builder(lambda w: MultiResNet(width=w, **common)),
        "MultiResNet, 3 extra blocks": builder(
            lambda w: MultiResNet(width=w, extra_decoder_blocks=3, **common)
        ),
    }


def _peers() -> dict[str, Build]:
    """What can be had of the peers; says what cannot."""
    found: dict[str, Build] = {}
    try:
        pdearena_modules("twod_unet")
        found[REFERENCE] = lambda width: PDEArenaResidualUNet(CHANNELS, CHANNELS, width)
        found["PDEArena plain U-Net"] = lambda width: PDEArenaPlainUNet(CHANNELS, CHANNELS, width)
    except (KeyError, ImportError) as reason:
        print(f"without PDEArena: {reason}", file=sys.stderr)
    try:
        modules = checkout_modules("UNET_DESIGN_PATH", "pdearena/pdearena/modules")
        kind = modules("twod_unetbase").Unetbase_G
        shape = (CHANNELS, 0, CHANNELS, 0, 1, 1)  # scalars and vectors in and out, frames likewise
        found["reference Multi-ResNet"] = lambda width: Images(
            kind(*shape, hidden_channels=width, activation="gelu", dwt_encoder=True), frames=1
        )
    except (KeyError, ImportError) as reason:
        print(f"without the reference Multi-ResNet: {reason}", file=sys.stderr)
    return found


def _matched(build: Build, target: int, start: int) -> int:
    """The width with the number of parameters nearest to `target`."""
    sizes: dict[int, int] = {}

    def size(width: int) -> int:
        if width not in sizes:
            try:
                sizes[width] = count_parameters(build(width))
            except ValueError:  # a peer's normalisation cannot divide this width
                sizes[width] = sys.maxsize
        return sizes[width]

    guess = max(2, round(start * (target / size(start)) ** 0.5))
    return min(range(max(2, guess - 2), guess + 3), key=lambda width: abs(size(width) - target))


def _measured(
    networks: dict[str, nn.Module], widths: dict[str, int], points: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    v = torch.randn(options.batch, CHANNELS, points, points, device=options.device)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in networks}
    for repetition in range(options.repetitions + 1):
        for name, network in networks.items():
            spent = _step(network, v, options.device)
            if repetition:  # the first one warms up
                seconds[name].append(spent)
    rows = []
    for name, network in networks.items():
        saved = count_activation_bytes(
            network, CHANNELS, PeriodicBox((points, points)), options.batch
        )
        forward, step = (min(column) for column in zip(*seconds[name], strict=True))
        rows.append(
            {
                "network": name,
                "width": widths[name],
                "parameters": count_parameters(network),
                "points": points,
                "batch": options.batch,
                "forward_s": round(forward, 4),
                "step_s": round(step, 4),
                "saved_MB": round(saved / 1e6, 1),
                "peak_MB": _peak_megabytes(network, v, options.device),
            }
        )
    reference = next((row for row in rows if row["network"] == REFERENCE), rows[0])
    for row in rows:
        row["speed_ratio"] = round(reference["step_s"] / row["step_s"], 2)
        row["saved_ratio"] = round(row["saved_MB"] / reference["saved_MB"], 2)
        if row["peak_MB"] and reference["peak_MB"]:
            row["peak_ratio"] = round(row["peak_MB"] / reference["peak_MB"], 2)
    return rows


def _step(network: nn.Module, v: Tensor, device: str) -> tuple[float, float]:
    """Seconds of a forward pass, and of it with the backward pass."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    network.zero_grad(set_to_none=True)
    _wait(device)
    start = clock()
    out = network(v)
    _wait(device)
    half = clock()
    out.square().mean().backward()
    _wait(device)
    return half - start, clock() - start


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _peak_megabytes(network: nn.Module, v: Tensor, device: str) -> float | None:
    """By how much a training step raises the memory in use; None where it cannot be told."""
    network.zero_grad(set_to_none=True)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _step(network, v, device)
        return round((torch.cuda.max_memory_allocated() - before) / 1e6, 1)
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # what earlier steps freed is not ours to reuse
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the high-water mark starts anew
    except OSError:
        return None
    resident = memory_status("VmRSS")
    _step(network, v, device)
    return round(memory_status("VmHWM") - resident, 1)


if __name__ == "__main__":
    main()
