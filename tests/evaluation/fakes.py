"""Surrogates whose predictions are known beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from pdesurrogate.data import Ladder
from pdesurrogate.evaluation.protocols import TransferProtocol
from pdesurrogate.evaluation.schema import RunLabel
from pdesurrogate.fields import FieldStatistics
from pdesurrogate.grids import Grid
from pdesurrogate.surrogate import Surrogate, SurrogateInfo

__all__ = ["Answering", "FakeEntry", "fake_surrogate", "grow", "keep", "overflow"]


class Answering(nn.Module):
    """A network made of a function of the flattened window, which counts its calls."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.calls = 0

    def forward(self, window: Tensor) -> Tensor:
        self.calls += 1
        return self.answer(window)


def fake_surrogate(
    data: Ladder,
    answer: Callable[[Tensor], Tensor],
    *,
    fields: tuple[str, ...] = ("vorticity",),
    history: int = 1,
    resolution: int = 16,
    **changes: Any,
) -> Surrogate:
    """A surrogate that predicts `answer(window)` in physical units."""
    nothing, one = (0.0,) * len(fields), (1.0,) * len(fields)
    info = SurrogateInfo(
        name="fake",
        model="Answering",
        options={},
        fields=tuple(data.fields[name] for name in fields),
        history=history,
        time_step=data.time_step,
        statistics=FieldStatistics(fields, nothing, one, one),
        predicts_change=False,
        grid=data.grid(resolution).to_dict(),
        dataset=data.name,
        dataset_sha256=data.sha256,
        parameters=12,
        flops=34,
        training_seconds=5.0,
        epochs=6,
        seed=7,
    )
    return Surrogate(Answering(answer), replace(info, **changes))


def keep(window: Tensor) -> Tensor:
    """Persistence, as a network of one frame."""
    return window


class FakeEntry:
    """An entry that yields what it is told, frame by frame."""

    is_forecast = True
    bundle = 1

    def __init__(self, frames: list[Tensor], fields: tuple[str, ...], band_grid: Grid) -> None:
        self.frames, self.fields, self.band_grid = frames, fields, band_grid
        self.label = RunLabel("told", "surrogate", "Told")

    def takes_part(self, protocol: TransferProtocol, resolution: int) -> bool:
        return True

    def predict(self, frames: object, protocol: TransferProtocol) -> Any:
        yield from self.frames


def overflow(window: Tensor) -> Tensor:
    """A network that breaks: its second frame is not finite."""
    return 1e20 * window


def grow(window: Tensor) -> Tensor:
    """A network that blows up at its second frame, and stays finite."""
    return 5 * window
