"""The U-Net as a composition of operators on nested spaces."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Decoder", "UNet", "check_grid_size"]


class Decoder(nn.Module, ABC):
    """What makes a fine field from a coarse one and the encoded input: `D_i(w | v)`."""

    @abstractmethod
    def forward(
        self,
        coarse: Float[Tensor, "batch c_coarse y_coarse x_coarse"],
        skip: Float[Tensor, "batch c_skip y x"],
    ) -> Float[Tensor, "batch c_out y x"]:
        """The element of `W_i` that belongs to `coarse` in `W_{i-1}` and `skip` in `V_i`."""


class UNet(nn.Module):
    r"""A U-Net made of its parts.

    With encoder operators $E_i : V_i \to V_i$, projections $P_{i-1} : V_i \to V_{i-1}$ onto the
    next coarser of the nested spaces, decoder operators $D_i : W_{i-1} \times V_i \to W_i$ and a
    bottleneck $U_0 : V_0 \to W_0$, level $i$ is

    $$ U_i(v) = D_i\bigl(U_{i-1}(P_{i-1} E_i v) \mid E_i v\bigr), \qquad i = 1, \dots, n, $$

    and the network is $\mathrm{head} \circ U_n \circ \mathrm{lift}$. A projection halves the number
    of points along y and x, so both must be divisible by $2^n$; square or not, and which multiple,
    is free: nothing here knows a resolution. $E_i$ may also change the number of channels.

    Args:
        encoders: $E_1, \dots, E_n$, coarse to fine.
        projections: $P_0, \dots, P_{n-1}$, coarse to fine.
        decoders: $D_1, \dots, D_n$, coarse to fine.
        bottleneck: $U_0$.
        lift: Brings the input into $V_n$; the identity when $E_n$ does so itself.
        head: Reads the output off $W_n$.

    Raises:
        ValueError: If the parts don't make up whole levels.

    References:
        Williams, Falck et al. (2023), *A Unified Framework for U-Net Design and Analysis*,
        Definition 1.
    """

    def __init__(
        self,
        *,
        encoders: Sequence[nn.Module],
        projections: Sequence[nn.Module],
        decoders: Sequence[nn.Module],
        bottleneck: nn.Module,
        lift: nn.Module | None = None,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not len(encoders) == len(projections) == len(decoders):
            raise ValueError(
                "a U-Net needs one encoder, one projection and one decoder a level, got "
                f"{len(encoders)} encoders, {len(projections)} projections and "
                f"{len(decoders)} decoders"
            )
        self.lift = lift if lift is not None else nn.Identity()
        self.encoders = nn.ModuleList(encoders)
        self.projections = nn.ModuleList(projections)
        self.bottleneck = bottleneck
        self.decoders = nn.ModuleList(decoders)
        self.head = head if head is not None else nn.Identity()

    @property
    def num_levels(self) -> int:
        """How many levels `n` lie above the bottleneck."""
        return len(self.decoders)

    def forward(self, v: Float[Tensor, "batch c_in y x"]) -> Float[Tensor, "batch c_out y x"]:
        """Lift, go down and up the levels, and read off the output.

        Raises:
            ValueError: If a side of the grid is not divisible by `2**num_levels`.
        """
        check_grid_size((v.shape[-2], v.shape[-1]), self.num_levels)
        return self.head(self._apply_level(self.num_levels, self.lift(v)))

    def level(self, i: int) -> UNet:
        """The operator `U_i` as a network of its own, from `V_i` to `W_i`; shares the weights.

        It takes what the projection of the next finer level hands down, before $E_i$.

        Args:
            i: 0 for the bottleneck, `num_levels` for all but lift and head.

        Raises:
            ValueError: If there is no such level.
        """
        if not 0 <= i <= self.num_levels:
            raise ValueError(f"this U-Net has levels 0 to {self.num_levels}, not {i}")
        return UNet(
            encoders=list(self.encoders)[:i],
            projections=list(self.projections)[:i],
            decoders=list(self.decoders)[:i],
            bottleneck=self.bottleneck,
        )

    def _apply_level(self, i: int, v: Tensor) -> Tensor:
        if i == 0:
            return self.bottleneck(v)
        encoder, projection, decoder = (
            self.encoders[i - 1],
            self.projections[i - 1],
            self.decoders[i - 1],
        )
        skip = encoder(v)
        return decoder(self._apply_level(i - 1, projection(skip)), skip)


def check_grid_size(num_points: tuple[int, int], num_levels: int) -> None:
    """Refuse a grid that cannot be halved `num_levels` times.

    Args:
        num_points: Points along y and x.
        num_levels: How often both are halved.

    Raises:
        ValueError: If a side is not divisible by `2**num_levels`; names the nearest sizes that are.
    """
    step = 2**num_levels
    if all(n % step == 0 for n in num_points):
        return
    below = tuple(n // step * step for n in num_points)
    above = tuple(-(-n // step) * step for n in num_points)
    nearest = " or ".join(f"{ny} x {nx}" for ny, nx in (below, above) if min(ny, nx) > 0)
    raise ValueError(
        f"a U-Net with {num_levels} levels needs sides divisible by {step}, got "
        f"{num_points[0]} x {num_points[1]}; nearest that works: {nearest}"
    )
