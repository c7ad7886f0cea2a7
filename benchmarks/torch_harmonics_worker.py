"""The sphere by torch-harmonics' example solver; started with a Python that has torch-harmonics.

Third-order Adams-Bashforth, explicit in the gravity waves, with its own implicit diffusion of
vorticity and divergence; that of the depth, which it lacks, is added to the tendency. The solver
belongs to the package's examples, which its wheels ship. It imports nothing of pdesurrogate.

Reads one JSON request a line from stdin and answers with one JSON object a line on stdout, as
`dedalus_worker.py` does:

    {"case": {…}}      prepare a flow: `initial` (an npz), `truncation`, `dt`, `dtype`, `device`,
                       `viscosity`, `gravity`, `mean_depth`, `rotation_rate`, `radius`
    {"num_steps": n}   advance it; answers `wall` and `cpu` seconds
    {"save": "…npz"}   write it as it now is

The arrays are `height`, `velocity_x` and `velocity_y` on a Gaussian sphere, south first.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

__all__ = ["main"]


class Flow:
    """One flow on one grid.

    Args:
        examples: The module that has `ShallowWaterSolver`.
        case: See the module.
    """

    def __init__(self, examples: ModuleType, case: dict[str, Any]) -> None:
        self.device, self.dtype = case["device"], getattr(torch, case["dtype"])
        self.gravity = case["gravity"]
        given = np.load(case["initial"])
        height, east, north = (
            torch.from_numpy(given[name][::-1].copy())  # theirs has north first
            for name in ("height", "velocity_x", "velocity_y")
        )
        self.solver = diffusive(examples.ShallowWaterSolver)(
            *height.shape,
            case["dt"],
            lmax=case["truncation"] + 1,
            mmax=case["truncation"] + 1,
            grid="legendre-gauss",
            radius=case["radius"],
            omega=case["rotation_rate"],
            gravity=case["gravity"],
            havg=case["mean_depth"],
        )
        self.solver.hyperdiff = torch.exp(case["dt"] * case["viscosity"] * self.solver.lap)
        self.solver.viscosity = case["viscosity"]
        self.solver.to(self.device, self.dtype)
        scalar = (self.gravity * height).to(self.device, self.dtype)
        vector = torch.stack((east, north)).to(self.device, self.dtype)
        spectra = self.solver.grid2spec(scalar)[None], self.solver.vrtdivspec(vector)
        self.state = torch.tril(torch.cat(spectra))

    def advance(self, num_steps: int) -> None:
        """Take steps; the scheme's memory of earlier ones starts anew."""
        self.state = self.solver.timestep(self.state, num_steps)
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def save(self, path: str) -> None:
        """Write the fields."""
        geopotential, east, north = self.solver.gethuv(self.state).double().cpu().numpy()[:, ::-1]
        np.savez(path, height=geopotential / self.gravity, velocity_x=east, velocity_y=north)


def diffusive(solver: type) -> type:
    """The solver with a diffusion of depth, too."""

    class Diffusive(solver):  # type: ignore[misc]
        def dudtspec(self, state: torch.Tensor) -> torch.Tensor:
            tendency = super().dudtspec(state)
            tendency[0] += self.viscosity * self.lap * state[0]
            return tendency

    return Diffusive


def load(path: Path | None) -> ModuleType:
    """The module with the solver: the package's, or a file of its repository."""
    if path is None:
        from torch_harmonics import examples

        return examples
    spec = importlib.util.spec_from_file_location("shallow_water_equations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Answer requests until stdin closes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--solver", type=Path, help="shallow_water_equations.py of the repository")
    examples = load(parser.parse_args().solver)
    torch.set_num_threads(1)
    print(json.dumps({name: version(name) for name in ("torch-harmonics", "torch")}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, float] = {}
        with torch.inference_mode():
            if "case" in request:
                flow = Flow(examples, request["case"])
            elif "save" in request:
                flow.save(request["save"])
            else:
                wall, cpu = time.perf_counter(), time.process_time()
                flow.advance(request["num_steps"])
                answer = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
