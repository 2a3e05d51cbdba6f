"""Rows of a table are there twice.

A file that was appended to itself, or a study that was entered from two papers, gives some observations twice the
weight, and folds of single rows then test a model on rows that it was fitted to. Compared are all columns that the
table keeps, besides numbers that count the rows; rows that are averaged by place and time are not.

Bad::

    source: [fluxes_2019.csv, fluxes_2020.csv]      # the second holds the first

Good::

    source: fluxes_2020.csv
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.words import counted, share
from soilql.values import Table

if TYPE_CHECKING:
    import pandas as pd

    from soilql.study.study import Study

CODE = "SQ743"
TITLE = "rows that are there twice"


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each table with rows that equal an earlier one."""
    for block in study.sources():
        table = study.table(block.name)
        if table is None or getattr(block.params, "average", None) is not None:
            continue
        again = _repeated(table)
        if again is None or not again.any():
            continue
        first = int(again.to_numpy().nonzero()[0][0])
        number = int(again.sum())
        verb = "equals" if number == 1 else "equal"
        message = f"{counted(number, 'row')} of `{block.name}` {verb} an earlier one ({share(number, len(again))})"
        label = f"such as {_row(table, first)}"
        help = "leave them out of the file, or average by place and time"
        yield Diagnostic(CODE, message, block.span("source"), label, help, Severity.WARNING)


def _repeated(table: Table) -> pd.Series[bool] | None:
    """Return which rows equal an earlier one in all columns that do not number them."""
    frame = table.frame
    kept = [name for name in frame.columns if not (frame[name].dtype.kind in "iuf" and _numbers_rows(frame[name]))]
    return frame[kept].duplicated() if len(kept) > 1 else None


def _numbers_rows(column: pd.Series[float]) -> bool:
    return bool(column.is_unique and column.notna().all() and (column % 1 == 0).all())


def _row(table: Table, row: int) -> str:
    shown = [table.roles.get(role) for role in ("site", "lat", "lon", "time")]
    names = [name for name in shown if name is not None] or [str(name) for name in table.frame.columns[:4]]
    values = (table.frame[name].iloc[row] for name in names)
    words = (f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    return ", ".join(f"{name} {word}" for name, word in zip(names, words, strict=True))
