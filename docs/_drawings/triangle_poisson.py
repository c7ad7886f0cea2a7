"""Train a U-Net to solve Poisson's equation on a triangle.

    python docs/_drawings/triangle_poisson.py

In half a minute of one core. Prints errors on unseen right-hand sides beside those of simple
guesses, and writes docs/assets/triangle_poisson.png.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor, nn

from pdesurrogate.initial_conditions.triangle_poisson import poisson_problems
from pdesurrogate.models import Level
from pdesurrogate.models.extension import FineDecoder
from pdesurrogate.models.triangle import (
    TriangleEmbedding,
    TriangleProjection,
    TriangleStyle,
    triangle_unet,
)
from pdesurrogate.models.unet import UNet
from pdesurrogate.operators.triangle import triangle_vertices

__all__ = ["main"]

OUT = Path(__file__).parent.parent / "assets" / "triangle_poisson.png"
DEPTH, STEPS, TRAINING, UNSEEN, MAX_WAVENUMBER = 4, 500, 512, 128, 10
STYLE = TriangleStyle(("replicate", "replicate"))


def problems(seed: int, count: int, depth: int) -> tuple[Tensor, Tensor]:
    """Right-hand sides and solutions as `(problem, 1, 1, triangle)`."""
    pair = poisson_problems(np.random.default_rng(seed), count, depth, MAX_WAVENUMBER)
    f, u = (torch.from_numpy(values).float()[:, None, None] for values in pair)
    return f, u


def trained() -> UNet:
    """A U-Net that has seen the training problems, 16 at a time in random order."""
    torch.manual_seed(0)
    f, u = problems(0, TRAINING, DEPTH)
    network = triangle_unet(1, 1, width=16, levels=4, style=STYLE)
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=STEPS)
    for _ in range(STEPS):
        chosen = torch.randperm(TRAINING)[:16]
        optimiser.zero_grad()
        (network(f[chosen]) - u[chosen]).square().mean().backward()
        optimiser.step()
        schedule.step()
    return network.requires_grad_(False)


def relative_error(predicted: Tensor, truth: Tensor) -> float:
    """Root mean square of the error over that of the truth."""
    return float(((predicted - truth).square().mean() / truth.square().mean()).sqrt())


def draw(f: Tensor, u: Tensor, predicted: Tensor) -> None:
    """Right-hand side, solution, prediction and ten times the error of one problem."""
    vertices = triangle_vertices(DEPTH)
    points, corners = vertices.reshape(-1, 2), np.arange(3 * len(vertices)).reshape(-1, 3)
    figure = Figure(figsize=(9, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    tiles = {
        "right-hand side": f,
        "solution": u,
        "U-Net": predicted,
        "10 x error": 10 * (predicted - u),
    }
    limit = float(u.abs().max())
    for axis, (title, values) in zip(figure.subplots(1, 4), tiles.items(), strict=True):
        most = float(values.abs().max()) if title == "right-hand side" else limit
        axis.tripcolor(
            *points.T,
            corners,
            facecolors=values.flatten().numpy(),
            cmap="RdBu_r",
            vmin=-most,
            vmax=most,
        )
        axis.set(title=title, aspect="equal")
        axis.axis("off")
    figure.savefig(OUT, dpi=100)


def main() -> None:
    """Train, compare, draw."""
    network = trained()
    f_seen, u_seen = problems(0, TRAINING, DEPTH)
    f, u = problems(1, UNSEEN, DEPTH)
    factor = (f_seen * u_seen).sum() / f_seen.square().sum()
    print(f"mean of the training solutions  {relative_error(u_seen.mean(0).expand_as(u), u):.3f}")
    print(f"right-hand side times a number  {relative_error(factor * f, u):.3f}")
    print(f"U-Net                           {relative_error(network(f), u):.3f}")
    draw(f[0], u[0], network(f[:1]))

    f, u = problems(1, UNSEEN, DEPTH + 1)
    decoder = FineDecoder(1, 1, STYLE, TriangleEmbedding(), width=8)
    extended = network.extended(Level(nn.Identity(), TriangleProjection(), decoder))
    with torch.no_grad():
        print(f"U-Net as it is, one depth finer {relative_error(network(f), u):.3f}")
        print(f"extended by a level, untrained  {relative_error(extended(f), u):.3f}")
    carried = TriangleEmbedding()(TriangleProjection()(u), u)
    print(f"best on the coarser triangles   {relative_error(carried, u):.3f}")


if __name__ == "__main__":
    main()
