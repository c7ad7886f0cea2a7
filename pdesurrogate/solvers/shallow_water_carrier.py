"""Potential vorticity of shallow water, carried over one step, and the winds and depths in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid, PeriodicBox
from pdesurrogate.operators import (
    SphericalHarmonics,
    inverse_laplacian,
    linear_truncation,
    spherical_harmonics,
    velocity_from_vorticity,
    vorticity_from_velocity,
)
from pdesurrogate.operators.damping import damp
from pdesurrogate.operators.flow_map import FlowMap
from pdesurrogate.solvers.carrier import Carrier
from pdesurrogate.solvers.coriolis import Coriolis

__all__ = ["PlaneCarrier", "PotentialVorticityCarrier", "SphereCarrier"]

_PASSES = 2
"""How often depth and vorticity are made to agree with the carried potential vorticity."""


@dataclass(frozen=True)
class PotentialVorticityCarrier(Carrier):
    r"""Carries potential vorticity; what is fine of winds and depth is in balance with it.

    $$ q = \frac{\zeta + f}{h}, \qquad q(x, t + \Delta t) = q(X(x), t), \qquad
       \zeta = q h - f, \quad u = u_e + \hat z \times \nabla \psi, \quad
       h = h_e + \frac{f}{g} \psi, \quad \nabla^2 \psi = \zeta - \zeta_e $$

    where $u_e, h_e, \zeta_e$ are known at the step's end. Gravity waves too fine for the coarse
    grid are left out: they outrun any step.

    Args:
        names: Of the fields; `height`, `velocity_x` and `velocity_y` must be among them.
        gravity: `g`, one number per trajectory or one for all.
    """

    names: tuple[str, ...]
    gravity: tuple[float, ...]

    def carry(
        self,
        u: Float[Tensor, "batch channel y x"],
        end: Float[Tensor, "batch channel y x"],
        flow: FlowMap,
        duration: float,
    ) -> Float[Tensor, "batch channel y x"]:
        """See the class."""
        grid = flow.grid
        f = self.coriolis(grid, u)
        potential = (self.vorticity(self._wind(u), grid) + f) / self._named(u, "height")
        potential = flow.carry(potential[:, None])[:, 0]
        wind, height = self._wind(end), self._named(end, "height")
        known, gravity = self.vorticity(wind, grid), _column(self.gravity, u)
        depth = height
        for _ in range(_PASSES):
            vorticity = self.damped(potential * depth - f, grid, duration)
            depth = height + f / gravity * self.stream_function(vorticity - known, grid)
        wind = wind + self.rotational_wind(vorticity - known, grid)
        found: Mapping[str, Tensor] = {
            "height": depth,
            "velocity_x": wind[:, 0],
            "velocity_y": wind[:, 1],
            "vorticity": vorticity,
        }
        return torch.stack([found.get(name, end[:, i]) for i, name in enumerate(self.names)], dim=1)

    @abstractmethod
    def coriolis(self, grid: Grid, like: Tensor) -> Float[Tensor, "#batch #y #x"]:
        """The Coriolis parameter."""

    @abstractmethod
    def vorticity(
        self, wind: Float[Tensor, "batch part=2 y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        """Relative vorticity of a wind."""

    @abstractmethod
    def stream_function(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        r"""$\nabla^{-2} \zeta$."""

    @abstractmethod
    def rotational_wind(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The wind of that vorticity, without divergence."""

    @abstractmethod
    def damped(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid, duration: float
    ) -> Float[Tensor, "batch y x"]:
        """What hyperdiffusion leaves of a vorticity."""

    def _named(self, u: Tensor, name: str) -> Tensor:
        return u[:, self.names.index(name)]

    def _wind(self, u: Tensor) -> Tensor:
        return u[:, [self.names.index("velocity_x"), self.names.index("velocity_y")]]


