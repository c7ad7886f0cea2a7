"""A network together with all that changes while it learns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from pdesurrogate.models.user_code import answering_for_part
from pdesurrogate.surrogate import Surrogate
from pdesurrogate.training.averaging import WeightAverage
from pdesurrogate.training.batches import Batch
from pdesurrogate.training.config import TrainingConfig
from pdesurrogate.training.distributed import Ranks, held_back, parallelised
from pdesurrogate.training.level_heads import LevelHeads
from pdesurrogate.training.losses import Criterion
from pdesurrogate.training.objectives import Objective
from pdesurrogate.training.optimiser import real_parameter, weight_decaying_optimiser
from pdesurrogate.training.precision import forward_in, resolved_precision
from pdesurrogate.training.sharding import (
    is_sharded,
    load_module_state,
    load_optimiser_state,
    module_state,
    optimiser_state,
    shard,
    whole,
)

__all__ = ["Learner", "level_heads"]

_NOISE = 7
"""Ends the seeds of noise, so that nothing else has the same."""


class Learner:
    """A network, its optimiser, and the average of its weights.

    Args:
        surrogate: The network with its fields and units. Parameters that require no gradient stay
            as they are.
        config: The user's choices, completed.
        criteria: The loss on each rung.
        ranks: The processes that train together.
    """

    def __init__(
        self,
        surrogate: Surrogate,
        config: TrainingConfig,
        criteria: Mapping[int, Criterion],
        ranks: Ranks,
    ) -> None:
        self.surrogate, self.config, self.criteria, self.ranks = surrogate, config, criteria, ranks
        module = surrogate.module
        self._heads = level_heads(surrogate) if config.level_loss > 0 else None
        self._trained = module if self._heads is None else _WithHeads(module, self._heads)
        if config.compile:
            module.compile()
        if config.shard and ranks.size > 1:
            shard(self._trained)
            self._forward: nn.Module = self._trained
        else:
            self._forward = parallelised(self._trained, ranks)
        self._stepper = Surrogate(self._forward, surrogate.info)
        self._parameters = [p for p in self._trained.parameters() if p.requires_grad]
        self._buffers = _changing_buffers(module)
        self._frozen = [part for part in module.modules() if _is_frozen(part)]
        self._optimiser = weight_decaying_optimiser(
            self._trained, config.weight_decay, slows_wide_layers=config.slows_wide_layers
        )
        self._precision = resolved_precision(config.precision, surrogate.device)
        decay = config.ema_decay
        self._average = None if decay is None else WeightAverage(module, decay)

    @property
    def is_sharded(self) -> bool:
        """Whether several processes hold the weights only together."""
        return is_sharded(self._trained)

    def gradient(
        self, batch: Batch, objective: Objective, seed: Sequence[int]
    ) -> tuple[float, float]:
        """Compute the gradient of a batch's loss.

        Args:
            batch: This process's share of it.
            objective: What is minimised.
            seed: Of the noise on the given frames.

        Returns:
            This process's share of the batch's loss, and the norm of the whole gradient before it
            is clipped.
        """
        self._forward.train()
        for part in self._frozen:
            part.eval()
        self._optimiser.zero_grad()
        self.ranks.share(self._buffers)
        windows, total = self._disturbed(batch, seed), 0.0
        pieces = windows.tensor_split(self.config.accumulation)
        for number, piece in enumerate(pieces, start=1):
            share, criterion = len(piece) / batch.size, self.criteria[batch.rung]
            if len(piece) == 0 or not batch.counts:
                # All processes go through the network equally often, also with fewer windows.
                piece, share, criterion = windows[:1], 0.0, _nothing
            with held_back(self._forward, hold=number < len(pieces)):
                with forward_in(self._precision, self.surrogate.device):
                    loss = self._loss(piece, objective, criterion) * share
                # The processes' gradients are averaged, but their losses are parts of a sum.
                (loss * self.ranks.size).backward()
            total += loss.item()
        real = [real_parameter(parameter) for parameter in self._parameters]
        norm = clip_grad_norm_(real, self.config.gradient_clip or math.inf)
        return total, float(whole(norm))

    def step(self, rate: float, number: int) -> None:
        """Go a step along the gradient.

        Args:
            rate: The learning rate.
            number: Of the step, counted from 0.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = rate * group["rate_share"]
        self._optimiser.step()
        if self._average is not None:
            self._average.update(number)

    @contextmanager
    def judged(self) -> Iterator[Surrogate]:
        """The surrogate as it is judged and kept: with averaged weights, if there is an average."""
        self._forward.eval()
        with nullcontext() if self._average is None else self._average.applied():
            yield self.surrogate

    def weights(self) -> dict[str, Tensor]:
        """The network's weights; every process must ask for them."""
        return module_state(self.surrogate.module)

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs; every process must ask for it."""
        return {
            "module": module_state(self._trained),
            "optimiser": optimiser_state(self._trained, self._optimiser),
            "average": None if self._average is None else self._average.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where `state_dict` was asked for."""
        load_module_state(self._trained, state["module"])
        load_optimiser_state(self._trained, self._optimiser, state["optimiser"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def _loss(
        self,
        windows: Float[Tensor, "batch time channel y x"],
        objective: Objective,
        criterion: Criterion,
    ) -> Float[Tensor, ""]:
        given, following = windows.tensor_split([self.config.history], dim=1)
        following = following[:, : objective.num_steps * self.config.bundle]
        if self._heads is not None:
            self._heads.reset()
        with answering_for_part(objective):
            loss = objective(self._stepper.step, given, following, criterion)
        self._check_loss(loss, objective)
        if self._heads is None:
            return loss
        target = self.surrogate.network_target(given, following[:, : self.config.bundle])
        with torch.autocast(target.device.type, enabled=False):
            return loss + self.config.level_loss * self._heads.loss(target)

    def _check_loss(self, loss: object, objective: Objective) -> None:
        """Refuse what an objective, a loss or a network of the user's own may make of it."""
        names = f"the objective {type(objective).__name__} and the loss"
        names = f"{names} {type(self.config.loss).__name__}"
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = f"a tensor {tuple(loss.shape)}" if isinstance(loss, Tensor) else repr(loss)
            raise ValueError(f"{names} must give a single number, got {found}")
        if not loss.requires_grad:
            raise ValueError(
                f"what {names} give does not depend on the weights of "
                f"{self.surrogate.info.model}: something on the way is detached"
            )

    def _disturbed(
        self, batch: Batch, seed: Sequence[int]
    ) -> Float[Tensor, "_batch time channel y x"]:
        """The windows with noise on the given frames of the fields.

        It is drawn for the whole batch, so that it does not depend on the number of processes.
        """
        if self.config.noise == 0 or not batch.counts:
            return batch.windows
        entropy = np.random.SeedSequence((*seed, _NOISE))
        state = int(entropy.generate_state(1, np.uint64)[0] >> 1)
        change_std = self.surrogate.change_std
        shape = (batch.size, self.config.history, len(change_std), *batch.windows.shape[-2:])
        drawn = torch.randn(shape, generator=torch.Generator().manual_seed(state))
        noise = drawn.tensor_split(self.ranks.size)[self.ranks.rank].to(change_std)
        windows = batch.windows.clone()
        windows[:, : self.config.history, : len(change_std)] += (
            self.config.noise * change_std * noise
        )
        return windows


class _WithHeads(nn.Module):
    """The network, beside which the heads of its levels learn as well."""

    def __init__(self, network: nn.Module, heads: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.heads = heads

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        return self.network(v)


def level_heads(surrogate: Surrogate) -> LevelHeads:
    """What reads the target off the coarser levels of a surrogate's U-Net.

    Raises:
        ValueError: If its network is no U-Net.
    """
    info = surrogate.info
    return LevelHeads(
        surrogate.module, info.in_channels, info.out_channels, info.training_grid, info.model
    )


def _changing_buffers(module: nn.Module) -> list[Tensor]:
    """What a network gathers on the way, such as running means; tables are no part of its state."""
    saved = module.state_dict(keep_vars=True)
    return [buffer for name, buffer in module.named_buffers() if name in saved]


def _is_frozen(part: nn.Module) -> bool:
    """Whether it has weights and none of them learns."""
    flags = [parameter.requires_grad for parameter in part.parameters()]
    return bool(flags) and not any(flags)


def _nothing(prediction: Tensor, truth: Tensor) -> Tensor:
    """The loss of a process that has no share in a batch."""
    return 0 * prediction.sum()
