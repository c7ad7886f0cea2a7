"""The tensorised Fourier neural operator, adapted from the neuraloperator library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pdesurrogate.models.fno import FNO
from pdesurrogate.models.neural_operator import neural_operator_library

__all__ = ["TFNO"]


@dataclass(frozen=True)
class TFNO(FNO):
    r"""An FNO whose complex matrices are a Tucker product of a small core and four factors.

    $$ R_l(k_y, k_x)_{ab} = \sum_{\alpha\beta\eta\xi} G_{\alpha\beta\eta\xi}\,
       A_{a\alpha}\, B_{b\beta}\, Y_{k_y\eta}\, X_{k_x\xi} $$

    It works on the grids that an `FNO` of the same modes works on, for the same reasons.

    Args:
        modes: Highest wavenumber kept along each axis.
        width: Channels of the Fourier layers.
        layers: Number of Fourier layers.
        channel_mlp: Whether a pointwise perceptron follows each Fourier layer.
        norm: `none`, or `instance` or `group` normalisation in each layer.
        positional_embedding: Whether the coordinates are appended to the input.
        rank: Parameters of the Fourier layers as a part of those of an `FNO`.

    Raises:
        ValueError: If a number is below its minimum, `norm` is unknown, or `rank` is not between 0
            and 1.

    References:
        Kossaifi et al. (2024), *Multi-Grid Tensorized Fourier Neural Operator for High-Resolution
        PDEs*, §3.
    """

    rank: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.rank <= 1:
            raise ValueError(f"TFNO.rank must be above 0 and at most 1, got {self.rank:g}")

    @property
    def _name(self) -> str:
        return "a TFNO"

    def operator(self, in_channels: int, out_channels: int) -> Any:
        """The library's network."""
        return neural_operator_library().TFNO(
            **self.operator_options(in_channels, out_channels),
            rank=self.rank,
            implementation="factorized",
        )
