"""`pdesurrogate scaling`: whether networks on a ladder of grids tend to an operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pdesurrogate.cli.networks import MODELS_HELP, allowed_models
from pdesurrogate.cli.origins import lines_before, measuring_line, written_out
from pdesurrogate.cli.parsing import Parser
from pdesurrogate.data import open_dataset
from pdesurrogate.evaluation import measure_scaling, write_scaling
from pdesurrogate.surrogate import Surrogate

__all__ = ["run_scaling", "scaling_parser"]

_DEFAULTS: dict[str, int | str | None] = {
    "num_trajectories": None,
    "num_starts": 3,
    "random_seeds": 3,
    "fit_last": None,
    "split": "test",
    "device": "cpu",
}
"""Options that are repeated in the recorded command where they are not these."""


def scaling_parser() -> Parser:
    """The options of `pdesurrogate scaling`."""
    parser = Parser(
        description="Compare networks with themselves on every grid: commutation errors and their "
        "order, the two tasks apart, new detail, and losses by level."
    )
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs")
    parser.add_argument("--data", type=str, required=True, help="folder of the dataset")
    parser.add_argument(
        "--resolutions", type=list[int], required=True, help="the ladder up to its top"
    )
    parser.add_argument("--out", type=str, required=True, help="netCDF file to write")
    parser.add_argument(
        "--num_trajectories", type=int | None, default=None, help="trajectories to use; all if null"
    )
    parser.add_argument(
        "--num_starts", type=int, default=3, help="frames of each trajectory to start from"
    )
    parser.add_argument(
        "--random_seeds", type=int, default=3, help="untrained networks of each kind"
    )
    parser.add_argument(
        "--fit_last", type=int | None, default=None, help="finest rungs that orders are fitted to"
    )
    parser.add_argument("--split", type=str, default="test", help="train, valid or test")
    parser.add_argument(
        "--other_data", action="store_true", help="allow runs trained on another dataset that fits"
    )
    parser.add_argument("--models", type=list[str], default=[], help=MODELS_HELP)
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    return parser


def run_scaling(arguments: Any) -> None:
    """Measure, write the file, and print its path.

    Raises:
        ValueError: If the file cannot be one, or as `measure_scaling` does.
        FileExistsError: If the file exists and may not be replaced.
    """
    out = Path(arguments.out)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"{out} must be a file in a folder that exists")
    if out.exists() and not arguments.overwrite:
        raise FileExistsError(f"{out} exists; give --overwrite to replace it")
    models = allowed_models(arguments.models)
    scaling = measure_scaling(
        [Surrogate.load(run, specs=models) for run in arguments.runs],
        open_dataset(arguments.data),
        arguments.resolutions,
        other_data=arguments.other_data,
        specs=models,
        commands=_commands(arguments),
        **{name: arguments[name] for name in _DEFAULTS},
    )
    write_scaling(scaling, out)
    print(out)


def _commands(arguments: Any) -> list[str]:
    """The command lines that make the file again from the recipe and the configurations."""
    line = measuring_line("scaling", arguments, _DEFAULTS)
    return written_out([*lines_before(arguments.data, list(arguments.runs)), line])
