"""A filter compares a column with a text that no row has.

`Ecosystem_type != "agriculture"` keeps every row where the data spell it `Agriculture`, without a word, and
`Meas_method in ["IRGA", "GC"]` quietly keeps the half that it knows. Spelling, case and blanks count.

Bad::

    where: Ecosystem_type != "agriculture"

Good::

    where: Ecosystem_type != "Agriculture"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from soilql.edits import respelled
from soilql.errors import Diagnostic, Severity, did_you_mean
from soilql.expr import ast

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ742"
TITLE = "text that no row has"

#: Categories that are listed where none is alike.
_LISTED = 8


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each text in a filter that does not occur in its column."""
    for block in study.readers():
        where: Any = getattr(block.params, "where", None)
        compared = [] if where is None else list(_compared(where.root))
        columns = study.before_filter(block) if compared else {}
        for name, text in compared:
            values = columns.get(name)
            if values is None or values.dtype != object:
                continue
            known = sorted({str(value) for value in values if value is not None})
            if not known or text.value in known:
                continue
            span = where.span(text)
            message = f'no row of `{block.name}` has `{name}` = "{text.value}"'
            some = ", ".join(f'"{one}"' for one in known[:_LISTED]) + (", ..." if known[_LISTED:] else "")
            help = did_you_mean(text.value, known).replace("`", '"') or f"it has {some}"
            fixes = respelled(span, span.text, [f'"{one}"' for one in known], safe=False)
            yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING, fixes=fixes)


def _compared(root: ast.Node) -> Iterator[tuple[str, Any]]:
    """Yield each column that is compared with a text, and the text."""
    for node in ast.walk(root):
        if isinstance(node, ast.Membership) and isinstance(node.operand, ast.Name):
            yield from ((node.operand.name, one) for one in node.choices if isinstance(one, ast.Text))
        elif isinstance(node, ast.Compare):
            pairs = zip(node.operators, node.operands[:-1], node.operands[1:], strict=True)
            for symbol, left, right in pairs:
                if symbol not in ("==", "!="):
                    continue
                for name, text in ((left, right), (right, left)):
                    if isinstance(name, ast.Name) and isinstance(text, ast.Text):
                        yield name.name, text
