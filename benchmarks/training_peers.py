"""The peers' own loops, of one epoch each, in one process or in several under torchrun."""

from __future__ import annotations

import os
import warnings
from typing import Any

import torch
import torch.distributed
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from benchmarks.checkouts import Images, pdearena_modules
from benchmarks.training_case import HISTORY, Case
from pdesurrogate.data import load_frames
from pdesurrogate.models import FNO

__all__ = ["local_device", "train_neuraloperator", "train_pdearena"]

LEARNING_RATE, WEIGHT_DECAY = 2e-4, 1e-5


class _Pairs(Dataset[tuple[Tensor, Tensor]]):
    """Given frames and the next one, `(time, field, y, x)`, out of trajectories in memory."""

    def __init__(self, trajectories: Tensor) -> None:
        self.trajectories = trajectories
        self.starts = trajectories.shape[1] - HISTORY

    def __len__(self) -> int:
        return len(self.trajectories) * self.starts

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        trajectory, start = divmod(number, self.starts)
        window = self.trajectories[trajectory, start : start + HISTORY + 1]
        return window[:HISTORY], window[HISTORY:]


class _Images(Dataset[dict[str, Tensor]]):
    """The same with all frames and fields as channels, named as neuraloperator names them."""

    def __init__(self, pairs: _Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        given, wanted = self.pairs[number]
        return {"x": given.flatten(0, 1), "y": wanted.flatten(0, 1)}


def train_pdearena(case: Case) -> None:
    """PDEArena's training step, in the order in which Lightning runs it, with its own loss.

    The step computes the loss twice more, of the scalars and of the vectors, for the log.
    """
    data, fields = case.open()
    pairs = _Pairs(load_frames(data, "train", case.points, fields))
    images = case.spec.build(HISTORY * len(fields), len(fields), data.grid(case.points))
    assert isinstance(images, Images)
    device = local_device(case)
    network = _distributed(images.network.to(device))
    optimiser = _optimiser(network)
    criterion = pdearena_modules("loss").CustomMSELoss()
    for given, wanted in _loader(case, pairs):
        x, y = given.to(device), wanted.to(device)
        predicted = network(x)
        loss = criterion(predicted, y)
        criterion(predicted[:, :, :1], y[:, :, :1])
        criterion(predicted[:, :, 1:], y[:, :, 1:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def train_neuraloperator(case: Case) -> None:
    """neuraloperator's `Trainer`, with its data processor, which normalises, and its default loss.

    Its own way to several processes wants a GPU for each, so it is handed a network that is
    distributed already.
    """
    from neuralop import Trainer  # seconds of import, for those who ask for it

    data, fields = case.open()
    trajectories = load_frames(data, "train", case.points, fields)
    device = local_device(case)
    spec = case.spec
    assert isinstance(spec, FNO)
    network = _distributed(spec.operator(HISTORY * len(fields), len(fields)).to(device))
    optimiser = _optimiser(network)
    loader = _loader(case, _Images(_Pairs(trajectories)))
    processor = _normalising(trajectories).wrap(network)
    trainer = Trainer(model=network, n_epochs=1, device=device, data_processor=processor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of arguments that it passes itself
        trainer.train(loader, {}, optimiser, CosineAnnealingLR(optimiser, len(loader)))


def _normalising(trajectories: Tensor) -> Any:
    """neuraloperator's data processor for these trajectories."""
    from neuralop.data.transforms.data_processors import DefaultDataProcessor
    from neuralop.data.transforms.normalizers import UnitGaussianNormalizer

    mean = trajectories.mean((0, 1, 3, 4))[None, :, None, None]
    std = trajectories.std((0, 1, 3, 4))[None, :, None, None]
    given = (moment.repeat(1, HISTORY, 1, 1) for moment in (mean, std))
    return DefaultDataProcessor(UnitGaussianNormalizer(*given), UnitGaussianNormalizer(mean, std))


def local_device(case: Case) -> torch.device:
    """This process's device: under torchrun the GPU of its rank."""
    if case.device != "cuda" or "LOCAL_RANK" not in os.environ:
        return torch.device(case.device)
    return torch.device("cuda", int(os.environ["LOCAL_RANK"]))


def _optimiser(network: nn.Module) -> AdamW:
    return AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def _distributed(network: nn.Module) -> nn.Module:
    """The network as it is, or under torchrun with gradients averaged over the processes."""
    if "RANK" not in os.environ:
        return network
    device = next(network.parameters()).device
    if device.type == "cpu":
        torch.distributed.init_process_group("gloo")
        return DistributedDataParallel(network)
    torch.distributed.init_process_group("nccl")
    return DistributedDataParallel(network, device_ids=[device])


def _loader(case: Case, pairs: Dataset[Any]) -> DataLoader[Any]:
    """Shuffled batches; under torchrun each process's share of them."""
    if not torch.distributed.is_initialized():
        return DataLoader(pairs, case.batch, shuffle=True)
    processes = torch.distributed.get_world_size()
    return DataLoader(pairs, case.batch // processes, sampler=DistributedSampler(pairs))
