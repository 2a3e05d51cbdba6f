"""What can be read off a spec about the design of its study: what is fitted, tested, mapped and added up."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from soilql.errors import Severity, Span
from soilql.expr import ast
from soilql.expr.functions import CONSTANTS
from soilql.expr.parse import Expression
from soilql.formula.memo import once
from soilql.kinds import Block
from soilql.lineage import entries, filtered, origins
from soilql.params import ModelRef, Ref, SchemeRef
from soilql.spec import Spec

#: What a fold holds out: single rows, whole times (of all places), or whole places.
HeldOut = Literal["rows", "times", "places"]

FORESTS = ("quantile_forest", "random_forest")
REGRESSIONS = ("linear", "nonlinear")

#: Fluxes of the Soil Respiration Database that are modelled.
FLUXES = ("Rs_annual", "Rh_annual", "Ra_annual", "Rs_growingseason")

_LAND_FRACTION = re.compile(r"land_?frac|sftlf|frac\w*_land", re.IGNORECASE)
_ROW_NUMBERS = ("Record_number", "replicate")
_TIMES = ("time", "year")
_PLACES = ("lat", "lon", "site")


def blocks(spec: Spec, *kinds: str) -> Iterator[Block]:
    """Yield the blocks of some kinds that are what their author meant, as far as that is known."""
    for block in spec.blocks.values():
        if block.kind in kinds and is_sound(spec, block):
            yield block


def is_sound(spec: Spec, block: Block) -> bool:
    """Return whether everything in a block could be read, and its references lead to what they need.

    A filter or an option that could not be read has its default, from which nothing follows.
    """
    return once(spec, (is_sound, block), lambda: _is_sound(spec, block))


def _is_sound(spec: Spec, block: Block) -> bool:
    if block.name in spec.cyclic or any(map(spec.misleads, spec.references[block.name])):
        return False
    here = block.node.span
    starts = _errors(spec).get(id(here.source), [])
    following = bisect_left(starts, here.start)
    return following == len(starts) or starts[following] > here.end


def _errors(spec: Spec) -> dict[int, list[int]]:
    """Return where the errors of a spec begin, in order, by the text they are in."""

    def find() -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for one in spec.diagnostics:
            if one.severity is Severity.ERROR and one.span is not None:
                found.setdefault(id(one.span.source), []).append(one.span.start)
        return {source: sorted(starts) for source, starts in found.items()}

    return once(spec, _errors, find)


def models(spec: Spec, *kinds: str) -> Iterator[Block]:
    """Yield the models, of some kinds or all, that have a formula and a table."""
    wanted = kinds or {block.kind for block in spec.blocks.values() if block.section == "models"}
    for block in blocks(spec, *wanted):
        if block.section == "models" and hasattr(block.params, "formula") and hasattr(block.params, "data"):
            yield block


def is_whole(spec: Spec) -> bool:
    """Return whether nothing is known to be wrong, so that what is absent is absent on purpose."""

    def find() -> bool:
        return spec.ok and not any(spec.misleads(one) for found in spec.references.values() for one in found)

    return once(spec, is_whole, find)


def setting(block: Block, key: str, value: str) -> str:
    """Return how a key of a block is written in the language of its file, for a help: a mapping or an argument."""
    sign = " =" if block.node.span.source.name.endswith(".soilql") else ":"
    return f"`{key}{sign} {value}`"


# --- models and their formulas ----------------------------------------------------------------------------------------


def formula(model: Block) -> Expression | None:
    """Return the formula of a model, of a selection that of its first stage; None where it has none."""
    stages = getattr(model.params, "stages", None)
    found: Expression | None = getattr(next(iter(stages.values())) if stages else model.params, "formula", None)
    return found


def response(model: Block) -> str | None:
    """Return the column that a model is fitted to, also inside a function; None where it is not one column."""
    found = formula(model)
    names = () if found is None else ast.names(found.formula.response)
    return names[0] if len(names) == 1 else None


def parameters(model: Block) -> tuple[str, ...]:
    """Return the parameters that a model declares."""
    return tuple(map(str, getattr(model.params, "params", ())))


def driver_names(model: Block) -> tuple[str, ...]:
    """Return the columns on the right side of a model's formula, in order of mention; of a selection its candidates."""
    if (stages := getattr(model.params, "stages", None)) is not None:
        return tuple(dict.fromkeys(str(name) for stage in stages.values() for name in stage.candidates))
    found = formula(model)
    if found is None:
        return ()
    other = {*parameters(model), *getattr(model.params, "constants", ()), *CONSTANTS}
    return tuple(name for name in ast.names(found.formula.predictors) if name not in other)


