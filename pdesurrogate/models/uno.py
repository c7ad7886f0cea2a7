"""The U-shaped neural operator, adapted from the neuraloperator library."""

from __future__ import annotations

from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

from pdesurrogate.grids import Grid
from pdesurrogate.models.neural_operator import FourierNeuralOperator, neural_operator_library
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.spec import ModelSpec

__all__ = ["UNO"]


@dataclass(frozen=True)
class UNO(ModelSpec):
    r"""Fourier layers that go from grid to grid, down and up again, with skips between equals.

    Each level halves the grid and the modes and doubles the channels; there is one layer on the
    finest grid and one on the coarsest before the way back. Each side of the grid must be divisible
    by `2**levels`, the one along y by `2**(levels + 1)`, and longer than `2 * modes`. As in the
    library, the nonlinearity of a layer is that of its pointwise perceptron.

    The library is given our own change of grid, truncation and padding of the Fourier series
    around wavenumber zero: its own takes rows of the spectrum for others when a grid changes, and
    interpolates the skips between points that are not those of a periodic grid, so that shifts and
    refinement of the field would change what the network answers.

    Args:
        modes: Highest wavenumber kept along each axis on the finest grid.
        width: Channels on the finest grid.
        levels: How often the grid is halved.

    Raises:
        ValueError: If a number is below its minimum.

    References:
        Rahman, Ross & Azizzadenesheli (2023), *U-NO: U-shaped Neural Operators*.
        Kossaifi et al. (2024), *A Library for Learning Neural Operators*.
    """

    modes: int = 12
    width: int = 16
    levels: int = 2

    def __post_init__(self) -> None:
        require_at_least(self, modes=1, width=2, levels=1)

    @property
    def learning_rate(self) -> float:
        """Between those of the U-Nets and of the FNO; not searched."""
        return 3e-3

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> FourierNeuralOperator:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid is too coarse for the modes, or cannot be coarsened.
        """
        network = FourierNeuralOperator(
            self._operator(in_channels, out_channels),
            self.modes,
            grid.padding,
            "a UNO",
            2**self.levels,
        )
        network.check_grid_size(grid.num_points)
        return network

    def _operator(self, in_channels: int, out_channels: int) -> Any:
        library = neural_operator_library()
        # Imported here because it imports the library.
        from pdesurrogate.models.resampling_conv import ResamplingBlock

        down, up = range(1, self.levels + 1), range(self.levels - 1, -1, -1)
        depths = [0, *down, self.levels, *up, 0]  # of the grid that a layer goes to
        before = [0, *depths]  # of the grid that it comes from
        coarser = [max(pair) for pair in zip(before, depths, strict=False)]
        with redirect_stdout(StringIO()):  # the library prints its options
            return library.UNO(
                in_channels=in_channels,
                out_channels=out_channels,
                hidden_channels=self.width,
                n_layers=len(depths),
                uno_out_channels=[self.width * 2**depth for depth in depths],
                uno_n_modes=[[2 * max(self.modes >> depth, 1) + 1] * 2 for depth in coarser],
                uno_scalings=[
                    [2.0 ** (here - there)] * 2 for here, there in zip(before, depths, strict=False)
                ],
                positional_embedding=None,
                channel_mlp_skip="linear",  # soft gating keeps the number of channels
                operator_block=ResamplingBlock,
            )
