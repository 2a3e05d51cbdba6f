"""Nonlinear regression whose drivers are selected stage by stage, anew in each zone (Huang et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from soilql import params as p
from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.fits import fitted, fitting, nonlinear_params, regression, zoning
from soilql.kinds import Block, Scope
from soilql.params import ColumnName, Formula, NewName, Problem, TableRef, ZonesRef, param
from soilql.source import Mapping as MappingNode
from soilql.values import State, ValueType

if TYPE_CHECKING:
    from soilql.fits.selection_plan import Selection
    from soilql.fits.training import Rows

VERSION = 2
PRODUCES = ValueType.MODEL

#: Folds of single rows, also where the table has sites.
ROWS = "rows"


@dataclass(frozen=True)
class Stage(p.Params):
    """A formula with a placeholder, and the columns that may stand for it."""

    formula: Formula = param(
        doc="Response and model, with the placeholder of this stage and those of earlier ones: `Rs ~ a*exp(b*T)`."
    )
    params: nonlinear_params.Declared = param(doc=nonlinear_params.PARAMS_DOC)
    variable: NewName = param(doc="Placeholder of the formula for which the candidates stand in turn, such as T.")
    candidates: list[ColumnName] = param(doc="Columns that are tried. The first wins a tie that nothing else decides.")
    constants: dict[NewName, float] = param({}, doc="Names in the formula with fixed values: {Tref: 10}.")
    freeze_parameters: bool = param(
        False, doc="Whether parameters that an earlier stage has keep their estimates, instead of being fitted anew."
    )

    def problems(self) -> Iterator[Problem]:
        yield from nonlinear_params.problems(self.params, self.constants)
        if self.variable in (*self.params, *self.constants):
            yield f"`{self.variable}` is the variable and a parameter or constant", "variable"
        if not self.candidates:
            yield "`candidates` is empty", "candidates"
        if len(set(self.candidates)) < len(self.candidates):
            yield "`candidates` names a column twice", "candidates"

    @property
    def known(self) -> dict[str, nonlinear_params.Parameter]:
        """What is known of each parameter, in their order."""
        return nonlinear_params.known(self.params)


@dataclass(frozen=True)
class Params(p.Params):
    """The stages, how candidates are compared, and how the model is fitted."""

    data: TableRef = param(doc="Table of training rows; rows without a response are left out and counted.")
    stages: dict[NewName, Stage] = param(
        doc="Stages in order, each with its formula: {temperature: {formula: Rs ~ a*exp(b*T), params: [a, b], "
        "variable: T, candidates: [LST_day, LST_night]}, moisture: {...}}. A stage goes on with the columns selected "
        "before it; the model is that of the last stage that could be fitted."
    )
    by: ZonesRef | None = param(None, doc="Partition in each of whose zones drivers are selected and fitted anew.")
    min_rows: int | None = param(
        None, ge=2, doc="Fewest complete rows of a candidate's fit; by default one more than there are parameters."
    )
    fallback: fitting.Fallback = param("none", doc=fitting.FALLBACK_DOC)
    metric: Literal["phi", "RMSE", "R2", "AICc"] = param(
        "phi",
        doc="What makes the best candidate: largest `phi` (Huang et al. 2020, Eq. 5: accuracy and number of rows, "
        "relative to the best candidate of the stage) or `R2`, or smallest `RMSE` or `AICc`. Ties go to more rows, "
        "then smaller RMSE, then larger R2, then the order of the candidates.",
    )
    weights: list[float] = param(
        [0.25, 0.25, 0.5], ge=0, doc="Weights in phi of RMSEmin/RMSE, of R2/R2max and of n/nmax."
    )
    sample: Literal["own", "common"] = param(
        "own",
        doc="Rows on which the candidates of a stage are compared: `own`, all that each has; `common`, those that all "
        "have. The model is fitted to all rows that its own columns have.",
    )
    score: Literal["in_sample", "cross_validated"] = param(
        "in_sample",
        doc="Whether RMSE and R2 of candidates are those of the rows they are fitted to, or of rows held out in folds.",
    )
    folds: int = param(10, ge=2, doc="Number of folds of `cross_validated`; of fewer sites, one for each.")
    group: ColumnName | None = param(
        None,
        doc="Role or column whose equal values stay in one fold. Default: `site` where the table has sites or places; "
        f"`{ROWS}` shuffles single rows.",
    )
    nested: bool = param(
        True,
        doc="Whether a test by folds makes the selection anew without the rows held out. `false` keeps the one made on "
        "all rows, as is often done: the scores of such a test are too good.",
    )
    interval: nonlinear_params.Interval = param("wald", doc=nonlinear_params.INTERVAL_DOC)
    level: float = param(0.95, gt=0, lt=1, doc="Confidence level of the intervals.")
    starts: int = param(
        16,
        ge=0,
        doc="Largest number of starting points that are tried besides the given and log-linear ones. The searches end "
        "early once those that found the best fit are four more than those that ended elsewhere.",
    )
    seed: int = param(1, ge=0, doc="Seed of the starting points and of the folds.")
    uncertainty: nonlinear_params.Uncertainty = param("vcov", doc=nonlinear_params.UNCERTAINTY_DOC)
    back_transform: regression.BackTransform = param("none", doc=regression.BACK_TRANSFORM_DOC)

    def problems(self) -> Iterator[Problem]:
        if not self.stages:
            yield "`stages` is empty", "stages"
        if len(self.weights) != 3 or not any(self.weights):
            yield "`weights` are three numbers, not all zero", "weights"
        if self.metric == "AICc" and (self.sample != "common" or self.score != "in_sample"):
            message = "AICc compares fits to the same rows: it needs `sample: common` and `score: in_sample`"
            yield message, "metric"

    def formula_parts(self, block: Block) -> Iterator[Block]:
        """Yield each stage as a block of its own, with the first candidates in the place of placeholders."""
        columns: dict[str, str] = {}
        for key, stage in self.stages.items():
            columns[str(stage.variable)] = str(stage.candidates[0])
            formula = nonlinear_params.with_columns(stage.formula, columns)
            part = nonlinear_params.Part(formula, self.data, stage.params, stage.constants, self.by)
            node = block.node_at("stages", str(key))
            assert isinstance(node, MappingNode)
            yield replace(block, params=part, node=node)


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.fits.selection_fit import select_zone

    problems = list(_problems(params, ctx.block))
    if problems:
        raise SoilqlError(problems)
    response = regression.response_of(next(iter(params.stages.values())).formula)
    rules = _rules(params, ctx, response)
    rows, drivers = _rows(params, ctx, response)
    needed = min(rules.needed(rules.stages[0]), *(rules.needed(stage) for stage in rules.stages))
    return fitting.fit_model(
        ctx,
        rows,
        lambda columns, zone: select_zone(columns, rules, zone),
        response=response.name,
        drivers=drivers,
        needed=needed,
        labelled=True,
    )


def _rules(params: Params, ctx: Context, response: regression.Response) -> Selection:
    from soilql.fits import selection_plan

    stages = tuple(
        selection_plan.Stage(
            str(name),
            stage.formula,
            stage.known,
            {str(key): value for key, value in stage.constants.items()},
            str(stage.variable),
            tuple(map(str, stage.candidates)),
            stage.freeze_parameters,
        )
        for name, stage in params.stages.items()
    )
    return selection_plan.Selection(
        stages,
        response,
        params.metric,
        tuple(params.weights),
        params.sample == "common",
        params.folds if params.score == "cross_validated" else 0,
        params.min_rows or 2,
        params.seed,
        {
            "interval": params.interval,
            "level": params.level,
            "n_starts": params.starts,
            "uncertainty": params.uncertainty,
            "back_transform": params.back_transform,
        },
        None if params.nested or ctx.whole is None else _kept(ctx).get,
    )


def _kept(ctx: Context) -> Mapping[str, Mapping[str, str]]:
    """Return what was selected in each zone on all rows, while the model is fitted to some of them."""
    assert ctx.whole is not None
    whole: Any = ctx.whole()
    found: dict[str, Mapping[str, str]] = {}
    for model, prefix in ((whole, ""), (whole.fallback, fitted.FALLBACK)):
        if model is not None:
            found |= {f"{prefix}{model.statuses[code].zone}": fit.chosen for code, fit in model.fits.items()}
    return found


def _rows(params: Params, ctx: Context, response: regression.Response) -> tuple[Rows, tuple[str, ...]]:
    """Return the rows that have a response, with all columns that a stage may need, and the names of these."""
    from soilql.fits import training
    from soilql.fits.selection_plan import GROUP

    first = next(iter(params.stages.values())).formula
    rows = training.complete_rows(ctx, params.data, (response.name,), first)
    table = ctx.table(params.data)
    known = [str(name) for name in table.frame.columns]
    names: dict[str, None] = {}
    for key, stage in params.stages.items():
        for i, name in enumerate(map(str, stage.candidates)):
            if name not in known:
                message = f"`{params.data}` has no column `{name}`"
                raise ctx.error("SQ704", message, "stages", key, "candidates", i, help=did_you_mean(name, known))
            names[name] = None
        names |= dict.fromkeys(_columns(params, stage))
    for name in names:
        if name not in known:
            raise ctx.error(
                "SQ704", f"`{params.data}` has no column `{name}`", "stages", help=did_you_mean(name, known)
            )
    columns = {name: training.column(table, name)[rows.positions] for name in names}
    text = [name for name, values in columns.items() if values.dtype.kind == "O"]
    if text:
        help = "drivers of a nonlinear formula are numbers"
        raise ctx.error("SQ709", f"`{text[0]}` of `{params.data}` is text", "stages", help=help)
    if params.score == "cross_validated" and (groups := _groups(params, ctx)) is not None:
        columns[GROUP] = groups[rows.positions]
    rows = replace(rows, columns={**rows.columns, **columns})
    rows = regression.with_median_note(regression.positive_rows(rows, response), params.back_transform, response)
    return rows, tuple(names)


def _columns(params: Params, stage: Stage) -> tuple[str, ...]:
    """Return the columns that the formula of a stage names itself."""
    placeholders = [str(other.variable) for other in params.stages.values()]
    return nonlinear_params.drivers(stage.formula, [*stage.known, *map(str, stage.constants), *placeholders])


def _groups(params: Params, ctx: Context) -> Any:
    """Return the group of each row of the table as a number; None for folds of single rows."""
    import numpy as np

    table = ctx.table(params.data)
    if params.group == ROWS or (params.group is None and table.labels("site") is None):
        return None
    labels = fitting.group_labels(table, params.group or "site", ctx.block.span("group"))
    return np.unique(labels.astype(str), return_inverse=True)[1]


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    params: Params = block.params
    problems = list(_problems(params, block))
    yield from problems
    earlier: list[str] = []
    for key, stage in params.stages.items():
        earlier.append(str(stage.variable))
        names = [*stage.known, *map(str, stage.constants), *earlier]
        yield from fitting.check_names(stage.formula, block, scope, linear=False, parameters=names)
        yield from _check_candidates(block, str(key), stage, scope)
    yield from zoning.check_zones(block, scope)


def _problems(params: Params, block: Block) -> Iterator[Diagnostic]:
    """Say what of the stages does not fit together, whatever the data."""
    responses: dict[str, str] = {}
    placeholders: dict[str, str] = {}
    parameters: set[str] = set()
    for key, stage in params.stages.items():
        here, variable = ("stages", str(key)), str(stage.variable)
        yield from regression.response_problems(stage.formula)
        yield from nonlinear_params.unused(stage.formula, stage.params, stage.constants, block, here)
        yield from nonlinear_params.underivable(stage.formula, stage.known)
        yield from _placeholder(block, stage, here, placeholders)
        if stage.freeze_parameters and set(stage.known) <= parameters:
            message = f"stage `{key}` has no parameter of its own: all keep the estimates of earlier stages"
            yield Diagnostic(
                "SQ668", message, block.span(*here, "freeze_parameters"), help="leave `freeze_parameters` out"
            )
        placeholders[variable] = str(key)
        parameters |= set(stage.known)
        text = stage.formula.formula.response
        responses.setdefault(_text(text), str(key))
        if len(responses) > 1 and responses[_text(text)] == str(key):
            other = next(iter(responses))
            message = f"the response of stage `{key}` is `{_text(text)}`, and that of the first stage `{other}`"
            yield Diagnostic("SQ668", message, stage.formula.span(text), help=f"write `{other} ~ ...`")


def _placeholder(
    block: Block, stage: Stage, here: tuple[str, str], placeholders: Mapping[str, str]
) -> Iterator[Diagnostic]:
    from soilql.expr import ast

    variable, span = str(stage.variable), block.span(*here, "variable")
    used = ast.names(stage.formula.formula.predictors)
    if variable in placeholders:
        message = f"`{variable}` is the variable of stage `{placeholders[variable]}` already"
        yield Diagnostic("SQ668", message, span, help="give each stage a placeholder of its own")
    elif variable not in used:
        help = did_you_mean(variable, used) or "put it where the candidates belong in the formula"
        yield Diagnostic("SQ668", f"the formula of stage `{here[1]}` does not use `{variable}`", span, help=help)
    if variable in ast.names(stage.formula.formula.response):
        yield Diagnostic("SQ668", f"`{variable}` is the response", span, help="give the placeholder another name")


def _text(node: Any) -> str:
    from soilql.expr import ast

    return ast.to_text(node)


def _check_candidates(block: Block, key: str, stage: Stage, scope: Scope) -> Iterator[Diagnostic]:
    """Say which candidates are no columns, no numbers, or the response itself."""
    from soilql.expr import ast

    data, schema = block.params.data, scope.schema(block.params.data)
    response = ast.names(stage.formula.formula.response)
    for i, name in enumerate(map(str, stage.candidates)):
        span = block.span("stages", key, "candidates", i)
        if name in response:
            yield Diagnostic("SQ668", f"the candidate `{name}` is the response", span, help="leave it out")
        elif schema is not None and name in schema.variables:
            if schema.variables[name].type == "text":
                help = "candidates of a nonlinear formula are numbers"
                yield Diagnostic("SQ112", f"`{name}` is text", span, help=help)
        elif schema is not None and not schema.open:
            yield Diagnostic("SQ201", f"unknown name `{name}`", span, f"not a column of `{data}`",
                             did_you_mean(name, schema.variables))  # fmt: skip


def load(state: State, params: Params) -> fitted.FittedModel:
    """Return the model whose state was stored."""
    from soilql.fits.selection_plan import load_fit

    return fitted.load_model(state, load_fit)


def describe(params: Params) -> str:
    by = f" in each zone of {params.by}" if params.by else ""
    tried = " then ".join(f"{name} of {len(stage.candidates)}" for name, stage in params.stages.items())
    how = f", each scored in {params.folds} folds" if params.score == "cross_validated" else ""
    return f"select {tried}{by} by {params.metric}{how}"
