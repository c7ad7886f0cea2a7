"""Surrogates: trained networks with everything that is needed to use them on labelled fields."""

from __future__ import annotations

from pdesurrogate.surrogate.info import SurrogateInfo
from pdesurrogate.surrogate.surrogate import Surrogate

__all__ = ["Surrogate", "SurrogateInfo"]
