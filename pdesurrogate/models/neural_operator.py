"""What all networks of the neuraloperator library need to serve our grids."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Padding
from pdesurrogate.models.blocks import across_the_pole
from pdesurrogate.models.single_precision import widened

__all__ = ["FourierNeuralOperator", "OperatorNorm", "neural_operator_library", "weights_alone"]

OperatorNorm = Literal["none", "instance", "group"]
"""Normalisation of each layer, by the library's names."""


def neural_operator_library() -> Any:
    """The library's models.

    Imported when a network is built because it takes seconds, and guarded because it changes the
    warning filters of the whole process.
    """
    with warnings.catch_warnings():
        import neuralop.models
    return neuralop.models


class FourierNeuralOperator(nn.Module):
    """Fits neuraloperator's network to grids with edges, and to its neighbours here.

    Computes in single precision, as the library's Fourier layers do; refuses double.

    Args:
        operator: The library's network.
        modes: Highest wavenumber that it keeps along each axis.
        edges: How the field continues along y and x, from `Grid.padding`.
        name: What messages call it, with its article.
        coarsening: How much coarser its coarsest grid is, on which it keeps so many fewer modes.
    """

    def __init__(
        self,
        operator: nn.Module,
        modes: int,
        edges: tuple[Padding, Padding],
        name: str,
        coarsening: int = 1,
    ) -> None:
        super().__init__()
        self.operator = operator
        self._modes = modes
        self._edges = edges
        self._name = name
        self._coarsening = coarsening
        _transform_in_single_precision(operator)

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Apply the operator to the periodic continuation of `v`.

        Raises:
            ValueError: If the grid is too coarse for the modes, or cannot be transformed, or the
                input is not in single precision.
        """
        if v.dtype == torch.float64:
            raise ValueError(
                f"{self._name} computes in single precision only; call float() on network and input"
            )
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
            ValueError: If a side has no more than `2 * modes` points, if it cannot be coarsened, or
                if the coarsest grid has an odd number of points along y.
        """
        times = tuple(1 if edge == "circular" else 2 for edge in self._edges)
        ny, nx = (n * copies for n, copies in zip(num_points, times, strict=True))
        name, coarsening = self._name, self._coarsening
        if min(ny, nx) <= 2 * max(self._modes, coarsening):
            raise ValueError(
                f"a grid of {num_points[0]} x {num_points[1]} points is too coarse for {name} of "
                f"{self._modes} modes; at most {(min(ny, nx) - 1) // 2} modes fit"
            )
        # The library undoes its centring of the spectrum by centring it again, which is wrong by
        # one row when their number is odd.
        for n, copies, multiple, axis in zip(
            num_points, times, (2 * coarsening, coarsening), "yx", strict=True
        ):
            if n * copies % multiple:
                step = multiple // copies
                need = "an even number" if step == 2 else f"a multiple of {step}"
                raise ValueError(
                    f"{name} needs {need} of points along {axis}, got {n}; "
                    f"nearest that work: {n - n % step} and {n + -n % step}"
                )

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The weights alone."""
        return weights_alone(super().state_dict(*args, **kwargs))


def _transform_in_single_precision(operator: nn.Module) -> None:
    """Let Fourier layers take what bfloat16 layers hand them: the transforms know no bfloat16."""
    from neuralop.layers.base_spectral_conv import BaseSpectralConv

    for part in operator.modules():
        if isinstance(part, BaseSpectralConv):
            part.register_forward_pre_hook(_widen_input)


def _widen_input(part: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (widened(given[0]), *given[1:])


def weights_alone(state: dict[str, Any]) -> dict[str, Any]:
    """What `state_dict` of a network around the library's returns.

    The library adds its constructor's arguments, which neither safetensors nor the
    `load_state_dict` of an enclosing module can take.
    """
    state.pop("_metadata", None)
    return state
