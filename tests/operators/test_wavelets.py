"""The fast wavelet transform against PyWavelets', and what follows from orthogonality."""

import itertools

import numpy as np
import pytest
import pywt
import torch
from torch import Tensor

from pdesurrogate.operators.wavelets import (
    Boundary,
    coarse_length,
    orthogonal_filters,
    wavelet_analysis,
    wavelet_synthesis,
)

FAMILIES = ["haar", "db2", "db4", "sym5", "coif2"]
MODES: dict[Boundary, str] = {"periodic": "periodization", "symmetric": "symmetric"}
BOUNDARIES = list(itertools.product(MODES, MODES))
# Even, odd, and shorter than the filters.
SIZES = [(2, 4), (6, 33), (12, 9), (13, 10), (17, 16), (32, 48)]

every_family = pytest.mark.parametrize("family", FAMILIES)
every_boundary = pytest.mark.parametrize("boundaries", BOUNDARIES, ids="-".join)


def field(ny: int, nx: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(2, 3, ny, nx, generator=torch.Generator().manual_seed(0), dtype=dtype)


def possible_sizes(family: str, boundaries: tuple[Boundary, Boundary]) -> list[tuple[int, int]]:
    """Those of SIZES that the rule allows."""
    taps = pywt.Wavelet(family).dec_len
    return [
        size
        for size in SIZES
        if all(
            n % 2 == 0 if boundary == "periodic" else n >= taps
            for n, boundary in zip(size, boundaries, strict=True)
        )
    ]


@every_family
@every_boundary
def test_coefficients_and_fields_are_those_of_pywavelets(
    family: str, boundaries: tuple[Boundary, Boundary]
) -> None:
    filters, mode = orthogonal_filters(family), tuple(MODES[b] for b in boundaries)
    sizes = possible_sizes(family, boundaries)
    assert sizes
    for ny, nx in sizes:
        v = field(ny, nx)
        approximation, (along_y, along_x, both) = pywt.dwt2(v.numpy(), family, mode)
        expected = np.stack([approximation, along_x, along_y, both], axis=2)
        bands = wavelet_analysis(v, filters, boundaries)
        np.testing.assert_allclose(bands.numpy(), expected, atol=1e-12, rtol=0)
        alone = wavelet_analysis(v, filters[:1], boundaries)
        np.testing.assert_allclose(alone.numpy(), expected[:, :, :1], atol=1e-12, rtol=0)
        a, x, y, xy = torch.randn_like(bands).unbind(2)
        expected = pywt.idwt2((a.numpy(), (y.numpy(), x.numpy(), xy.numpy())), family, mode)
        made = wavelet_synthesis(torch.stack([a, x, y, xy], 2), filters, boundaries, (ny, nx))
        np.testing.assert_allclose(made.numpy(), expected[..., :ny, :nx], atol=1e-12, rtol=0)


@every_family
@every_boundary
def test_reconstruction_is_perfect(family: str, boundaries: tuple[Boundary, Boundary]) -> None:
    filters = orthogonal_filters(family)
    for ny, nx in possible_sizes(family, boundaries):
        v = field(ny, nx)
        again = wavelet_synthesis(
            wavelet_analysis(v, filters, boundaries), filters, boundaries, (ny, nx)
        )
        torch.testing.assert_close(again, v, atol=1e-10, rtol=0)


@pytest.mark.parametrize("family", pywt.wavelist("db") + pywt.wavelist("sym"))
def test_periodic_reconstruction_is_perfect_for_every_family(family: str) -> None:
    filters, boundaries = orthogonal_filters(family), ("periodic", "periodic")
    v = field(16, 8)
    bands = wavelet_analysis(v, filters, boundaries)
    # The published filters have 10 to 12 digits.
    torch.testing.assert_close(bands.square().sum(), v.square().sum(), atol=0, rtol=1e-9)
    again = wavelet_synthesis(bands, filters, boundaries, (16, 8))
    torch.testing.assert_close(again, v, atol=1e-9, rtol=0)


def test_single_precision() -> None:
    v, filters = field(12, 16, torch.float32), orthogonal_filters("db2").float()
    bands = wavelet_analysis(v, filters, ("symmetric", "periodic"))
    again = wavelet_synthesis(bands, filters, ("symmetric", "periodic"), (12, 16))
    assert again.dtype == torch.float32
    torch.testing.assert_close(again, v, atol=1e-5, rtol=0)


def test_gradients_are_right() -> None:
    filters, boundaries = orthogonal_filters("db2"), ("symmetric", "periodic")
    v = field(5, 6)[:1, :1].requires_grad_()
    assert torch.autograd.gradcheck(lambda u: wavelet_analysis(u, filters, boundaries), v)
    bands = wavelet_analysis(v, filters, boundaries).detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda c: wavelet_synthesis(c, filters, boundaries, (5, 6)), bands
    )


@every_family
@pytest.mark.parametrize("boundary", MODES)
def test_number_of_coefficients_is_pywavelets(family: str, boundary: Boundary) -> None:
    taps = pywt.Wavelet(family).dec_len
    for n in range(taps, 40):
        if boundary == "periodic" and n % 2:
            continue
        expected = pywt.dwt_coeff_len(n, taps, MODES[boundary])
        assert coarse_length(n, taps, boundary) == expected
        assert expected < n


def test_sizes_that_cannot_be_coarsened_are_refused() -> None:
    with pytest.raises(ValueError, match="even number of points, got 7"):
        coarse_length(7, 4, "periodic")
    with pytest.raises(ValueError, match="at least 4 points, got 3"):
        coarse_length(3, 4, "symmetric")
    with pytest.raises(ValueError, match="even number of points, got 7"):
        wavelet_analysis(field(8, 7), orthogonal_filters("db2"), ("periodic", "periodic"))


@pytest.mark.parametrize("family", [*pywt.wavelist("bior"), "dmey", "morl"])
def test_wavelets_that_are_not_orthogonal_are_refused(family: str) -> None:
    with pytest.raises(ValueError, match=r"is not orthogonal.*db1 to db38"):
        orthogonal_filters(family)


def test_an_unknown_wavelet_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"unknown wavelet 'dbb2' \(did you mean 'db2'\?\)"):
        orthogonal_filters("dbb2")


def test_the_families_that_the_message_names_exist() -> None:
    names = ["haar", *(f"db{n}" for n in range(1, 39)), *(f"sym{n}" for n in range(2, 21))]
    for name in [*names, *(f"coif{n}" for n in range(1, 18))]:
        assert orthogonal_filters(name).shape[0] == 2
