from __future__ import annotations

import csv
import json
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import pdesurrogate as ps
from pdesurrogate.data import Ladder
from pdesurrogate.grids import Grid
from pdesurrogate.locks import LOCK, FolderInUseError, held
from pdesurrogate.models import ModelSpec, MultiResNet, ResidualUNet, Wavelet
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training import Stage, TrainingConfig, sweep, train
from pdesurrogate.training.summary import summarise
from pdesurrogate.training.sweep import planned_runs

NET = MultiResNet(width=4, levels=1)
OTHER = ResidualUNet(width=4, levels=1)
CONFIG = TrainingConfig(epochs=2, batch_size=14, validation_steps=2)  # 28 windows: 4 steps a run
WILD = replace(CONFIG, learning_rate=1e18, gradient_clip=None, warmup=0.0)


@dataclass(frozen=True)
class Counting(ModelSpec):
    """A convolution that counts its training steps, and presses Ctrl-C in one of them."""

    steps: ClassVar[int] = 0
    interrupted_at: ClassVar[int] = 0

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return _CountingNetwork(in_channels, out_channels, 3, padding=1, padding_mode="circular")


class _CountingNetwork(nn.Conv2d):
    def forward(self, v: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            Counting.steps += 1
            if Counting.steps == Counting.interrupted_at:
                signal.raise_signal(signal.SIGINT)
        return super().forward(v)


@dataclass(frozen=True)
class Watching(ModelSpec):
    """A convolution that keeps what it is shown in training."""

    size: int = 1
    seen: ClassVar[dict[int, list[Tensor]]] = {1: [], 3: []}

    def build(self, in_channels: int, out_channels: int, grid: Grid) -> nn.Module:
        return _WatchingNetwork(in_channels, out_channels, self.size, padding="same")


class _WatchingNetwork(nn.Conv2d):
    def forward(self, v: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            Watching.seen[self.kernel_size[0]].append(v.clone())
        return super().forward(v)


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    Counting.steps = Counting.interrupted_at = 0


def weights(run: Path) -> bytes:
    return (run / "model.safetensors").read_bytes()


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "summary.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def column(out: Path, name: str) -> list[str]:
    return [row[name] for row in rows(out)]


def test_every_run_is_what_train_makes_of_it(flow: Ladder, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    settings = {"short": CONFIG, "long": replace(CONFIG, epochs=3)}
    table = ps.sweep({"net": NET, "other": OTHER}, flow, 8, out, settings, seeds=[3, 1])
    assert sorted(path.name for path in out.iterdir() if path.name != LOCK) == [
        "net_long",
        "net_short",
        "other_long",
        "other_short",
        "summary.csv",
    ]
    alone = train(OTHER, flow, 8, tmp_path / "alone", replace(settings["long"], seed=1))
    assert weights(out / "other_long/seed-1") == weights(tmp_path / "alone")
    assert Surrogate.load(out / "other_long/seed-1").info.name == "other_long"

    with (tmp_path / "alone/metrics.csv").open() as file:
        best = list(csv.DictReader(file))[alone.info.epochs - 1]
    (row,) = [
        r for r in rows(out) if (r["model"], r["setting"], r["seed"]) == ("other", "long", "1")
    ]
    assert row.pop("seconds")
    assert row == {
        "model": "other",
        "setting": "long",
        "seed": "1",
        "status": "finished",
        "parameters": str(alone.info.parameters),
        "flops": str(alone.info.flops),
        "epochs": "3",
        "valid_rollout": best["valid_rollout"],
        "valid_one_step": best["valid_one_step"],
        "reason": "",
    }
    labelled = table.sel(model="other", setting="long", seed=1)
    assert labelled.valid_rollout.item() == pytest.approx(float(best["valid_rollout"]))
    assert (table.status == "finished").all()
    assert dict(table.sizes) == {"model": 2, "setting": 2, "seed": 2}


def test_all_models_see_the_same_windows_in_the_same_order(flow: Ladder, tmp_path: Path) -> None:
    models = {"narrow": Watching(1), "wide": Watching(3)}
    sweep(models, flow, 8, tmp_path / "sweep", CONFIG, seeds=[0, 1])
    narrow, wide = Watching.seen[1], Watching.seen[3]
    assert [len(batch) for batch in narrow] == [14] * 8  # two an epoch, two epochs, two seeds
    assert all(torch.equal(a, b) for a, b in zip(narrow, wide, strict=True))
    assert not torch.equal(narrow[0], narrow[2])  # another epoch
    assert not torch.equal(narrow[0], narrow[4])  # another seed


def test_an_interrupted_sweep_continues_where_it_stopped(flow: Ladder, tmp_path: Path) -> None:
    models = {"first": Counting(), "second": NET}
    sweep(models, flow, 8, tmp_path / "undisturbed", CONFIG, seeds=[0, 1])
    assert Counting.steps == 8

    out = tmp_path / "cut"
    Counting.steps, Counting.interrupted_at = 0, 7  # in the second run's second epoch
    with pytest.raises(KeyboardInterrupt):
        sweep(models, flow, 8, out, CONFIG, seeds=[0, 1])
    assert column(out, "status") == ["finished", *["unfinished"] * 3]
    kept = (out / "first/seed-0/model.safetensors").stat().st_mtime_ns

    table = sweep(models, flow, 8, out, CONFIG, seeds=[0, 1])
    assert Counting.steps == 8  # the interrupted step was finished, and one was left
    assert (out / "first/seed-0/model.safetensors").stat().st_mtime_ns == kept
    assert (table.status == "finished").all()
    for run in ("first/seed-0", "first/seed-1", "second/seed-0", "second/seed-1"):
        assert weights(out / run) == weights(tmp_path / "undisturbed" / run)
    for name in ("valid_rollout", "valid_one_step", "parameters", "epochs"):
        assert column(out, name) == column(tmp_path / "undisturbed", name)


def test_a_sweep_grows_and_finished_runs_need_no_checkpoint(flow: Ladder, tmp_path: Path) -> None:
    sweep({"first": Counting()}, flow, 8, tmp_path, CONFIG, seeds=[0])
    shutil.rmtree(tmp_path / "first/seed-0/checkpoint")
    sweep({"first": Counting(), "net": NET}, flow, 8, tmp_path, CONFIG, seeds=[0, 1])
    assert Counting.steps == 8
    assert column(tmp_path, "status") == ["finished"] * 4


def test_a_run_that_fails_is_recorded_and_the_others_go_on(flow: Ladder, tmp_path: Path) -> None:
    settings = {"wild": WILD, "tame": CONFIG}
    for _ in range(2):  # the second time it is tried again, and fails again
        table = sweep({"net": NET}, flow, 8, tmp_path, settings, seeds=[0])
        assert table.status.values.tolist() == [[["failed"], ["finished"]]]
        assert table.reason.sel(setting="wild").item().startswith("the loss became")
        assert np.isnan(table.parameters.sel(setting="wild").item())
        assert column(tmp_path, "reason") == [table.reason.values.flat[0], ""]


def test_processes_train_the_same_networks(flow: Ladder, tmp_path: Path) -> None:
    settings = {"tame": CONFIG, "wild": WILD}
    one, two = tmp_path / "one", tmp_path / "two"
    sweep({"net": NET}, flow, 8, one, settings, seeds=[0])
    sweep({"net": NET}, flow, 8, two, settings, seeds=[0], workers=2)
    assert column(two, "status") == ["finished", "failed"]
    assert weights(two / "net_tame/seed-0") == weights(one / "net_tame/seed-0")
    for name in ("valid_rollout", "epochs", "parameters"):
        assert column(two, name) == column(one, name)


def test_the_threads_of_a_cluster_train_the_same_networks(
    flow: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra `distributed`")
    sweep({"net": NET}, flow, 8, tmp_path / "here", CONFIG, seeds=[0, 1])
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        monkeypatch.chdir(tmp_path)
        sweep(
            {"net": NET},
            flow,
            8,
            "there",
            CONFIG,
            seeds=[0, 1],
            scheduler=cluster.scheduler_address,
        )
    for run in ("net/seed-0", "net/seed-1"):
        assert weights(tmp_path / "there" / run) == weights(tmp_path / "here" / run)


@pytest.fixture(scope="module")
def done(flow: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep, not to be written in."""
    out = tmp_path_factory.mktemp("done")
    sweep({"net": NET}, flow, 8, out, replace(CONFIG, ema_decay=0.9), seeds=[0])
    return out


@pytest.mark.parametrize(
    ("spec", "changes", "sentence"),
    [
        (replace(NET, width=6), {}, r"trained with model\.init_args\.width 4, not 6"),
        (replace(NET, space=Wavelet("db2")), {}, r"space\.class_path 'Haar', not 'Wavelet'"),
        (OTHER, {"learning_rate": 2e-3}, r"model\.class_path 'MultiResNet', not 'ResidualUNet'"),
        (NET, {"epochs": 3}, "trained with epochs 2, not 3"),
        (NET, {"learning_rate": 1e-3}, r"learning_rate 0\.002, not 0\.001"),
        (NET, {"ema_decay": None}, r"ema_decay 0\.9, not None"),
        (NET, {"gradient_clip": None}, r"gradient_clip 1\.0, not None"),
        (NET, {"fields": ("velocity_x",)}, r"fields \['vorticity'\], not \['velocity_x'\]"),
        (NET, {"frame_stride": 2}, "frame_stride 1, not 2"),
    ],
)
def test_a_run_of_other_settings_is_refused_before_anything_is_trained(
    spec: ModelSpec, changes: dict[str, Any], sentence: str, done: Path, flow: Ladder
) -> None:
    config = replace(CONFIG, **{"ema_decay": 0.9, **changes})
    with pytest.raises(ValueError, match=sentence):
        sweep({"new": NET, "net": spec}, flow, 8, done, config, seeds=[0])
    assert not (done / "new").exists()


def test_what_does_not_say_what_is_computed_may_differ(done: Path, flow: Ladder) -> None:
    config = replace(CONFIG, ema_decay=0.9, checkpoint_seconds=1.0, fields=("vorticity",))
    before = weights(done / "net/seed-0")
    table = sweep({"net": NET}, flow, 8, done, config, seeds=[0])
    assert table.status.item() == "finished"
    assert weights(done / "net/seed-0") == before


@pytest.mark.parametrize("key", ["sha256", "train"])
def test_a_finished_run_of_other_data_is_refused(
    key: str, done: Path, flow: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    if key == "sha256":
        monkeypatch.setattr(Ladder, "sha256", "anothers")
    else:
        monkeypatch.setattr(Ladder, "num_trajectories", lambda self, split: 5)
    with pytest.raises(ValueError, match=rf"another dataset: its {key} was \w+, now it is \w+"):
        sweep({"net": NET}, flow, 8, done, replace(CONFIG, ema_decay=0.9), seeds=[0])


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_finished_run_is_judged_by_the_weights_that_it_kept(
    epoch: int, done: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(done / "net/seed-0", tmp_path / "run")
    info = json.loads((run / "surrogate.json").read_text())
    (run / "surrogate.json").write_text(json.dumps({**info, "epochs": epoch}))
    with (run / "metrics.csv").open() as file:
        expected = float(list(csv.DictReader(file))[epoch - 1]["valid_rollout"])
    assert summarise(run, "net", "", 0).valid_rollout == expected


def test_overwriting_trains_anew_only_what_differs(flow: Ladder, tmp_path: Path) -> None:
    sweep({"net": NET, "first": Counting()}, flow, 8, tmp_path, CONFIG, seeds=[0])
    wider = replace(NET, width=6)
    sweep({"net": wider, "first": Counting()}, flow, 8, tmp_path, CONFIG, seeds=[0], overwrite=True)
    assert Counting.steps == 4
    assert Surrogate.load(tmp_path / "net/seed-0").info.options["width"] == 6


@pytest.mark.parametrize(
    ("models", "config", "options", "sentence"),
    [
        ({}, CONFIG, {}, "models must name at least one"),
        ({"net": NET}, {}, {}, "settings must name at least one"),
        ({"net": NET}, CONFIG, {"seeds": []}, "seeds must name at least one"),
        ({"net": NET}, CONFIG, {"seeds": [1, 1]}, r"each seed once, got \[1, 1\]"),
        ({"net": NET}, CONFIG, {"seeds": [-1]}, "seed must be at least 0, got -1"),
        ({"net": NET}, CONFIG, {"workers": 0}, "workers must be at least 1, got 0"),
        ({"../net": NET}, CONFIG, {}, r"'\.\./net' is to be the name of a folder"),
        (
            {"a": NET, "a_b": NET},
            {"b_c": CONFIG, "c": CONFIG},
            {},
            "two of the runs would be in a_b_c/seed-0",
        ),
        (
            {"net": NET, "deep": MultiResNet(width=4, levels=9)},
            CONFIG,
            {},
            "deep: a U-Net with 9 levels cannot",
        ),
        (
            {"net": NET},
            {"a": CONFIG, "b": replace(CONFIG, history=9)},
            {},
            "net_b: history 9 and .* 10 frames, .* have 8",
        ),
        ({"net": NET}, replace(CONFIG, fields=("vortcity",)), {}, "did you mean 'vorticity'"),
        ({"net": NET}, replace(CONFIG, device="cuda:7"), {}, "net: device 'cuda:7' was asked for"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_trained(
    models: dict[str, ModelSpec],
    config: Any,
    options: dict[str, Any],
    sentence: str,
    flow: Ladder,
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=sentence):
        sweep(models, flow, 8, tmp_path / "sweep", config, **options)
    assert not (tmp_path / "sweep").exists()


def test_a_rung_that_is_none_is_no_models_fault(flow: Ladder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^resolution 12 is not in kolmogorov"):
        sweep({"net": NET}, flow, 12, tmp_path, CONFIG)


def test_somebody_elses_folder_is_left_alone(flow: Ladder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not empty and holds none of these runs"):
        sweep({"net": NET}, flow, 8, flow.path, CONFIG, overwrite=True)
    (tmp_path / "net/seed-1").mkdir(parents=True)
    (tmp_path / "net/seed-1/precious.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match=r"net/seed-1 .*no run"):
            sweep({"net": NET}, flow, 8, tmp_path, CONFIG, overwrite=overwrite)
    assert [path.name for path in tmp_path.rglob("*")] == ["net", "seed-1", "precious.txt"]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="is a file, not a folder"):
        sweep({"net": NET}, flow, 8, tmp_path / "file", CONFIG)


def test_a_folder_of_another_sweep_is_left_alone(flow: Ladder, tmp_path: Path) -> None:
    """Else each would record what the other trains as failed."""
    out = tmp_path / "sweep"
    with held(out), pytest.raises(FolderInUseError, match="sweep is in use by another process"):
        sweep({"net": NET}, flow, 8, out, CONFIG, seeds=[0])
    assert [path.name for path in out.iterdir()] == [LOCK]
    table = sweep({"net": NET}, flow, 8, out, CONFIG, seeds=[0])
    assert (table.status == "finished").all()


def test_runs_are_planned_model_by_model() -> None:
    runs = planned_runs({"b": NET, "a": OTHER}, {"": CONFIG}, [2, 0])
    assert [run.folder for run in runs] == ["b/seed-2", "b/seed-0", "a/seed-2", "a/seed-0"]
    assert [run.config.seed for run in runs] == [2, 0, 2, 0]
    assert runs[0].spec is NET


@pytest.mark.parametrize("rate", [1.0, 1e-3])
def test_errors_of_a_staged_run_are_those_on_its_last_rung(
    rate: float, flow: Ladder, tmp_path: Path
) -> None:
    """Also where no epoch of the last stage was better than the network that it began with."""
    stages = (Stage(8, 2), Stage(16, 1, freeze=True, width=4, learning_rate=rate))
    config = replace(CONFIG, stages=stages, rollbacks=0)
    row = sweep({"net": NET}, flow, 8, tmp_path, config, seeds=[0]).squeeze()
    with (tmp_path / "net/seed-0/stages.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    embedded_is_best = last["rollout_after"] == last["rollout_before"]
    assert embedded_is_best == (rate == 1.0)
    assert float(row.valid_rollout) == pytest.approx(float(last["rollout_after"]), rel=1e-5)
    assert float(row.valid_one_step) == pytest.approx(float(last["one_step_after"]), rel=1e-5)
    # As if the time had been over as soon as the last stage was begun.
    for name in ("stages.csv", "metrics.csv"):
        table = tmp_path / "net/seed-0" / name
        table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    assert summarise(tmp_path / "net/seed-0", "net", "", 0).valid_rollout is None


def test_runs_whose_time_was_over_go_on_when_there_is_more(flow: Ladder, tmp_path: Path) -> None:
    brief = replace(CONFIG, time_budget=1e-9)
    table = sweep({"net": NET}, flow, 8, tmp_path / "cut", brief, seeds=[0])
    assert np.isnan(table.epochs.item())
    table = sweep({"net": NET}, flow, 8, tmp_path / "cut", CONFIG, seeds=[0])
    assert table.epochs.item() == 2
    sweep({"net": NET}, flow, 8, tmp_path / "undisturbed", CONFIG, seeds=[0])
    run = "net/seed-0"
    assert weights(tmp_path / "cut" / run) == weights(tmp_path / "undisturbed" / run)
    # What has been passed on without its checkpoints has nothing to go on from.
    sweep({"net": NET}, flow, 8, tmp_path / "passed", brief, seeds=[0])
    shutil.rmtree(tmp_path / "passed" / run / "checkpoint")
    table = sweep({"net": NET}, flow, 8, tmp_path / "passed", CONFIG, seeds=[0])
    assert table.status.item() == "finished"


def test_the_summary_keeps_the_rows_of_other_runs_that_are_there(
    flow: Ladder, tmp_path: Path
) -> None:
    sweep({"net": NET, "other": OTHER}, flow, 8, tmp_path, CONFIG, seeds=[0])
    shutil.rmtree(tmp_path / "other")
    table = sweep({"net": NET}, flow, 8, tmp_path, CONFIG, seeds=[1])
    assert table.seed.values.tolist() == [1]
    found = [(row["model"], row["seed"], row["status"]) for row in rows(tmp_path)]
    assert found == [("net", "0", "finished"), ("net", "1", "finished")]
    sweep({"net": NET}, flow, 8, tmp_path, CONFIG, seeds=[1])  # with nothing to do
    assert len(rows(tmp_path)) == 2


def test_a_run_from_before_wide_layers_were_slowed_is_refused_before_anything_is_trained(
    flow: Ladder, tmp_path: Path
) -> None:
    sweep({"net": NET}, flow, 8, tmp_path, CONFIG, seeds=[0])
    said = tmp_path / "net/seed-0/config.yaml"
    said.write_text(said.read_text().replace("slows_wide_layers: true\n", ""))
    with pytest.raises(ValueError, match="slows_wide_layers False, not True"):
        sweep({"net": NET}, flow, 8, tmp_path, CONFIG, seeds=[0, 1])
    assert not (tmp_path / "net/seed-1").exists()
    sweep({"net": NET}, flow, 8, tmp_path, replace(CONFIG, slows_wide_layers=False), seeds=[0])
