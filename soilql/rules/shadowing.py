"""A filter names a column of the file that a new column of the same name has replaced.

`where` sees the new columns, wherever it is written. If a new column bears the name of a column of the file and holds
other values, the filter does not compare what one reads in the file's description, and other rows are kept.

Bad::

    where: Rs > 0.5
    columns: {Rs: {expr: log(Rs)}}        # the filter sees the logarithm

Good::

    where: Rs > 0.5
    columns: {log_Rs: {expr: log(Rs)}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from soilql.errors import Diagnostic, Severity
from soilql.expr import ast
from soilql.io.defaults import known_columns
from soilql.kinds import Block
from soilql.params import DataSource
from soilql.spec import Spec

CODE = "SQ213"
TITLE = "new column in the place of one of the file"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each name in a filter that stands for another column than the file's own."""
    for block in spec.blocks.values():
        where = getattr(block.params, "where", None)
        if where is None:
            continue
        replaced = _replaced(block)
        for node in ast.walk(where.root):
            if isinstance(node, ast.Name) and node.name in replaced:
                message = f"`{node.name}` is not the column of the file here, but the new one"
                label = f"that is `{replaced[node.name]}`"
                help = "give the new column another name, if the filter means the one of the file"
                yield Diagnostic(CODE, message, where.span(node), label, help, Severity.WARNING)


def _replaced(block: Block) -> dict[str, str]:
    """Return the new columns that bear the name of one of the file and hold other values, each with what it is."""
    columns: Any = getattr(block.params, "columns", None)
    sources = getattr(block.params, "source", None)
    if not isinstance(columns, dict) or not isinstance(sources, list):
        return {}
    listed = known_columns([source for source in sources if isinstance(source, DataSource)], "table").variables
    found: dict[str, str] = {}
    for name, column in columns.items():
        expression, copied = getattr(column, "expr", None), getattr(column, "from_", None)
        if expression is not None and (name in listed or name in ast.names(expression.root)):
            found[str(name)] = expression.text.strip()
        elif copied is not None and copied != name and name in listed:
            found[str(name)] = str(copied)
    return found
