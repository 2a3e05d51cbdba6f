"""The spec states another unit than the file does.

A NetCDF or GeoTIFF says in which unit it is stored, the registry says it of public data, and a column is often called
`T (K)`. Where the spec states another, the values are converted from a unit that they are not in: a temperature in K
taken for degC is off by 273, a flux by the day taken for one by the year is off by 365. If the file is wrong, accept
the finding with a comment that says so.

Bad::

    columns: {T: {from: T (K), unit: degC}}

Good::

    columns: {T: {from: T (K), from_unit: K, unit: degC}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.units import UnitError, conversion

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ741"
TITLE = "unit that the file contradicts"
#: What follows from values that are not what they are taken for, in all that is made from them.
EXPLAINS = ("SQ405", "SQ505", "SQ609", "SQ646", "SQ707", "SQ713", "SQ730", "SQ748", "SQ802", "SQ809")


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each new column or variable whose stated unit is not that of the file."""
    for block in study.sources():
        field = "variables" if hasattr(block.params, "variables") else "columns"
        for name, (stated, key, unit) in study.contradicted(block.name).items():
            message = f"`{name}` is taken to be in `{stated}`, and the file says `{unit}`"
            help = f"state `from_unit: {unit}`" if _converts(unit, stated) else "one of the two measures something else"
            span = block.span(field, name, key)
            yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)


def _converts(found: str, stated: str) -> bool:
    try:
        conversion(found, stated)
    except UnitError:
        return False
    return True
