"""What is done to a field on its grid."""

from pdesurrogate.operators.cosine import (
    FourierPoisson,
    MatrixPoisson,
    PoissonSolver,
    neumann_poisson,
)
from pdesurrogate.operators.damping import damp
from pdesurrogate.operators.flow_map import FlowMap, trace_back
from pdesurrogate.operators.lookup import look_up, places
from pdesurrogate.operators.muscl import monotonised_slopes
from pdesurrogate.operators.semi_lagrangian import sample_bilinear
from pdesurrogate.operators.spectral import (
    FourierBasis,
    derivative,
    inverse_laplacian,
    laplacian,
    velocity_from_vorticity,
    vorticity_from_velocity,
    wavenumbers,
)
from pdesurrogate.operators.spherical_harmonics import (
    SphericalHarmonics,
    linear_truncation,
    quadratic_truncation,
    spherical_harmonics,
)
from pdesurrogate.operators.staggered import (
    average_to_centres,
    divergence,
    midpoints,
    mirror_about_faces,
    mirror_about_nodes,
    momentum_speeds_x,
    momentum_speeds_y,
    no_slip_ghosts,
    pressure_gradient,
)
from pdesurrogate.operators.upwind import (
    AdvectiveFlux,
    KorenLimiter,
    ThirdOrderUpwind,
    transport,
)

__all__ = [
    "AdvectiveFlux",
    "FlowMap",
    "FourierBasis",
    "FourierPoisson",
    "KorenLimiter",
    "MatrixPoisson",
    "PoissonSolver",
    "SphericalHarmonics",
    "ThirdOrderUpwind",
    "average_to_centres",
    "damp",
    "derivative",
    "divergence",
    "inverse_laplacian",
    "laplacian",
    "linear_truncation",
    "look_up",
    "midpoints",
    "mirror_about_faces",
    "mirror_about_nodes",
    "momentum_speeds_x",
    "momentum_speeds_y",
    "monotonised_slopes",
    "neumann_poisson",
    "no_slip_ghosts",
    "places",
    "pressure_gradient",
    "quadratic_truncation",
    "sample_bilinear",
    "spherical_harmonics",
    "trace_back",
    "transport",
    "velocity_from_vorticity",
    "vorticity_from_velocity",
    "wavenumbers",
]
