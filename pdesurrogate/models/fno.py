"""The Fourier neural operator, adapted from the neuraloperator library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from pdesurrogate.grids import Grid
from pdesurrogate.models.neural_operator import (
    FourierNeuralOperator,
    OperatorNorm,
    neural_operator_library,
)
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spec import ModelSpec

__all__ = ["FNO"]


@dataclass(frozen=True)
class FNO(ModelSpec):
    r"""Layers that act on the Fourier coefficients of a field, and point by point on its values.

    $$ v_{l+1} = \mathrm{GELU}\bigl(\mathcal F^{-1} R_l \, \mathcal F v_l + W_l v_l\bigr) $$

    with one learned complex matrix $R_l(k)$ for each $|k_y|, |k_x| \le$ `modes`, pointwise
    linear maps $W_l$, and, with `channel_mlp`, a pointwise perceptron after each layer. Grids need
    more than `2 * modes` points along y and x: then every coefficient means the same on every grid
    and nothing depends on the resolution but the aliasing of the nonlinearity.

    - Normalisation is off: its statistics run over the grid, so that the detail that only a finer
      grid shows would change the response to all the rest.
    - The positional embedding is off: on a periodic box the equations look the same everywhere,
      and a network that is not told where it is commutes with translations as they do. Where a
      force stands still, switch it on: it takes a sixth off the rollouts of a Kolmogorov flow.
    - Along a direction with walls the field is continued by even reflection, which makes it
      periodic on a box of twice the length; wavenumbers are those of that box. On a sphere it is
      continued across the pole instead, which closes the meridians to circles.

    Args:
        modes: Highest wavenumber kept along each axis.
        width: Channels of the Fourier layers.
        layers: Number of Fourier layers.
        channel_mlp: Whether a pointwise perceptron follows each Fourier layer.
        norm: `none`, or `instance` or `group` normalisation in each layer.
        positional_embedding: Whether the coordinates are appended to the input.

    Raises:
        ValueError: If a number is below 1 or `norm` is unknown.

    References:
        Li et al. (2021), *Fourier Neural Operator for Parametric Partial Differential Equations*.
        Kossaifi et al. (2024), *A Library for Learning Neural Operators*.
    """

    modes: int = 12
    width: int = 32
    layers: int = 4
    channel_mlp: bool = True
    norm: OperatorNorm = "none"
    positional_embedding: bool = False

    def __post_init__(self) -> None:
        # With a channel perceptron of half the width, a width of one leaves it no hidden channel.
        require_at_least(self, modes=1, width=2, layers=1)
        require_choice(self, norm=get_args(OperatorNorm))

    @property
    def _name(self) -> str:
        """What messages call it."""
        return "an FNO"

    @property
    def learning_rate(self) -> float:
        """1e-2 up to the default width, and lower in proportion to wider ones.

        Small networks need five times the rate of U-Nets: at theirs they learn too slowly to be
        compared.
        """
        return 1e-2 * min(1.0, 32 / self.width)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> FourierNeuralOperator:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid is too coarse for the modes, or cannot be transformed.
        """
        network = FourierNeuralOperator(
            self.operator(in_channels, out_channels), self.modes, grid.padding, self._name
        )
        network.check_grid_size(grid.num_points)
        return network

    def operator(self, in_channels: int, out_channels: int) -> Any:
        """The library's network."""
        return neural_operator_library().FNO(**self.operator_options(in_channels, out_channels))

    def operator_options(self, in_channels: int, out_channels: int) -> dict[str, Any]:
        """These options in the library's words."""
        return {
            # The library counts modes of both signs.
            "n_modes": (2 * self.modes + 1, 2 * self.modes + 1),
            "in_channels": in_channels,
            "out_channels": out_channels,
            "hidden_channels": self.width,
            "n_layers": self.layers,
            "use_channel_mlp": self.channel_mlp,
            "norm": None if self.norm == "none" else f"{self.norm}_norm",
            "positional_embedding": "grid" if self.positional_embedding else None,
        }
