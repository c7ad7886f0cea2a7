"""Networks that step a field forward, and the U-Net framework that most of them are made with.

A class named here can be named by `--model`; it holds a model's options and builds the network.
"""

from pdesurrogate.models.analysis import Summands, preconditioned_residual, residual_energy
from pdesurrogate.models.attention import BottleneckAttention
from pdesurrogate.models.checking import Verdict, check_model
from pdesurrogate.models.classical_unet import ClassicalUNet
from pdesurrogate.models.constrained_unet import ConstrainedUNet
from pdesurrogate.models.convnext_unet import ConvNeXtUNet
from pdesurrogate.models.counting import (
    Cost,
    count,
    count_activation_bytes,
    count_flops,
    count_parameters,
)
from pdesurrogate.models.dilated_resnet import DilatedResNet
from pdesurrogate.models.extension import fine_level
from pdesurrogate.models.film import FiLM
from pdesurrogate.models.fno import FNO
from pdesurrogate.models.matching import Match, match
from pdesurrogate.models.multi_resnet import MultiResNet
from pdesurrogate.models.output_spaces import IncompressibleFlow, OutputSpace, Scalars
from pdesurrogate.models.regression_losses import losses_along_levels, optimal_linear_losses
from pdesurrogate.models.residual_unet import ResidualUNet
from pdesurrogate.models.sfno import SFNO
from pdesurrogate.models.spaces import Haar, MaxPooling, Space, Strided
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.spectral_spaces import Spectral
from pdesurrogate.models.tfno import TFNO
from pdesurrogate.models.unet import Level, UNet
from pdesurrogate.models.uno import UNO
from pdesurrogate.models.walls import Clamped, Dirichlet, Neumann, Wall
from pdesurrogate.models.wavelets import Wavelet

__all__ = [
    "FNO",
    "SFNO",
    "TFNO",
    "UNO",
    "BottleneckAttention",
    "Clamped",
    "ClassicalUNet",
    "ConstrainedUNet",
    "ConvNeXtUNet",
    "Cost",
    "DilatedResNet",
    "Dirichlet",
    "FiLM",
    "Haar",
    "IncompressibleFlow",
    "Level",
    "Match",
    "MaxPooling",
    "ModelSpec",
    "MultiResNet",
    "Neumann",
    "OutputSpace",
    "ResidualUNet",
    "Scalars",
    "Space",
    "Spectral",
    "Strided",
    "Summands",
    "UNet",
    "Verdict",
    "Wall",
    "Wavelet",
    "check_model",
    "count",
    "count_activation_bytes",
    "count_flops",
    "count_parameters",
    "fine_level",
    "losses_along_levels",
    "match",
    "optimal_linear_losses",
    "preconditioned_residual",
    "residual_energy",
]
