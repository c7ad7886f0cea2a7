"""How networks are best trained: one change at a time from a base.

    python -m benchmarks.training_defaults --folder /tmp/defaults --models fno --settings base,pos
    python -m benchmarks.training_defaults --folder /tmp/defaults --size paper --settings lr0.0002

Each row is one training on the demo's data, of one of the demo's networks or of one of the paper's
size, with the normalised RMS error after 1, 4, 8 and 12 frames on the test split, from three starts
in each trajectory. What a folder holds already is not computed again. A training takes one to three
minutes, of the paper's size ten to fifteen.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import pdesurrogate as ps
from benchmarks.measuring import write_table
from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.demo import DEMO_MODELS, DemoConfig, demo_data
from pdesurrogate.frame_rollout import rollout_frames
from pdesurrogate.metrics import nrmse
from pdesurrogate.models import FNO, ModelSpec, MultiResNet, ResidualUNet
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import (
    H1,
    Curriculum,
    CutGradients,
    Pushforward,
    RelativeL2,
    TrainingConfig,
    Unrolled,
)

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Base:
    """What a setting is a change of.

    Args:
        models: The networks by name.
        rates: Their peak rates, whatever the models' own have become.
        epochs: Passes over the windows.
        batch_size: Windows of a step.
    """

    models: dict[str, ModelSpec]
    rates: dict[str, float]
    epochs: int
    batch_size: int


BASES = {
    "demo": Base(
        models={**DEMO_MODELS, "fno": FNO(width=14, modes=12)},
        rates={"multi-resnet": 2e-3, "residual-unet": 2e-3, "fno": 1e-2},
        epochs=DemoConfig().epochs,
        batch_size=16,
    ),
    "paper": Base(
        models={
            "multi-resnet": MultiResNet(width=64, levels=4),
            "residual-unet": ResidualUNet(width=64, levels=4, norm="group"),
            "fno": FNO(width=115, modes=12, positional_embedding=True),
        },
        rates={"multi-resnet": 1e-3, "residual-unet": 1e-3, "fno": 2e-3},
        epochs=8,
        batch_size=8,
    ),
}
"""By size. The demo's FNO is not told where it is, unlike that of `pdesurrogate demo`; the paper's
networks have 15.7, 34.5 and (ours, for it had none) 34.5 million parameters."""

LEADS = (1, 4, 8, 12)
STARTS = (3, 8, 12)
"""Last given frames; every history up to four frames has them."""


@dataclass(frozen=True)
class Setting:
    """A change from the base.

    Args:
        training: Options of the training.
        model: Options of the model.
        is_constant: Whether the rate stays what it is after the warm-up.
    """

    training: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    is_constant: bool = False


RATES = (2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 8e-3, 1e-2, 2e-2)

SETTINGS: dict[str, Setting] = {
    "base": Setting(),
    **{f"lr{rate:g}": Setting({"learning_rate": rate}) for rate in RATES},
    **{
        f"one_rate{rate:g}": Setting({"learning_rate": rate, "slows_wide_layers": False})
        for rate in (2e-4, 5e-4, 1e-3)
    },
    "history2": Setting({"history": 2}),
    "history4": Setting({"history": 4}),
    "decay0": Setting({"weight_decay": 0.0}),
    "decay0.01": Setting({"weight_decay": 1e-2}),
    "direct": Setting({"predicts_change": False}),
    "batch8": Setting({"batch_size": 8}),
    "sees": Setting({"sees_transport": True}),
    "warmup0.2": Setting({"warmup": 0.2}),
    "ema": Setting({"ema_decay": 0.99}),
    "noise0.1": Setting({"noise": 0.1}),
    "constant": Setting(is_constant=True),
    "unroll2": Setting({"objective": Unrolled(2)}),
    "unroll4": Setting({"objective": Unrolled(4)}),
    "cut2": Setting({"objective": CutGradients(2)}),
    "pushforward2": Setting({"objective": Pushforward(2)}),
    "curriculum4": Setting({"objective": Curriculum()}),
    "bundle2": Setting({"bundle": 2}),
    "relative": Setting({"loss": RelativeL2()}),
    "h1": Setting({"loss": H1()}),
    "modes8": Setting(model={"modes": 8, "width": 20}),
    "pos": Setting(model={"positional_embedding": True}),
    "inorm": Setting(model={"norm": "instance"}),
    "no_norm": Setting(model={"norm": "none"}),
    "group": Setting(model={"norm": "group"}),
    "modes8of128": Setting(model={"modes": 8, "width": 128}),
}
"""By name; most options of a model are for the FNO alone."""


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    data = demo_data(options.folder / "data", DemoConfig())
    runs = options.folder / ("runs" if options.size == "demo" else f"runs-{options.size}")
    base = BASES[options.size]
    rows = []
    for seed in options.seeds:
        for name in options.settings:
            for model in options.models or base.models:
                row = _measured(base, name, model, seed, data, runs)
                print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
                rows.append(row)
    if options.out is not None:
        versions = {"torch": torch.__version__}
        write_table(
            rows, "the demo's data at 32 x 32, one thread, CPU seconds", versions, options.out
        )


def _options() -> argparse.Namespace:
    def names(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="of the data and the runs")
    parser.add_argument("--models", type=names, default=None, help="all by default")
    parser.add_argument("--size", choices=BASES, default="demo", help="of the networks")
    parser.add_argument("--settings", type=names, default=["base"], help=", ".join(SETTINGS))
    parser.add_argument("--seeds", type=lambda text: [int(n) for n in names(text)], default=[0])
    parser.add_argument("--out", type=Path, default=None, help=f"{RESULTS}/training_defaults.csv")
    return parser.parse_args()


def _measured(
    base: Base, name: str, model: str, seed: int, data: Ladder, runs: Path
) -> dict[str, Any]:
    """The row of one training, from its folder if it is there."""
    run = runs / f"{name}_{model}_{seed}"
    kept = run / "row.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    setting, started = SETTINGS[name], time.process_time()
    usual = {"epochs": base.epochs, "batch_size": base.batch_size, "seed": seed}
    options = {**usual, "learning_rate": base.rates[model], **setting.training}
    if setting.is_constant:
        options["min_learning_rate"] = options["learning_rate"]
    config = TrainingConfig(**options)
    spec = replace(base.models[model], **setting.model)
    surrogate = ps.train(spec, data, 32, run, config, resume=run.exists())
    seconds = round(time.process_time() - started)
    row = {"setting": name, "model": model, "seed": seed}
    row |= {f"error_{lead}": round(error, 4) for lead, error in _errors(surrogate, data).items()}
    row |= {"parameters": surrogate.info.parameters, "seconds": seconds}
    kept.write_text(json.dumps(row))
    return row


@torch.no_grad()
def _errors(surrogate: Surrogate, data: Ladder) -> dict[int, float]:
    """Mean normalised error on the test split at each lead."""
    info = surrogate.info
    frames, grid = load_frames(data, "test", 32, info.field_names), data.grid(32)
    errors = []
    for start in STARTS:
        given = frames[:, start + 1 - info.history : start + 1]
        truth = frames[:, start + 1 : start + 1 + max(LEADS)]
        predicted = rollout_frames(surrogate.step, given, max(LEADS), info.bundle)
        errors.append(
            torch.stack([nrmse(p, truth[:, k], grid) for k, p in enumerate(predicted)]).mean((1, 2))
        )
    mean = torch.stack(errors).mean(0)
    return {lead: float(mean[lead - 1]) for lead in LEADS}


if __name__ == "__main__":
    main()
