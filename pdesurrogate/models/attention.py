"""Attention among the points of a U-Net's coarsest level."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from pdesurrogate.models.normalisation import ChannelNorm
from pdesurrogate.models.part import Part

__all__ = ["BottleneckAttention", "SelfAttention"]


@dataclass(frozen=True)
class BottleneckAttention(Part):
    """A `SelfAttention` after the bottleneck, of cost quadratic in its number of points.

    Args:
        heads: Number of heads; must divide the channels of the bottleneck.

    Raises:
        ValueError: If there is no head.
    """

    heads: int = 4

    def __post_init__(self) -> None:
        if self.heads < 1:
            raise ValueError(f"BottleneckAttention.heads must be at least 1, got {self.heads}")

    def layer(self, channels: int) -> nn.Module:
        """The residual step.

        Args:
            channels: Of the bottleneck.

        Raises:
            ValueError: If the heads do not divide the channels.
        """
        return SelfAttention(channels, self.heads)


class SelfAttention(nn.Module):
    r"""A residual step in which every point looks at all others.

    $$ v + W \bigoplus_h \sum_q \mathrm{softmax}_q\bigl(\langle Q_h N v_p, K_h N v_q \rangle
       / \sqrt{d}\bigr)\, V_h N v_q $$

    with the normalisation $N$ over the channels. Points are not told where they are: it commutes
    with translations and with every other rearrangement of the points, mirror images included,
    and its weights know no resolution. The sum is a mean over the domain, with weights that depend
    on the values: on finer grids it converges to an integral. Where things are is what the
    convolutions around it tell.

    Args:
        channels: Channels of the input and of the output.
        heads: Number of heads $h$, each of `d = channels / heads` channels.

    Raises:
        ValueError: If the heads do not divide the channels.

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, §3.2.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(
                f"BottleneckAttention.heads must divide the {channels} channels of the bottleneck, "
                f"got {heads}"
            )
        self.norm = ChannelNorm(channels)
        self.look_up = nn.Conv2d(channels, 3 * channels, 1)
        self.read_off = nn.Conv2d(channels, channels, 1)
        self._heads = heads

    def forward(self, v: Float[Tensor, "batch c y x"]) -> Float[Tensor, "batch c y x"]:
        """Add what each point gathers."""
        query, key, value = (
            part.flatten(2).unflatten(1, (self._heads, -1)).mT
            for part in self.look_up(self.norm(v)).chunk(3, dim=1)
        )
        gathered = F.scaled_dot_product_attention(query, key, value)
        return v + self.read_off(gathered.mT.flatten(1, 2).unflatten(2, v.shape[-2:]))
