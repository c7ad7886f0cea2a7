from __future__ import annotations

import torch
from torch import Tensor

from pdesurrogate.data import Ladder, load_frames
from pdesurrogate.evaluation.trust import OCTAVE_EXPONENT, detail_trust
from pdesurrogate.transfer import prolong, restrict
from tests.evaluation.fakes import fake_surrogate, keep


def test_a_step_without_fine_scales_deserves_no_trust(ladder: Ladder) -> None:
    """What it predicts of the finest octave is nothing, and stands in no relation to the truth."""
    fine = ladder.grid(16)
    half = fine.at_resolution(8)

    def smooth(window: Tensor) -> Tensor:
        return prolong(restrict(window, fine, half), half, fine)

    assert max(detail_trust(fake_surrogate(ladder, smooth), ladder, 3)) < 1e-6


def test_trust_is_the_regression_of_the_truth_on_the_finest_octave(ladder: Ladder) -> None:
    """Of persistence, computed here by hand."""
    frames = load_frames(ladder, "valid", 16, ("vorticity",)).double()[:, :, 0]
    fine, half = ladder.grid(16), ladder.grid(16).at_resolution(8)
    finest = frames - prolong(restrict(frames, fine, half), half, fine)
    expected = []
    for step in (1, 2, 3):
        p, y = finest[:, 0], finest[:, step]
        expected.append(float((p * y).sum() / (p * p).sum()))
    found = detail_trust(fake_surrogate(ladder, keep), ladder, 3)
    wanted = torch.tensor(expected).clamp(0, 1) ** OCTAVE_EXPONENT
    torch.testing.assert_close(torch.tensor(found), wanted, rtol=1e-3, atol=1e-5)
    assert all(0 <= share <= 1 for share in found)


def test_what_blows_up_deserves_no_trust(ladder: Ladder) -> None:
    surrogate = fake_surrogate(ladder, lambda window: window * float("inf"))
    assert detail_trust(surrogate, ladder, 2) == (0.0, 0.0)


def test_trust_reaches_as_far_as_the_trajectories(ladder: Ladder) -> None:
    assert len(detail_trust(fake_surrogate(ladder, keep), ladder, 100)) == ladder.num_frames - 1
