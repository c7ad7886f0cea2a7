"""Learn v² with four preconditioners: `python docs/_drawings/preconditioning.py`.

Writes docs/assets/preconditioning.png and prints the table of docs/experiments/preconditioning.md.
"""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

__all__ = ["main"]

OUT = Path(__file__).parent.parent / "assets" / "preconditioning.png"
SEEDS, STEPS = 5, (0, 10, 100, 1000)
COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#D55E00")
# --8<-- [start:experiment]
PRECONDITIONERS = {
    "2 - 2 cos v": lambda v: 2 - 2 * torch.cos(v),
    "abs v": torch.abs,
    "0": torch.zeros_like,
    "v": lambda v: v,
}


def train(name: str, seed: int, observe: tuple[int, ...]) -> tuple[dict[int, float], Tensor]:
    """Learn w = v² as preconditioner plus residual; the errors at some steps, and the answer."""
    torch.manual_seed(seed)
    v = torch.linspace(-1, 1, 101)[:, None]
    residual = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
    nn.init.zeros_(residual[2].weight)  # it starts as the preconditioner
    nn.init.zeros_(residual[2].bias)
    optimiser = torch.optim.Adam(residual.parameters(), lr=1e-2)
    errors = {}
    for step in range(max(observe) + 1):
        answer = PRECONDITIONERS[name](v) + residual(v)
        loss = (answer - v**2).square().mean()
        if step in observe:
            errors[step] = loss.item()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return errors, answer.detach()


# --8<-- [end:experiment]


def main() -> None:
    """Print the table and draw `OUT`."""
    torch.set_num_threads(1)
    curves = (0, *sorted({round(10 ** (i / 10)) for i in range(31)}))
    figure = Figure(figsize=(7.9, 3.0), dpi=96, layout="constrained")
    left, right = figure.subplots(1, 2)
    v = torch.linspace(-1, 1, 101)
    right.plot(v, v**2, color="#111111", lw=1.2, label="v²")
    print("| preconditioner |", " | ".join(f"{step} steps" for step in STEPS), "|")
    for name, colour in zip(PRECONDITIONERS, COLOURS, strict=True):
        found = [train(name, seed, curves)[0] for seed in range(SEEDS)]
        medians = {
            step: float(torch.tensor([errors[step] for errors in found]).median())
            for step in curves
        }
        print(f"| {name} |", " | ".join(f"{medians[step]:.1e}" for step in STEPS), "|")
        left.plot(curves[1:], [medians[step] for step in curves[1:]], color=colour, label=name)
        right.plot(v, train(name, 0, (10,))[1], color=colour, lw=1.2, label=f"{name}, 10 steps")
    left.set(xscale="log", yscale="log", xlabel="optimiser steps", ylabel="mean square error")
    left.legend(frameon=False, fontsize=8, title="preconditioner", title_fontsize=8)
    right.set(xlabel="v")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(OUT)


if __name__ == "__main__":
    main()
