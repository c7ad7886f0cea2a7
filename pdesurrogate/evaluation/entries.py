"""What takes part in an evaluation: surrogates and baselines, seen in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols import InformedStep, Native, Setting, TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.evaluation.stored_frames import StoredFrames
from pdesurrogate.frame_rollout import rollout_frames
from pdesurrogate.grids import Grid
from pdesurrogate.models.user_code import answering_for_part
from pdesurrogate.solvers import Equation
from pdesurrogate.surrogate import Surrogate, SurrogateInfo

__all__ = ["Entry", "Frames", "SurrogateEntry"]


@dataclass(frozen=True)
class Frames:
    """A batch of trajectories on one rung: what is given and what is to be predicted.

    Args:
        given: The frames that every entry may start from.
        truth: The frames that follow, which may lie in files until they are looked at.
        fields: What the channels of both are: fields, and parameters as constant channels.
        grid: Where they are sampled.
        variants: The equation that each trajectory follows; empty if all follow the dataset's own.
        time: Time of the last given frame, counted from the simulation's beginning.
    """

    given: Float[Tensor, "batch history channel y x"]
    truth: Float[Tensor, "batch lead_time channel y x"] | StoredFrames
    fields: tuple[str, ...]
    grid: Grid
    variants: tuple[Equation, ...] = ()
    time: float = 0.0

    @property
    def num_steps(self) -> int:
        """Frames to predict."""
        return self.truth.shape[1]

    def select(self, fields: tuple[str, ...]) -> Frames:
        """The same frames with these fields as channels."""
        channels = [self.fields.index(name) for name in fields]
        return replace(
            self, given=self.given[:, :, channels], truth=self.truth[:, :, channels], fields=fields
        )


@runtime_checkable
class Entry(Protocol):
    """One entry along `run`. Only the truncation floor looks at `Frames.truth`."""

    @property
    def label(self) -> RunLabel:
        """What is known of it."""
        ...

    @property
    def fields(self) -> tuple[str, ...]:
        """What it predicts, in channel order."""
        ...

    @property
    def band_grid(self) -> Grid:
        """The grid whose band tells in-band from out-of-band errors."""
        ...

    @property
    def is_forecast(self) -> bool:
        """Whether it predicts without knowing the truth, so that its time and fields count."""
        ...

    @property
    def bundle(self) -> int:
        """Frames that it predicts at once."""
        ...

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """Whether it is run under this protocol at this resolution."""
        ...

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """Predicted frames, `frames.num_steps` of them, one after the other."""
        ...


@dataclass(frozen=True)
class SurrogateEntry:
    """A surrogate, carried to the evaluation grid by a protocol.

    On its training grid every protocol is the surrogate itself, and it is run once, as `native`.

    Args:
        surrogate: On the device of the evaluation.
        label: What is known of it, with a name that is unique in the evaluation.
        band_grid: The grid whose band its error is split by: its training grid, or that of
            another surrogate which was trained on a coarser one and is to be compared with it.
        equation: The physics of the dataset; None where nobody knows.
        trust: See `Setting.trust`.
        extensions: What the surrogate was extended by, by the resolution of the finer grid, on the
            device of the evaluation.
    """

    surrogate: Surrogate
    label: RunLabel
    band_grid: Grid
    equation: Equation | None = None
    trust: tuple[float, ...] = ()
    extensions: Mapping[int, Surrogate] = field(default_factory=dict)
    is_forecast: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The surrogate's fields."""
        return self.surrogate.info.field_names

    @property
    def training_grid(self) -> Grid:
        """The grid that it was trained on."""
        return self.surrogate.info.training_grid

    @property
    def bundle(self) -> int:
        """Frames that a step of the surrogate predicts."""
        return self.surrogate.info.bundle

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        """On the training grid as `native`, on finer ones under every protocol that goes there."""
        trained = self.training_grid.resolution
        if resolution == trained:
            return isinstance(protocol, Native)
        return resolution > trained and self.reason_against(protocol, resolution) is None

    def reason_against(self, protocol: TransferProtocol, resolution: int) -> str | None:
        """Why a protocol does not go to a finer grid; None if it does."""
        setting = self.setting(self.training_grid.at_resolution(resolution))
        with answering_for_part(protocol):
            return protocol.reason_against(setting)

    def setting(self, grid: Grid, variants: Sequence[Equation] = ()) -> Setting:
        """What a protocol is told.

        Args:
            grid: The evaluation grid.
            variants: The equation of each trajectory, where they differ.
        """
        info = self.surrogate.info
        carrier = None
        if self.equation is not None:
            carrier = self.equation.carrier(info.fields, variants=variants)
        return Setting(
            training_grid=self.training_grid,
            evaluation_grid=grid,
            fields=info.fields,
            time_step=info.time_step,
            bundle=info.bundle,
            carrier=carrier,
            trust=self.trust,
            extension=self.extensions.get(grid.resolution),
            informed=(
                None if info.carried is None else InformedStep(self.surrogate.step, info.carried)
            ),
        )

    def predict(
        self, frames: Frames, protocol: TransferProtocol
    ) -> Iterator[Float[Tensor, "batch channel y x"]]:
        """Roll out from the last `history` given frames.

        Raises:
            ValueError: If the protocol gives fewer frames than a step predicts, or others, or is
                of the user's own and breaks down.
        """
        info = self.surrogate.info
        setting = self.setting(frames.grid, frames.variants)
        with answering_for_part(protocol):
            carried = protocol.carry(self.surrogate.step, setting)
        start = frames.select((*self.fields, *info.condition_names)).given[:, -info.history :]
        conditions = start[:, -1:, len(info.fields) :]

        def step(window: Float[Tensor, "batch time channel y x"]) -> Tensor:
            """The protocol's step, held to what it owes and given its conditions back."""
            # Frames further back would be carried for nothing.
            given = window[:, -info.history :]
            with answering_for_part(protocol):
                predicted = carried(given)
            _check_predicted(predicted, given, info, protocol.name)
            predicted = predicted[:, :, : len(info.fields)]
            if not info.conditioning:
                return predicted
            # Whatever a protocol does to a frame: a condition stays what it is.
            told = conditions.expand(-1, predicted.shape[1], -1, -1, -1)
            return torch.cat([predicted, told], dim=2)

        for frame in rollout_frames(step, start, frames.num_steps, info.bundle):
            yield frame[:, : len(info.fields)]


def _check_predicted(predicted: object, given: Tensor, info: SurrogateInfo, name: str) -> None:
    """Refuse what is no window of the evaluation grid, or not all that a step predicts."""
    if not isinstance(predicted, Tensor):
        raise ValueError(
            f"the protocol {name} must give a tensor, not a {type(predicted).__name__}"
        )
    batch, _, channels, *points = given.shape
    found = tuple(predicted.shape)
    is_window = len(found) == given.ndim and (found[0], *found[3:]) == (batch, *points)
    if not is_window or found[2] < len(info.fields):  # nobody looks at conditions
        raise ValueError(
            f"the protocol {name} must give a window of shape "
            f"({batch}, time, {channels}, {points[0]}, {points[1]}), not {found}"
        )
    if found[1] < info.bundle:
        raise ValueError(
            f"the protocol {name} gives {found[1]} of the {info.bundle} frames that a "
            "step predicts at once; it must give all, setting.bundle of them"
        )
