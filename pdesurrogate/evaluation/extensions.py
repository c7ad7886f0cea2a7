"""The extensions of a run: finer levels that lie in its directory."""

from __future__ import annotations

from pathlib import Path

from pdesurrogate.data import Ladder
from pdesurrogate.surrogate import Surrogate, extension_directory, load_extension

__all__ = ["extensions_of"]


def extensions_of(
    surrogate: Surrogate, run: Path, data: Ladder, resolutions: tuple[int, ...], device: str
) -> dict[int, Surrogate]:
    """What a run was extended by, by the resolution of the finer grid.

    Args:
        surrogate: The run's surrogate.
        run: Its directory.
        data: The dataset, which knows the physics.
        resolutions: The rungs that are wanted.
        device: Where they are to compute.

    Raises:
        ValueError: If an extension is damaged, extends other weights or is of another grid.
    """
    carrier = data.equation.carrier(surrogate.info.fields)
    found = {}
    for resolution in resolutions:
        directory = extension_directory(run, resolution)
        if (directory / "surrogate.json").is_file():
            extended = load_extension(surrogate, directory, carrier)
            of_grid = extended.info.training_grid.resolution
            if of_grid != resolution:
                raise ValueError(
                    f"{directory} holds the extension to {of_grid}: it was moved there"
                )
            found[resolution] = extended.to(device)
    return found
