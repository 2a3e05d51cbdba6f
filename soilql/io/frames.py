"""Columns of a table while it is being read: typed when first asked for, with bad values named by their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from soilql.errors import Diagnostic, Severity, SoilqlError, Span, did_you_mean
from soilql.expr import ast
from soilql.expr.evaluate import evaluate
from soilql.expr.parse import Expression
from soilql.io.tables import BadValue, Cells, RawTable
from soilql.units import convert_or_raise
from soilql.values import Note, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array: TypeAlias = "np.ndarray[Any, Any]"


class Columns(Mapping[str, Array]):
    """The columns of a file and those added to them; a mapping of names to values for expressions.

    Parameters
    ----------
    raw : RawTable
        As read.
    codes : sequence of str
        Values that mean missing.
    types : mapping of str to str
        Types known beforehand.
    units : mapping of str to str
        Units of the file's columns.
    """

    def __init__(self, raw: RawTable, codes: Sequence[str], types: Mapping[str, str], units: Mapping[str, str]) -> None:
        self._raw = raw
        self._codes = tuple(codes)
        self._types = types
        self._typed: dict[str, Array] = {}
        self._added: dict[str, Array] = {}
        self._odd: dict[str, BadValue] = {}
        self._rows: NDArray[np.intp] = np.arange(len(raw))
        self.units = {name: unit for name, unit in units.items() if name in raw.cells}
        self._raw_units = dict(self.units)
        self.notes: list[Note] = list(raw.notes)

    def __getitem__(self, name: str) -> Array:
        if name in self._added:
            return self._added[name]
        if name not in self._typed:
            self._typed[name] = self._infer(name, self._raw.cells[name])[self._rows]
        return self._typed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._raw.cells, *self._added]))

    def __len__(self) -> int:
        return len(set(self._raw.cells) | set(self._added))

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self._rows.size)

    def has(self, name: str) -> bool:
        """Return whether there is such a column."""
        return name in self._added or name in self._raw.cells

    def hint(self, name: str) -> str:
        """Return a help text for a name that is no column."""
        return did_you_mean(name, self) or f"it has {', '.join(f'`{column}`' for column in list(self)[:12])}"

    def _infer(self, name: str, cells: Cells) -> Array:
        """Return a column as numbers where every value is one, else as texts (or truth values, if so stored)."""
        if self._types.get(name) == "text":
            return cells.texts(self._codes)
        if cells.is_dates:
            return cells.dates()
        if not cells.is_text and str(cells.stored.type) == "bool":
            return cells.truths(self._codes)[0]
        values, bad = cells.numbers(self._codes)
        if bad is None:
            return values
        self._odd[name] = bad
        return cells.texts(self._codes)

    def _not_numeric(self, name: str, bad: BadValue, span: Span | None) -> SoilqlError:
        message = f"column `{name}` holds `{bad.text.strip()}` where a number is needed"
        help = f'if it means missing: `missing: [..., "{bad.text.strip()}"]`'
        return SoilqlError(Diagnostic("SQ709", message, span, self._raw.place(bad.row), help))

    def copy(
        self,
        name: str,
        source: str,
        unit: str | None,
        from_unit: str | None,
        type: str | None,
        missing: Sequence[str],
    ) -> None:
        """Add a copy of a column of the file, typed and converted.

        Raises
        ------
        SoilqlError
            SQ704 no such column, SQ709 a value that is not of the type, SQ302 units that do not convert.
        """
        if source not in self._raw.cells:
            message = f"the table has no column `{source}`"
            raise SoilqlError(Diagnostic("SQ704", message, None, help=self.hint(source)))
        old = from_unit or self._raw_units.get(source) or unit
        wanted = type or ("number" if unit is not None else None)
        values = self._as_type(source, wanted, [*self._codes, *missing])[self._rows]
        if unit is not None and old is not None and values.dtype != object:
            values = convert_or_raise(old, unit).apply(values)
        self._added[name] = values
        self._set_unit(name, unit or old)

    def _as_type(self, source: str, type: str | None, codes: Sequence[str]) -> Array:
        cells = self._raw.cells[source]
        if type is None:
            values, bad = cells.numbers(codes)
            return values if bad is None and self._types.get(source) != "text" else cells.texts(codes)
        if type == "text":
            return cells.texts(codes)
        values, bad = cells.numbers(codes) if type == "number" else cells.truths(codes)
        if bad is not None and type == "number":
            raise self._not_numeric(source, bad, None)
        if bad is not None:
            message = f"column `{source}` holds `{bad.text.strip()}`, which is neither true nor false"
            raise SoilqlError(Diagnostic("SQ709", message, None, self._raw.place(bad.row)))
        return values

    def derive(self, name: str, expression: Expression, unit: str | None, type: str | None) -> None:
        """Add a column computed from others."""
        values = np.broadcast_to(np.asarray(self.evaluate(expression)), (self.size,))
        if values.dtype.kind not in "fO":
            values = values.astype(
                object if values.dtype.kind in "U" else (bool if type == "boolean" else values.dtype)
            )
        if type == "number" and values.dtype.kind == "b":
            values = values.astype(np.float64)
        self._added[name] = values.copy()
        self._set_unit(name, unit)

    def _set_unit(self, name: str, unit: str | None) -> None:
        self.units.pop(name, None)
        if unit is not None:
            self.units[name] = unit

    def evaluate(self, expression: Expression) -> Any:
        """Compute an expression over the columns.

        Raises
        ------
        SoilqlError
            SQ709 naming a value where a column that is mostly numbers is used as one, else as `evaluate`.
        """
        try:
            return evaluate(expression, self)
        except SoilqlError as error:
            for name in ast.names(expression.root):
                if error.diagnostics[0].code == "SQ112" and name in self._odd and self._mostly_numbers(name):
                    raise self._not_numeric(name, self._odd[name], error.diagnostics[0].span) from None
            raise

    def _mostly_numbers(self, name: str) -> bool:
        values, _ = self._raw.cells[name].numbers(self._codes)
        texts = self._raw.cells[name].texts(self._codes)
        present = int(sum(text is not None for text in texts))
        return 2 * int(np.isfinite(values).sum()) > present

    def want_numbers(self, name: str, span: Span) -> None:
        """Make sure that a column holds numbers.

        Raises
        ------
        SoilqlError
            SQ709 with the first value that is none.
        """
        values = self[name]
        if values.dtype.kind == "f":
            return
        if name in self._odd and name not in self._added:
            raise self._not_numeric(name, self._odd[name], span)
        first = next((value for value in values if value is not None), None)
        message = f"column `{name}` holds texts where numbers are needed"
        raise SoilqlError(Diagnostic("SQ709", message, span, f"such as `{first}`"))

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Drop the rows where the mask is false."""
        self._rows = self._rows[mask]
        self._typed = {name: values[mask] for name, values in self._typed.items()}
        self._added = {name: values[mask] for name, values in self._added.items()}

    def table(self, without: set[str], roles: Mapping[str, str]) -> Table:
        """Return the table of all columns but some."""
        import pandas as pd

        names = [name for name in self if name not in without]
        frame = pd.DataFrame({name: self._series(self[name]) for name in names})
        frame.index = pd.RangeIndex(self.size)
        units = {name: self.units[name] for name in names if name in self.units}
        return Table(frame, units, dict(roles), tuple(self.notes))

    def _series(self, values: Array) -> Any:
        import pandas as pd

        return pd.Series(values, dtype=object) if values.dtype == object else pd.Series(values)


