from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pdesurrogate.data import Ladder, Windows, load_frames
from pdesurrogate.training.batches import Batches, FramesInMemory, WindowsOnDisk, WindowSource

FIELDS = ("velocity_x", "vorticity")


class OneRung:
    """Batches of one rung without a word of it."""

    def __init__(self, source: WindowSource, batch_size: int, seed: int) -> None:
        self.batches = Batches({8: source}, batch_size, seed)

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, epoch: int, *, first: int = 0) -> Iterator[Tensor]:
        return (batch.windows for batch in self.batches.epoch(epoch, first=first))


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
    batches = OneRung(FramesInMemory(frames(), length=3), batch_size=5, seed=1)
    assert len(batches) == 3
    epoch = list(batches.epoch(0))
    assert [len(batch) for batch in epoch] == [5, 5, 2]
    firsts = torch.cat(epoch)[:, 0, 0, 0, 0]
    assert sorted(firsts.tolist()) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    def order(seed: int, epoch: int) -> list[float]:
        batches = OneRung(FramesInMemory(frames(), length=3), batch_size=5, seed=seed)
        return torch.cat(list(batches.epoch(epoch)))[:, 0, 0, 0, 0].tolist()

    torch.manual_seed(0)
    first = order(seed=1, epoch=2)
    torch.manual_seed(99)
    assert order(seed=1, epoch=2) == first
    assert order(seed=1, epoch=3) != first
    assert order(seed=2, epoch=2) != first


def test_an_epoch_can_be_entered_in_the_middle() -> None:
    batches = OneRung(FramesInMemory(frames(), length=3), batch_size=5, seed=1)
    whole, rest = list(batches.epoch(4)), list(batches.epoch(4, first=1))
    assert len(rest) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))
    assert list(batches.epoch(4, first=3)) == []


def test_memory_and_disk_give_the_same_batches(flow: Ladder) -> None:
    memory = FramesInMemory(load_frames(flow, "train", 16, FIELDS), length=4)
    disk = WindowsOnDisk(Windows(flow, "train", 16, FIELDS, 3, 1), torch.device("cpu"))
    assert len(memory) == len(disk)
    for a, b in zip(OneRung(memory, 8, 0).epoch(0), OneRung(disk, 8, 0).epoch(0), strict=True):
        assert torch.equal(a, b)


def test_reading_from_disk_leaves_the_random_state_alone(flow: Ladder) -> None:
    disk = WindowsOnDisk(Windows(flow, "train", 8, FIELDS, 1, 1), torch.device("cpu"))
    before = torch.get_rng_state()
    list(OneRung(disk, 8, 0).epoch(0))
    assert torch.equal(torch.get_rng_state(), before)


def numbered(num_trajectories: int = 3, rung: int = 2) -> FramesInMemory:
    """Twelve windows of length 3, or four a trajectory, on a grid as large as the rung."""
    return FramesInMemory(frames(num_trajectories).repeat(1, 1, 1, rung // 2, rung // 2), 3)


def firsts(windows: torch.Tensor) -> list[float]:
    return windows[:, 0, 0, 0, 0].tolist()


def test_rungs_mixed_or_not_see_the_same_windows_in_the_same_order() -> None:
    alone = OneRung(numbered(), batch_size=2, seed=1)
    mixed = Batches({2: numbered(), 4: numbered(rung=4)}, 2, 1, {2: 0.5, 4: 0.5})
    assert len(alone) == len(mixed) == 6
    for epoch in range(3):
        seen = list(mixed.epoch(epoch))
        assert [firsts(b.windows) for b in seen] == [firsts(w) for w in alone.epoch(epoch)]
        assert all(b.windows.shape[-1] == b.rung for b in seen)
        assert [b.rung for b in seen] == mixed.rungs(epoch)


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        ({2: 1.0, 4: 0.0}, (6, 0)),
        ({2: 0.75, 4: 0.25}, (5, 1)),  # 4.5 and 1.5: of equal remainders the coarser rung's counts
        ({2: 0.6, 4: 0.4}, (4, 2)),  # 3.6 and 2.4
        ({4: 2 / 3, 2: 1 / 3}, (2, 4)),
    ],
)
def test_as_many_batches_as_its_share_says_are_seen_on_a_rung(
    shares: dict[int, float], counts: tuple[int, int]
) -> None:
    mixed = Batches({2: numbered(), 4: numbered(rung=4)}, 2, 1, shares)
    for epoch in range(4):
        rungs = mixed.rungs(epoch)
        assert (rungs.count(2), rungs.count(4)) == counts
    if 0 not in counts:
        assert len({tuple(mixed.rungs(epoch)) for epoch in range(8)}) > 1


