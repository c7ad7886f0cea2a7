"""Spectral solver of the shallow-water equations on a rotating sphere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.operators.spherical_harmonics import (
    linear_truncation,
    quadratic_truncation,
    spherical_harmonics,
)
from pdesurrogate.solvers.equation import check_batch
from pdesurrogate.solvers.orography import Orography
from pdesurrogate.solvers.time_stepping import etdrk4

__all__ = ["ShallowWaterParameters", "SphericalShallowWaterSolver"]

_PROGNOSTIC = ("height", "velocity_x", "velocity_y")
_ROOT_OF_SPHERE = math.sqrt(4 * math.pi)
"""The coefficient of degree 0 over the mean."""


@runtime_checkable
class ShallowWaterParameters(Protocol):
    """What the solver asks of an equation; see `SphericalShallowWater`."""

    @property
    def gravity(self) -> float:
        """In metres per second squared."""
        ...

    @property
    def mean_depth(self) -> float:
        """In metres."""
        ...

    @property
    def rotation_rate(self) -> float:
        """In radians per second."""
        ...

    @property
    def radius(self) -> float:
        """In metres."""
        ...

    @property
    def hyperdiffusion_order(self) -> int:
        """Power of the Laplacian."""
        ...

    @property
    def hyperdiffusion_time(self) -> float:
        """Of the harmonics of `hyperdiffusion_degree`, in seconds."""
        ...

    @property
    def hyperdiffusion_degree(self) -> int | None:
        """None for the solver's truncation."""
        ...

    @property
    def orography(self) -> Orography | None:
        """None for flat ground."""
        ...

    @property
    def diffuses_height(self) -> bool:
        """Whether the surface is damped as the wind is."""
        ...


