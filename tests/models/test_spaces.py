import numpy as np
import pytest
import pywt
import torch

from pdesurrogate.grids import PeriodicBox
from pdesurrogate.models import Haar, MaxPooling, MultiResNet, ResidualUNet, Space, Strided
from pdesurrogate.models.spaces import HaarEmbedding, HaarProjection, StridedEmbedding

EDGES = ("circular", "circular")
project = HaarProjection()


def embed(coarse: torch.Tensor) -> torch.Tensor:
    ny, nx = coarse.shape[-2:]
    return HaarEmbedding()(coarse, torch.empty(len(coarse), 1, 2 * ny, 2 * nx))


def random_field(ny: int = 8, nx: int = 12) -> torch.Tensor:
    return torch.randn(2, 3, ny, nx, generator=torch.Generator().manual_seed(0))


def test_projection_is_the_approximation_of_the_haar_wavelet() -> None:
    v = random_field()
    approximation, _details = pywt.dwt2(v.numpy(), "haar")
    np.testing.assert_allclose(project(v), approximation / 2, atol=1e-6)


def test_average_pooling_is_the_projection() -> None:
    v = random_field()
    torch.testing.assert_close(project(v), torch.nn.AvgPool2d(2)(v))


def test_projection_undoes_the_embedding_exactly() -> None:
    w = random_field()
    assert torch.equal(project(embed(w)), w)


def test_embedded_projection_is_an_orthogonal_projector() -> None:
    u, v = random_field(), random_field().flip(-1)
    once = embed(project(v))
    assert torch.equal(embed(project(once)), once)
    torch.testing.assert_close((once * u).sum(), (v * embed(project(u))).sum())
    torch.testing.assert_close((once * (v - once)).sum(), torch.tensor(0.0), atol=1e-4, rtol=0)


def test_spaces_are_nested() -> None:
    v = random_field(8, 16)
    coarser = embed(embed(project(project(v))))
    assert torch.equal(embed(project(coarser)), coarser)


def test_constants_keep_their_value() -> None:
    v = torch.full((1, 1, 4, 4), 3.0)
    assert torch.equal(project(v), torch.full((1, 1, 2, 2), 3.0))


def test_maximum_is_taken_over_cells() -> None:
    v = random_field()
    cells = v.reshape(2, 3, 4, 2, 6, 2)
    assert torch.equal(MaxPooling().projection(3, EDGES)(v), cells.amax((3, 5)))


def test_learned_space_starts_as_haar() -> None:
    v, strided = random_field(), Strided()
    coarse = strided.projection(3, EDGES)(v)
    torch.testing.assert_close(coarse, project(v))
    torch.testing.assert_close(strided.embedding(3, EDGES)(coarse, v), embed(project(v)))


def test_learned_embedding_changes_channels() -> None:
    assert StridedEmbedding(3, 5)(random_field(), random_field(16, 24)).shape == (2, 5, 16, 24)


@pytest.mark.parametrize("space", [Haar(), MaxPooling(), Strided()])
def test_projection_says_onto_which_grid_it_goes(space: Space) -> None:
    projection = space.projection(3, EDGES)
    assert projection.coarsened((8, 12)) == tuple(projection(random_field()).shape[-2:])
    with pytest.raises(ValueError, match="even"):
        projection.coarsened((8, 11))


def test_learned_space_starts_as_haar_within_a_network() -> None:
    grid, v = PeriodicBox((16, 16)), torch.randn(1, 2, 16, 16)
    for model in (ResidualUNet, MultiResNet):
        outputs = []
        for space in (Haar(), Strided()):
            network = model(width=4, levels=2, space=space).build(2, 1, grid)
            same = network.state_dict() if not outputs else outputs[0][0]
            network.load_state_dict(same, strict=False)
            outputs.append((same, network(v)))
        torch.testing.assert_close(outputs[0][1], outputs[1][1])
