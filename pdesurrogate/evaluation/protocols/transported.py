"""The resolved band from the network, the rest from where the resolved flow carried it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor

from pdesurrogate.evaluation.protocols.base import Setting, Step, TransferProtocol
from pdesurrogate.evaluation.protocols.shrinking import shrinking_detail, trust_by_frame
from pdesurrogate.surrogate import DetailTransport, TransportOptions

__all__ = ["Transported"]


@dataclass(frozen=True)
class Transported(TransferProtocol):
    r"""Predict where the network was trained and carry the detail along, $Q\,UR\,u + (I - QR)S u$.

    `S` takes the whole fine field along the resolved velocity, which is known at both ends of the
    step, and lets it decay as the equation says; see `operators.trace_back` and the equation's
    `Carrier`. Nothing is trained, and no fine data are seen. In two dimensions small scales are
    filaments that the large eddies draw out, which is why it works: finitely many modes determine
    the rest (Foias & Prodi 1967).

    As a rollout loses its band, detail ends up in wrong places, where it costs as much as none, and
    once more. So the detail that is shown, not that which is carried on, is multiplied by the trust
    that is left in it, see `evaluation.trust`.

    A network that is shown what transport makes of a frame is shown what it makes of the whole fine
    field, as the training grid sees it, $R\,S u$ instead of $S R u$. What small scales do to the
    large ones while they are stirred is then known where before it had to be guessed: the finer
    grid brings information into the resolved band, though no fine frame was ever trained on. What
    the detail changes is weighed by the trust that is left in it.

    Args:
        options: How finely the detail is carried.
        shrinks: Whether it is shrunk as trust in it falls.
        informs: Whether the network is told of the fine field.

    References:
        Foias & Prodi (1967), *Rend. Sem. Mat. Univ. Padova* 39 (determining modes).
        Staniforth & Côté (1991), *Mon. Weather Rev.* 119 (semi-Lagrangian schemes).
    """

    options: TransportOptions = field(default_factory=TransportOptions)
    shrinks: bool = True
    informs: bool = True

    @property
    def uses_trust(self) -> bool:
        """If it shrinks what it does not trust."""
        return self.shrinks

    def reason_against(self, setting: Setting) -> str | None:
        """It needs a velocity that carries something, known from the predicted fields."""
        if setting.carrier is not None:
            return None
        names = ", ".join(field.name for field in setting.fields)
        return f"nothing is known of what carries {names}"

    def carry(self, step: Step, setting: Setting) -> Step:
        """The step that predicts on the training grid and carries the detail along.

        Where `setting.informed` is, and is to be used, it steps on the training grid, not `step`.

        Raises:
            ValueError: If nothing is known of what carries the fields.
        """
        self.require(setting)
        assert setting.carrier is not None
        transport = DetailTransport(
            setting.training_grid,
            setting.evaluation_grid,
            setting.fields,
            setting.time_step,
            setting.carrier,
            self.options,
        )
        num_fields = len(setting.fields)
        coarse_step = self._informed(step, setting) if self.informs else _plain(step)

        def transported(
            window: Float[Tensor, "batch time channel y x"],
        ) -> Float[Tensor, "batch latest channel y x"]:
            """One step of a window on the evaluation grid."""
            restricted = transport.restrict(window)
            stepped = coarse_step(restricted, window[:, -1, :num_fields])
            before, last = restricted[:, -1, :num_fields], window[:, -1, :num_fields]
            new = []
            for frame in stepped[:, -setting.bundle :].unbind(1):
                after = frame[:, :num_fields]
                # Conditions beyond the fields go along with the band.
                shown = transport.prolong(frame)
                last = shown[:, :num_fields] + transport.carried(last, before, after)
                new.append(torch.cat([last, shown[:, num_fields:]], dim=1))
                before = after
            return torch.cat([window, torch.stack(new, dim=1)], dim=1)[:, -stepped.shape[1] :]

        return shrinking_detail(transported, setting, setting.trust if self.shrinks else ())

    def _informed(self, step: Step, setting: Setting) -> _StepOfBoth:
        """The step on the training grid, told what the fine one knows if it can be told."""
        informed = setting.informed
        if informed is None:
            return _plain(step)
        here, carried = setting.training_grid, informed.carried
        known = (setting.fields, setting.time_step)
        foresight = carried.from_finer(here, setting.evaluation_grid, *known)
        own = carried.transport(here, here, *known)
        shares = chain([1.0], trust_by_frame(setting.trust if self.shrinks else ()))

        def told(restricted: Tensor, fine: Tensor) -> Tensor:
            """What the detail changes counts as far as there is trust in it."""
            share = next(shares)
            if share == 1:
                return informed.step(restricted, foresight.foreseen_change_of_band(fine))
            change = own.foreseen_change(restricted[:, -1, : fine.shape[1]])
            if share > 0:
                change = change + share * (foresight.foreseen_change_of_band(fine) - change)
            return informed.step(restricted, change)

        return told


_StepOfBoth = Callable[[Tensor, Tensor], Tensor]
"""Of a window on the training grid and its last frame's fields on the fine one."""


def _plain(step: Step) -> _StepOfBoth:
    return lambda restricted, _: step(restricted)
