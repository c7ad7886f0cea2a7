"""What is done to a field on its grid."""

from pdesurrogate.operators.spectral import (
    FourierBasis,
    derivative,
    inverse_laplacian,
    laplacian,
    velocity_from_vorticity,
    vorticity_from_velocity,
    wavenumbers,
)

__all__ = [
    "FourierBasis",
    "derivative",
    "inverse_laplacian",
    "laplacian",
    "velocity_from_vorticity",
    "vorticity_from_velocity",
    "wavenumbers",
]
