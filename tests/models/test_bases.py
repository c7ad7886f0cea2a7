import numpy as np
import pywt
import torch

from pdesurrogate.models.bases import HaarEmbedding, HaarProjection

project, embed = HaarProjection(), HaarEmbedding()


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