def find_name(expression: Expression, name: str) -> ast.Node:
    """Return where an expression names something; its root where it does not."""
    root = expression.root
    below = root.predictors if isinstance(root, ast.Formula) else root
    found = (node for node in ast.walk(below) if isinstance(node, ast.Name) and node.name == name)
    return next(found, root)


def mappings(spec: Spec) -> Iterator[tuple[Block, Block]]:
    """Yield each prediction on a grid with the model it is made by."""
    for block in blocks(spec, "predict"):
        model = spec.block(block.params.model.block)
        if model is not None and is_sound(spec, model):
            yield block, model


@dataclass(frozen=True)
class Trial:
    """A model tested by a scheme of folds.

    Attributes
    ----------
    analysis, model, scheme : Block
        What is tested how, and where that is said.
    span : Span
        Where the analysis names the scheme.
    """

    analysis: Block
    model: Block
    scheme: Block
    span: Span


def trials(spec: Spec, model: str | None = None) -> Iterator[Trial]:
    """Yield every test of a model, or of all."""
    yield from once(spec, trials, lambda: _by_model(_trials(spec))).get(model, ())


def _by_model(found: Iterable[Trial]) -> dict[str | None, list[Trial]]:
    """Return tests by the name of their model; all of them under None."""
    known: dict[str | None, list[Trial]] = {None: []}
    for trial in found:
        known[None].append(trial)
        known.setdefault(trial.model.name, []).append(trial)
    return known


def _trials(spec: Spec) -> Iterator[Trial]:
    for name, references in spec.references.items():
        if not is_sound(spec, spec.blocks[name]):
            continue
        schemes = [one for one in references if isinstance(one.ref, SchemeRef)]
        tested = [one for one in references if isinstance(one.ref, ModelRef)]
        for scheme in schemes:
            for one in tested:
                found, by = spec.block(one.ref.block), spec.block(scheme.ref.block)
                if found is not None and by is not None and is_sound(spec, found) and is_sound(spec, by):
                    yield Trial(spec.blocks[name], found, by, scheme.span)


# --- maps and totals --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Use:
    """A prediction that a grid is made from, and the variable taken of it (None: each in turn)."""

    prediction: Block
    variable: str | None


def uses(spec: Spec, ref: Ref) -> Iterator[Use]:
    """Yield the predictions that a grid is or is computed from."""
    block = spec.block(ref.block)
    if block is None or ref.block in spec.cyclic:
        return
    known = spec.schema(ref.block)
    if block.kind == "predict" and is_sound(spec, block):
        if ref.variable is None or known is None or ref.variable in known.variables:
            yield Use(block, ref.variable)
    elif block.kind == "compute":
        for name in map(Ref, ast.names(block.params.expr.root)):
            taken = name.variable or ref.variable
            yield from uses(spec, Ref(f"{name.block}.{taken}") if taken and taken != block.name else Ref(name.block))


def is_quantile(variable: str | None) -> bool:
    """Return whether a variable of a prediction is one of its quantiles, such as `q05`."""
    return variable is not None and variable.startswith("q") and variable[1:].replace(".", "", 1).isdigit()


def upstream(spec: Spec, name: str) -> tuple[Block, ...]:
    """Return a block and all that it is made from."""
    found: dict[str, Block] = {}
    left = [name]
    while left:
        block = spec.block(left.pop())
        if block is not None and block.name not in found:
            found[block.name] = block
            left += [one.ref.block for one in spec.references[block.name]]
    return tuple(found.values())


def land_fraction_in(spec: Spec, ref: Ref, fraction: str = "") -> str | None:
    """Return the block that multiplies a flux by a land fraction, or None.

    Parameters
    ----------
    spec : Spec
        The study.
    ref : Ref
        The flux.
    fraction : str
        The map of the land fraction, where it is known by more than its name.
    """
    for block in upstream(spec, ref.block):
        for node in ast.walk(block.params.expr.root) if block.kind == "compute" else ():
            sides = node.children if isinstance(node, ast.Binary) and node.operator == "*" else ()
            names = [Ref(side.name) for side in sides if isinstance(side, ast.Name)]
            if any(name == fraction or _LAND_FRACTION.search(name.variable or "") for name in names):
                return block.name
    return None


