"""The spherical Fourier neural operator, adapted from the neuraloperator library."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import GaussianSphere, Grid
from pdesurrogate.models.neural_operator import neural_operator_library, weights_alone
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.single_precision import in_single_precision
from pdesurrogate.models.spec import ModelSpec

__all__ = ["SFNO", "SphericalNeuralOperator"]


@dataclass(frozen=True)
class SFNO(ModelSpec):
    r"""An FNO on the sphere: spherical harmonics take the place of the Fourier modes.

    $$ v_{l+1} = \mathrm{GELU}\bigl(\mathcal S^{-1} R_l \, \mathcal S v_l + W_l v_l\bigr) $$

    with one learned complex matrix $R_l(\ell)$ for each degree $\ell <$ `degrees`, the same for all
    orders: a filter that knows no direction, so that the network commutes with rotations about the
    axis. (Components of vectors are filtered as if they were scalars.) It needs a `GaussianSphere`
    of at least `degrees` latitudes and `2 * degrees` longitudes, and the package `torch-harmonics`.

    Args:
        degrees: Number of degrees kept.
        width: Channels of the spectral layers.
        layers: Number of spectral layers.

    Raises:
        ValueError: If a number is below its minimum.

    References:
        Bonev et al. (2023), *Spherical Fourier Neural Operators: Learning Stable Dynamics on the
        Sphere*.
    """

    degrees: int = 16
    width: int = 32
    layers: int = 4

    def __post_init__(self) -> None:
        require_at_least(self, degrees=1, width=2, layers=1)

    @property
    def learning_rate(self) -> float:
        """A third of the FNO's; not searched."""
        return 3e-3

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> SphericalNeuralOperator:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid is no sphere or too coarse for the degrees, or if
                `torch-harmonics` is not installed.
        """
        if not isinstance(grid, GaussianSphere):
            raise ValueError(f"an SFNO needs a GaussianSphere, got a {type(grid).__name__}")
        network = SphericalNeuralOperator(self._operator(in_channels, out_channels), self.degrees)
        network.check_grid_size(grid.num_points)
        return network

    def _operator(self, in_channels: int, out_channels: int) -> Any:
        if find_spec("torch_harmonics") is None:
            raise ValueError(
                "an SFNO needs torch-harmonics: pip install 'pdesurrogate[sphere-models]'"
            )
        from neuralop.layers.spherical_convolution import SphericalConv

        return neural_operator_library().FNO(
            # The library counts orders of both signs.
            n_modes=(self.degrees, 2 * self.degrees),
            in_channels=in_channels,
            out_channels=out_channels,
            hidden_channels=self.width,
            n_layers=self.layers,
            factorization="dense",
            conv_module=partial(SphericalConv, sht_grids="legendre-gauss"),
            positional_embedding=None,
        )


class SphericalNeuralOperator(nn.Module):
    """Fits neuraloperator's spherical network to its neighbours here.

    The library's latitudes run from north to south, ours from south to north. Filters without a
    direction do not notice. Computes in single precision, as the library's layers do.

    Args:
        operator: The library's network.
        degrees: Number of degrees that it keeps.
    """

    def __init__(self, operator: nn.Module, degrees: int) -> None:
        super().__init__()
        self.operator = operator
        self._degrees = degrees

    def forward(
        self, v: Float[Tensor, "batch c_in latitude longitude"]
    ) -> Float[Tensor, "batch c_out latitude longitude"]:
        """Apply the operator.

        Raises:
            ValueError: If the grid is too coarse for the degrees.
        """
        self.check_grid_size((v.shape[-2], v.shape[-1]))
        # All of it: the transforms are matrix products, which bfloat16 would spoil.
        return in_single_precision(self.operator, v)

    def check_grid_size(self, num_points: tuple[int, int]) -> None:
        """Refuse a grid that does not hold all degrees and orders.

        Args:
            num_points: Latitudes and longitudes.

        Raises:
            ValueError: If there are fewer than `degrees` latitudes or `2 * degrees` longitudes.
        """
        fitting = min(num_points[0], num_points[1] // 2)
        if fitting < self._degrees:
            raise ValueError(
                f"a sphere of {num_points[0]} x {num_points[1]} points is too coarse for "
                f"{self._degrees} degrees; at most {fitting} degrees fit"
            )

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The weights alone."""
        return weights_alone(super().state_dict(*args, **kwargs))
