import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pdesurrogate.initial_conditions.triangle_poisson import poisson_problems
from pdesurrogate.models import Clamped, Dirichlet, Neumann, Wall
from pdesurrogate.models.triangle import (
    TriangleConv,
    TriangleEmbedding,
    TriangleProjection,
    TriangleStyle,
    triangle_unet,
)
from pdesurrogate.models.unet import UNet
from pdesurrogate.operators.triangle import (
    triangle_neighbours,
    triangle_vertices,
)

EDGES = ("replicate", "replicate")
project = TriangleProjection()


def embed(coarse: Tensor) -> Tensor:
    return TriangleEmbedding()(coarse, coarse.new_empty(len(coarse), 1, 1, 4 * coarse.shape[-1]))


def field(depth: int, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(depth)
    return torch.randn(2, channels, 1, 4**depth, generator=generator, dtype=torch.float64)


def unet(levels: int = 2, in_channels: int = 1) -> UNet:
    torch.manual_seed(0)
    style = TriangleStyle(EDGES)
    return triangle_unet(in_channels, 1, width=8, levels=levels, style=style)


def test_embedded_projection_is_an_orthogonal_projector() -> None:
    u, v = field(3), field(3).flip(-1)
    once = embed(project(v))
    torch.testing.assert_close(embed(project(once)), once)
    torch.testing.assert_close((once * u).sum(), (v * embed(project(u))).sum())
    assert abs((once * (v - once)).sum()) < 1e-12


def test_spaces_are_nested() -> None:
    coarse = embed(embed(project(project(field(4)))))
    torch.testing.assert_close(embed(project(coarse)), coarse)


def test_means_are_kept() -> None:
    v = field(4)
    torch.testing.assert_close(project(v).mean(-1), v.mean(-1))


@pytest.mark.parametrize("wall", [Neumann(), Dirichlet(), Clamped()])
def test_convolution_looks_at_the_neighbours(wall: Wall) -> None:
    conv = TriangleConv(3, 2, wall).double()
    v = field(2)
    out = conv(v)
    own, around = conv.weight[:, :3, 0, 0], conv.weight[:, 3:, 0, 0]
    for t, neighbours in enumerate(triangle_neighbours(2)):
        total = sum(
            v[0, :, 0, s] if s >= 0 else wall.ghost_sign * v[0, :, 0, t] for s in neighbours
        )
        expected = own @ v[0, :, 0, t] + around @ total / 3 + conv.bias
        torch.testing.assert_close(out[0, :, 0, t], expected)


def symmetries(depth: int) -> list[np.ndarray]:
    """For each of the six symmetries: which triangle is carried onto which."""
    corners, centres = triangle_vertices(0)[0], triangle_vertices(depth).mean(1)
    barycentric = np.linalg.solve(
        np.vstack([corners.T, np.ones(3)]), np.c_[centres, np.ones(len(centres))].T
    )
    found = []
    for order in [(0, 1, 2), (1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1), (2, 1, 0)]:
        moved = (barycentric[list(order)].T) @ corners
        apart = np.linalg.norm(moved[:, None] - centres[None], axis=-1)
        assert apart.min(1).max() < 1e-12
        found.append(apart.argmin(1))
    return found


def test_network_commutes_with_the_symmetries() -> None:
    network, v = unet().double(), field(3, 1)
    out = network(v)
    assert out.std() > 1e-3
    for carried in symmetries(3):
        torch.testing.assert_close(network(v[..., carried]), out[..., carried])


def test_one_network_serves_every_depth() -> None:
    network = unet().double()
    for depth in (2, 3, 4):
        assert network(field(depth, 1)).shape == (2, 1, 1, 4**depth)


def test_every_parameter_gets_a_gradient() -> None:
    network = unet().double()
    network(field(3, 1)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.abs().max() > 1e-7, name


@pytest.mark.parametrize("shape", [(1, 32), (4, 4), (1, 4)])
def test_other_numbers_of_triangles_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"{shape[0]} x {shape[1]}"):
        unet()(torch.zeros(1, 1, *shape))


def learn(network: nn.Module, steps: int, f: Tensor, u: Tensor) -> None:
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(steps):
        chosen = torch.arange(16 * step, 16 * step + 16) % len(f)
        optimiser.zero_grad()
        (network(f[chosen]) - u[chosen]).square().mean().backward()
        optimiser.step()


def test_network_learns_to_solve_poissons_equation() -> None:
    """Mean square error on unseen problems, where predicting the mean gives one."""
    torch.set_num_threads(1)
    problems = poisson_problems(np.random.default_rng(0), 288, 3, 8)
    f, u = (torch.from_numpy(p).float()[:, None, None] for p in problems)
    network = unet(levels=3)
    learn(network, 150, f[:256], u[:256])
    with torch.no_grad():
        error = (network(f[256:]) - u[256:]).square().mean() / u[256:].square().mean()
    assert error < 0.1


def test_training_after_inference() -> None:
    network, v = unet().float(), field(2, 1).float()
    with torch.inference_mode():
        network(v)
    network(v).square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_norm_that_knows_boxes_only_is_refused() -> None:
    with pytest.raises(ValueError, match="norm cannot be 'band'"):
        TriangleStyle(EDGES, norm="band")


def test_a_row_that_does_not_go_is_refused_without_naming_squares() -> None:
    with pytest.raises(ValueError, match=r"cannot coarsen a grid of 1 x 20 points so often$"):
        unet()(torch.zeros(1, 1, 1, 20))