class SphericalShallowWaterSolver:
    r"""Spherical harmonics in space, exponential Runge–Kutta in time.

    Harmonics up to `quadratic_truncation(grid)`; products are formed on the grid, free of aliasing.
    The state holds, for every harmonic of degree `l`, the vorticity and the amplitudes of the two
    gravity waves of a layer of the mean depth `H`,

    $$ q^\pm = h' \pm i s_l\, \delta, \qquad s_l = \sqrt{\frac{H}{g \lambda_l}}, \quad
       \lambda_l = \frac{l (l + 1)}{a^2}, \qquad
       \dot q^\pm = (\pm i \sqrt{g H \lambda_l} - \nu_l)\, q^\pm + \dots $$

    with $h = H + h'$. These waves and the hyperdiffusion $\nu_l$ are integrated exactly by
    `etdrk4`, so that they set no limit on the step; the flow, the rotation and what the waves feel
    of a depth other than `H` are explicit, of fourth order. Semi-implicit schemes, which slow the
    fast waves down, make larger errors at the same cost until the step is as long as it can be
    (`ARS(3,4,3)`, `SBDF2` and filtered leapfrog on a disturbed jet at T42).

    Keep the step below the time in which the fastest wave, of degree `T`, turns by some 2.5 radians
    (600 s for 10 km of water at T85, 300 s at T170) where nothing is damped: beyond it small errors
    grow slowly, by a factor of `e` in half a day at 3.7 radians, whatever the Courant number says.
    Hyperdiffusion of hours on the smallest scales prevents it. `SphericalShallowWater.advised_step`
    tells. Autograd works through steps unless the solver was built in inference mode.

    Args:
        equations: Parameters, one equation per trajectory of the batch or one for all.
        grid: Gaussian sphere.
        dt: Time step, in seconds.
        dtype: float32 or float64.
        device: Where to compute.

    References:
        Hack & Jakob (1992), *NCAR Tech. Note* TN-343+STR (the spectral form).
        Buvoli & Minion (2022), *J. Comput. Appl. Math.* 409 (exponential schemes and waves).
    """

    courant_limit = 1.35
    """Beyond it the explicit part of a fourth-order Runge–Kutta scheme is unstable: its stability
    interval 2.83 over the largest scaled wavenumber 2π/3."""

    def __init__(
        self,
        equations: Sequence[ShallowWaterParameters],
        grid: GaussianSphere,
        dt: float,
        *,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> None:
        self.equations = tuple(equations)
        self.grid, self.dt = grid, dt
        self.dtype, self.device = dtype, torch.device(device)
        self.truncation = quadratic_truncation(grid)
        self.harmonics = spherical_harmonics(grid, self.truncation, dtype, self.device)
        radius, gravity, depth = (self._each(n) for n in ("radius", "gravity", "mean_depth"))
        self._exact_depth = depth.to(self.device)
        self._radius, self._gravity, self._depth = (
            q.to(self.device, dtype) for q in (radius, gravity, depth)
        )
        degree = torch.arange(self.truncation + 1, dtype=torch.float64)[:, None]
        laplacian = degree * (degree + 1) / radius**2
        depth_scale = torch.where(degree > 0, depth / (gravity * laplacian.clamp(min=1e-300)), 0.0)
        depth_scale = depth_scale.sqrt()
        inverse = torch.where(degree > 0, 1 / depth_scale.clamp(min=1e-300), 0.0)
        self._depth_per_divergence = (1j * depth_scale).to(self.device, self._complex)
        self._divergence_per_depth = (-0.5j * inverse).to(self.device, self._complex)
        self._laplacian = laplacian.to(self.device, dtype)
        self.linear = self._rates(laplacian, gravity * depth).to(self.device)
        sine = torch.tensor(grid.sine_of_latitude)[:, None]
        self._inverse_cosine2 = (1 / ((1 - sine) * (1 + sine))).to(self.device, dtype)
        self._coriolis = (2 * self._each("rotation_rate") * sine).to(self.device, dtype)
        self._ground = self._ground_coefficients()
        self._undamped, self._ground_decay = self._height_rates()

    @cached_property
    def _step(self) -> Callable[[Tensor, Tensor], Tensor]:
        # Its weights take as long to work out as many steps: not before one is made, and not in
        # inference mode, whose tensors autograd refuses.
        with torch.inference_mode(False):
            return etdrk4(self, self.dt, self._complex)

    @property
    def _complex(self) -> torch.dtype:
        return torch.complex64 if self.dtype == torch.float32 else torch.complex128

    def _each(self, name: str) -> Float[Tensor, "rows 1 1"]:
        values = [float(getattr(e, name)) for e in self.equations]
        return torch.tensor(values, dtype=torch.float64)[:, None, None]

    def _rates(
        self, laplacian: Tensor, wave_speed2: Tensor
    ) -> Complex[Tensor, "rows 3 degree order"]:
        """The diagonal of the linear part."""
        decay = self._decay(laplacian)
        frequency = (wave_speed2 * laplacian).sqrt()
        rates = torch.stack([-decay + 0j, -decay + 1j * frequency, -decay - 1j * frequency], dim=1)
        return rates.expand(*rates.shape[:-1], self.truncation + 1).contiguous()

    def _damped_degree(self) -> Float[Tensor, "rows 1 1"]:
        """The degree that decays in the hyperdiffusion's time."""
        degrees = [float(e.hyperdiffusion_degree or self.truncation) for e in self.equations]
        return torch.tensor(degrees, dtype=torch.float64)[:, None, None]

    def _decay(self, laplacian: Float[Tensor, "rows l 1"]) -> Float[Tensor, "rows l 1"]:
        """Of every degree, per second."""
        degree = self._damped_degree()
        damped = degree * (degree + 1) / self._each("radius") ** 2
        ratio = (laplacian / damped) ** self._each("hyperdiffusion_order")
        return ratio / self._each("hyperdiffusion_time")

    def _height_rates(self) -> tuple[Tensor | None, Tensor | None]:
        """What the depth is given back of its damping, and the decay of the ground's part in it.

        It is the surface that is damped, not the depth: water at rest over mountains stays so.
        """
        degree = torch.arange(self.truncation + 1, dtype=torch.float64)[:, None]
        decay = self._decay(degree * (degree + 1) / self._each("radius") ** 2)
        # Beyond the named degree the decay may be too fast to be taken back step by step.
        kept = (degree <= self._damped_degree()) & (self._each("diffuses_height") == 0)
        given_back = (decay * kept).to(self.device, self.dtype)
        ground = None if self._ground is None else (decay * ~kept).to(self._ground) * self._ground
        return (given_back if kept.any() else None), ground

    def _ground_coefficients(self) -> Complex[Tensor, "rows degree order"] | None:
        """Of the orography, truncated as the fields are; None where all ground is flat."""
        if all(e.orography is None for e in self.equations):
            return None
        heights = [
            torch.zeros(self.grid.num_points, dtype=torch.float64)
            if e.orography is None
            else e.orography.on(self.grid)
            for e in self.equations
        ]
        exact = spherical_harmonics(self.grid, self.truncation, torch.float64)
        return exact.analyse(torch.stack(heights)).to(self.device, self._complex)

    def nonlinear(
        self, state: Complex[Tensor, "batch 3 degree order"], time: Float[Tensor, "*any"]
    ) -> Complex[Tensor, "batch 3 degree order"]:
        """Advection, rotation, orography and the waves' dependence on the depth, dealiased."""
        sht = self.harmonics
        vorticity, divergence, anomaly = self._physical(state)
        east, north = sht.scaled_velocity(vorticity, divergence)
        beyond = torch.zeros_like(east[:, :1])
        scalars = [torch.cat([c, beyond], dim=1) for c in (vorticity, anomaly)]
        on_grid = sht.synthesise(torch.stack([*scalars, east, north], dim=1))
        absolute = on_grid[:, 0] + self._coriolis
        wind = on_grid[:, 2:] * self._radius[:, None]
        over_cosine = wind * self._inverse_cosine2
        energy = 0.5 * (wind * over_cosine).sum(dim=1, keepdim=True)
        fluxes = [over_cosine * absolute[:, None], over_cosine * on_grid[:, 1:2], energy]
        a, b, c, d, e = sht.analyse_beyond(torch.cat(fluxes, dim=1)).unbind(1)
        bernoulli = e[:, :-1]
        if self._ground is not None:
            bernoulli = bernoulli + self._gravity * self._ground
        of_vorticity = -sht.divergence_of_scaled(a, b) / self._radius
        of_divergence = sht.divergence_of_scaled(b, -a) / self._radius
        of_divergence = of_divergence + self._laplacian * bernoulli
        of_depth = -sht.divergence_of_scaled(c, d) / self._radius
        if self._undamped is not None:
            of_depth = of_depth + self._undamped * anomaly
        if self._ground_decay is not None:
            of_depth = of_depth - self._ground_decay
        return self._waves(of_vorticity, of_divergence, of_depth)

    def _waves(self, vorticity: Tensor, divergence: Tensor, anomaly: Tensor) -> Tensor:
        turned = self._depth_per_divergence * divergence
        return torch.stack([vorticity, anomaly + turned, anomaly - turned], dim=1)

    def _physical(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients of vorticity, divergence and `h'`."""
        vorticity, plus, minus = state.unbind(1)
        return vorticity, self._divergence_per_depth * (plus - minus), 0.5 * (plus + minus)

    def step(
        self, state: Complex[Tensor, "batch 3 degree order"]
    ) -> Complex[Tensor, "batch 3 l m"]:
        """The state `dt` later."""
        return self._step(state, torch.zeros(1, dtype=torch.float64))

    def initialise(
        self, fields: Mapping[str, Float[Tensor, "batch y x"]], time: float = 0.0
    ) -> Complex[Tensor, "batch 3 degree order"]:
        """The state with these winds and this `height`, or this `surface` elevation.

        They may lie on any sphere's grid. The surface's height over the truncated ground is the
        depth. The equation is autonomous.

        Raises:
            ValueError: If a field is missing, the batch is not that of the solver's equations, or
                waves are too fast for the time step because `mean_depth` is far from the mean.
        """
        water = "surface" if "surface" in fields and "height" not in fields else "height"
        names = (water, "velocity_x", "velocity_y")
        missing = [name for name in names if name not in fields]
        if missing:
            raise ValueError(f"the solver starts from `{missing[0]}`, got only {sorted(fields)}")
        height, east, north = (fields[n].to(self.device) for n in names)
        check_batch(self.equations, len(height))
        grid = GaussianSphere((height.shape[-2], height.shape[-1]))
        held = min(self.truncation, linear_truncation(grid))
        sht = spherical_harmonics(grid, held, self.dtype, self.device)
        vorticity, divergence = sht.vorticity_and_divergence(
            east.to(self.dtype), north.to(self.dtype)
        )
        parts = (vorticity / self._radius, divergence / self._radius)
        # The depth is large beside what varies: subtracted before anything is rounded.
        anomaly = sht.analyse((height - self._exact_depth).to(self.dtype))
        if water == "surface" and self._ground is not None:
            anomaly = anomaly - self._ground[:, : held + 1, : held + 1]
        self._check_mean(anomaly)
        more = (0, self.truncation - held, 0, self.truncation - held)
        return self._waves(*(torch.nn.functional.pad(c, more) for c in (*parts, anomaly)))

    def _check_mean(self, anomaly: Complex[Tensor, "batch l m"]) -> None:
        """Refuse a mean depth that leaves too much of the mean's own waves to the explicit part.

        Half the limit: the rest is for the flow, and a fluid at rest is unstable at two thirds.
        """
        mean = self._mean_depth(anomaly)
        courant = self._excess_courant(mean[:, None, None].to(self.dtype)).flatten()
        row = int(courant.argmax())
        if courant[row] > self.courant_limit / 2:
            assumed = self._depth.flatten()[row if len(self._depth) > 1 else 0]
            raise ValueError(
                f"the mean of `height` is {float(mean[row]):.6g} m but mean_depth is "
                f"{float(assumed):.6g} m, too far off for a time step of {self.dt:g} s (the waves' "
                f"Courant number {float(courant[row]):.2f}, limit {self.courant_limit / 2:g}); set "
                "mean_depth near the mean"
            )

    def _mean_depth(self, anomaly: Complex[Tensor, "batch l m"]) -> Float[Tensor, " batch"]:
        return self._exact_depth.flatten() + anomaly[:, 0, 0].real.double() / _ROOT_OF_SPHERE

    def _excess_courant(self, height: Float[Tensor, "batch y x"]) -> Float[Tensor, "batch y x"]:
        """Cells crossed in a step by what gravity waves have beyond the integrated speed, twice.

        Twice because it couples the two waves, whose phases drift apart at twice the rate.
        """
        waves = (self._gravity * height.clamp(min=0)).sqrt()
        excess = (waves - (self._gravity * self._depth).sqrt()).abs()
        return 2 * excess * self._steps_per_cell

    @property
    def _steps_per_cell(self) -> Float[Tensor, "rows 1 1"]:
        """Courant number of unit speed."""
        return self.dt * self.grid.num_points[0] / (math.pi * self._radius)

    def observe(
        self, state: Complex[Tensor, "batch 3 degree order"], grid: Grid
    ) -> dict[str, Float[Tensor, "batch m n"]]:
        """Every field on `grid`, truncated to the harmonics that it resolves.

        Raises:
            ValueError: If `grid` is not a `GaussianSphere`.
        """
        if not isinstance(grid, GaussianSphere):
            raise ValueError(f"a sphere is not observed on a {type(grid).__name__}")
        held = min(self.truncation, linear_truncation(grid))
        sht = spherical_harmonics(grid, held, self.dtype, self.device)
        kept = [c[:, : held + 1, : held + 1] for c in self._physical(state)]
        vorticity, divergence, anomaly = sht.synthesise(torch.stack(kept, dim=1)).unbind(1)
        east, north = sht.velocity(kept[0], kept[1])
        observed = {
            "height": anomaly + self._depth,
            "velocity_x": east * self._radius,
            "velocity_y": north * self._radius,
            "vorticity": vorticity,
            "divergence": divergence,
        }
        if self._ground is not None:
            ground = sht.synthesise(self._ground[:, : held + 1, : held + 1])
            observed["orography"] = ground.expand(len(state), -1, -1)
        return observed

    def courant_number(
        self, state: Complex[Tensor, "batch 3 degree order"]
    ) -> Float[Tensor, " batch"]:
        r"""$\max\,(|u| + 2\, |\sqrt{g h} - \sqrt{g H}|)\, \Delta t / (\pi a / n_\varphi)$.

        The second speed is that of gravity waves beyond what is integrated exactly. It counts
        twice, because it couples the two waves, whose phases drift apart at twice the rate.
        """
        fields = self.observe(state, self.grid)
        speed = (fields["velocity_x"] ** 2 + fields["velocity_y"] ** 2).sqrt()
        number = speed * self._steps_per_cell + self._excess_courant(fields["height"])
        return number.amax(dim=(-2, -1))

    def diagnose(
        self, state: Complex[Tensor, "batch 3 degree order"]
    ) -> dict[str, Float[Tensor, " batch"]]:
        r"""Means over the sphere, by the quadrature of the solver's grid, in double precision.

        $$ \overline{h}, \qquad \overline{\tfrac12 h |u|^2 + \tfrac12 g\, ((h + b)^2 - b^2)}, \qquad
           \overline{(\zeta + f)^2 / 2 h}, \qquad
           a\,\overline{h \cos\varphi\, (u + a \Omega \cos\varphi)} $$

        for `mass`, `energy`, `potential_enstrophy` and `angular_momentum`. Without hyperdiffusion
        the equation conserves the first three, and the fourth too over ground that does not vary
        along longitude.
        """
        fields = {name: u.double() for name, u in self.observe(state, self.grid).items()}
        height, east, north = (fields[name] for name in _PROGNOSTIC)
        ground = fields.get("orography", torch.zeros_like(height))
        gravity, radius, rotation_rate = (
            self._each(name).to(self.device) for name in ("gravity", "radius", "rotation_rate")
        )
        sine = torch.tensor(self.grid.sine_of_latitude, device=self.device)[:, None]
        cosine2 = (1 - sine) * (1 + sine)
        absolute = fields["vorticity"] + 2 * rotation_rate * sine
        turning = radius * rotation_rate * cosine2
        kinetic = 0.5 * height * (east**2 + north**2)
        weights = torch.tensor(self.grid.quadrature_weights, device=self.device)
        densities = {
            "energy": kinetic + 0.5 * gravity * height * (height + 2 * ground),
            "potential_enstrophy": absolute**2 / (2 * height),
            "angular_momentum": radius * height * (east * cosine2.sqrt() + turning),
        }
        means = {name: (u * weights).sum(dim=(-2, -1)) for name, u in densities.items()}
        return {"mass": self._mean_depth(self._physical(state)[2]), **means}
