"""Time jax-cfd's vorticity stepper; started by spectral_step.py with a Python that has jax-cfd.

Its spectral solver: Crank–Nicolson for viscosity and drag, a five-stage low-storage Runge–Kutta
scheme for the advection. Reads one JSON request a line from stdin and answers with one JSON object
a line on stdout. It imports nothing of pdesurrogate.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import jax
import numpy as np
from jax_cfd.base.grids import Grid
from jax_cfd.spectral.equations import NavierStokes2D
from jax_cfd.spectral.time_stepping import crank_nicolson_rk4

__all__ = ["main"]


def prepare(case: dict[str, Any]) -> tuple[Callable[[Any, int], Any], Any]:
    """The compiled loop over steps in Fourier space, and the initial coefficients.

    Its first axis is x.
    """
    jax.config.update("jax_enable_x64", case["dtype"] == "float64")
    shape, side = (case["num_points"],) * 2, (0.0, case["domain_extent"])
    equation = NavierStokes2D(
        case["viscosity"], Grid(shape, domain=(side, side)), drag=case["drag"], smooth=True
    )
    step = crank_nicolson_rk4(equation, case["dt"])

    @jax.jit
    def advance(u_hat: Any, num_steps: int) -> Any:
        return jax.lax.fori_loop(0, num_steps, lambda _, u: step(u), u_hat)

    field = jax.numpy.asarray(np.load(case["initial"]).T, dtype=case["dtype"])
    return advance, jax.numpy.fft.rfftn(field)


def main() -> None:
    """Answer requests until stdin closes: prepare a case, advance and save, or advance and time."""
    versions = {name: version(name) for name in ("jax-cfd", "jax")}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, float] = {}
        if "case" in request:
            advance, start = prepare(request["case"])
        elif "save" in request:
            end = jax.numpy.fft.irfftn(advance(start, request["num_steps"]))
            np.save(request["save"], np.asarray(end).T)
        else:
            wall, cpu = time.perf_counter(), time.process_time()
            advance(start, request["num_steps"]).block_until_ready()
            answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
