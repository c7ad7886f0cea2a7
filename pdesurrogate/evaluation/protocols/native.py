"""The claim of resolution invariance taken at its word."""

from __future__ import annotations

from dataclasses import dataclass

from pdesurrogate.evaluation.protocols.base import Setting, Step, TransferProtocol

__all__ = ["Native"]


@dataclass(frozen=True)
class Native(TransferProtocol):
    """The same weights, applied to the finer grid as they are.

    Exact for an operator that acts point by point. A convolution's kernel shrinks with the grid
    spacing, and so does everything that it learned about physical distances.
    """

    def carry(self, step: Step, setting: Setting) -> Step:
        """The step itself."""
        return step
