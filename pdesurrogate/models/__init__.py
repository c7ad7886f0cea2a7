"""Networks that step a field forward, and the U-Net framework that most of them are made with.

A class named here can be named by `--model`; it holds a model's options and builds the network.
"""

from pdesurrogate.models.classical_unet import ClassicalUNet
from pdesurrogate.models.constrained_unet import ConstrainedUNet
from pdesurrogate.models.counting import count_flops, count_parameters
from pdesurrogate.models.extension import fine_level
from pdesurrogate.models.fno import FNO
from pdesurrogate.models.multi_resnet import MultiResNet
from pdesurrogate.models.output_spaces import IncompressibleFlow, OutputSpace, Scalars
from pdesurrogate.models.residual_unet import ResidualUNet
from pdesurrogate.models.spaces import Haar, MaxPooling, Space, Strided
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.unet import Level, UNet
from pdesurrogate.models.walls import Clamped, Dirichlet, Neumann, Wall

__all__ = [
    "FNO",
    "Clamped",
    "ClassicalUNet",
    "ConstrainedUNet",
    "Dirichlet",
    "Haar",
    "IncompressibleFlow",
    "Level",
    "MaxPooling",
    "ModelSpec",
    "MultiResNet",
    "Neumann",
    "OutputSpace",
    "ResidualUNet",
    "Scalars",
    "Space",
    "Strided",
    "UNet",
    "Wall",
    "count_flops",
    "count_parameters",
    "fine_level",
]
