"""Draw the sphere's test cases: `python docs/_drawings/sphere.py` writes docs/assets/sphere-*.png.

Galewsky's jet after six days and Williamson's flow over a mountain after fifteen, both simulated
at T85 on the way (a minute on one core).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from pdesurrogate.grids import GaussianSphere
from pdesurrogate.initial_conditions import BarotropicJet, InitialCondition, SolidBodyRotation
from pdesurrogate.report.colours import diverging_palette
from pdesurrogate.rollout import repeat
from pdesurrogate.solvers import ConicalMountain, SphericalShallowWater

__all__ = ["main"]

ASSETS = Path(__file__).parent.parent / "assets"
GRID = GaussianSphere((128, 256))
DT = 600.0
JET = SphericalShallowWater(
    hyperdiffusion_order=2, hyperdiffusion_degree=85, hyperdiffusion_time=7778.0
)
MOUNTAIN = SphericalShallowWater(
    mean_depth=5620.0, hyperdiffusion_time=math.inf, orography=ConicalMountain()
)
OVER_MOUNTAIN = SolidBodyRotation(speed=20.0, equatorial_depth=5960.0)


def after(
    equation: SphericalShallowWater, start: InitialCondition, days: int
) -> dict[str, np.ndarray]:
    """The fields that many days later."""
    solver = equation.discretise(GRID, DT)
    drawn = start.sample(np.random.default_rng(0), GRID)
    state = solver.initialise({name: field[None] for name, field in drawn.items()})
    with torch.inference_mode():
        state = repeat(solver.step, round(days * 86400 / DT))(state)
        return {name: field[0].numpy() for name, field in solver.observe(state, GRID).items()}


def draw_jet(axis: Axes) -> None:
    """The vorticity of the northern hemisphere, in colours and in contours every 2e-5 / s."""
    vorticity = after(JET, BarotropicJet(), 6)["vorticity"]
    axis.pcolormesh(
        GRID.x,
        GRID.y,
        vorticity,
        cmap=ListedColormap(diverging_palette() / 255),
        vmin=-1.4e-4,
        vmax=1.4e-4,
        shading="gouraud",
    )
    levels = [k * 2e-5 for k in range(-7, 8) if k]
    axis.contour(GRID.x, GRID.y, vorticity, levels=levels, colors="#1b1f24", linewidths=0.4)
    axis.set_ylim(10, 80)
    axis.set_title("Galewsky's jet after 6 days: relative vorticity", fontsize=9)


def draw_mountain(axis: Axes) -> None:
    """Elevation of the surface in contours every 50 m, over the mountain."""
    fields = after(MOUNTAIN, OVER_MOUNTAIN, 15)
    surface = fields["height"] + fields["orography"]
    axis.contourf(GRID.x, GRID.y, surface, levels=range(5000, 6001, 50), cmap="viridis")
    axis.contour(
        GRID.x, GRID.y, surface, levels=range(5000, 6001, 50), colors="#1b1f24", linewidths=0.4
    )
    ground = fields["orography"]
    axis.contour(GRID.x, GRID.y, ground, levels=[500, 1000, 1500], colors="white", linewidths=0.9)
    axis.set_title("Williamson's fifth case after 15 days: elevation of the surface", fontsize=9)


def main() -> None:
    """Write both pictures."""
    for name, draw, height in (
        ("sphere-jet", draw_jet, 2.2),
        ("sphere-mountain", draw_mountain, 3.6),
    ):
        figure = Figure(figsize=(7.5, height), dpi=96, layout="constrained")
        FigureCanvasAgg(figure)
        axis = figure.subplots()
        draw(axis)
        axis.set_xlabel("longitude in degrees east", fontsize=8)
        axis.set_ylabel("latitude in degrees", fontsize=8)
        axis.tick_params(labelsize=7)
        figure.savefig(ASSETS / f"{name}.png", pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
