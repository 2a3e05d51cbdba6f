"""A flux measured with the response is among its drivers.

The Soil Respiration Database lists beside the annual soil respiration its heterotrophic, autotrophic and seasonal
parts, its error, and what authors derived from the same measurements. They explain soil respiration well because they
are soil respiration. No map of them exists where it was not measured.

Jian et al. (2021), doi:10.5194/essd-13-255-2021; Kapoor & Narayanan (2023), doi:10.1016/j.patter.2023.100804.

Bad::

    formula: Rs ~ MAT + Rs_summer

Good::

    formula: Rs ~ MAT
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ634"
TITLE = "part of the flux among its drivers"

_SEASONS = tuple(f"Rs_{s}" for s in ("spring", "summer", "autumn", "winter", "growingseason", "wet", "dry"))
#: Soil respiration as the databases call it, and what was measured with it or derived from it.
_WHOLE = ("Rs_annual", "Rs", *_SEASONS)
_PARTS = {
    *("Rs_annual", "Rs_annual_err", "Rs_interann_err", "Rs_spatial_err", "Rlitter_annual", "Ra_annual", "Rh_annual"),
    *("RC_annual", "RC_seasonal", "Rs_max", "Rs_min", "R10", "ER", "TBCA", "Rh", "Ra", "RC", *_SEASONS),
}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each driver that is measured soil respiration or made from it."""
    for model in design.models(spec):
        response, data, formula = design.response(model), str(model.params.data), model.params.formula
        whole = lineage.copies(spec, data, response) if response is not None else None
        if whole is None or whole.column not in _WHOLE or not _is_measured(spec, whole):
            continue
        for name in design.driver_names(model):
            parts = {one for one in lineage.origins(spec, data, name) if one.block == whole.block}
            found = sorted(one.column for one in parts if one.column in _PARTS and one != whole)
            # What is made from the response itself has a finding of its own.
            if found and whole not in parts:
                words = f"`{name}`" if found == [name] else f"`{name}`, which is `{found[0]}`,"
                message = f"{words} was measured with `{response}` or is derived from it"
                span = formula.span(design.find_name(formula, name))
                yield Diagnostic(CODE, message, span, help="leave it out of the formula", severity=Severity.WARNING)


def _is_measured(spec: Spec, origin: lineage.Origin) -> bool:
    """Return whether a column is one of a table of measurements that is known, or has a name of such a table."""
    return lineage.variable(spec, origin) is not None or origin.column == "Rs_annual"