# --- folds and places -------------------------------------------------------------------------------------------------


def held_out(spec: Spec, scheme: Block, table: str) -> HeldOut:
    """Return what the folds of a scheme keep together when the rows of a table are shared out.

    A kind of scheme that is not known here has a notion of place: blocks, clusters, distances.
    """
    if scheme.kind not in ("kfold", "leave_one_group_out"):
        return "places"
    group = scheme.params.group
    known = spec.schema(table)
    roles = {} if known is None else known.roles
    column = roles.get(str(group), str(group))
    if group is None or column in _ROW_NUMBERS:
        return "rows"
    return "times" if column in (*_TIMES, roles.get("time")) else "places"


def sites(spec: Spec, table: str) -> Block | None:
    """Return the block that reads or makes the sites of a training table, past extractions and computed columns."""
    seen: set[str] = set()
    block = spec.block(table)
    while block is not None and block.name not in seen:
        seen.add(block.name)
        if block.kind == "extract":
            block = spec.block(block.params.at.block)
        elif block.kind == "compute":
            found = {Ref(name).block for name in ast.names(block.params.expr.root)}
            block = spec.block(found.pop()) if len(found) == 1 else None
        else:
            return block
    return None


def why_places_repeat(spec: Spec, table: str) -> str:
    """Return why several rows of a table share a place, or an empty text where that is not certain."""
    block = sites(spec, table)
    if block is None:
        return ""
    params = block.params
    if block.kind == "simulate":
        years = len(params.years or ())
        if years > 1:
            return f"`{block.name}` observes each site in {years} years"
        return f"`{block.name}` observes each site {params.replicates} times" if params.replicates > 1 else ""
    if block.kind != "table":
        return ""
    if params.average is not None:
        return _beside_places(block)
    if any("Record_number" in entry.variables for entry in entries(block)):
        return f"`{block.name}` has several records of a place"
    return f"`{block.name}` has a row for each time of a place" if "time" in params.roles else ""


def rows_are_places(spec: Spec, table: str) -> bool:
    """Return whether each row of a table is a place of its own, so that folds of rows hold places out."""
    block = sites(spec, table)
    if block is None:
        return False
    if block.kind == "simulate":
        return block.params.cluster is None and not why_places_repeat(spec, table)
    average = getattr(block.params, "average", None)
    roles = {role: str(name) for role, name in getattr(block.params, "roles", {}).items()}
    places = {roles.get(name, name) for name in _PLACES}
    return average is not None and {roles.get(name, str(name)) for name in average.by} <= places


def _beside_places(block: Block) -> str:
    """Return what an average by place is also by, in words."""
    roles = {role: str(name) for role, name in block.params.roles.items()}
    places = {roles.get(name, name) for name in _PLACES} | {*_PLACES}
    by = list(map(str, block.params.average.by))
    others = [name for name in by if roles.get(name, name) not in places]
    if not others or len(others) == len(by):
        return ""
    return f"`{block.name}` has a row for each {' and '.join(others)} of a place"


def srdb_tables(spec: Spec) -> Iterator[tuple[Block, str]]:
    """Yield each table of the Soil Respiration Database that trains a model, with the flux modelled.

    The user's own copy is known by the names of its fluxes.
    """
    found = {}
    for model in models(spec):
        name = response(model)
        for one in sorted(origins(spec, str(model.params.data), name), key=str) if name is not None else ():
            table = spec.block(one.block)
            if table is not None and table.kind == "table" and one.column in FLUXES and _filter_is_clear(spec, table):
                found[one] = table
    for one, table in found.items():
        yield table, one.column


def _filter_is_clear(spec: Spec, table: Block) -> bool:
    """Return whether a filter could be read, is a condition, and names columns that there are."""
    where = table.params.where
    if where is not None and isinstance(where.root, ast.Name | ast.Number | ast.Text | ast.Binary | ast.Unary):
        return False
    known = {column for entry in entries(table) for column in entry.variables}
    return is_sound(spec, table) and (not known or filtered(spec, table) <= known)
