"""The command that teaches finished runs finer grids."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from typing import Any

from pdesurrogate.cli.networks import allowed_models
from pdesurrogate.cli.origins import EXTENSION_OPTIONS
from pdesurrogate.cli.parsing import Parser
from pdesurrogate.data import open_dataset
from pdesurrogate.surrogate import Extension, extension_directory
from pdesurrogate.training import EXTENSION_DEFAULTS, extend

__all__ = ["extend_parser", "run_extend"]


def extend_parser() -> Parser:
    """The parser of `extend`."""
    parser = Parser(
        description="Train finer levels on top of finished runs, from a few fine trajectories."
    )
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs")
    parser.add_argument("--data", type=str, required=True, help="folder of the dataset")
    parser.add_argument("--resolutions", type=list[int], required=True, help="the finer rungs")
    parser.add_argument(
        "--trajectories",
        type=int | None,
        default=None,
        help="training trajectories of a finer rung that are used; a tenth of them by default",
    )
    for option, kind in EXTENSION_OPTIONS.items():
        parser.add_argument(
            f"--{option}",
            type=kind,
            default=getattr(EXTENSION_DEFAULTS, option),
            help=f"see `train --{option}`",
        )
    parser.add_class_arguments(Extension, None)
    parser.add_argument("--models", type=list[str], default=[], help="see `evaluate --models`")
    parser.add_argument("--resume", action="store_true", help="continue interrupted trainings")
    parser.add_argument("--overwrite", action="store_true", help="replace extensions")
    return parser


def run_extend(arguments: Any) -> None:
    """Extend every run to every rung, and say what lies where."""
    data = open_dataset(arguments.data)
    specs = tuple(allowed_models(arguments.models))
    extension = Extension(**{f.name: arguments[f.name] for f in fields(Extension)})
    config = replace(
        EXTENSION_DEFAULTS, **{option: arguments[option] for option in EXTENSION_OPTIONS}
    )
    for run in arguments.runs:
        for resolution in arguments.resolutions:
            extended = extend(
                run,
                data,
                resolution,
                trajectories=arguments.trajectories,
                extension=extension,
                config=config,
                resume=arguments.resume,
                overwrite=arguments.overwrite,
                specs=specs,
            )
            where = os.fspath(extension_directory(run, resolution))
            print(f"{where}: {extended.info.parameters:,} parameters")
