"""The parts of a formula that have no value in some rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.errors import SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.formula.domain import risky
from soilql.formula.words import quoted

if TYPE_CHECKING:
    from soilql.kinds import Block
    from soilql.spec import Spec
    from soilql.study.rows import Rows


@dataclass(frozen=True)
class Undefined:
    """An operation that has no finite value in some rows.

    Attributes
    ----------
    kind : str
        As of :class:`soilql.formula.domain.Hazard`.
    node : Node
        The operation.
    text : str
        It in backquotes, or other words where it is long.
    rows : int
        In how many.
    """

    kind: str
    node: Node
    text: str
    rows: int


def undefined(model: Block, rows: Rows, spec: Spec) -> Iterator[Undefined]:
    """Yield the operations on columns alone that have no finite value in some of the rows, in order.

    What has a parameter in it depends on its value, and is left to the rules.
    """
    import numpy as np

    from soilql.expr.evaluate import evaluate
    from soilql.formula.model import of_block

    formula = of_block(model, spec)
    if formula is None:
        return
    env: dict[str, Any] = {**formula.constants, **rows.columns}
    for side in (formula.response, formula.right):
        for kind, node, argument, is_bad in risky(side):
            names = set(ast.names(argument))
            if not names & set(rows.columns) or names & set(formula.parameters) or not names <= set(env):
                continue
            try:
                values = np.asarray(evaluate(argument, env), dtype=np.float64)
            except (SoilqlError, TypeError, ValueError):  # texts have a finding of their own
                continue
            # The logarithm of the limit itself is infinite.
            values = np.nextafter(values, -np.inf) if kind == "log" else values
            compare: Any = is_bad  # comparisons of numbers serve arrays too
            lost = int(np.count_nonzero(np.broadcast_to(compare(values), (rows.count,))))
            if lost:
                yield Undefined(kind, node, quoted(node, "the operation"), lost)
