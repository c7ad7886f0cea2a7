"""Bilinear look-up: exact on bilinear functions, clamped outside, differentiable."""

import torch

from pdesurrogate.operators import sample_bilinear


def test_exact_on_bilinear_functions_and_clamped_outside():
    y = torch.arange(5, dtype=torch.float64)[:, None]
    x = torch.arange(7, dtype=torch.float64)[None, :]
    u = torch.stack([2 + 3 * y - x + 0.5 * x * y, y - x])
    generator = torch.Generator().manual_seed(0)
    rows = 10 * torch.rand(2, 9, 4, dtype=torch.float64, generator=generator) - 3
    columns = 12 * torch.rand(2, 9, 4, dtype=torch.float64, generator=generator) - 3
    values = sample_bilinear(u, rows, columns)
    r, c = rows.clamp(0, 4), columns.clamp(0, 6)
    torch.testing.assert_close(values[0], (2 + 3 * r - c + 0.5 * c * r)[0])
    torch.testing.assert_close(values[1], (r - c)[1])
    assert ((rows < 0) | (rows > 4)).any()


def test_samples_are_returned_as_they_are_up_to_the_last():
    u = torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(1))
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    assert torch.equal(sample_bilinear(u, rows[None], columns[None]), u)


def test_gradients_in_field_and_points():
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(2, 4, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    rows = 0.2 + 2.5 * torch.rand(2, 3, 3, dtype=torch.float64, generator=generator)
    columns = 0.2 + 3.5 * torch.rand(2, 3, 3, dtype=torch.float64, generator=generator)
    points = (rows.requires_grad_(), columns.requires_grad_())
    assert torch.autograd.gradcheck(sample_bilinear, (u, *points))
