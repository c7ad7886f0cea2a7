"""Several processes that train one network together, as `torchrun` starts them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["Ranks", "held_back", "is_main_process", "joined", "local_device", "parallelised"]

_KEEP_BUFFERS: dict[str, Any] = next(
    {name: False}
    for name in ("forward_sync_buffers", "broadcast_buffers")  # newer versions of torch first
    if name in inspect.signature(DistributedDataParallel).parameters
)


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is; by default the only one.

    Args:
        rank: This process, counted from 0.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and lines."""
        return self.rank == 0

    def totals(self, *values: float, device: torch.device | None = None) -> list[float]:
        """Each value summed over the processes, the same everywhere.

        Args:
            *values: This process's numbers.
            device: Where the processes can exchange tensors: the one they compute on.
        """
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(shared)
        return [float(total) for total in shared.tolist()]

    def gathered(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Go on when all have come so far."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that `torchrun` started; outside it this process is alone.

    Args:
        device: Where this process computes: decides between the libraries NCCL and Gloo.
    """
    if dist.is_initialized():  # by the caller, whose it stays
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if not _is_launched():
        yield Ranks()
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(minutes=30))
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def is_main_process() -> bool:
    """Whether this process speaks for all that `torchrun` started, joined yet or not."""
    return not _is_launched() or os.environ.get("RANK", "0") == "0"


def local_device(name: str) -> torch.device:
    """The device that is meant by `cuda` under `torchrun`: one for each process of a machine."""
    if name == "cuda" and _is_launched():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return torch.device(name)


def parallelised(module: nn.Module, ranks: Ranks) -> nn.Module:
    """The module whose gradients are means over all processes.

    Args:
        module: On the device where it is trained, the same on every process.
        ranks: The processes.
    """
    if ranks.size == 1:
        return module
    device = next(module.parameters()).device
    devices = [device] if device.type == "cuda" else None
    # Buffers do not learn: exchanging them before every step of a rollout would change what an
    # earlier step still needs for its gradient.
    return DistributedDataParallel(module, device_ids=devices, **_KEEP_BUFFERS)


def held_back(module: nn.Module, *, hold: bool) -> AbstractContextManager[Any]:
    """While this lasts, gradients are kept by each process, to be exchanged with later ones.

    Args:
        module: From `parallelised`.
        hold: Whether to hold back at all.
    """
    if hold and isinstance(module, DistributedDataParallel):
        return module.no_sync()
    return nullcontext()


def _is_launched() -> bool:
    """Whether `torchrun` started this process."""
    return bool(dist.is_torchelastic_launched())
