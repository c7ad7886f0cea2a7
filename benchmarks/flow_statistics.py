r"""How strong is the flow of a dataset, how steady, and how steep is its energy spectrum?

Reads the finest rung of a generated periodic dataset and prints means over trajectories and frames,
with the standard error over trajectories (frames of one trajectory are not independent):

- root mean square velocity and vorticity, the largest speed, kinetic energy and enstrophy;
- the energy's growth from the first half of the frames to the second, 1 in a steady state;
- the wavenumber at which the energy spectrum peaks, and its centroid $\sum k E_k / \sum E_k$;
- the exponent $p$ of $E(k) \propto k^p$: a straight line through the logarithms of each
  trajectory's mean spectrum, between two wavenumbers.

    python -m benchmarks.flow_statistics DATASET [--split train] [--between 8 24]
        [--first-frame 0]

Wavenumbers are angular: whole waves per domain on a box of 2 pi.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from pdesurrogate.data import load_frames, open_dataset
from pdesurrogate.grids import Grid
from pdesurrogate.metrics import power_spectrum
from pdesurrogate.metrics.spectrum import shell_wavenumbers

__all__ = ["flow_statistics", "main", "spectral_slope"]

FIELDS = ("vorticity", "velocity_x", "velocity_y")


def flow_statistics(
    fields: Float[torch.Tensor, "trajectory frame 3 y x"],
    grid: Grid,
    between: tuple[float, float],
) -> Mapping[str, np.ndarray]:
    """What is printed, one number per trajectory.

    Args:
        fields: Vorticity and both velocities on `grid`.
        grid: A periodic box.
        between: The fitted range of wavenumbers, both ends included.
    """
    vorticity, velocity = fields[:, :, 0].double(), fields[:, :, 1:].double()
    speed2 = velocity.square().sum(dim=2)
    energy = 0.5 * speed2.mean(dim=(-2, -1))
    enstrophy = 0.5 * vorticity.square().mean(dim=(-2, -1))
    middle = energy.shape[1] // 2
    earlier, later = energy[:, : max(middle, 1)], energy[:, middle:]
    k = shell_wavenumbers(grid)[1:]
    spectra = 0.5 * power_spectrum(velocity, grid).sum(dim=2).mean(dim=1)[:, 1:].numpy()
    low, high = between
    return {
        "rms velocity": (2 * energy.mean(dim=1)).sqrt().numpy(),
        "rms vorticity": (2 * enstrophy.mean(dim=1)).sqrt().numpy(),
        "largest speed": speed2.amax(dim=(1, 2, 3)).sqrt().numpy(),
        "kinetic energy": energy.mean(dim=1).numpy(),
        "energy, later half over earlier": (later.mean(dim=1) / earlier.mean(dim=1)).numpy(),
        "enstrophy": enstrophy.mean(dim=1).numpy(),
        "wavenumber of the spectrum's peak": k[spectra.argmax(axis=1)],
        "centroid of the spectrum": (spectra * k).sum(axis=1) / spectra.sum(axis=1),
        f"slope of E(k), k = {low:g} to {high:g}": np.array(
            [spectral_slope(k, spectrum, between) for spectrum in spectra]
        ),
    }


def spectral_slope(k: np.ndarray, spectrum: np.ndarray, between: tuple[float, float]) -> float:
    """The exponent of the power law fitted to a spectrum between two wavenumbers."""
    fitted = (k >= between[0] - 1e-9) & (k <= between[1] + 1e-9)
    return float(np.polyfit(np.log(k[fitted]), np.log(spectrum[fitted]), 1)[0])


def main() -> None:
    """Print the table of one dataset."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="train", choices=("train", "valid", "test"))
    parser.add_argument("--between", type=float, nargs=2, default=(8.0, 24.0), metavar="K")
    parser.add_argument("--first-frame", type=int, default=0, help="negative counts from the end")
    options = parser.parse_args()
    data = open_dataset(options.dataset)
    finest = max(data.resolutions)
    fields = load_frames(data, options.split, finest, FIELDS, time=slice(options.first_frame, None))
    count, frames = fields.shape[:2]
    print(f"{count} trajectories of {frames} frames, {data.grid(finest).num_points} points")
    for name, values in flow_statistics(fields, data.grid(finest), tuple(options.between)).items():
        error = values.std(ddof=1) / math.sqrt(count) if count > 1 else math.nan
        print(f"{name:36s} {values.mean():9.4f} ± {error:.4f}")


if __name__ == "__main__":
    main()