def filter_rows(columns: Columns, condition: Expression) -> None:
    """Keep the rows that meet a condition.

    Raises
    ------
    SoilqlError
        SQ707 where none does, with the number of rows that each part of a conjunction leaves. That there are no rows
        to begin with is for the reader to say.
    """
    from soilql.expr.operations import as_condition

    before = columns.size
    if not before:
        return
    mask = np.broadcast_to(np.asarray(as_condition(columns.evaluate(condition))), (before,))
    if not mask.any():
        raise SoilqlError(_nothing_left(columns, condition))
    columns.keep(mask)
    message = f"{columns.size:,} of {before:,} rows meet `{_short(condition.root)}`"
    columns.notes.append(Note("SQ728", message, Severity.INFO))


def _nothing_left(columns: Columns, condition: Expression) -> Diagnostic:
    """Return which part of a condition empties the table."""
    from soilql.expr.operations import as_condition

    root = condition.root
    is_and = isinstance(root, ast.Logical) and root.operator == "and"
    parts = root.children if is_and else (root,)
    left = np.ones(columns.size, dtype=bool)
    culprit = condition.span(root)
    notes = []
    for part in parts:
        alone = np.broadcast_to(
            np.asarray(as_condition(columns.evaluate(Expression(condition.text, part, condition.locate)))), left.shape
        )
        if left.any() and not (left & alone).any():
            culprit = condition.span(part)
        left = left & alone
        notes.append(f"`{_short(part)}` is met by {int(alone.sum()):,} rows; {int(left.sum()):,} are left with it")
    message = f"no row of {columns.size:,} meets the condition"
    help = "are values spelt as in the data? Comparisons with a missing value are false"
    return Diagnostic("SQ707", message, culprit, help=help, notes=tuple(notes))


def _short(node: ast.Node) -> str:
    text = ast.to_text(node)
    return text if len(text) <= 100 else f"{text[:97]}..."
