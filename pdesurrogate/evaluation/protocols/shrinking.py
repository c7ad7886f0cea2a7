"""Showing less of a detail than is carried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols.base import Setting, Step
from pdesurrogate.evaluation.trust import OCTAVE_EXPONENT
from pdesurrogate.transfer import interpolate, prolong_fields, restrict_fields

__all__ = ["shrinking_detail", "trust_by_frame"]


def trust_by_frame(trust: Sequence[float]) -> Iterator[float]:
    """Trust in each predicted frame: the last one holds for all beyond, 1 where none is known."""
    return chain(trust, repeat(trust[-1] if trust else 1.0))


def shrinking_detail(step: Step, setting: Setting, trust: tuple[float, ...]) -> Step:
    """A step whose new frames are shown with their detail multiplied by what trust is left.

    Detail is what stands out from the smooth interpolation of the resolved band. Between cells that
    is more than the steps of `prolong`: how the band goes on inside a cell, which is of the band's
    own scales and keeps as much of its coherence, the fourth root of the trust. (A truncated series
    is smooth as it is.)

    The next step goes on from the whole detail: what is shrunk for its error's sake is still the
    best guess of what there is to carry.

    Args:
        step: On the evaluation grid.
        setting: Grids and fields.
        trust: From 0 to 1, one number per frame of the rollout; the last one holds for all
            frames beyond. Empty to show everything.
    """
    return _Shrinking(step, setting, trust) if trust else step


class _Shrinking:
    """One rollout, counting its frames."""

    def __init__(self, step: Step, setting: Setting, trust: tuple[float, ...]) -> None:
        self.step, self.setting, self.trust = step, setting, trust_by_frame(trust)
        self.whole: Tensor | None = None

    def __call__(
        self, window: Float[Tensor, "batch time channel y x"]
    ) -> Float[Tensor, "batch latest channel y x"]:
        num_fields = len(self.setting.fields)
        if self.whole is not None:
            told = window[:, -1:, num_fields:]
            window = torch.cat([window[:, :-1], torch.cat([self.whole, told], dim=2)], dim=1)
        stepped = self.step(window)
        kept, new = stepped.tensor_split([-self.setting.bundle], dim=1)
        self.whole = new[:, -1:, :num_fields]
        fields, coarse, fine = (
            self.setting.fields,
            self.setting.training_grid,
            self.setting.evaluation_grid,
        )
        resolved = restrict_fields(new.flatten(0, 1), fields, fine, coarse)
        band, smooth = (
            shown(resolved).unflatten(0, new.shape[:2])
            for shown in (
                lambda u: prolong_fields(u, fields, coarse, fine),
                lambda u: interpolate(u, coarse, fine, fields),
            )
        )
        shares = list(islice(self.trust, self.setting.bundle))
        share = torch.tensor(shares, dtype=new.dtype, device=new.device)[:, None, None, None]
        inside = share ** (1 / OCTAVE_EXPONENT) * (smooth - band)
        return torch.cat([kept, band + inside + share * (new - smooth)], dim=1)
