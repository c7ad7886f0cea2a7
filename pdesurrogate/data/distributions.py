"""Distributions from which a recipe draws the parameters of each trajectory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = ["Choice", "Distribution", "LogUniform", "RandomSeed", "Uniform"]


@dataclass(frozen=True)
class Distribution(ABC):
    """A random number, drawn once per trajectory."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> float:
        """Draw one."""

    @property
    @abstractmethod
    def extremes(self) -> tuple[float, ...]:
        """Values that bound what may be drawn; a recipe checks that the equation allows them."""


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every value between `low` and `high` is equally likely.

    Raises:
        ValueError: If `low` is not below `high`, or one is not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_interval(self.low, self.high)

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))

    @property
    def extremes(self) -> tuple[float, ...]:
        """Both ends."""
        return (self.low, self.high)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """The logarithm is uniform: every ratio is equally likely.

    Raises:
        ValueError: If `low` is not positive or not below `high`, or one is not finite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_interval(self.low, self.high)
        if self.low <= 0:
            raise ValueError(f"a log-uniform distribution needs a positive low, got {self.low}")

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)

    @property
    def extremes(self) -> tuple[float, ...]:
        """Both ends."""
        return (self.low, self.high)


@dataclass(frozen=True)
class Choice(Distribution):
    """One of some values, all equally likely: a grid of parameters.

    Raises:
        ValueError: If there are no values or one is not finite.
    """

    values: list[float]

    def __post_init__(self) -> None:
        if not self.values or not all(math.isfinite(value) for value in self.values):
            raise ValueError(f"values must be one or more finite numbers, got {self.values}")

    def sample(self, rng: np.random.Generator) -> float:
        """Draw one of the values."""
        return float(self.values[int(rng.integers(len(self.values)))])

    @property
    def extremes(self) -> tuple[float, ...]:
        """Every value."""
        return tuple(self.values)


@dataclass(frozen=True)
class RandomSeed(Distribution):
    """A whole number below 2³¹: the seed of a random forcing or of random obstacles."""

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a seed."""
        return float(rng.integers(2**31))

    @property
    def extremes(self) -> tuple[float, ...]:
        """The smallest and the largest seed."""
        return (0.0, float(2**31 - 1))


def _check_interval(low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low must be below high and both finite, got {low} and {high}")