@pytest.mark.parametrize("world", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_the_shares_of_the_processes_in_order_are_the_batches(world: int, first: int) -> None:
    mixed = Batches({2: numbered(), 4: numbered(rung=4)}, 5, 3, {2: 0.7, 4: 0.3})
    whole = list(mixed.epoch(1))
    shares = [list(mixed.epoch(1, first=first, rank=r, world=world)) for r in range(world)]
    together = list(zip(*shares, strict=True))
    assert len(together) == 3 - first
    for batch, parts in zip(whole[first:], together, strict=True):
        assert torch.equal(torch.cat([part.windows for part in parts]), batch.windows)
        assert {(part.rung, part.size) for part in parts} == {(batch.rung, len(batch.windows))}
    seen = [value for batch in whole for value in firsts(batch.windows)]
    assert sorted(seen) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]


def test_from_disk_a_process_reads_its_share_only(
    flow: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = Windows(flow, "train", 8, FIELDS, 1, 1)
    read: list[int] = []
    original = Windows.__getitem__

    def noted(self: Windows, index: int) -> torch.Tensor:
        read.append(index)
        return original(self, index)

    monkeypatch.setattr(Windows, "__getitem__", noted)
    batches = Batches({8: WindowsOnDisk(windows, torch.device("cpu"))}, 4, 0)
    counts = []
    for rank in range(3):
        read.clear()
        seen = list(batches.epoch(0, first=1, rank=rank, world=3))
        assert len(read) == sum(len(batch.windows) for batch in seen)
        counts.append(len(read))
    assert sum(counts) == len(windows) - 4


def test_a_process_without_a_share_is_given_no_windows_of_the_right_shape(flow: Ladder) -> None:
    memory = FramesInMemory(load_frames(flow, "train", 8, FIELDS), length=2)
    disk = WindowsOnDisk(Windows(flow, "train", 8, FIELDS, 1, 1), torch.device("cpu"))
    for source in (memory, disk):
        batch = next(Batches({8: source}, 2, 0).epoch(0, rank=2, world=3))
        assert batch.windows.shape == (0, 2, 2, 8, 8)
        assert batch.size == 2


def test_the_first_trajectories_alone_can_be_used(flow: Ladder) -> None:
    held = load_frames(flow, "train", 8, FIELDS)
    windows = Windows(flow, "train", 8, FIELDS, 1, 1)
    memory = FramesInMemory(held, 2, trajectories=1)
    disk = WindowsOnDisk(windows, torch.device("cpu"), trajectories=1)
    assert len(memory) == len(disk) == windows.per_trajectory < len(windows)
    for a, b in zip(OneRung(memory, 3, 0).epoch(0), OneRung(disk, 3, 0).epoch(0), strict=True):
        assert torch.equal(a, b)
    (last,) = memory.read([torch.tensor([len(memory) - 1])])
    assert torch.equal(last[0, -1], held[0, -1])
    for too_many in (
        lambda: FramesInMemory(held, 2, trajectories=99),
        lambda: WindowsOnDisk(windows, torch.device("cpu"), trajectories=99),
    ):
        with pytest.raises(ValueError, match="of which 99 cannot be used"):
            too_many()


def test_rungs_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same windows, got so many: \{2: 12, 4: 8\}"):
        Batches({2: numbered(), 4: numbered(2, rung=4)}, 2, 1)
    with pytest.raises(ValueError, match=r"shares for the rungs \[2, 8\] but windows for \[2, 4\]"):
        Batches({2: numbered(), 4: numbered(rung=4)}, 2, 1, {2: 0.5, 8: 0.5})
