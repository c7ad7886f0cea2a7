"""Networks that step a field forward, and the U-Net framework that most of them are made with.

A class named here can be named by `--model`; it holds a model's options and builds the network.
"""

from pdesurrogate.models.attention import BottleneckAttention
from pdesurrogate.models.checking import Verdict, check_model
from pdesurrogate.models.classical_unet import ClassicalUNet
from pdesurrogate.models.convnext_unet import ConvNeXtUNet
from pdesurrogate.models.counting import count_flops, count_parameters
from pdesurrogate.models.dilated_resnet import DilatedResNet
from pdesurrogate.models.extension import fine_level
from pdesurrogate.models.film import FiLM
from pdesurrogate.models.fno import FNO
from pdesurrogate.models.multi_resnet import MultiResNet
from pdesurrogate.models.residual_unet import ResidualUNet
from pdesurrogate.models.sfno import SFNO
from pdesurrogate.models.spaces import Haar, MaxPooling, Space, Strided
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.spectral_spaces import Spectral
from pdesurrogate.models.tfno import TFNO
from pdesurrogate.models.unet import Level, UNet
from pdesurrogate.models.uno import UNO
from pdesurrogate.models.wavelets import Wavelet

__all__ = [
    "FNO",
    "SFNO",
    "TFNO",
    "UNO",
    "BottleneckAttention",
    "ClassicalUNet",
    "ConvNeXtUNet",
    "DilatedResNet",
    "FiLM",
    "Haar",
    "Level",
    "MaxPooling",
    "ModelSpec",
    "MultiResNet",
    "ResidualUNet",
    "Space",
    "Spectral",
    "Strided",
    "UNet",
    "Verdict",
    "Wavelet",
    "check_model",
    "count_flops",
    "count_parameters",
    "fine_level",
]
