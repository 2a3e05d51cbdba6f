"""A model may select a driver that the map does not have.

Candidates of a selection, and the drivers of the models among which the best is chosen, are columns of the training
table. Which of them are taken is known after the fits only; a prediction on a grid without them fails then.

Bad::

    maps: {kind: grid, source: maps.nc, variables: {MAT: {unit: degC}}}
    chosen:
      kind: staged_selection
      stages: {temperature: {formula: Rs ~ a*exp(b*X), params: [a, b], variable: X, candidates: [MAT, T_soil]}}
    rs: {kind: predict, model: chosen, on: maps}

Good::

    maps: {kind: grid, source: maps.nc, variables: {MAT: {unit: degC}, T_soil: {unit: degC}}}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design
from soilql.errors import Diagnostic, Severity
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ655"
TITLE = "candidate that the map does not have"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each prediction whose grid lacks what its model may select."""
    for prediction, model in design.mappings(spec):
        params = prediction.params
        grid = spec.schema(params.on)
        if grid is None or grid.open:
            continue
        lacking = {
            name: source
            for source, names in _selectable(spec, model)
            for name in names
            if str(params.rename.get(name, name)) not in grid.variables
        }
        if lacking:
            names = ", ".join(f"`{name}`" for name in lacking)
            message = f"`{params.on}` does not have {names}, which `{model.name}` may select"
            sources = " and ".join(f"`{name}`" for name in dict.fromkeys(lacking.values()))
            help = f"give the grid these variables, name others under `rename`, or leave them out of {sources}"
            yield Diagnostic(CODE, message, prediction.span("on"), help=help, severity=Severity.WARNING)


def _selectable(spec: Spec, model: Block) -> Iterator[tuple[str, list[str]]]:
    """Yield each model that decides on drivers, or is one to choose from, with those that are columns of its table."""
    for block in design.upstream(spec, model.name):
        if block.section != "models" or not design.is_sound(spec, block):
            continue
        # Drivers of a formula that is predicted itself are needed for certain, and the prediction says so.
        if block is model and not hasattr(model.params, "stages"):
            continue
        table = spec.schema(getattr(block.params, "data", ""))
        if table is not None:
            known = {*table.variables} - {design.response(block)}
            yield block.name, [name for name in design.driver_names(block) if name in known]
