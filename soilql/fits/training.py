"""Rows of a table that a model can be fitted to, with a count of those that it cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import Diagnostic, Severity, SoilqlError, Span, did_you_mean
from soilql.params import TableRef
from soilql.values import Note, Table

if TYPE_CHECKING:
    import numpy as np

    from soilql.expr.ast import Node
    from soilql.expr.parse import Expression

    Columns = Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a training table that can be fitted.

    Attributes
    ----------
    columns : mapping of str to array, each of shape (rows,)
        The response and the drivers; numbers as float64, text as objects.
    positions : numpy.ndarray of int
        Where the rows stand in the table.
    notes : tuple of Note
        How many rows were left out, and why.
    """

    columns: Columns
    positions: np.ndarray[Any, Any]
    notes: tuple[Note, ...] = ()

    @property
    def count(self) -> int:
        return int(self.positions.size)


def complete_rows(ctx: Context, data: TableRef, names: Sequence[str], formula: Expression) -> Rows:
    """Return the rows of a table in which no value that a model needs is missing.

    Parameters
    ----------
    ctx : Context
        Of the model.
    data : TableRef
        The training table.
    names : sequence of str
        Columns that the model needs, the response among them.
    formula : Expression
        Where they are named, for diagnostics.

    Raises
    ------
    SoilqlError
        A column does not exist (SQ704).
    """
    import numpy as np

    table = ctx.table(data)
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for name in names:
        if name not in table.frame.columns:
            known = [str(column) for column in table.frame.columns]
            help = did_you_mean(name, known) or f"it has {', '.join(f'`{column}`' for column in known[:12])}"
            message = f"`{data}` has no column `{name}`"
            raise SoilqlError(Diagnostic("SQ704", message, name_span(formula, name), help=help))
        columns[name] = column(table, name)
    gaps = {name: missing(values) for name, values in columns.items()}
    lost = np.logical_or.reduce(list(gaps.values()))
    kept = np.flatnonzero(~lost)
    notes: tuple[Note, ...] = ()
    if lost.any():
        why = ", ".join(f"`{name}` in {int(gap.sum())}" for name, gap in gaps.items() if gap.any())
        words = f"{int(lost.sum())} of {lost.size} rows of `{data}` left out: missing {why}{_infinite(columns)}"
        notes = (Note("SQ713", words, Severity.INFO),)
    return Rows({name: values[kept] for name, values in columns.items()}, kept, notes)


def _infinite(columns: Columns) -> str:
    """Return which columns hold infinite values, which count as missing; often an overflow or a division by zero."""
    import numpy as np

    found = [name for name, values in columns.items() if values.dtype.kind == "f" and np.isinf(values).any()]
    return f" (infinite values in {', '.join(f'`{name}`' for name in found)})" if found else ""


def drop(rows: Rows, bad: np.ndarray[Any, Any], why: str) -> Rows:
    """Return the rows without those that are bad for a stated reason, which is noted."""
    import numpy as np

    if not bad.any():
        return rows
    kept = np.flatnonzero(~bad)
    note = Note("SQ501", f"{int(bad.sum())} of {bad.size} rows left out: {why}")
    columns = {name: values[kept] for name, values in rows.columns.items()}
    return Rows(columns, rows.positions[kept], (*rows.notes, note))


def defined_rows(rows: Rows, factors: Sequence[Node]) -> Rows:
    """Return the rows in which every factor of a formula has a value; a logarithm may have none."""
    import numpy as np

    from soilql.fits.factors import learn

    for node in factors:
        if rows.count:
            factor = learn(node, rows.columns)
            bad = ~np.isfinite(factor.columns(rows.columns, rows.count)).all(axis=1)
            rows = drop(rows, np.asarray(bad), f"`{factor.text}` has no value")
    return rows


def column(table: Table, name: str) -> np.ndarray[Any, Any]:
    """Return a column as float64 with NaN where missing, or as objects for text."""
    import numpy as np
    import pandas as pd

    series = table.frame[name]
    if pd.api.types.is_numeric_dtype(series.dtype):
        numbers: np.ndarray[Any, Any] = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers
    values: np.ndarray[Any, Any] = series.astype(object).to_numpy(dtype=object)
    return values


def name_span(expression: Expression, name: str) -> Span:
    """Return the place of a name in an expression, or of the whole where it has no such name."""
    from soilql.expr import ast

    for node in ast.walk(expression.root):
        if isinstance(node, ast.Name) and node.name == name:
            return expression.span(node)
    return expression.locate(0, len(expression.text))


def missing(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return where values are missing: NaN or infinite among numbers, None or NaN among text.

    Examples
    --------
    >>> import numpy as np
    >>> missing(np.array(["a", None], dtype=object))
    array([False,  True])
    """
    import numpy as np

    if values.dtype.kind in "fiub":
        finite: np.ndarray[Any, Any] = np.isfinite(values)
        return ~finite
    import pandas as pd

    found: np.ndarray[Any, Any] = np.asarray(pd.isna(values))
    return found


@contextmanager
def at_span(span: Span) -> Iterator[None]:
    """Give a place to the diagnostics of an error that has none, such as one of the pure statistics."""
    try:
        yield
    except SoilqlError as error:
        placed = (d if d.span is not None else replace(d, span=span) for d in error.diagnostics)
        raise SoilqlError(placed) from error
