"""The forces of a batch of trajectories, ready for a spectral solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from pdesurrogate.grids import Grid, PeriodicBox
from pdesurrogate.operators.spectral import FourierBasis
from pdesurrogate.solvers.forcing import Forcing, UnsteadyForcing
from pdesurrogate.transfer import resample

__all__ = ["SteadySource", "UnsteadySource", "spectral_source"]


def spectral_source(
    forcings: Sequence[Forcing | None],
    grid: PeriodicBox,
    basis: FourierBasis,
    dtype: torch.dtype,
    device: torch.device,
) -> SteadySource | UnsteadySource | None:
    """What evaluates the Fourier coefficients of every trajectory's force; None without force.

    Args:
        forcings: One per trajectory of the batch, or one for all.
        grid: The solver's grid; what it does not hold is left out, never aliased.
        basis: The solver's modes.
        dtype: Of the coefficients.
        device: Where they are wanted.

    Raises:
        ValueError: If some trajectories have a force and others none, or some are steady and others
            not.
    """
    given = [forcing for forcing in forcings if forcing is not None]
    unsteady = [forcing for forcing in given if isinstance(forcing, UnsteadyForcing)]
    if len(given) not in (0, len(forcings)) or len(unsteady) not in (0, len(given)):
        raise ValueError(
            "the trajectories of a batch must have no force, all steady forces or all unsteady ones"
        )

    def transformed(forcing: Forcing, sample: Callable[[Grid], Tensor]) -> Tensor:
        ky, kx = forcing.highest_wavenumbers(grid.domain_extent)
        fine_enough = PeriodicBox((2 * ky + 2, 2 * kx + 2), grid.domain_extent)
        coefficients = basis.analyse(resample(sample(fine_enough), grid.num_points))
        return coefficients.to(device, dtype)

    if unsteady:
        return UnsteadySource(unsteady, transformed)
    if given:
        return SteadySource(torch.stack([transformed(f, f.vorticity_source) for f in given]))
    return None


class SteadySource:
    """Forces that do not change.

    Args:
        coefficients: Of every trajectory's force.
    """

    def __init__(self, coefficients: Complex[Tensor, "rows ky kx"]) -> None:
        self._coefficients = coefficients

    def __call__(self, time: Float[Tensor, " batch"]) -> Complex[Tensor, "rows ky kx"]:
        """The coefficients, whatever the time."""
        return self._coefficients


class UnsteadySource:
    """Forces put together from patterns that stay on the device.

    A new pattern is sampled and transformed when its time comes; otherwise only its weight travels.

    Args:
        forcings: One per trajectory of the batch, or one for all.
        transformed: Takes a force and a function that samples something of it on a grid to the
            coefficients that the solver holds.
    """

    _TIMES_KEPT = 3
    """A Runge–Kutta step asks for the force at its beginning, at its middle (twice) and at its end,
    which is the next step's beginning."""

    def __init__(
        self,
        forcings: Sequence[UnsteadyForcing],
        transformed: Callable[[Forcing, Callable[[Grid], Tensor]], Tensor],
    ) -> None:
        self._forcings = forcings
        self._transformed = transformed
        self._patterns: dict[tuple[int, int], Tensor] = {}
        self._stacked = torch.empty(0)
        self._recent: dict[float, Tensor] = {}

    def __call__(self, time: Float[Tensor, " batch"]) -> Complex[Tensor, "rows ky kx"]:
        """The coefficients at `time`.

        Raises:
            ValueError: If the trajectories are not at the same time.
        """
        now, *others = set(time.tolist())
        if others:
            raise ValueError("an unsteady force needs a batch whose trajectories share their time")
        if now not in self._recent:
            while len(self._recent) >= self._TIMES_KEPT:
                del self._recent[next(iter(self._recent))]
            self._recent[now] = self._evaluate(now)
        return self._recent[now]

    def _evaluate(self, time: float) -> Tensor:
        weights = [forcing.weights(time) for forcing in self._forcings]
        keys = [(row, index) for row, of_row in enumerate(weights) for index in of_row]
        if keys != list(self._patterns):
            held = self._patterns
            self._patterns = {
                key: held[key] if key in held else self._pattern(*key) for key in keys
            }
            every = torch.stack([pattern.mT for pattern in self._patterns.values()])
            # Real products with real weights, over real and imaginary parts alike.
            self._stacked = torch.view_as_real(every.unflatten(0, (len(weights), -1)))
        values = torch.tensor([list(of_row.values()) for of_row in weights])
        summed = values.to(self._stacked)[:, None, :] @ self._stacked.flatten(2)
        shape = (len(weights), *self._stacked.shape[2:])
        return torch.view_as_complex(summed.reshape(shape)).mT

    def _pattern(self, row: int, index: int) -> Tensor:
        forcing = self._forcings[row]
        return self._transformed(forcing, lambda grid: forcing.pattern(index, grid))
