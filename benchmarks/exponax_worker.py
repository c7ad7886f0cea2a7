"""Time exponax's vorticity stepper; started by spectral_step.py with a Python that has exponax.

Reads one JSON request a line from stdin and answers with one JSON object a line on stdout, so that
the parent can take turns with it. It imports nothing of pdesurrogate.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import exponax
import jax
import numpy as np

__all__ = ["main"]


def prepare(case: dict[str, Any]) -> tuple[Callable[[Any, int], Any], Any]:
    """The compiled loop over steps in Fourier space, and the initial coefficients."""
    jax.config.update("jax_enable_x64", case["dtype"] == "float64")
    num_points = case["num_points"]
    stepper = exponax.stepper.NavierStokesVorticity(
        2,
        case["domain_extent"],
        num_points,
        case["dt"],
        diffusivity=case["viscosity"],
        drag=-case["drag"],  # exponax adds the term that we subtract
        order=4,
        # exponax keeps the modes up to `fraction * n / 2 - 1`: ask for those that we keep.
        dealiasing_fraction=(case["largest_mode"] + 1.5) / (num_points / 2),
    )

    @jax.jit
    def advance(u_hat: Any, num_steps: int) -> Any:
        return jax.lax.fori_loop(0, num_steps, lambda _, u: stepper.step_fourier(u), u_hat)

    field = jax.numpy.asarray(np.load(case["initial"])[None], dtype=case["dtype"])
    return advance, exponax.fft(field, num_spatial_dims=2)


def main() -> None:
    """Answer requests until stdin closes: prepare a case, advance and save, or advance and time."""
    print(json.dumps({name: version(name) for name in ("exponax", "jax")}), flush=True)
    case: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, float] = {}
        if "case" in request:
            case = request["case"]
            advance, start = prepare(case)
        elif "save" in request:
            end = advance(start, request["num_steps"])
            field = exponax.ifft(end, num_spatial_dims=2, num_points=case["num_points"])
            np.save(request["save"], np.asarray(field[0]))
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            advance(start, request["num_steps"]).block_until_ready()
            answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