@dataclass(frozen=True)
class PlaneCarrier(PotentialVorticityCarrier):
    r"""On a periodic plane.

    Args:
        names: See `PotentialVorticityCarrier`.
        gravity: See `PotentialVorticityCarrier`.
        rotation: $f(y)$, one per trajectory or one for all.
        hyperviscosity: $\nu$ of $\nu (-\nabla^2)^p$, likewise.
        order: `p`.
    """

    rotation: tuple[Coriolis, ...]
    hyperviscosity: tuple[float, ...]
    order: int

    def velocity(
        self, u: Float[Tensor, "batch channel y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The wind."""
        return self._wind(u)

    def coriolis(self, grid: Grid, like: Tensor) -> Float[Tensor, "#batch #y #x"]:
        """See `Coriolis.on`."""
        assert isinstance(grid, PeriodicBox)
        return torch.stack([f.on(grid) for f in self.rotation]).to(like.device, like.dtype)

    def vorticity(
        self, wind: Float[Tensor, "batch part=2 y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        """By Fourier series."""
        assert isinstance(grid, PeriodicBox)
        return vorticity_from_velocity(wind[:, 0], wind[:, 1], grid)

    def stream_function(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        """By Fourier series."""
        assert isinstance(grid, PeriodicBox)
        return inverse_laplacian(vorticity, grid)

    def rotational_wind(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """By Fourier series."""
        assert isinstance(grid, PeriodicBox)
        return torch.stack(velocity_from_vorticity(vorticity, grid), dim=1)

    def damped(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid, duration: float
    ) -> Float[Tensor, "batch y x"]:
        """Every mode by its own rate."""
        strength = _column(self.hyperviscosity, vorticity)
        return damp(vorticity, grid, lambda k2: strength * k2**self.order, duration)


@dataclass(frozen=True)
class SphereCarrier(PotentialVorticityCarrier):
    r"""On a sphere.

    Args:
        names: See `PotentialVorticityCarrier`.
        gravity: See `PotentialVorticityCarrier`.
        rotation_rate: $\Omega$ of $f = 2 \Omega \sin\varphi$, one per trajectory or one for all.
        radius: In metres.
        damping: Rate at which the degree `damped_degree` decays, per second.
        damped_degree: See `damping`.
        order: Power of $l (l + 1)$ that the rate goes with.
    """

    rotation_rate: tuple[float, ...]
    radius: float
    damping: float
    damped_degree: int
    order: int

    def velocity(
        self, u: Float[Tensor, "batch channel y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """The wind over the radius."""
        return self._wind(u) / self.radius

    def coriolis(self, grid: Grid, like: Tensor) -> Float[Tensor, "#batch #y #x"]:
        r"""$2 \Omega \sin\varphi$."""
        assert isinstance(grid, GaussianSphere)
        sine = torch.tensor(grid.sine_of_latitude).to(like.device, like.dtype)[:, None]
        return 2 * _column(self.rotation_rate, like) * sine

    def vorticity(
        self, wind: Float[Tensor, "batch part=2 y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        """By spherical harmonics."""
        harmonics = self._harmonics(grid, wind)
        curl, _ = harmonics.vorticity_and_divergence(wind[:, 0], wind[:, 1])
        return harmonics.synthesise(curl) / self.radius

    def stream_function(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch y x"]:
        """By spherical harmonics."""
        harmonics = self._harmonics(grid, vorticity)
        stream = harmonics.inverse_laplacian(harmonics.analyse(vorticity))
        return harmonics.synthesise(stream) * self.radius**2

    def rotational_wind(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid
    ) -> Float[Tensor, "batch part=2 y x"]:
        """By spherical harmonics."""
        harmonics = self._harmonics(grid, vorticity)
        curl = harmonics.analyse(vorticity)
        wind = harmonics.velocity(curl, torch.zeros_like(curl))
        return torch.stack(wind, dim=1) * self.radius

    def damped(
        self, vorticity: Float[Tensor, "batch y x"], grid: Grid, duration: float
    ) -> Float[Tensor, "batch y x"]:
        """Every degree by its own rate."""
        scale = self.damped_degree * (self.damped_degree + 1)
        return damp(vorticity, grid, lambda k2: self.damping * (k2 / scale) ** self.order, duration)

    def _harmonics(self, grid: Grid, like: Tensor) -> SphericalHarmonics:
        assert isinstance(grid, GaussianSphere)
        return spherical_harmonics(grid, linear_truncation(grid), like.dtype, like.device)


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
