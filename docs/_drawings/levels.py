"""Draw what each level of the demo's U-Nets adds, from a finished demo.

    python docs/_drawings/levels.py demo

writes docs/assets/levels.png, on the last frame of the demo's test trajectories at the training
grid, and prints the medians. The MultiResNet is shown before its training as well.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from pdesurrogate import Surrogate, open_dataset
from pdesurrogate.demo import DEMO_MODELS
from pdesurrogate.models import residual_energy
from pdesurrogate.report import plot_levels

__all__ = ["main"]

OUT = Path(__file__).parent.parent / "assets" / "levels.png"
RUNS = {"multi-resnet": "MultiResNet", "residual-unet": "ResidualUNet"}


def main(demo: Path) -> None:
    """Draw `OUT` from the folder of a finished demo."""
    data = open_dataset(demo / "data")
    energies = {}
    for run, name in RUNS.items():
        surrogate = Surrogate.load(demo / "runs" / run)
        inputs = surrogate.network_inputs(data.test[min(data.resolutions)])
        energies[name] = residual_energy(surrogate.module, inputs)
    torch.manual_seed(0)
    untrained = DEMO_MODELS["multi-resnet"].build(inputs.shape[1], 1, surrogate.info.training_grid)
    energies["MultiResNet, untrained"] = residual_energy(untrained, inputs)
    for name, energy in energies.items():
        print(name, energy.median("sample").to_dataframe(), sep="\n")
    plot_levels(energies, OUT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
