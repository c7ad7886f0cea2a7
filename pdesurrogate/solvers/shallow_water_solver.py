"""Finite volumes for shallow water: bores, beds and shores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pdesurrogate.grids import ClosedBox, Grid, PeriodicBox
from pdesurrogate.operators import monotonised_slopes
from pdesurrogate.solvers.bathymetry import Bathymetry
from pdesurrogate.solvers.closed_box import per_trajectory, rows_of
from pdesurrogate.solvers.riemann import FaceFlux, FaceState, shallow_water_flux
from pdesurrogate.solvers.sub_steps import MAX_SUBSTEPS, advance_in_sub_steps, count_sub_steps
from pdesurrogate.transfer import prolong, reconstruct_cells, restrict

__all__ = ["ShallowWaterSolver", "ShallowWaterState"]

_COURANT = 0.8
"""Cells that waves cross in a sub-step, along x and along y added."""

_CELLS_AT_ONCE = 2**16
"""On a CPU, where more than this many cells leave the second-level cache."""

_NORMAL = {-1: 1, -2: 2}
"""Where the velocity across the faces of an axis stands among depth, velocities and surface."""


class ShallowWaterState(NamedTuple):
    """Cell averages of depth and of momentum per unit of area and density."""

    height: Tensor
    momentum_x: Tensor
    momentum_y: Tensor


class _Parameters(NamedTuple):
    gravity: float | Tensor
    dry_depth: float | Tensor
    bed: Tensor

    def of(self, rows: slice) -> _Parameters:
        bed = self.bed if len(self.bed) == 1 else self.bed[rows]
        return _Parameters(rows_of(self.gravity, rows), rows_of(self.dry_depth, rows), bed)


class _Reconstruction(NamedTuple):
    """Fields in cells and their changes per cell along an axis, with one cell beyond either end."""

    cells: Tensor
    slopes: Tensor

    def inner_slopes(self, axis: int) -> Tensor:
        return self.slopes.narrow(axis, 1, self.slopes.shape[axis] - 2)


class ShallowWaterSolver:
    r"""A MUSCL scheme of second order that keeps water at rest and depths positive.

    Depth, surface elevation and velocity are reconstructed with the monotonised central limiter;
    what they say of the bed on both sides of a face is reconciled by the hydrostatic
    reconstruction. Fluxes are HLLC, between states that every cell predicts for the middle of the
    step (MUSCL-Hancock). A lake at rest over any bed, islands and shores included, stays at rest to
    rounding; mass changes by rounding only.

    In a step no cell gives more water than it has: fluxes out of a cell that would are reduced in
    proportion, together with the momentum that they carry.

    A step of `dt` is made of sub-steps that end exactly there, chosen per trajectory and anew after
    each, such that waves cross at most 0.8 cells, along x and along y added.

    Args:
        grid: A closed, open or periodic box.
        dt: Time step.
        gravity: One value per trajectory of the batch or one for all, as are the next two.
        dry_depth: Depth below which velocities are damped.
        beds: The bathymetry, None for a flat bed.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        van Leer (1984), *SIAM J. Sci. Stat. Comput.* 5 (Hancock's method); Audusse, Bouchut,
        Bristeau, Klein & Perthame (2004), *SIAM J. Sci. Comput.* 25 (hydrostatic reconstruction);
        Chertock, Cui, Kurganov & Wu (2015), *Int. J. Numer. Meth. Fluids* 78, and Kurganov &
        Petrova (2007), *Commun. Math. Sci.* 5 (velocities at small depths); Bollermann, Noelle &
        Lukáčová-Medviďová (2011), *Commun. Comput. Phys.* 10 (draining cells).
    """

    courant_limit = math.inf

    max_substeps = MAX_SUBSTEPS

    substep_share = 1.0
    """Sub-steps are this part of what the limit allows."""

    def __init__(
        self,
        grid: Grid,
        dt: float,
        *,
        gravity: Sequence[float],
        dry_depth: Sequence[float],
        beds: Sequence[Bathymetry | None],
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.grid, self.dt = grid, dt
        self.dtype, self.device = dtype, torch.device(device)
        self._has_bed = any(bed is not None for bed in beds)
        distinct = beds[:1] if len(set(beds)) == 1 else beds
        flat = torch.zeros(grid.num_points, dtype=torch.float64)
        elevations = [flat if bed is None else bed.cell_averages(grid) for bed in distinct]
        self._parameters = _Parameters(
            per_trajectory(gravity, dtype, self.device),
            per_trajectory(dry_depth, dtype, self.device),
            torch.stack(elevations).to(self.device, dtype),
        )

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> ShallowWaterState:
        """The state with these velocities and this `height`, or this `surface` elevation.

        Where the surface lies below the bed it is dry. The equation is autonomous.

        Raises:
            ValueError: If a field is missing.
        """
        water = "height" if "height" in fields else "surface"
        for name in (water, "velocity_x", "velocity_y"):
            if name not in fields:
                raise ValueError(
                    "shallow water starts from `height` or `surface`, `velocity_x` and "
                    f"`velocity_y`; there is no `{name}`, only {', '.join(fields)}"
                )
        given = {name: u.to(self.device, self.dtype) for name, u in fields.items()}
        source = self.grid.at_resolution(given[water].shape[-2])
        if water == "surface":
            height = (self._at_resolution(given[water], source) - self._parameters.bed).clamp(min=0)
        else:
            height = self._depth(given[water], source)
        velocities = given["velocity_x"], given["velocity_y"]
        if source.resolution > self.grid.resolution and water == "height":
            momenta = [restrict(given[water] * u, source, self.grid) for u in velocities]
        else:
            momenta = [height * self._at_resolution(u, source) for u in velocities]
        return ShallowWaterState(height, *momenta)

    def step(self, state: ShallowWaterState) -> ShallowWaterState:
        """Advance by `dt`."""
        batch = len(state.height)
        at_once = batch
        if self.device.type == "cpu":
            at_once = max(1, _CELLS_AT_ONCE // math.prod(self.grid.num_points))
        parts = []
        for first in range(0, batch, at_once):
            rows = slice(first, first + at_once)
            parts.append(self._advance(ShallowWaterState(*(u[rows] for u in state)), rows))
        if len(parts) == 1:
            return parts[0]
        return ShallowWaterState(*map(torch.cat, zip(*parts, strict=True)))

    def observe(
        self, state: ShallowWaterState, grid: Grid
    ) -> dict[str, Float[Tensor, "batch m n"]]:
        """Depth, velocity and, if there is one, the bed, averaged over the cells of `grid`."""
        height, *momenta = state
        per_depth = _per_depth(height, self._parameters.dry_depth)
        along_x, along_y = (m * per_depth for m in momenta)
        observed = {"height": height, "velocity_x": along_x, "velocity_y": along_y}
        if self._has_bed:
            observed["bathymetry"] = self._parameters.bed.expand_as(height)
        return {name: restrict(u, self.grid, grid) for name, u in observed.items()}

    def diagnose(self, state: ShallowWaterState) -> dict[str, Float[Tensor, " batch"]]:
        """Mass and energy, sums over the cells' averages."""
        height, *momenta = state
        per_depth = _per_depth(height, self._parameters.dry_depth)
        moving = ((m * per_depth) ** 2 for m in momenta)
        kinetic = 0.5 * height * sum(moving)
        potential = self._parameters.gravity * height * (0.5 * height + self._parameters.bed)
        mass, energy = (u.double().mean(dim=(-2, -1)) for u in (height, kinetic + potential))
        return {"mass": mass, "energy": energy}

    def courant_number(self, state: ShallowWaterState) -> Float[Tensor, " batch"]:
        """Cells that waves cross in `dt`, at most; a step takes sub-steps of less than one."""
        rate = self._rate(state, self._parameters).flatten()
        # A state that is not finite makes the number so too.
        return rate * self.dt + 0 * sum(u.sum(dim=(-2, -1)) for u in state)

    def substeps(self, state: ShallowWaterState) -> Int[Tensor, " batch"]:
        """How many sub-steps each trajectory asks for in `dt`, were the water to stay as it is."""
        rate = self._rate(state, self._parameters) / (_COURANT * self.substep_share)
        return count_sub_steps(rate, self.dt)

    def _advance(self, state: ShallowWaterState, rows: slice) -> ShallowWaterState:
        parameters = self._parameters.of(rows)
        return advance_in_sub_steps(
            state,
            self.dt,
            lambda now: self._rate(now, parameters) / (_COURANT * self.substep_share),
            lambda now, lengths: self._sub_step(now, parameters, lengths),
        )

    def _rate(self, state: ShallowWaterState, parameters: _Parameters) -> Float[Tensor, "b 1 1"]:
        """Cells that waves cross per unit of time, along x and along y added."""
        hy, hx = self.grid.spacing
        height, *momenta = state
        per_depth = _per_depth(height, parameters.dry_depth)
        along_x, along_y = ((m * per_depth).abs() for m in momenta)
        celerity = (parameters.gravity * height).sqrt()
        rate = along_x / hx + along_y / hy + celerity * (1 / hx + 1 / hy)
        return rate.amax(dim=(-2, -1), keepdim=True)

    def _sub_step(
        self, state: ShallowWaterState, parameters: _Parameters, lengths: Sequence[float]
    ) -> ShallowWaterState:
        """Hancock's method: every cell half a step ahead, then one flux through each face."""
        hy, hx = self.grid.spacing
        dt = per_trajectory(lengths, self.dtype, self.device)
        height, *momenta = state
        per_depth = _per_depth(height, parameters.dry_depth)
        water = torch.stack((height, *(m * per_depth for m in momenta)))
        if self._has_bed:
            water = torch.cat((water, (height + parameters.bed)[None]))
        x, y = (self._reconstruct(water, axis) for axis in (-1, -2))
        slopes = x.inner_slopes(-1) / hx, y.inner_slopes(-2) / hy
        change = self._half_step(water, *slopes, parameters.gravity, dt)
        across = self._fluxes(x, change, -1, parameters.gravity)
        along = self._fluxes(y, change, -2, parameters.gravity)
        across, along = self._with_enough_water(height, across, along, dt)
        weight = parameters.gravity * (height + change[0])
        fall_x, fall_y = (weight * slope[self._surface] for slope in slopes)
        change_x = _carried(across, -1) / hx + along.transverse.diff(dim=-2) / hy + fall_x
        change_y = _carried(along, -2) / hy + across.transverse.diff(dim=-1) / hx + fall_y
        outflow = across.mass.diff(dim=-1) / hx + along.mass.diff(dim=-2) / hy
        height = (height - dt * outflow).clamp(min=0)  # below zero by rounding only
        # What was damped is not kept: a film that deepens would shoot off with it.
        part = height * _per_depth(height, parameters.dry_depth)
        changed = zip(momenta, (change_x, change_y), strict=True)
        return ShallowWaterState(height, *((m - dt * change) * part for m, change in changed))

    def _reconstruct(self, water: Float[Tensor, "fields b y x"], axis: int) -> _Reconstruction:
        extended = _with_ghosts(water, axis, 2, self.grid, _NORMAL[axis])
        cells = extended.narrow(axis, 1, extended.shape[axis] - 2)
        return _Reconstruction(cells, monotonised_slopes(extended, axis))

    def _half_step(
        self,
        water: Float[Tensor, "fields b y x"],
        slope_x: Float[Tensor, "fields b y x"],
        slope_y: Float[Tensor, "fields b y x"],
        gravity: float | Tensor,
        dt: float | Tensor,
    ) -> Float[Tensor, "fields b y x"]:
        """The change of every cell's water in half a step by its own slopes.

        None at a shore, where a slope of velocity compares water with dry land.
        """
        hy, hx = self.grid.spacing
        height, surface = water[0], self._surface
        lowest = height - torch.maximum(
            slope_x[0].abs() * (0.5 * hx), slope_y[0].abs() * (0.5 * hy)
        )
        half = (lowest > 0).to(height.dtype) * (-0.5 * dt)
        carried = torch.addcmul(water[1] * slope_x, water[2], slope_y)
        rise = half * torch.addcmul(carried[0], height, slope_x[1] + slope_y[2])
        rise = torch.maximum(rise, -lowest)
        faster = (
            half * (carried[1] + gravity * slope_x[surface]),
            half * (carried[2] + gravity * slope_y[surface]),
        )
        return torch.stack((rise, *faster, rise) if self._has_bed else (rise, *faster))

    @property
    def _surface(self) -> int:
        """Where the surface elevation stands: over a flat bed it is the depth."""
        return 3 if self._has_bed else 0

    def _fluxes(
        self,
        water: _Reconstruction,
        change: Float[Tensor, "fields b y x"],
        axis: int,
        gravity: float | Tensor,
    ) -> FaceFlux:
        """Through the faces of an axis."""
        normal, faces = _NORMAL[axis], change.shape[axis] + 1
        cells = water.cells + _with_ghosts(change, axis, 1, self.grid, normal)
        left = torch.add(cells, water.slopes, alpha=0.5).narrow(axis, 0, faces)
        right = torch.sub(cells, water.slopes, alpha=0.5).narrow(axis, 1, faces)
        depth_left, depth_right = left[0], right[0]
        if self._has_bed:
            # The higher of the two beds holds back what lies below it.
            step = (right[3] - right[0]) - (left[3] - left[0])
            depth_left = depth_left - step.clamp(min=0)
            depth_right = depth_right + step.clamp(max=0)
        return shallow_water_flux(
            FaceState(depth_left.clamp(min=0), left[normal], left[3 - normal]),
            FaceState(depth_right.clamp(min=0), right[normal], right[3 - normal]),
            gravity,
        )

    def _with_enough_water(
        self, height: Tensor, across: FaceFlux, along: FaceFlux, dt: float | Tensor
    ) -> tuple[FaceFlux, FaceFlux]:
        """The fluxes, reduced where a cell would give more water than it has."""
        hy, hx = self.grid.spacing
        given = (_leaving(across.mass, -1) / hx + _leaving(along.mass, -2) / hy) * dt
        if not bool((given > height).any()):
            return across, along
        share = height / torch.maximum(given, height).clamp(min=torch.finfo(height.dtype).tiny)
        return self._reduced(across, share, -1), self._reduced(along, share, -2)

    def _reduced(self, flux: FaceFlux, share: Tensor, axis: int) -> FaceFlux:
        faces = flux.mass.shape[axis]
        extended = _with_ghosts(share[None], axis, 1, self.grid, None)[0]
        before, after = extended.narrow(axis, 0, faces), extended.narrow(axis, 1, faces)
        part = torch.where(flux.mass > 0, before, after)
        return flux._replace(
            mass=part * flux.mass, normal=part * flux.normal, transverse=part * flux.transverse
        )

    def _depth(self, height: Tensor, source: Grid) -> Tensor:
        """Of a given grid; on a finer one the surface is reconstructed where all is wet."""
        if source.resolution >= self.grid.resolution or isinstance(self.grid, PeriodicBox):
            return self._at_resolution(height, source).clamp(min=0)
        shape = self.grid.num_points
        plain = reconstruct_cells(height, shape)
        coarse_bed = restrict(self._parameters.bed, self.grid, source)
        level = reconstruct_cells(height + coarse_bed, shape) - self._parameters.bed
        wet = restrict((level > 0).to(self.dtype), self.grid, source) == 1
        return torch.where(prolong(wet.to(self.dtype), source, self.grid) > 0, level, plain)

    def _at_resolution(self, u: Tensor, source: Grid) -> Tensor:
        """Averaged over finer cells, or reconstructed from coarser ones."""
        if source.resolution >= self.grid.resolution:
            return restrict(u, source, self.grid)
        if isinstance(self.grid, PeriodicBox):
            return prolong(u, source, self.grid)
        return reconstruct_cells(u, self.grid.num_points)


def _per_depth(height: Tensor, dry_depth: float | Tensor) -> Tensor:
    """What makes a momentum a velocity, damped where the depth is below `dry_depth`."""
    return height / torch.lerp(height.square(), height.clamp(min=dry_depth).square(), 0.5)


def _carried(flux: FaceFlux, axis: int) -> Tensor:
    """Momentum along an axis that a cell loses through its faces per unit of time, times its size.

    Pressure is relative to that of the water at the cell's own ends: what that does, together with
    the bed under the cell, is for the slope of the surface to say.
    """
    cells = flux.mass.shape[axis] - 1
    right, left = flux.normal + flux.push_left, flux.normal + flux.push_right
    return right.narrow(axis, 1, cells) - left.narrow(axis, 0, cells)


def _leaving(mass: Tensor, axis: int) -> Tensor:
    """What leaves every cell through its two faces along an axis."""
    cells = mass.shape[axis] - 1
    after, before = mass.narrow(axis, 1, cells), mass.narrow(axis, 0, cells)
    return after.clamp(min=0) - before.clamp(max=0)


def _with_ghosts(u: Tensor, axis: int, count: int, grid: Grid, odd: int | None) -> Tensor:
    """Fields, along the first dimension, with cells beyond both ends of an axis.

    Args:
        u: The fields.
        axis: -1 for x, -2 for y.
        count: Cells beyond either end.
        grid: What lies there: the image in a wall, the other end, or the last cell again.
        odd: Which field changes sign in a wall's image.
    """
    cells = u.shape[axis]
    first, last = u.narrow(axis, 0, count), u.narrow(axis, cells - count, count)
    if isinstance(grid, PeriodicBox):
        return torch.cat([last, u, first], dim=axis)
    if not isinstance(grid, ClosedBox):
        shape = list(u.shape)
        shape[axis] = count
        ends = u.narrow(axis, 0, 1), u.narrow(axis, cells - 1, 1)
        return torch.cat([ends[0].expand(shape), u, ends[1].expand(shape)], dim=axis)
    signs = u.new_ones(len(u))
    if odd is not None:
        signs[odd] = -1
    signs = signs.reshape(-1, *[1] * (u.ndim - 1))
    return torch.cat([first.flip(axis) * signs, u, last.flip(axis) * signs], dim=axis)
