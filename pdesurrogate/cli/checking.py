"""The verdicts on a model, as a table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from pdesurrogate.models import ModelSpec, check_model
from pdesurrogate.models.user_model import described

__all__ = ["check"]

_MARKS = {True: "[green]yes[/]", False: "[red]NO[/]", None: "[dim]-[/]"}


def check(
    spec: ModelSpec,
    in_channels: int,
    out_channels: int,
    resolution: int,
    parameters: int | None = None,
) -> None:
    """Print the verdicts on a model.

    Raises:
        ValueError: If it breaks a promise; the table has been shown by then.
    """
    verdicts = check_model(
        spec,
        in_channels=in_channels,
        out_channels=out_channels,
        resolution=resolution,
        parameters=parameters,
    )
    name, _ = described(spec)
    table = Table("the model", "", "found", title=name, title_justify="left")
    for verdict in verdicts:
        table.add_row(verdict.check, _MARKS[verdict.is_kept], verdict.finding)
    Console().print(table)
    broken = [verdict.check for verdict in verdicts if verdict.is_kept is False]
    if broken:
        raise ValueError(f"{name} breaks {len(broken)} of the promises: {'; '.join(broken)}")
