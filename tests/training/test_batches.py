from __future__ import annotations

import torch

from pdesurrogate.data import Ladder, Windows, load_frames
from pdesurrogate.training.batches import Batches, FramesInMemory, WindowsOnDisk

FIELDS = ("velocity_x", "vorticity")


def frames(num_trajectories: int = 3, num_frames: int = 6) -> torch.Tensor:
    """Frames that hold 10 times their trajectory's number plus their own."""
    values = 10 * torch.arange(num_trajectories)[:, None] + torch.arange(num_frames)
    return values[:, :, None, None, None].expand(-1, -1, 1, 2, 2).float()


def test_windows_are_consecutive_frames_of_one_trajectory() -> None:
    source = FramesInMemory(frames(), length=3)
    assert len(source) == 3 * 4
    (batch,) = source.read([torch.tensor([0, 3, 4, 11])])
    assert batch[:, :, 0, 0, 0].tolist() == [[0, 1, 2], [3, 4, 5], [10, 11, 12], [23, 24, 25]]


def test_every_window_comes_once_per_epoch() -> None:
    batches = Batches(FramesInMemory(frames(), length=3), batch_size=5, seed=1)
    assert len(batches) == 3
    epoch = list(batches.epoch(0))
    assert [len(batch) for batch in epoch] == [5, 5, 2]
    firsts = torch.cat(epoch)[:, 0, 0, 0, 0]
    assert sorted(firsts.tolist()) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[float]:
        batches = Batches(FramesInMemory(frames(), length=3), batch_size=5, seed=seed)
        return torch.cat(list(batches.epoch(epoch)))[:, 0, 0, 0, 0].tolist()

    torch.manual_seed(0)
    first = order(seed=1, epoch=2)
    torch.manual_seed(99)
    assert order(seed=1, epoch=2) == first
    assert order(seed=1, epoch=3) != first
    assert order(seed=2, epoch=2) != first


def test_an_epoch_can_be_entered_in_the_middle() -> None:
    batches = Batches(FramesInMemory(frames(), length=3), batch_size=5, seed=1)
    whole, rest = list(batches.epoch(4)), list(batches.epoch(4, first=1))
    assert len(rest) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))
    assert list(batches.epoch(4, first=3)) == []


def test_memory_and_disk_give_the_same_batches(flow: Ladder) -> None:
    memory = FramesInMemory(load_frames(flow, "train", 16, FIELDS), length=4)
    disk = WindowsOnDisk(Windows(flow, "train", 16, FIELDS, 3, 1), torch.device("cpu"))
    assert len(memory) == len(disk)
    for a, b in zip(Batches(memory, 8, 0).epoch(0), Batches(disk, 8, 0).epoch(0), strict=True):
        assert torch.equal(a, b)


def test_reading_from_disk_leaves_the_random_state_alone(flow: Ladder) -> None:
    disk = WindowsOnDisk(Windows(flow, "train", 8, FIELDS, 1, 1), torch.device("cpu"))
    before = torch.get_rng_state()
    list(Batches(disk, 8, 0).epoch(0))
    assert torch.equal(torch.get_rng_state(), before)
