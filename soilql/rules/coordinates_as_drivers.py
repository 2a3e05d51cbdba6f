"""A learner that is mapped sees where each site lies.

With observations that gather in a few regions, a forest given latitude, longitude or the name of the site learns the
places by heart: each region gets the level of its own sites. Folds of single rows reward that, and maps show it as
blocks with straight edges. Drivers that have a meaning carry over to other places; coordinates do not.

Meyer et al. (2019), doi:10.1016/j.ecolmodel.2019.108815.

Bad::

    drivers: {kind: grid, source: registry:jian2021-drivers, derive: {y: lat}}
    ...
    formula: Rs ~ MAT + MAP + y

Good::

    formula: Rs ~ MAT + MAP
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity
from soilql.spec import Spec

CODE = "SQ640"
TITLE = "coordinates among the drivers"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning at each coordinate in the formula of a forest that is mapped."""
    mapped = {model.name for _, model in design.mappings(spec)}
    for model in design.models(spec, *design.FORESTS):
        formula, data = model.params.formula, str(model.params.data)
        for name in design.driver_names(model) if model.name in mapped else ():
            if _is_place(spec, data, name):
                message = f"`{name}` tells `{model.name}` where it is: a forest learns places by heart"
                help = "leave it out, or give what changes with it: temperature, day length, distance to the sea"
                span = formula.span(design.find_name(formula, name))
                yield Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)


def _is_place(spec: Spec, data: str, name: str) -> bool:
    known = spec.schema(data)
    roles = {} if known is None else known.roles
    if name in {column for role, column in roles.items() if role in ("lat", "lon", "site")}:
        return True
    found = lineage.origins(spec, data, name)
    grids = all((block := spec.block(one.block)) is not None and block.kind == "grid" for one in found)
    return bool(found) and grids and all(one.column in ("lat", "lon") for one in found)
