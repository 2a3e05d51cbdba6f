"""The values look like another unit than the one stated.

A column that is stated in degC and runs from 268 to 303 is in kelvin; cover stated in % and never above 1 is a
fraction; an EVI below 0.01 was divided by its scale twice. The fit does not fail: its parameters take up the factor,
and the map, made from another source, does not.

Bad::

    columns: {T: {from: T_air, unit: degC}}                      # 268 to 303

Good::

    columns: {T: {from: T_air, from_unit: K, unit: degC}}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, Severity
from soilql.study.expected import suspicion
from soilql.study.words import extent

if TYPE_CHECKING:
    from soilql.study.study import Study

CODE = "SQ747"
TITLE = "unit that the values contradict"
#: What follows from values that are not what they are taken for, in all that is made from them.
EXPLAINS = ("SQ405", "SQ505", "SQ609", "SQ646", "SQ707", "SQ713", "SQ730", "SQ748", "SQ802", "SQ809")


def check(study: Study) -> Iterator[Diagnostic]:
    """Yield a warning for each column or variable in use whose values suit another unit."""
    for (block, name), span in study.used.items():
        if name in study.contradicted(block):
            continue
        values, unit = study.summary(block, name), study.unit(block, name)
        found = None if values is None else suspicion(name, unit, values)
        if values is not None and found is not None:
            stated = f"is in {unit}" if unit and unit != "1" else "has no unit"
            message = f"`{name}` of `{block}` {stated}, and its values look like {found.looks_like}"
            label = f"{extent(values.low, values.high)}, median {values.median:.4g}"
            yield Diagnostic(CODE, message, span, label, found.help, Severity.WARNING)
