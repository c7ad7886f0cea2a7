"""A Fourier layer that changes the grid. Imports neuraloperator, so import it late."""

from __future__ import annotations

from functools import partial

from jaxtyping import Float
from neuralop.layers.fno_block import FNOBlocks
from neuralop.layers.spectral_convolution import SpectralConv
from torch import Tensor

from pdesurrogate.models.single_precision import widened
from pdesurrogate.transfer.spectral import resample

__all__ = ["ResamplingBlock", "ResamplingConv"]


class ResamplingConv(SpectralConv):
    """neuraloperator's Fourier layer, going to other grids by the Fourier series.

    The layer acts on the grid that it goes to. That is the same, since both grids hold its modes,
    and the library then never changes the grid itself.
    """

    def transform(
        self, v: Float[Tensor, "batch c y x"], output_shape: list[int] | None = None
    ) -> Float[Tensor, "batch c m n"]:
        """`v` on the grid that the layer goes to."""
        if output_shape is None:
            factors = self.resolution_scaling_factor
            output_shape = [round(n * f) for n, f in zip(v.shape[-2:], factors, strict=True)]
        return resample(widened(v), (output_shape[0], output_shape[1]))

    def forward(
        self, v: Float[Tensor, "batch c y x"], output_shape: list[int] | None = None
    ) -> Float[Tensor, "batch d m n"]:
        """Change the grid, then multiply the coefficients with the weights."""
        v = self.transform(v, output_shape)
        return super().forward(v, output_shape=list(v.shape[-2:]))


ResamplingBlock = partial(FNOBlocks, conv_module=ResamplingConv)
"""A Fourier layer with its skip and pointwise perceptron."""
