"""The contract between a model's description and the network that is built from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from pdesurrogate.fields import Field, FieldStatistics
from pdesurrogate.grids import Grid

__all__ = ["ModelSpec"]


@dataclass(frozen=True)
class ModelSpec(ABC):
    """What a user chooses of a model: plain numbers, no weights, no resolution.

    A subclass is a frozen dataclass whose fields are the model's options; `--model NAME` names the
    subclass and `--model.field value` sets a field. `build` makes the network once the channels
    are known from the data.
    """

    @property
    def learning_rate(self) -> float:
        """AdamW's peak rate at which the model learns best, as far as it was searched.

        A comparison in which one model is trained badly says nothing, so each brings its own.
        """
        return 2e-3

    @property
    def keeps_to_a_space(self) -> bool:
        """Whether what is predicted obeys conditions that an added change would break."""
        return False

    @property
    def is_users_own(self) -> bool:
        """Whether building and applying the network runs code that is not this package's."""
        return type(self).__module__.partition(".")[0] != "pdesurrogate"

    @abstractmethod
    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        """The network, freshly initialised.

        Args:
            in_channels: Channels of the input: `history` frames of every field, then one for every
                static field and parameter that the network is conditioned on, then one for every
                field's change by transport if the network sees that.
            out_channels: Channels of the output: the next frame of every field, or as many frames
                in a row as are predicted at once, oldest first.
            grid: Says how fields continue beyond the edges (`grid.padding`). Its number of points
                must not enter the network: the same weights serve every grid of the ladder.

        Returns:
            A module from `(batch, in_channels, y, x)` to `(batch, out_channels, y, x)`.
        """

    def check_fields(
        self,
        fields: Sequence[Field],
        statistics: FieldStatistics,
        predicts_change: bool,
        bundle: int = 1,
    ) -> None:
        """Refuse data for which the network could not promise what it is built to.

        By default nothing is refused: most networks do not care what the fields are.

        Args:
            fields: The predicted fields, in channel order.
            statistics: Their normalisation.
            predicts_change: Whether the network predicts changes or the next frame itself.
            bundle: Frames that it predicts at once.

        Raises:
            ValueError: Says in one sentence what does not fit.
        """
        return

    def build_conditioned(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: tuple[int, ...]
    ) -> nn.Module:
        """The network, told which of its input channels are constant in space.

        What trains and loads calls this. By default parameters are channels like all others.

        Args:
            in_channels: As for `build`.
            out_channels: As for `build`.
            grid: As for `build`.
            parameters: Input channels that are parameters of the trajectory.
        """
        return self.build(in_channels, out_channels, grid)

    @property
    def least_parameters(self) -> int:
        """How many channels of the input must be parameters of the trajectory."""
        return 0

    def build_measured(
        self, in_channels: int, out_channels: int, grid: Grid, parameters: int | None = None
    ) -> nn.Module:
        """The network as one looks at it without data: parameters are the last channels.

        Args:
            in_channels: As for `build`, parameters included.
            out_channels: As for `build`.
            grid: As for `build`.
            parameters: How many of the last input channels are parameters; as few as the model
                needs if not said.

        Raises:
            ValueError: If no channel would be left for the fields.
        """
        parameters = self.least_parameters if parameters is None else parameters
        if not 0 <= parameters < in_channels:
            raise ValueError(
                f"parameters must be 0 to {in_channels - 1}, fewer than the {in_channels} channels "
                f"of the input, got {parameters}"
            )
        told = tuple(range(in_channels - parameters, in_channels))
        return self.build_conditioned(in_channels, out_channels, grid, told)
