"""Every named network, tiny, on a grid and an input that never change."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import (
    FNO,
    TFNO,
    UNO,
    BottleneckAttention,
    ClassicalUNet,
    ConvNeXtUNet,
    DilatedResNet,
    FiLM,
    ModelSpec,
    MultiResNet,
    ResidualUNet,
)

__all__ = ["GRID", "NAMED", "build", "given"]

GRID = PeriodicBox((16, 16))
IN_CHANNELS, OUT_CHANNELS, PARAMETERS = 3, 2, (2,)
NAMED: dict[str, ModelSpec] = {
    "ClassicalUNet": ClassicalUNet(width=3, levels=2),
    "ConvNeXtUNet": ConvNeXtUNet(width=3, levels=2, blocks=1),
    "DilatedResNet": DilatedResNet(width=3, blocks=1),
    "FNO": FNO(modes=3, width=4, layers=2),
    "MultiResNet": MultiResNet(width=3, levels=2),
    "MultiResNet, extra blocks": MultiResNet(width=3, levels=2, extra_decoder_blocks=1),
    "ResidualUNet": ResidualUNet(width=3, levels=2),
    "ResidualUNet, group": ResidualUNet(width=3, levels=2, norm="group"),
    "ResidualUNet, layer": ResidualUNet(width=3, levels=2, norm="layer"),
    "ResidualUNet, band": ResidualUNet(width=3, levels=2, norm="band"),
    "ResidualUNet, attention": ResidualUNet(width=3, levels=2, attention=BottleneckAttention(2)),
    "ResidualUNet, film": ResidualUNet(width=3, levels=2, film=FiLM(hidden=4)),
    "TFNO": TFNO(modes=3, width=4, layers=2),
    "UNO": UNO(modes=4, width=4, levels=1),
}


def build(spec: ModelSpec) -> nn.Module:
    """The network with weights that are a formula, the same with every version of torch."""
    network = spec.build_conditioned(IN_CHANNELS, OUT_CHANNELS, GRID, PARAMETERS).eval()
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            real = torch.view_as_real(parameter) if parameter.is_complex() else parameter
            fan_in = max(real[0].numel() if real.ndim > 1 else real.numel(), 1)
            waves = torch.sin(1.3 * torch.arange(real.numel()) + number)
            real.copy_((waves / fan_in**0.5).reshape(real.shape))
    return network


def given(ny: int = 16, nx: int = 16, batch: int = 1) -> Tensor:
    """Two fields with a little of every wave, and a parameter."""
    y, x = torch.arange(ny)[:, None] / ny, torch.arange(nx) / nx
    field = torch.sin(6.28 * (y + 2 * x)) + 0.3 * torch.cos(40.0 * y * x + 5 * x)
    frames = torch.stack([field, field.roll(3, -1) ** 2, torch.full_like(field, 0.7)])
    return torch.stack([frames * (1 + 0.1 * sample) for sample in range(batch)])
