"""A network for a grid twice as fine, on top of one for the grid that it is trained on before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Channel, ClosedBox, GaussianSphere, Grid, OpenBox, PeriodicBox
from pdesurrogate.models.blocks import ConvStyle
from pdesurrogate.models.extension import fine_level
from pdesurrogate.models.options import require_at_least
from pdesurrogate.models.spaces import Haar, Space
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.spectral_spaces import Spectral
from pdesurrogate.models.unet import UNet

__all__ = ["Extended", "rung_space"]


@dataclass(frozen=True)
class Extended(ModelSpec):
    r"""Any model for the grid half as fine, and a finer level on top.

    $$ U(v) = Q\,U_\mathrm{base}(P v) + G(v \oplus Q\,U_\mathrm{base}(P v)), \qquad G = 0
       \text{ at first} $$

    It starts as the exact embedding of what the base answers on the coarse grid, and learns what
    only the fine grid knows. The network's `bottleneck` is the base's network: to keep what that
    was trained to, fill it with the trained weights and freeze it. `Extended(Extended(base))` is
    two levels on top, for a grid four times as fine.

    Input channels are all projected alike. Those of parameters stay constant in space, so that a
    base which is modulated by them goes as well; the finer level takes them as channels. The parts
    of a wind on a sphere are projected as if they were scalars, whereas a dataset restricts them
    through vorticity and divergence: near the poles the base is not given what it was trained on.

    What the base promises of its output, such as a flow without divergence, the sum does not.

    Args:
        base: The model of the coarse grid; must be given.
        width: Channels of the finer level's residual `G`.
        space: The nested spaces of `P` and `Q`; None for those in which a ladder of such grids is
            observed, see `rung_space`.

    Raises:
        ValueError: If `base` is no model, `space` no space, or `width` below 1.
    """

    # It may be None so that programs that go through all options need not do so for ever.
    base: ModelSpec | None = None
    width: int = 32
    space: Space | None = None

    def __post_init__(self) -> None:
        require_at_least(self, width=1)
        for name, kind in (("base", ModelSpec), ("space", Space)):
            value = getattr(self, name)
            if not isinstance(value, kind) and not (name == "space" and value is None):
                raise ValueError(f"Extended.{name} must be a {kind.__name__}, got {value!r}")

    @property
    def coarse(self) -> ModelSpec:
        """The base, which is there."""
        assert self.base is not None  # as was checked
        return self.base

    @property
    def learning_rate(self) -> float:
        """That of the base."""
        return self.coarse.learning_rate

    @property
    def is_users_own(self) -> bool:
        """As the base."""
        return super().is_users_own or self.coarse.is_users_own

    @property
    def least_parameters(self) -> int:
        """As many as the base needs."""
        return self.coarse.least_parameters

    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse what the base refuses.

        Raises:
            ValueError: As the base does.
        """
        self.coarse.check_fields(fields, statistics, predicts_change, bundle)

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        """The network, freshly initialised.

        Raises:
            ValueError: If the grid cannot be halved, it is not known how to, or as the base does.
        """
        coarse = self.coarse.build(in_channels, out_channels, _halved(grid))
        return self._on(coarse, in_channels, out_channels, grid)

    def build_conditioned(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> UNet:
        """The network; the base is told which channels are parameters.

        Raises:
            ValueError: As for `build`.
        """
        coarse = self.coarse.build_conditioned(in_channels, out_channels, _halved(grid), parameters)
        return self._on(coarse, in_channels, out_channels, grid)

    def _on(self, coarse: nn.Module, in_channels: int, out_channels: int, grid: Grid) -> UNet:
        space = self.space if self.space is not None else rung_space(grid)
        style = ConvStyle(grid.padding)
        level = fine_level(in_channels, out_channels, style, space, self.width)
        unet = UNet(levels=[level], bottleneck=coarse)
        unet.check_grid_size(grid.num_points)
        return unet


def rung_space(grid: Grid) -> Space:
    """The nested spaces of a ladder: their maps are `R` and `Q` of `pdesurrogate.transfer`.

    `Spectral` where rungs are truncations, on periodic boxes and spheres, `Haar` where they are
    averages over cells. So the projection of what is observed on a rung is what is observed on the
    next coarser one, to rounding.

    Args:
        grid: Any rung.

    Raises:
        ValueError: If nothing is known of such grids.
    """
    if isinstance(grid, PeriodicBox | GaussianSphere):
        return Spectral()
    if isinstance(grid, ClosedBox | Channel | OpenBox):
        return Haar()
    raise ValueError(
        f"no nested spaces are known for a {type(grid).__name__}: say which, such as space=Haar()"
    )


def _halved(grid: Grid) -> Grid:
    """The next coarser rung."""
    ny, nx = grid.num_points
    if ny % 2 or nx % 2:
        raise ValueError(f"a grid of {ny} x {nx} points is not twice as fine as another")
    try:
        return grid.at_resolution(ny // 2)
    except ValueError as error:  # too small, or a sphere with an odd number of latitudes
        raise ValueError(f"a grid of {ny} x {nx} points cannot be halved: {error}") from error
