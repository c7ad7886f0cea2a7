import math

import numpy as np
import pytest

from pdesurrogate.operators.triangle import (
    WALL,
    triangle_depth,
    triangle_modes,
    triangle_neighbours,
    triangle_vertices,
)

DEPTHS = [0, 1, 2, 4]


def area(triangles: np.ndarray) -> np.ndarray:
    (ux, uy), (vx, vy) = np.moveaxis(triangles[:, 1:] - triangles[:, :1], 0, -1)
    return np.abs(ux * vy - uy * vx) / 2


@pytest.mark.parametrize("depth", DEPTHS)
def test_triangles_are_congruent_and_fill_the_whole(depth: int) -> None:
    triangles = triangle_vertices(depth)
    assert len(triangles) == 4**depth
    np.testing.assert_allclose(area(triangles), math.sqrt(3) / 4 / 4**depth)
    sides = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=-1)
    np.testing.assert_allclose(sides, 0.5**depth)


def test_children_are_inside_their_parent() -> None:
    parents, children = triangle_vertices(2), triangle_vertices(3)
    np.testing.assert_allclose(
        children.mean(1).reshape(-1, 4, 2).mean(1), parents.mean(1), atol=1e-15
    )
    apart = np.linalg.norm(children.mean(1).reshape(-1, 4, 2) - parents.mean(1)[:, None], axis=-1)
    assert apart.max() < 0.25 / math.sqrt(3) + 1e-12


@pytest.mark.parametrize("depth", DEPTHS)
def test_neighbours_share_the_edge(depth: int) -> None:
    """Against geometry: triangles with the same midpoint of an edge, and no others."""
    triangles, neighbours = triangle_vertices(depth), triangle_neighbours(depth)
    middle = (triangles[:, [1, 2, 0]] + triangles[:, [2, 0, 1]]) / 2
    at = {}
    for t, edges in enumerate(np.round(middle, 9)):
        for j, edge in enumerate(edges):
            at.setdefault(tuple(edge + 0.0), []).append((t, j))
    for owners in at.values():
        if len(owners) == 1:
            ((t, j),) = owners
            assert neighbours[t, j] == WALL
        else:
            (t, j), (s, i) = owners
            assert i == j
            assert neighbours[t, j] == s
            assert neighbours[s, j] == t
    assert (neighbours == WALL).sum() == 3 * 2**depth


def test_depth_of_a_number_of_triangles() -> None:
    assert [triangle_depth(n) for n in (1, 4, 16, 1024)] == [0, 1, 2, 5]
    for n in (0, 2, 8, 15):
        with pytest.raises(ValueError, match=f"not {n}"):
            triangle_depth(n)


def test_modes_vanish_on_the_boundary() -> None:
    share = np.linspace(0, 1, 17)[:, None]
    a, b, c = triangle_vertices(0)[0]
    boundary = np.concatenate([p + share * (q - p) for p, q in ((a, b), (b, c), (c, a))])
    modes, _ = triangle_modes(boundary, 8)
    assert np.abs(modes).max() < 1e-12


def test_modes_are_eigenfunctions() -> None:
    rng = np.random.default_rng(0)
    inside = rng.dirichlet([2, 2, 2], 20) @ triangle_vertices(0)[0]
    step = 1e-3
    centre, eigenvalues = triangle_modes(inside, 6)
    around = sum(
        triangle_modes(inside + step * np.array(shift), 6)[0]
        for shift in ((1, 0), (-1, 0), (0, 1), (0, -1))
    )
    laplacian = (around - 4 * centre) / step**2
    scale = eigenvalues[:, None] * np.abs(centre).max()
    np.testing.assert_allclose(-laplacian / scale, eigenvalues[:, None] * centre / scale, atol=1e-3)


def test_lowest_eigenvalue_is_lames() -> None:
    _, eigenvalues = triangle_modes(np.zeros((1, 2)), 8)
    assert eigenvalues.min() == pytest.approx(16 * math.pi**2 / 3)


def test_modes_are_independent() -> None:
    modes, eigenvalues = triangle_modes(triangle_vertices(5).mean(1), 8)
    assert len(modes) == len(eigenvalues) == 28 - 0
    norms = np.linalg.norm(modes, axis=1)
    cosines = modes @ modes.T / np.outer(norms, norms)
    np.testing.assert_allclose(cosines, np.eye(len(modes)), atol=1e-2)
