"""A finer level for a trained surrogate: what transport misses is learned."""

from __future__ import annotations

import copy
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pdesurrogate.grids import Grid
from pdesurrogate.models import count_flops, count_parameters
from pdesurrogate.models.blocks import ConvStyle, ResidualBlock
from pdesurrogate.solvers import Carrier
from pdesurrogate.surrogate.detail_transport import DetailTransport, TransportOptions
from pdesurrogate.surrogate.files import read_surrogate
from pdesurrogate.surrogate.info import SurrogateInfo
from pdesurrogate.surrogate.surrogate import Surrogate
from pdesurrogate.transfer import restrict

__all__ = ["EXTENSION", "Extension", "ExtensionModule", "extension_directory", "load_extension"]

EXTENSION = "Extension"
"""What `SurrogateInfo.model` says of one."""


class ExtensionModule(nn.Module):
    r"""A level of the U-Net framework on top of a surrogate, preconditioned on transport.

    With the base's step `U` on its own grid, restriction and prolongation `R` and `Q`, and the
    transport `S` of the whole fine field along the resolved velocity,

    $$ w = Q\,U R\,u + (I - QR)\,S u + G(u_d \oplus S_d \oplus Q R\,u \oplus Q\,U R\,u),
       \qquad u_d = (I - QR)\,u, \quad S_d = (I - QR)\,S u, \quad G = 0 \text{ at first,} $$

    or with the learned part inside the brackets, $(I - QR) (S u + G)$, so that the resolved band is
    the base's exactly. The level starts as `transported`, or without transport as `projected`. It
    sees and answers what every network of a surrogate does: normalised channels.

    Args:
        base: The surrogate that is extended. Its weights are frozen.
        transport: From the base's grid to the finer one; one without a carrier leaves `S` out.
        width: Channels of `G`, two residual blocks and a convolution.
        corrects_band: Whether `G` may change the resolved band, too: `I` for `I - QR` before it.
    """

    def __init__(
        self,
        base: Surrogate,
        transport: DetailTransport,
        width: int,
        *,
        corrects_band: bool = True,
    ) -> None:
        super().__init__()
        self.transport, self.corrects_band = transport, corrects_band
        self._info, self._finer = base.info, replace(base.info, carried=None)
        self._foresight = None
        if base.info.carried is not None and transport.carrier is not None:
            self._foresight = base.info.carried.from_finer(
                transport.coarse, transport.fine, base.info.fields, base.info.time_step
            )
        self.base = base.module.requires_grad_(False)
        style = ConvStyle(transport.fine.padding)
        num_fields = len(base.info.fields)
        seen = 4 * num_fields + len(base.info.conditioning)
        self.blocks = nn.Sequential(
            ResidualBlock(seen, width, style), ResidualBlock(width, width, style)
        )
        self.read_off = style.convolution(width, num_fields)
        for parameter in self.read_off.parameters():
            nn.init.zeros_(parameter)

    def forward(self, inputs: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """See the class."""
        info, base = self._info, Surrogate(self.base, self._info)
        num_fields, transport = len(info.fields), self.transport
        frames, conditions = inputs.tensor_split([info.history * num_fields], dim=1)
        frames = base.in_units(frames.unflatten(1, (info.history, num_fields)))
        coarse = transport.restrict(frames)
        told = restrict(conditions, transport.fine, transport.coarse)
        last, before = frames[:, -1], coarse[:, -1]
        new = []
        moved = None if self._foresight is None else self._foresight.foreseen_change_of_band(last)
        for after in base.predict(coarse, told, moved).unbind(1):
            last = self._advanced(base, last, before, after, conditions)
            new.append(last)
            before = after
        finer = Surrogate(self.base, self._finer)
        return finer.network_target(frames, torch.stack(new, dim=1))

    def _advanced(
        self, base: Surrogate, last: Tensor, before: Tensor, after: Tensor, conditions: Tensor
    ) -> Tensor:
        """One frame further on the fine grid."""
        transport = self.transport
        detail = transport.detail(last)
        carried = torch.zeros_like(detail)
        if transport.carrier is not None:
            carried = transport.carried(last, before, after)
        band = transport.prolong(after)
        seen = [base.normalised(u) for u in (transport.prolong(before), band)]
        fine = [u / base.change_std for u in (detail, carried)]
        learned = self.read_off(self.blocks(torch.cat([*fine, *seen, conditions], dim=1)))
        learned = base.change_std * learned
        return band + carried + (learned if self.corrects_band else transport.detail(learned))


@dataclass(frozen=True)
class Extension:
    """What a surrogate is extended by for a finer grid.

    Args:
        width: Channels of the learned residual.
        is_transporting: Whether detail is carried by the resolved flow; without it the residual has
            to learn all of it.
        corrects_band: Whether the resolved band may be changed, too.
        transport: How finely detail is carried.

    Raises:
        ValueError: If `width` is below 1.
    """

    width: int = 32
    is_transporting: bool = True
    corrects_band: bool = True
    transport: TransportOptions = field(default_factory=TransportOptions)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width of an extension must be at least 1, got {self.width}")

    def on(self, base: Surrogate, grid: Grid, carrier: Carrier | None) -> Surrogate:
        """The untrained surrogate of a finer grid: the base, carried there by transport.

        Draws from torch's global generator.

        Args:
            base: The surrogate; its network is shared, and frozen.
            grid: The finer grid.
            carrier: How the flow carries the fields; None if nothing is known of it.

        Raises:
            ValueError: If the grid is not finer than the base's, or there is no transport.
        """
        coarse = base.info.training_grid
        if grid.resolution <= coarse.resolution:
            raise ValueError(
                f"{base.info.name} can be extended to grids finer than its own, "
                f"{coarse.resolution}, not to {grid.resolution}"
            )
        if self.is_transporting and carrier is None:
            names = ", ".join(base.info.field_names)
            raise ValueError(
                f"{base.info.name} cannot be extended with transport: nothing is known of what "
                f"carries {names}; give is_transporting false"
            )
        transport = DetailTransport(
            coarse,
            grid,
            base.info.fields,
            base.info.time_step,
            carrier if self.is_transporting else None,
            self.transport,
        )
        module = ExtensionModule(base, transport, self.width, corrects_band=self.corrects_band)
        info = replace(
            base.info,
            model=EXTENSION,
            options=asdict(self),
            carried=None,  # the base carries its frames by itself
            grid=grid.to_dict(),
            parameters=count_parameters(module),
            training_seconds=0.0,
            epochs=0,
        )
        flops = count_flops(module, info.in_channels, grid)
        return Surrogate(module, replace(info, flops=flops))


def extension_directory(run: str | os.PathLike[str], resolution: int) -> Path:
    """Where a run's extension to a finer grid lies."""
    return Path(run) / "extensions" / str(resolution)


def load_extension(
    base: Surrogate, directory: str | os.PathLike[str], carrier: Carrier | None
) -> Surrogate:
    """Read an extension of a surrogate. Runs no code from it.

    Args:
        base: What it extends.
        directory: Where it was saved.
        carrier: How the flow carries the fields.

    Returns:
        The surrogate of the finer grid, on the CPU, its parameters frozen.

    Raises:
        FileNotFoundError: If a file is absent.
        ValueError: If a file is damaged, is no extension, or extends another surrogate.
    """

    copied = Surrogate(copy.deepcopy(base.module).cpu(), base.info)

    def build(info: SurrogateInfo, path: Path) -> nn.Module:
        """The untrained level on top of the base."""
        if info.model != EXTENSION:
            raise ValueError(f"{path} describes a {info.model}, not an extension")
        options: dict[str, Any] = {**info.options}
        try:
            transport = TransportOptions(**options.pop("transport"))
            extension = Extension(**options, transport=transport)
            return extension.on(copied, info.training_grid, carrier).module
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not describe an extension: {error}") from error

    module, info = read_surrogate(directory, build)
    assert isinstance(module, ExtensionModule)
    inside = module.base.state_dict()
    for name, value in base.module.state_dict().items():
        if not torch.equal(value.cpu(), inside[name].cpu()):
            raise ValueError(
                f"{directory} extends other weights than those of {base.info.name}: extend it again"
            )
    return Surrogate(module, info)
