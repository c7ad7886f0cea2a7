"""The Fourier neural operator, adapted from the neuraloperator library."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid, Padding
from pdesurrogate.models.blocks import across_the_pole
from pdesurrogate.models.options import require_at_least, require_choice
from pdesurrogate.models.spec import ModelSpec

__all__ = ["FNO", "FourierNeuralOperator"]

_Norm = Literal["none", "instance", "group"]


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
      and a network that is not told where it is commutes with translations as they do.
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
    norm: _Norm = "none"
    positional_embedding: bool = False

    def __post_init__(self) -> None:
        # With a channel perceptron of half the width, a width of one leaves it no hidden channel.
        require_at_least(self, modes=1, width=2, layers=1)
        require_choice(self, norm=get_args(_Norm))

    @property
    def learning_rate(self) -> float:
        """Five times that of the U-Nets; at theirs it learns too slowly to be compared."""
        return 1e-2

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> FourierNeuralOperator:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid is too coarse for the modes, or cannot be transformed.
        """
        # Imported here because it takes seconds, and guarded because it changes the warning filters
        # of the whole process.
        with warnings.catch_warnings():
            from neuralop.models import FNO as Operator  # noqa: N811

        operator = Operator(
            # The library counts modes of both signs.
            n_modes=(2 * self.modes + 1, 2 * self.modes + 1),
            in_channels=in_channels,
            out_channels=out_channels,
            hidden_channels=self.width,
            n_layers=self.layers,
            use_channel_mlp=self.channel_mlp,
            norm=None if self.norm == "none" else f"{self.norm}_norm",
            positional_embedding="grid" if self.positional_embedding else None,
        )
        network = FourierNeuralOperator(operator, self.modes, grid.padding)
        network.check_grid_size(grid.num_points)
        return network


class FourierNeuralOperator(nn.Module):
    """Fits neuraloperator's network to grids with edges, and to its neighbours here.

    Computes in single precision, as the library's Fourier layers do.

    Args:
        operator: The library's network.
        modes: Highest wavenumber that it keeps along each axis.
        edges: How the field continues along y and x, from `Grid.padding`.
    """

    def __init__(self, operator: nn.Module, modes: int, edges: tuple[Padding, Padding]) -> None:
        super().__init__()
        self.operator = operator
        self._modes = modes
        self._edges = edges

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Apply the operator to the periodic continuation of `v`.

        Raises:
            ValueError: If the grid is too coarse for the modes, or cannot be transformed.
        """
        ny, nx = v.shape[-2:]
        self.check_grid_size((ny, nx))
        for axis, edge in zip((-2, -1), self._edges, strict=True):
            if edge == "replicate":
                v = torch.cat([v, v.flip(axis)], dim=axis)
            elif edge == "polar":
                v = torch.cat([v, across_the_pole(v)], dim=axis)
        return self.operator(v)[..., :ny, :nx]

    def check_grid_size(self, num_points: tuple[int, int]) -> None:
        """Refuse a grid whose Fourier coefficients are not those that the weights belong to.

        Args:
            num_points: Points along y and x.

        Raises:
            ValueError: If a side has no more than `2 * modes` points, or y an odd number of them.
        """
        ny, nx = (
            n * (1 if edge == "circular" else 2)
            for n, edge in zip(num_points, self._edges, strict=True)
        )
        if min(ny, nx) <= 2 * self._modes:
            raise ValueError(
                f"a grid of {num_points[0]} x {num_points[1]} points is too coarse for an FNO of "
                f"{self._modes} modes; at most {(min(ny, nx) - 1) // 2} modes fit"
            )
        if ny % 2:
            # The library undoes its centring of the spectrum by centring it again, which is wrong
            # by one row when their number is odd.
            raise ValueError(
                f"an FNO needs an even number of points along y, got {num_points[0]}; "
                f"nearest that work: {num_points[0] - 1} and {num_points[0] + 1}"
            )

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The weights alone.

        The library adds its constructor's arguments, which neither safetensors nor the
        `load_state_dict` of an enclosing module can take.
        """
        state = super().state_dict(*args, **kwargs)
        state.pop("_metadata", None)
        return state
