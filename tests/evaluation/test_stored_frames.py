from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation import stored_frames
from pdesurrogate.evaluation.stored_frames import FrameBlocks, StoredFrames

FIELDS = ("vorticity", "velocity_x")


def stored(ladder: Ladder, num_steps: int = 5) -> StoredFrames:
    """Frames 2 to 6 of the third and the fourth trajectory."""
    where = (ladder, "test", 16, FIELDS, slice(2, 4))
    return StoredFrames(FrameBlocks(*where, first=2, num_steps=num_steps, device="cpu"))


@pytest.mark.parametrize("frames_in_a_block", [1, 2, 3, 5, 100])
def test_frames_come_as_they_are_stored_block_by_block(
    frames_in_a_block: int, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[int] = []

    def counted(*arguments: object, **named: object) -> Tensor:
        frames = load_frames(*arguments, **named)  # type: ignore[arg-type]
        lengths.append(frames.shape[1])
        return frames

    # 2 trajectories of 2 fields of 16 x 16 numbers of 4 bytes
    monkeypatch.setattr(stored_frames, "_BLOCK_BYTES", frames_in_a_block * 2 * 2 * 256 * 4)
    monkeypatch.setattr(stored_frames, "load_frames", counted)
    frames = stored(ladder)
    expected = load_frames(ladder, "test", 16, FIELDS, slice(2, 4))[:, 2:]
    for step in range(5):
        assert torch.equal(frames[:, step], expected[:, step])
    assert sum(lengths) == 5
    assert max(lengths) == min(frames_in_a_block, 5)


def test_there_are_no_frames_before_the_first_and_after_the_last(ladder: Ladder) -> None:
    frames = stored(ladder, num_steps=3)
    assert frames.shape[1] == 3
    for step in (-1, 3):
        with pytest.raises(IndexError, match="of 3"):
            frames[:, step]


def test_they_are_indexed_like_the_tensor_that_they_stand_for(ladder: Ladder) -> None:
    frames = stored(ladder)
    tensor = load_frames(ladder, "test", 16, FIELDS, slice(2, 4))[:, 2:]
    assert (frames.shape, len(frames)) == (tuple(tensor.shape), len(tensor))
    assert torch.equal(frames[:1, 1:4], tensor[:1, 1:4])
    assert torch.equal(frames[1:, 4], tensor[1:, 4])
    swapped = frames[:, :, [1, 0]]
    assert torch.equal(swapped[:, 2], tensor[:, 2, [1, 0]])
    assert torch.equal(swapped[:, :, [1]][:, 3], tensor[:, 3, [0]])
    assert swapped[:, :, [1]].shape == (2, 5, 1, 16, 16)
