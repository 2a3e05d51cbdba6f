"""Names that expressions may use, checked before any data are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from soilql.edits import respelled
from soilql.errors import Diagnostic, Span, did_you_mean
from soilql.expr.check import Scope, check
from soilql.expr.functions import ValueType
from soilql.expr.parse import Expression
from soilql.kinds import Schema, Variable
from soilql.units import UnitError, conversion

_TYPES: Mapping[str, ValueType] = {"number": "number", "text": "text", "boolean": "boolean"}


def check_expression(
    expression: Expression, columns: Schema, absent: str, result: ValueType = "unknown"
) -> list[Diagnostic]:
    """Return what is wrong with an expression over columns.

    Parameters
    ----------
    expression : Expression
    columns : Schema
        Names that are known; unknown ones are no error where it is open.
    absent : str
        What an unknown name is not, such as "not a column of `srdb`".
    result : {"number", "text", "boolean", "unknown"}
        Type the whole has to have.
    """
    return check(expression, Scope(_Types(columns.variables), columns.open, absent), result)


class _Types(Mapping[str, ValueType]):
    """The types of columns by their names: a view, as a copy for each of many expressions would take too long."""

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> ValueType:
        return _TYPES.get(self._variables[name].type, "unknown")

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def check_name(name: str, span: Span, columns: Schema, what: str) -> Iterable[Diagnostic]:
    """Yield SQ704 for a name that is not among the columns."""
    if name in columns.variables or columns.open:
        return
    help = did_you_mean(name, columns.variables) or f"it has {_listed(columns.variables)}"
    fixes = respelled(span, name, columns.variables, safe=False)
    yield Diagnostic("SQ704", f"no column `{name}`", span, what, help, fixes=fixes)


def _listed(names: Iterable[str]) -> str:
    known = [f"`{name}`" for name in names]
    return ", ".join(known[:8]) + (f" and {len(known) - 8} more" if len(known) > 8 else "")


def check_conversion(old: str | None, new: str | None, span: Span) -> Iterable[Diagnostic]:
    """Yield SQ302 for units that do not convert; texts that are no units are reported where they stand."""
    if old is None or new is None:
        return
    try:
        conversion(old, new)
    except UnitError as error:
        if not error.end:
            help = error.help or "`unit` is the unit wanted, `from_unit` that of the data; one of them is wrong"
            yield Diagnostic("SQ302", error.message, span, help=help)


def result_type(expression: Expression, columns: Schema) -> str:
    """Return the type of an expression's value: number, text, boolean or unknown."""
    from soilql.expr import ast

    root: Any = expression.root
    if isinstance(root, ast.Name):
        return columns.variables.get(root.name, Variable()).type
    if isinstance(root, ast.Compare | ast.Membership | ast.Logical | ast.Not | ast.Boolean):
        return "boolean"
    if isinstance(root, ast.Binary | ast.Unary | ast.Number):
        return "number"
    return "text" if isinstance(root, ast.Text) else "unknown"
