"""Factors of a formula as numbers: a column or an expression as it is, a category as one indicator a level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import parse_expression

Level = float | str


@dataclass(frozen=True)
class Factor:
    """A factor of a term, or a feature of a learner.

    Attributes
    ----------
    text : str
        As the formula says it: ``MAT``, ``log(MAP)``, ``C(biome)``.
    levels : tuple of float or str, or None
        Levels of a category in their order; None for a number.
    """

    text: str
    levels: tuple[Level, ...] | None = None

    @cached_property
    def _node(self) -> Node:
        return parse_expression(self.text).root

    def labels(self, contrasts: bool = False) -> list[str]:
        """Return the name of each column of :meth:`columns`, as R writes them."""
        if self.levels is None:
            return [self.text]
        return [f"{self.text}{_shown(level)}" for level in self.levels[contrasts:]]

    def columns(self, env: Mapping[str, Any], n: int, contrasts: bool = False) -> NDArray[np.float64]:
        """Return the factor at n points.

        Parameters
        ----------
        env : mapping of str to array, each of shape (n,)
            Columns.
        n : int
            Number of points.
        contrasts : bool
            Whether the first level is the reference and has no column.

        Returns
        -------
        numpy.ndarray, shape (n, columns)
            NaN where an expression has no value, and where a category has a level that the fit did not see.
        """
        value = np.broadcast_to(np.asarray(evaluate(self._node, env)), (n,))
        if self.levels is None:
            numbers = np.array(value, dtype=np.float64)
            numbers[~np.isfinite(numbers)] = np.nan
            return numbers[:, None]
        hits = np.stack([np.asarray(value == level) for level in self.levels], axis=1)
        indicators = hits.astype(np.float64)
        indicators[~hits.any(axis=1)] = np.nan
        return indicators[:, int(contrasts) :]


def learn(node: Node, env: Mapping[str, Any]) -> Factor:
    """Return a factor of a formula with the levels that occur in some columns.

    Levels come in rising order, numbers by value and text by character. A category is written ``C(x)``; text is one
    anyway.

    Parameters
    ----------
    node : Node
        Column or call.
    env : mapping of str to array
        Columns without missing values.

    Examples
    --------
    >>> learn(parse_expression("C(igbp)").root, {"igbp": np.array([10.0, 2.0, 10.0])}).labels()
    ['C(igbp)2', 'C(igbp)10']
    """
    text = ast.to_text(node)
    value = np.asarray(evaluate(node, env))
    if not (is_category(node) or value.dtype.kind == "O"):
        return Factor(text)
    found = set(value.ravel().tolist())
    return Factor(text, tuple(sorted(float(x) if not isinstance(x, str) else x for x in found)))


def is_category(node: Node) -> bool:
    """Return whether a factor is written as a category, ``C(x)``."""
    return isinstance(node, ast.Call) and node.function == "C"


def matrix(factors: Sequence[Factor], env: Mapping[str, Any], n: int) -> NDArray[np.float64]:
    """Return the columns of several factors side by side, with all levels of categories."""
    return np.hstack([factor.columns(env, n) for factor in factors])


def to_json(factors: Sequence[Factor]) -> list[Any]:
    """Return factors as JSON; the inverse is :func:`from_json`."""
    return [[f.text, None if f.levels is None else list(f.levels)] for f in factors]


def from_json(stored: Sequence[Any]) -> tuple[Factor, ...]:
    """Return the factors that were stored."""
    return tuple(Factor(text, None if levels is None else tuple(levels)) for text, levels in stored)


def _shown(level: Level) -> str:
    return level if isinstance(level, str) else f"{level:.15g}"
