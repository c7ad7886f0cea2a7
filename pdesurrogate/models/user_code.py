"""Calls into code of the user's own: what goes wrong there is told as theirs, in one sentence."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models.spec import ModelSpec

__all__ = ["UserCodeError", "answering_for", "try_out", "users_code"]

_log = logging.getLogger(__name__)


class UserCodeError(ValueError):
    """Code of the user's own broke down; the cause is the error that it raised."""


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """While this lasts, code of the user's own runs.

    Args:
        what: What the sentence is about, such as `the constructor of my_package.MyNet`.

    Raises:
        UserCodeError: If that code raises anything, even `SystemExit`. The traceback is logged at
            the level `DEBUG`.
    """
    try:
        yield
    except UserCodeError:
        raise
    except (Exception, SystemExit) as error:
        _log.debug("%s broke down", what, exc_info=error)
        said = " ".join(str(error).split())
        raise UserCodeError(f"{what} raises {type(error).__name__}: {said[:300]}") from error


@contextmanager
def answering_for(spec: ModelSpec, name: str) -> Iterator[None]:
    """As `users_code` if the model is not one of ours; else errors pass.

    Args:
        spec: The model that is built or called.
        name: What it is called.
    """
    with users_code(name) if spec.is_users_own else nullcontext():
        yield


def try_out(
    spec: ModelSpec, name: str, network: nn.Module, in_channels: int, out_channels: int, grid: Grid
) -> None:
    """Call a network of the user's own once, on zeros; ours are tested.

    Args:
        spec: The model that built the network.
        name: What it is called.
        network: The network, on any device.
        in_channels: Channels of its input.
        out_channels: Channels that it should give.
        grid: The grid of its input.

    Raises:
        UserCodeError: If it breaks down, or gives anything but one field a channel on the grid.
    """
    if not spec.is_users_own:
        return
    like = next(network.parameters(), torch.empty(0))
    v = torch.zeros((1, in_channels, *grid.num_points), device=like.device)
    modes = {part: part.training for part in network.modules()}
    try:
        with users_code(f"the forward pass of {name}"), torch.random.fork_rng([]), torch.no_grad():
            out = network.eval()(v.to(like.dtype.to_real()))
    finally:
        for part, mode in modes.items():
            part.training = mode
    wanted = (1, out_channels, *grid.num_points)
    if not isinstance(out, Tensor):
        raise UserCodeError(
            f"{name} must give a tensor of shape {wanted}, not a {type(out).__name__}"
        )
    if tuple(out.shape) != wanted:
        raise UserCodeError(f"{name} must give a tensor of shape {wanted}, not {tuple(out.shape)}")
