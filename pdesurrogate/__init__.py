"""Train PDE surrogates on one grid and find out what they are worth on every other."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# At once, for the module has the function's name; it imports nothing that takes time.
from pdesurrogate.rollout import rollout

if TYPE_CHECKING:
    from pdesurrogate import initial_conditions, metrics, models, solvers
    from pdesurrogate.data import generate, open_dataset
    from pdesurrogate.evaluation import (
        evaluate,
        measure_scaling,
        open_evaluation,
        open_scaling,
        write_evaluation,
        write_scaling,
    )
    from pdesurrogate.report import plot_levels, plot_scaling, write_report
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
    "measure_scaling",
    "metrics",
    "models",
    "open_dataset",
    "open_evaluation",
    "open_scaling",
    "plot_levels",
    "plot_scaling",
    "rollout",
    "solvers",
    "sweep",
    "train",
    "write_evaluation",
    "write_report",
    "write_scaling",
]

_HOME = {
    "Surrogate": "surrogate",
    "TrainingConfig": "training",
    "evaluate": "evaluation",
    "extend": "training",
    "find_learning_rate": "training",
    "generate": "data",
    "measure_scaling": "evaluation",
    "open_dataset": "data",
    "open_evaluation": "evaluation",
    "open_scaling": "evaluation",
    "plot_levels": "report",
    "plot_scaling": "report",
    "sweep": "training",
    "train": "training",
    "write_evaluation": "evaluation",
    "write_report": "report",
    "write_scaling": "evaluation",
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
