"""Train PDE surrogates on one grid and find out what they are worth on every other."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pdesurrogate.rollout import rollout

if TYPE_CHECKING:
    from pdesurrogate import initial_conditions, metrics, models, solvers
    from pdesurrogate.data import generate, open_dataset
    from pdesurrogate.evaluation import evaluate, open_evaluation, write_evaluation
    from pdesurrogate.report import plot_levels, write_report
    from pdesurrogate.surrogate import Surrogate
    from pdesurrogate.training import TrainingConfig, extend, find_learning_rate, train
    from pdesurrogate.training.sweep import sweep

__all__ = [
    "Surrogate",
    "TrainingConfig",
    "evaluate",
    "extend",
    "find_learning_rate",
    "generate",
    "initial_conditions",
    "metrics",
    "models",
    "open_dataset",
    "open_evaluation",
    "plot_levels",
    "rollout",
    "solvers",
    "sweep",
    "train",
    "write_evaluation",
    "write_report",
]

_HOME = {
    "Surrogate": "surrogate",
    "TrainingConfig": "training",
    "evaluate": "evaluation",
    "extend": "training",
    "find_learning_rate": "training",
    "generate": "data",
    "open_dataset": "data",
    "open_evaluation": "evaluation",
    "plot_levels": "report",
    "sweep": "training",
    "train": "training",
    "write_evaluation": "evaluation",
    "write_report": "report",
}
"""Public functions and the module that each lives in, imported when first used."""


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"pdesurrogate.{_HOME[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"pdesurrogate.{name}")
    raise AttributeError(f"module 'pdesurrogate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
