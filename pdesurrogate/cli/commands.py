"""The commands: what each accepts, and what it does with it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import jsonargparse

import pdesurrogate.metrics
import pdesurrogate.models
from pdesurrogate.cli.checking import check
from pdesurrogate.cli.costs import describe_cost
from pdesurrogate.cli.extending import extend_parser, run_extend
from pdesurrogate.cli.info import describe
from pdesurrogate.cli.networks import MODELS_HELP, allowed_models, model_names
from pdesurrogate.cli.origins import (
    extensions_before,
    lines_before,
    measuring_line,
    written_out,
)
from pdesurrogate.cli.parsing import Parser
from pdesurrogate.cli.rates import show_rates
from pdesurrogate.cli.scaling import run_scaling, scaling_parser
from pdesurrogate.cli.sweeping import run_sweep, sweep_parser, train_seeds
from pdesurrogate.cli.training_parts import training_parts
from pdesurrogate.data import Recipe, generate, list_recipes, open_dataset
from pdesurrogate.demo import DemoConfig, run_demo
from pdesurrogate.evaluation import evaluate, parts_beside, remove_parts, write_evaluation
from pdesurrogate.evaluation.protocols import known_protocols
from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import ModelSpec
from pdesurrogate.models.matching import Target
from pdesurrogate.models.part import Part
from pdesurrogate.report import write_report
from pdesurrogate.training import TrainingConfig, find_learning_rate, train

__all__ = ["COMMANDS", "Command", "model_names"]

_PARAMETERS_HELP = (
    "how many of the last input channels are parameters of the trajectory; 1 for a model with "
    "film, else 0, if not said"
)

jsonargparse.set_parsing_settings(subclasses_enabled=[ModelSpec, Part])


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Args:
        summary: What the help says.
        parser: Makes its parser.
        run: Does it, given the instantiated arguments.
    """

    summary: str
    parser: Callable[[], Parser]
    run: Callable[[Any], None]


def _demo_parser() -> Parser:
    parser = Parser(description="Generate, train, evaluate and report on a small ladder of grids.")
    parser.add_argument("--out", type=str, default="demo", help="folder for everything")
    parser.add_argument("--overwrite", action="store_true", help="start again from nothing")
    parser.add_class_arguments(DemoConfig, None)
    return parser


def _demo(arguments: Any) -> None:
    config = DemoConfig(**_picked(arguments, DemoConfig))
    print(run_demo(Path(arguments.out), config, overwrite=arguments.overwrite))


def _list_parser() -> Parser:
    parser = Parser(description="List what can be named on the command line.")
    parser.add_argument(
        "what",
        type=Literal["datasets", "models", "metrics", "protocols", "objectives", "losses"],
        help="kind of thing to list",
    )
    return parser


def _list(arguments: Any) -> None:
    listings: dict[str, Callable[[], dict[str, str]]] = {
        "datasets": list_recipes,
        "models": lambda: _summaries(pdesurrogate.models, model_names()),
        "metrics": lambda: _summaries(pdesurrogate.metrics, pdesurrogate.metrics.__all__),
        "protocols": lambda: {
            name: _first_line(protocol) for name, protocol in known_protocols().items()
        },
        "objectives": lambda: {
            name: _first_line(kind) for name, kind in training_parts()["objective"].items()
        },
        "losses": lambda: {
            name: _first_line(kind) for name, kind in training_parts()["loss"].items()
        },
    }
    rows = listings[arguments.what]()
    width = max(len(name) for name in rows)
    for name, summary in rows.items():
        print(f"{name:{width}}  {summary}")


