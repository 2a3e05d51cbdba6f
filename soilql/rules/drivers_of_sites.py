"""A driver is what each study reported, and the map is made with the mean of a cell.

The temperature that an author reports comes from a logger at the plot or the nearest station; that of a grid is the
mean over thousands of square kilometres, of other years. A model learns the response to one and is used with the other,
and its tests, which use the first as well, do not show what that costs. Train on the values of the grid at the sites.

Carroll, Ruppert, Stefanski & Crainiceanu (2006), doi:10.1201/9781420010138.

Bad::

    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: srdb}
    analyses:
      rs: {kind: predict, model: qrf, on: drivers}

Good::

    datasets:
      training: {kind: extract, at: srdb, from: drivers, variables: [MAT, MAP]}
    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT + MAP, data: training}
    analyses:
      rs: {kind: predict, model: qrf, on: drivers}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ635"
TITLE = "drivers of another source than the map"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each driver that studies report and a grid stands in for."""
    seen = set()
    for prediction, model in design.mappings(spec):
        known = spec.schema(prediction.params.on)
        formula = getattr(model.params, "formula", None)
        if known is None or formula is None or model.name in seen:
            continue
        rename = {str(k): str(v) for k, v in prediction.params.rename.items()}
        reported = [name for name in design.driver_names(model) if _is_reported(spec, str(model.params.data), name)]
        names = [name for name in reported if rename.get(name, name) in known.variables]
        if not names:
            continue
        seen.add(model.name)
        listed = " and ".join(f"`{name}`" for name in names[:2]) + (f" and {len(names) - 2} more" if names[2:] else "")
        verb = "is" if len(names) == 1 else "are"
        grid = prediction.params.on
        message = f"{listed} {verb} as each study reported in training, and as `{grid}` has it on the map"
        help = f"train on `{grid}` at the sites: `{{kind: extract, at: ..., from: ...}}`"
        span = formula.span(design.find_name(formula, names[0]))
        yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)


def _is_reported(spec: Spec, data: str, name: str) -> bool:
    """Return whether a column comes from a public database of studies."""
    found = lineage.origins(spec, data, name)
    tables = [block for one in found if (block := spec.block(one.block)) is not None and block.kind == "table"]
    return bool(tables) and all(any("Author" in entry.variables for entry in lineage.entries(t)) for t in tables)
