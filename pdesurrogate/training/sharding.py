"""Weights that several processes share between them, and their whole state for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

__all__ = [
    "copy_whole",
    "is_sharded",
    "load_module_state",
    "load_optimiser_state",
    "module_state",
    "optimiser_state",
    "shard",
    "whole",
]

_FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


def shard(module: nn.Module) -> None:
    """Share the weights of a network between the processes, in place (FSDP).

    Each child with weights of its own is gathered while it computes and let go of afterwards, so
    that no process ever holds more than one of them besides its share.

    Args:
        module: The same on every process.

    References:
        Zhao et al. (2023), *PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel*.
    """
    for child in module.children():
        if isinstance(child, nn.ModuleList | nn.Sequential):
            for part in child:
                _shard_if_any(part)
        else:
            _shard_if_any(child)
    fully_shard(module)


def is_sharded(module: nn.Module) -> bool:
    """Whether its weights are shared between processes."""
    return isinstance(module, FSDPModule)


def module_state(module: nn.Module) -> dict[str, Tensor]:
    """The module's state; of a sharded one the whole, on the CPU of rank 0 and empty elsewhere."""
    if is_sharded(module):
        state: dict[str, Any] = get_model_state_dict(module, options=_FULL)
        return state
    return module.state_dict()


def load_module_state(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put a whole state in place; every process has read it."""
    if is_sharded(module):
        set_model_state_dict(module, {**state}, options=_FULL)
    else:
        module.load_state_dict(state)


def optimiser_state(module: nn.Module, optimiser: Optimizer) -> dict[str, Any]:
    """The optimiser's state, as `module_state` gives the module's; empty before its first step."""
    if is_sharded(module):
        if not optimiser.state:  # torch would take an empty step to have a state, and count it
            return {}
        return dict(get_optimizer_state_dict(module, optimiser, options=_FULL))
    return optimiser.state_dict()


def load_optimiser_state(module: nn.Module, optimiser: Optimizer, state: dict[str, Any]) -> None:
    """Put a whole state in place; every process has read it."""
    if is_sharded(module):
        if state:
            set_optimizer_state_dict(module, optimiser, state, options=_FULL)
        else:
            optimiser.state.clear()
    else:
        optimiser.load_state_dict(state)


def whole(value: Tensor) -> Tensor:
    """The whole of a tensor that may be shared between processes."""
    return value.full_tensor() if isinstance(value, DTensor) else value


@torch.no_grad()
def copy_whole(target: Tensor, source: Tensor) -> None:
    """Put a whole tensor where there may only be a share of it."""
    if isinstance(target, DTensor):
        source = distribute_tensor(source.to(target.device), target.device_mesh, target.placements)
    target.copy_(source)


def _shard_if_any(part: nn.Module) -> None:
    if any(True for _ in part.parameters()):
        fully_shard(part)
