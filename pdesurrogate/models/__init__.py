"""Networks that step a field forward, and the U-Net framework that most of them are made with.

A `ModelSpec` named here can be named by `--model`: it holds a network's options and builds it.
What lies where in the folder:

- networks: `classical_unet`, `residual_unet`, `multi_resnet`, `convnext_unet`, `constrained_unet`
  (with options shared in `unet_spec`), `triangle`, `dilated_resnet`, `fno`, `tfno`, `uno`, `sfno`,
  and `extended`, a finer level for any of them;
- framework: `unet` (levels and their composition), `extension`, `spec`, `part`, `user_model`;
- parts: `blocks`, `attention`, `film`, `normalisation`, `resampling_conv`, `initialisation`;
- nested spaces: `spaces`, `wavelets`, `spectral_spaces`; walls and outputs: `walls`, `splines`,
  `output_spaces`;
- analysis: `analysis`, `regression_losses`, `checking`; costs: `counting`, `matching`.
"""

from pdesurrogate.models.analysis import Summands, preconditioned_residual, residual_energy
from pdesurrogate.models.attention import BottleneckAttention
from pdesurrogate.models.blocks import ConvStyle
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
from pdesurrogate.models.extended import Extended
from pdesurrogate.models.extension import fine_level
from pdesurrogate.models.film import FiLM
from pdesurrogate.models.fno import FNO
from pdesurrogate.models.matching import Match, match
from pdesurrogate.models.multi_resnet import MultiResNet
from pdesurrogate.models.output_spaces import IncompressibleFlow, OutputSpace, Scalars
from pdesurrogate.models.part import Part
from pdesurrogate.models.regression_losses import losses_along_levels, optimal_linear_losses
from pdesurrogate.models.residual_unet import ResidualDecoder, ResidualUNet
from pdesurrogate.models.sfno import SFNO
from pdesurrogate.models.spaces import (
    Embedding,
    Haar,
    MaxPooling,
    Projection,
    Space,
    Strided,
)
from pdesurrogate.models.spec import ModelSpec
from pdesurrogate.models.spectral_spaces import Spectral
from pdesurrogate.models.tfno import TFNO
from pdesurrogate.models.unet import Decoder, Level, UNet
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
    "ConvStyle",
    "Cost",
    "Decoder",
    "DilatedResNet",
    "Dirichlet",
    "Embedding",
    "Extended",
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
    "Part",
    "Projection",
    "ResidualDecoder",
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
