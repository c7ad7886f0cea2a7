"""A finer level on top of the network, trained on a few fine trajectories."""

from __future__ import annotations

from dataclasses import dataclass

from pdesurrogate.evaluation.protocols.base import Setting, Step, TransferProtocol
from pdesurrogate.evaluation.protocols.shrinking import shrinking_detail

__all__ = ["Extended"]


@dataclass(frozen=True)
class Extended(TransferProtocol):
    r"""The network with a level for the finer grid, $Q\,U R\,u + (I - QR)\,S u + G$.

    The network itself stays as it is; `G` was trained, by `pdesurrogate extend`, on some
    trajectories of the finer grid to add what transport misses. See `surrogate.ExtensionModule`.

    Args:
        shrinks: Whether detail is shrunk as trust in it falls, as by `transported`.
    """

    shrinks: bool = True

    @property
    def uses_trust(self) -> bool:
        """If it shrinks what it does not trust."""
        return self.shrinks

    def reason_against(self, setting: Setting) -> str | None:
        """It needs an extension to that grid."""
        if setting.extension is not None:
            return None
        n = setting.evaluation_grid.resolution
        return (
            f"the run has no extension to resolution {n}; train one with `pdesurrogate extend RUN "
            f"--data DIR --resolutions {n}`"
        )

    def carry(self, step: Step, setting: Setting) -> Step:
        """The extension's step.

        Raises:
            ValueError: If there is no extension to that grid.
        """
        self.require(setting)
        assert setting.extension is not None
        trust = setting.trust if self.shrinks else ()
        return shrinking_detail(setting.extension.step, setting, trust)