def _generate_parser() -> Parser:
    parser = Parser(description="Simulate a recipe's trajectories on a ladder of grids.")
    parser.add_argument("recipe", type=str, help="a recipe's name or a YAML file")
    parser.add_argument("--config", action="config", help="a YAML file with recipe fields")
    parser.add_argument("--out", type=str, required=True, help="folder of the dataset")
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--workers", type=int | None, default=None, help="processes; one per core by default"
    )
    parser.add_argument(
        "--scheduler", type=str | None, default=None, help="address of a dask scheduler"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another dataset")
    parser.add_class_arguments(Recipe, None)
    return parser


def _generate(arguments: Any) -> None:
    default_workers = 1 if arguments.device.startswith("cuda") else os.cpu_count() or 1
    data = generate(
        Recipe(**_picked(arguments, Recipe)),
        arguments.out,
        workers=default_workers if arguments.workers is None else arguments.workers,
        scheduler=arguments.scheduler,
        device=arguments.device,
        overwrite=arguments.overwrite,
    )
    print(data.path)


def _train_parser() -> Parser:
    parser = Parser(description="Train a surrogate on one rung of a dataset.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--data", type=str, required=True, help="folder of the dataset")
    parser.add_argument("--model", type=ModelSpec, required=True, help="the model and its options")
    parser.add_argument("--resolution", type=int, required=True, help="the rung to train on")
    parser.add_argument("--out", type=str, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in the folder")
    parser.add_argument(
        "--seeds", type=list[int] | None, default=None, help="train one run for each, in OUT/seed-N"
    )
    parser.add_class_arguments(TrainingConfig, None)
    return parser


def _train(arguments: Any) -> None:
    if arguments.seeds is not None:
        train_seeds(arguments, TrainingConfig(**_picked(arguments, TrainingConfig)))
        return
    surrogate = train(
        arguments.model,
        open_dataset(arguments.data),
        arguments.resolution,
        arguments.out,
        TrainingConfig(**_picked(arguments, TrainingConfig)),
        resume=arguments.resume,
        overwrite=arguments.overwrite,
    )
    print(f"{arguments.out}: {surrogate.info.parameters:,} parameters")


def _find_rate_parser() -> Parser:
    parser = Parser(
        description="Train a little at ever higher rates, and see where the loss turns."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--data", type=str, required=True, help="folder of the dataset")
    parser.add_argument("--model", type=ModelSpec, required=True, help="the model and its options")
    parser.add_argument("--resolution", type=int, required=True, help="the rung to train on")
    parser.add_argument("--lowest", type=float, default=1e-6, help="the first rate")
    parser.add_argument("--highest", type=float, default=1.0, help="the last rate")
    parser.add_argument("--steps", type=int, default=100, help="optimiser steps")
    parser.add_class_arguments(TrainingConfig, None)
    return parser


def _find_rate(arguments: Any) -> None:
    show_rates(
        find_learning_rate(
            arguments.model,
            open_dataset(arguments.data),
            arguments.resolution,
            TrainingConfig(**_picked(arguments, TrainingConfig)),
            lowest=arguments.lowest,
            highest=arguments.highest,
            steps=arguments.steps,
        )
    )


def _evaluate_parser() -> Parser:
    parser = Parser(description="Walk runs and baselines up the ladder of grids.")
    parser.add_argument("runs", type=str, nargs="+", help="folders of finished runs")
    parser.add_argument("--data", type=str, required=True, help="folder of the dataset")
    parser.add_argument("--resolutions", type=list[int], required=True, help="rungs to walk")
    parser.add_argument(
        "--protocols",
        type=list[str] | None,
        default=None,
        help="how to go to a finer grid; by default in every way that goes, but for polyphase",
    )
    parser.add_argument("--out", type=str, required=True, help="netCDF file to write")
    parser.add_argument("--num_steps", type=int | None, default=None, help="frames to predict")
    parser.add_argument(
        "--num_trajectories", type=int | None, default=None, help="test trajectories to use"
    )
    parser.add_argument(
        "--batch_size", type=int | None, default=None, help="trajectories stepped at once"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument(
        "--other_data", action="store_true", help="allow runs trained on another dataset that fits"
    )
    parser.add_argument(
        "--equal_cost",
        type=bool,
        default=True,
        help="true or false: measure which solver costs as much as a run, and evaluate it, too",
    )
    parser.add_argument("--models", type=list[str], default=[], help=MODELS_HELP)
    parser.add_argument("--device", type=str, default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the file, and parts of other settings"
    )
    return parser


def _evaluate(arguments: Any) -> None:
    out = Path(arguments.out)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise ValueError(f"{out} must be a file in a folder that exists")
    if out.exists() and not arguments.overwrite:
        raise FileExistsError(f"{out} exists; give --overwrite to replace it")
    models, parts = allowed_models(arguments.models), parts_beside(out)
    table = evaluate(
        arguments.runs,
        open_dataset(arguments.data),
        arguments.resolutions,
        arguments.protocols,
        num_steps=arguments.num_steps,
        num_trajectories=arguments.num_trajectories,
        batch_size=arguments.batch_size,
        workers=arguments.workers,
        parts=parts,
        overwrite=arguments.overwrite,
        other_data=arguments.other_data,
        equal_cost=arguments.equal_cost,
        device=arguments.device,
        commands=commands_of(arguments),
        specs=models,
    )
    write_evaluation(table, out)
    remove_parts(parts)
    print(out)


def commands_of(arguments: Any) -> list[str]:
    """The command lines that make an evaluation again from the recipe and the configurations."""
    data, runs = arguments.data, list(arguments.runs)
    optional = {"num_steps": None, "num_trajectories": None, "batch_size": None, "device": "cpu"}
    line = measuring_line("evaluate", arguments, optional)
    if arguments.protocols is not None:
        line += ["--protocols", f"[{', '.join(arguments.protocols)}]"]
    if not arguments.equal_cost:
        line += ["--equal_cost", "false"]
    extended = arguments.protocols is None or "extended" in arguments.protocols
    rungs = arguments.resolutions if extended else []
    return written_out([*lines_before(data, runs), *extensions_before(data, runs, rungs), line])


def _report_parser() -> Parser:
    parser = Parser(description="Write evaluations as one self-contained HTML page.")
    parser.add_argument("evaluations", type=str, nargs="+", help="files of evaluate and scaling")
    parser.add_argument("--out", type=str, required=True, help="HTML file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the file")
    return parser


def _report(arguments: Any) -> None:
    print(write_report(arguments.evaluations, arguments.out, overwrite=arguments.overwrite))


def _info_parser() -> Parser:
    parser = Parser(description="Say what a dataset, a run or an evaluation holds.")
    parser.add_argument("path", type=str, help="a dataset, a run, or an evaluation file")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    parser.add_argument(
        "--verify", action="store_true", help="recompute a dataset's checksums as well"
    )
    parser.add_argument("--models", type=list[str], default=[], help=MODELS_HELP)
    return parser


def _info(arguments: Any) -> None:
    print(
        describe(
            Path(arguments.path),
            as_json=arguments.json,
            verify=arguments.verify,
            specs=allowed_models(arguments.models),
        )
    )


def _check_parser() -> Parser:
    parser = Parser(
        description="Hold a model to what every model here promises, and print the verdicts."
    )
    parser.add_argument(
        "--model", type=ModelSpec, required=True, help="MODEL: a name or a path; and its options"
    )
    parser.add_argument("--in_channels", type=int, default=3, help="channels of the input")
    parser.add_argument("--out_channels", type=int, default=2, help="channels of the output")
    parser.add_argument("--resolution", type=int, default=32, help="points per side of the grid")
    parser.add_argument(
        "--parameter_channels", type=int | None, default=None, help=_PARAMETERS_HELP
    )
    return parser


def _check(arguments: Any) -> None:
    check(
        arguments.model,
        arguments.in_channels,
        arguments.out_channels,
        arguments.resolution,
        arguments.parameter_channels,
    )


def _count_parser() -> Parser:
    parser = Parser(description="Count and measure what a model costs on a square grid.")
    parser.add_argument("--model", type=ModelSpec, required=True, help="the model and its options")
    parser.add_argument("--resolution", type=int, required=True, help="points a side")
    parser.add_argument("--in_channels", type=int, required=True, help="channels of the input")
    parser.add_argument("--out_channels", type=int, required=True, help="channels of the output")
    parser.add_argument(
        "--parameter_channels", type=int | None, default=None, help=_PARAMETERS_HELP
    )
    parser.add_argument(
        "--target", type=Target | None, default=None, help="choose the width by this count"
    )
    parser.add_argument("--value", type=int | None, default=None, help="what it should be")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


def _count(arguments: Any) -> None:
    print(
        describe_cost(
            arguments.model,
            PeriodicBox((arguments.resolution, arguments.resolution)),
            arguments.in_channels,
            arguments.out_channels,
            parameters=arguments.parameter_channels,
            target=arguments.target,
            value=arguments.value,
            as_json=arguments.json,
        )
    )


def _picked(arguments: Any, kind: type) -> dict[str, Any]:
    """The arguments that are fields of a dataclass."""
    return {f.name: arguments[f.name] for f in fields(kind)}


def _summaries(module: Any, names: list[str]) -> dict[str, str]:
    return {name: _first_line(getattr(module, name)) for name in names}


def _first_line(documented: Any) -> str:
    line = (documented.__doc__ or "").strip().partition("\n")[0]
    # Formulas are for the pages of the documentation.
    return re.sub(r",? ?[:=]? ?\$[^$]*\$", "", line)


COMMANDS = {
    "demo": Command("the whole journey on a small ladder", _demo_parser, _demo),
    "list": Command("what can be named", _list_parser, _list),
    "generate": Command("simulate a dataset", _generate_parser, _generate),
    "check-model": Command("hold a model to the contract", _check_parser, _check),
    "count": Command("count what a model costs", _count_parser, _count),
    "find-rate": Command("look for a learning rate", _find_rate_parser, _find_rate),
    "train": Command("train a surrogate", _train_parser, _train),
    "sweep": Command("train models, settings and seeds", sweep_parser, run_sweep),
    "extend": Command("teach runs finer grids", extend_parser, run_extend),
    "evaluate": Command("measure surrogates on every grid", _evaluate_parser, _evaluate),
    "scaling": Command("measure the scaling limit of surrogates", scaling_parser, run_scaling),
    "report": Command("write a page about evaluations", _report_parser, _report),
    "info": Command("describe a dataset, a run or an evaluation", _info_parser, _info),
}
