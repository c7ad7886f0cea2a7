"""The whole journey on a small ladder: simulate, train, extend, evaluate, report."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pdesurrogate.data import Ladder, generate
from pdesurrogate.evaluation import evaluate, write_evaluation
from pdesurrogate.files import write_atomically
from pdesurrogate.locks import LOCK, held
from pdesurrogate.models import FNO, ModelSpec, MultiResNet, ResidualUNet
from pdesurrogate.progress import progress_display
from pdesurrogate.report import write_report
from pdesurrogate.training import EXTENSION_DEFAULTS, TrainingConfig, extend, train
from pdesurrogate.workers import one_thread, results_of

__all__ = ["DEMO_MODELS", "DemoConfig", "run_demo"]

log = logging.getLogger(__name__)

MARKER = "demo.json"
"""The file that makes a folder a demo's; it holds the demo's sizes."""

DEMO_MODELS: dict[str, ModelSpec] = {
    "multi-resnet": MultiResNet(width=24, levels=3),
    "residual-unet": ResidualUNet(width=16, levels=3),
    "fno": FNO(width=14, modes=12, positional_embedding=True),
}
"""Names of the demo's runs and their models, of about half a million parameters each.

The FNO is told where it is, for the demo's force stands still; as its authors do.
"""


_BATCH_SIZE = 16
"""Twice the default: the networks are a tenth worse, and trained in four fifths of the time."""


@dataclass(frozen=True)
class DemoConfig:
    """The size of the demo. The defaults take some minutes on two cores.

    Args:
        resolutions: The ladder; models are trained on its coarsest rung.
        reference_resolution: Points a side of the simulation. A third of 192 is 64: the coarsest
            reference whose dealiased modes fill the 128 rung.
        steps_per_frame: Solver steps from one frame to the next.
        spin_up_frames: Frame intervals before the first stored frame.
        num_frames: Frames of a trajectory.
        train: Training trajectories.
        test: Test trajectories.
        epochs: Passes over the training windows.
        fine_trajectories: Trajectories of the second rung that the first model is extended with.
        fine_epochs: Passes over their windows; 0 to extend no model.
        num_steps: Frames that are predicted in the evaluation.
        seed: Seed of data and training.
    """

    resolutions: tuple[int, ...] = (32, 64, 128)
    reference_resolution: int = 192
    steps_per_frame: int = 48
    spin_up_frames: int = 20
    num_frames: int = 25
    train: int = 40
    test: int = 8
    epochs: int = 20
    fine_trajectories: int = 4
    fine_epochs: int = 20
    num_steps: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("train", "test", "epochs", "fine_trajectories", "num_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.fine_epochs < 0:
            raise ValueError(f"fine_epochs must be at least 0, got {self.fine_epochs}")
        if self.fine_trajectories > self.train:
            raise ValueError(
                f"fine_trajectories must be at most {self.train}, the training trajectories, got "
                f"{self.fine_trajectories}"
            )
        needed = 1 + max(self.num_steps, TrainingConfig().validation_steps)
        if self.num_frames < needed:
            raise ValueError(
                f"num_frames must be at least {needed} to predict {needed - 1} frames, "
                f"got {self.num_frames}"
            )


def run_demo(
    out: Path,
    config: DemoConfig | None = None,
    *,
    overwrite: bool = False,
    workers: int | None = None,
) -> Path:
    """Simulate Kolmogorov flow, train three models on the coarsest rung, evaluate on all, report.

    The first model is extended to the second rung from a few trajectories of it.

    Called again, it continues with what is not yet there.

    Args:
        out: Folder for `data/`, `runs/`, `evaluation.nc` and `report.html`; empty, absent, or that
            of an earlier demo.
        config: Sizes; None for the defaults.
        overwrite: Start again from nothing.
        workers: Processes that simulate, train and evaluate; one per core by default.

    Returns:
        The report's path.

    Raises:
        ValueError: If `out` holds a demo of other sizes, or something else, or another process
            works there.
    """
    config, workers = config or DemoConfig(), workers or os.cpu_count() or 1
    _check(out, config, overwrite)
    with held(out):
        _check(out, config, overwrite)  # another process may just have left it
        return _run(out, config, overwrite, workers)


def _run(out: Path, config: DemoConfig, overwrite: bool, workers: int) -> Path:
    """The whole journey, in a folder that is ours."""
    _begin(out, config, overwrite)
    started = time.monotonic()
    data = demo_data(out / "data", config, workers)
    log.info("data are ready after %.0f s", time.monotonic() - started)
    learn = partial(_learn, out / "runs", data, config)
    with progress_display("training", len(DEMO_MODELS), log) as progress:
        for name, _ in results_of(learn, list(DEMO_MODELS), min(workers, len(DEMO_MODELS)), None):
            progress.step()
            progress.say(f"{name} is trained after {time.monotonic() - started:.0f} s")
    table = evaluate(
        [out / "runs" / name for name in DEMO_MODELS],
        data,
        config.resolutions,
        num_steps=config.num_steps,
        workers=workers,
        commands=[_command(out, config)],
    )
    write_evaluation(table, out / "evaluation.nc")
    log.info("all grids are evaluated after %.0f s", time.monotonic() - started)
    page = write_report([out / "evaluation.nc"], out / "report.html", overwrite=True)
    log.info("the report is written after %.0f s", time.monotonic() - started)
    return page


def _command(out: Path, config: DemoConfig) -> str:
    """The command line that does it again."""
    words = ["pdesurrogate", "demo", "--out", str(out)]
    for option, value in asdict(config).items():
        if value != getattr(DemoConfig(), option):
            words += [f"--{option}", str(list(value) if isinstance(value, tuple) else value)]
    return shlex.join(words)


def demo_data(folder: Path, config: DemoConfig, workers: int | None = None) -> Ladder:
    """The demo's dataset: the recipe `kolmogorov` with a smaller reference and less of it.

    Args:
        folder: Where.
        config: Its sizes.
        workers: Processes; one per core by default.
    """
    return generate(
        "kolmogorov",
        folder,
        workers=workers or os.cpu_count() or 1,
        resolutions=list(config.resolutions),
        reference_resolution=config.reference_resolution,
        steps_per_frame=config.steps_per_frame,
        spin_up_frames=config.spin_up_frames,
        num_frames=config.num_frames,
        splits={"train": config.train, "valid": 8, "test": config.test},
        accuracy_trajectories=1,
        seed=config.seed,
    )


def _learn(runs: Path, data: Ladder, config: DemoConfig, name: str) -> None:
    """Train a model, continue it, or take it as it is when it is finished; extend the first.

    In whichever process it lands, with one thread: networks this small gain a fifth from a second
    one on an idle machine, and take ten times as long with it on a busy one.
    """
    training = TrainingConfig(epochs=config.epochs, seed=config.seed, batch_size=_BATCH_SIZE)
    run = runs / name
    with one_thread():
        train(DEMO_MODELS[name], data, data.resolutions[0], run, training, resume=run.exists())
        is_first = name == next(iter(DEMO_MODELS))
        if is_first and config.fine_epochs > 0 and len(data.resolutions) > 1:
            extend(
                run,
                data,
                data.resolutions[1],
                trajectories=config.fine_trajectories,
                config=replace(EXTENSION_DEFAULTS, epochs=config.fine_epochs, seed=config.seed),
                resume=True,
            )


def _check(out: Path, config: DemoConfig, overwrite: bool) -> None:
    """Make sure that the folder is a demo's before anything in it is written or deleted."""
    marker, wanted = out / MARKER, _plain(config)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file, not a folder for the demo")
    if marker.is_file():
        found = json.loads(marker.read_text())
        differing = [key for key in wanted if found.get(key) != wanted[key]]
        if differing and not overwrite:
            key = differing[0]
            raise ValueError(
                f"{out} holds a demo with {key} {found.get(key)}, not {wanted[key]}; choose "
                "another folder or give --overwrite"
            )
    elif out.exists() and {entry.name for entry in out.iterdir()} - {LOCK}:
        raise ValueError(f"{out} is not empty and holds no demo; choose another folder")


def _begin(out: Path, config: DemoConfig, overwrite: bool) -> None:
    """Delete what an earlier demo left, if it is to be replaced, and note the sizes of this one."""
    if overwrite and (out / MARKER).is_file():
        for name in ("data", "runs"):
            shutil.rmtree(out / name, ignore_errors=True)
        for name in ("evaluation.nc", "report.html"):
            (out / name).unlink(missing_ok=True)
    write_atomically(out / MARKER, json.dumps(_plain(config), indent=2).encode())


def _plain(config: DemoConfig) -> dict[str, Any]:
    """The sizes, as JSON has them."""
    return dict(json.loads(json.dumps(asdict(config))))
