from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pdesurrogate.frame_rollout import rollout_frames


@pytest.mark.parametrize(("num_frames", "num_steps"), [(1, 1), (2, 1), (3, 2), (5, 3), (0, 0)])
def test_frames_come_one_by_one_from_as_few_steps_as_will_do(
    num_frames: int, num_steps: int
) -> None:
    calls = []

    def step(window: Tensor) -> Tensor:
        """Two frames more, of a window that shows one of before."""
        calls.append(window.flatten().tolist())
        last = window[:, -1:]
        return torch.cat([last, last + 1, last + 2], dim=1)

    frames = rollout_frames(step, torch.full((1, 1, 1, 1, 1), 7.0), num_frames, bundle=2)
    assert calls == []
    assert [float(frame) for frame in frames] == [8.0, 9.0, 10.0, 11.0, 12.0][:num_frames]
    assert calls == [[7.0], [7.0, 8.0, 9.0], [9.0, 10.0, 11.0]][:num_steps]
