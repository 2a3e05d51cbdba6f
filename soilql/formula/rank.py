"""Rank and null space of a small matrix, by orthogonalisation with pivoting."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Length that the others must leave unexplained of a column of length 1 for it to count as independent of them.
TOLERANCE = 1e-9
#: Share of a parameter in a null vector below which it has no part in it.
_SHARE = 1e-6

Matrix = Sequence[Sequence[float]]


def null_space(rows: Matrix, tolerance: float = TOLERANCE) -> list[list[float]]:
    """Return a basis of the vectors that a matrix takes to zero, one for each column that depends on others.

    Rows are scaled to their largest element and columns to unit length first, so that the units of neither matter.

    Parameters
    ----------
    rows : sequence of sequence of float, shape (m, n)
    tolerance : float
        Length of what the others leave unexplained of a column, below which it depends on them.

    Returns
    -------
    list of list of float
        Empty at full column rank. Each vector has a 1 at a dependent column of its own.

    Examples
    --------
    >>> null_space([[1.0, 2.0, 0.0], [2.0, 4.0, 1.0], [0.0, 0.0, 3.0]])
    [[1.0, -0.5, 0.0]]
    """
    columns, lengths = _scaled(rows)
    basis, chosen, projections = _orthogonal(columns, tolerance)
    found = []
    for j in range(len(columns)):
        if j in chosen:
            continue
        weights = _solve(projections, [_dot(direction, columns[j]) for direction in basis])
        vector = [0.0] * len(columns)
        vector[j] = 1.0
        for i, weight in zip(chosen, weights, strict=True):
            vector[i] = -weight * lengths[j] / lengths[i] if abs(weight) > _SHARE else 0.0
        found.append(vector)
    return found


def rank(rows: Matrix) -> int:
    """Return the number of independent columns."""
    return len(_orthogonal(_scaled(rows)[0])[1])


def spans(rows: Matrix, target: Sequence[float]) -> bool:
    """Return whether a column is a combination of the columns of a matrix.

    Examples
    --------
    >>> spans([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [3.0, 5.0, 7.0])
    True
    """
    with_target = [[*row, value] for row, value in zip(rows, target, strict=True)]
    return rank(with_target) == rank(rows)


def _scaled(rows: Matrix) -> tuple[list[list[float]], list[float]]:
    even = [[value / size for value in row] if (size := max(map(abs, row), default=0.0)) else list(row) for row in rows]
    columns = [list(column) for column in zip(*even, strict=True)]
    lengths = [math.hypot(*column) or 1.0 for column in columns]
    return [[v / length for v in column] for column, length in zip(columns, lengths, strict=True)], lengths


def _orthogonal(
    columns: list[list[float]], tolerance: float = TOLERANCE
) -> tuple[list[list[float]], list[int], list[list[float]]]:
    """Return orthonormal directions, the columns they come from, and the part of each column along each direction."""
    left = [list(column) for column in columns]
    basis: list[list[float]] = []
    chosen: list[int] = []
    while len(chosen) < len(columns):
        norms = {j: math.hypot(*left[j]) for j in range(len(columns)) if j not in chosen}
        best = max(norms, key=lambda j: (norms[j], j))
        if norms[best] <= tolerance:
            break
        direction = _without(left[best], basis)
        length = math.hypot(*direction)
        direction = [value / length for value in direction]
        basis.append(direction)
        chosen.append(best)
        for j in norms:
            left[j] = _without(left[j], [direction])
    return basis, chosen, [[_dot(direction, columns[j]) for j in chosen] for direction in basis]


def _without(column: list[float], directions: list[list[float]]) -> list[float]:
    for direction in directions:
        part = _dot(direction, column)
        column = [value - part * d for value, d in zip(column, direction, strict=True)]
    return column


def _solve(triangle: list[list[float]], right: list[float]) -> list[float]:
    """Solve an upper triangular system from its last row up."""
    found = [0.0] * len(right)
    for i in reversed(range(len(right))):
        rest = right[i] - sum(triangle[i][k] * found[k] for k in range(i + 1, len(right)))
        found[i] = rest / triangle[i][i]
    return found


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))
