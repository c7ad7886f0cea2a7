"""Tables of numbers that depend on a grid only: made once, whoever asks first."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

__all__ = ["made_once"]

_Given = ParamSpec("_Given")
_Table = TypeVar("_Table")


def made_once(maxsize: int) -> Callable[[Callable[_Given, _Table]], Callable[_Given, _Table]]:
    """Let a function keep the tensors that it made for its latest arguments.

    Unlike `functools.lru_cache` alone it keeps nothing that only its first caller could use:
    tensors of inference mode, which autograd refuses, or those of a network that is being traced
    for export, which are no numbers.

    Args:
        maxsize: For how many arguments.
    """

    def decorate(make: Callable[_Given, _Table]) -> Callable[_Given, _Table]:
        kept = lru_cache(maxsize)(make)

        @wraps(make)
        def look_up(*args: _Given.args, **kwargs: _Given.kwargs) -> _Table:
            if torch.compiler.is_compiling():
                return make(*args, **kwargs)
            with torch.inference_mode(False):
                return kept(*args, **kwargs)  # type: ignore[arg-type]

        return look_up

    return decorate
