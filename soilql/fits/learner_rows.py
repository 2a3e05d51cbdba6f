"""Rows and features of a learner in each zone, as its formula says or as another model chose them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS
from soilql.expr.parse import parse_expression
from soilql.expr.terms import features
from soilql.fits.factors import Factor, is_category, learn, matrix
from soilql.fits.feature_params import FeatureParams, formula_problems, text_feature
from soilql.fits.fitted import WHOLE
from soilql.fits.fitting import group_labels
from soilql.fits.learner_data import Training
from soilql.fits.training import Rows, column, complete_rows, defined_rows, missing
from soilql.fits.tuning import ROWS

Columns = Mapping[str, NDArray[Any]]

# Columns of labels beside those of the table; no name of a column begins with a blank.
_SITES, _GROUPS = " sites", " groups"


@dataclass(frozen=True)
class FeatureRows:
    """What a learner is fitted to.

    Attributes
    ----------
    rows : Rows
        Complete rows; where another model chose the drivers, complete in the response alone.
    response : str
        Column that is modelled.
    drivers : tuple of str
        Columns that the fits need, of all zones together.
    needed : int
        Fewest rows of a zone that is fitted.
    nodes : tuple of Node
        Features as the formula names them.
    chosen : mapping of str to tuple of str, or None
        Drivers by zone, where another model chose them.
    chosen_by : str
        Its name.
    """

    rows: Rows
    response: str
    drivers: tuple[str, ...]
    needed: int
    nodes: tuple[Node, ...] = ()
    chosen: Mapping[str, tuple[str, ...]] | None = None
    chosen_by: str = ""


@dataclass(frozen=True, eq=False)
class ZoneRows:
    """Rows of one zone with its features.

    Attributes
    ----------
    factors : tuple of Factor
        Features; a category with the levels that occur.
    data : Training
        Rows in the order of the table.
    drivers : tuple of str
        Columns that the features need.
    """

    factors: tuple[Factor, ...]
    data: Training
    drivers: tuple[str, ...]


def feature_rows(params: FeatureParams, ctx: Context, needed: int) -> FeatureRows:
    """Return the rows and features of a block.

    Raises
    ------
    SoilqlError
        The formula is not one for a learner (SQ113), a text column stands bare in it (SQ112), a column does not exist
        (SQ704), or the model that chose the drivers has other zones (SQ126).
    """
    problems = tuple(formula_problems(params.formula, params.drivers_of is not None))
    if problems:
        raise SoilqlError(problems)
    response = ast.names(params.formula.formula.response)[0]
    found = _chosen(params, ctx, response) if params.drivers_of is not None else _named(params, ctx, response)
    return replace(found, rows=_with_labels(params, ctx, found.rows), needed=needed)


def _named(params: FeatureParams, ctx: Context, response: str) -> FeatureRows:
    formula = params.formula
    nodes = features(formula)
    drivers = _columns_of(nodes)
    rows = complete_rows(ctx, params.data, (response, *drivers), formula)
    for node in nodes if rows.count else ():
        if not is_category(node) and learn(node, rows.columns).levels is not None:
            raise SoilqlError(text_feature(formula, node))
    return FeatureRows(defined_rows(rows, nodes), response, drivers, 0, tuple(nodes))


def _columns_of(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for node in nodes for name in ast.names(node) if name not in CONSTANTS))


def _chosen(params: FeatureParams, ctx: Context, response: str) -> FeatureRows:
    assert params.drivers_of is not None
    other: Any = ctx.model(params.drivers_of)
    selected = dict(getattr(other, "selected", {}))
    labels = (WHOLE,) if params.by is None else tuple(ctx.zones(params.by).labels)
    theirs = tuple(status.zone for status in getattr(other, "statuses", ())) or tuple(selected)
    if set(theirs) != set(labels):
        message = f"the zones of `{params.drivers_of}` are {_listed(theirs)}, those of this model {_listed(labels)}"
        raise ctx.error("SQ126", message, "drivers_of", help="fit both by the same partition")
    fallback = getattr(other, "fallback", None)
    if fallback is not None:
        selected |= {zone: own for zone, own in fallback.selected.items() if zone not in labels}
    drivers = tuple(dict.fromkeys(name for own in selected.values() for name in own))
    if response in drivers:
        message = f"`{params.drivers_of}` has `{response}` among its drivers, which is modelled here"
        raise ctx.error("SQ113", message, "formula")
    rows = complete_rows(ctx, params.data, (response,), params.formula)
    table = ctx.table(params.data)
    columns = dict(rows.columns)
    for name in drivers:
        if name not in table.frame.columns:
            message = f"`{params.data}` has no column `{name}`, a driver of `{params.drivers_of}`"
            help = did_you_mean(name, map(str, table.frame.columns))
            raise ctx.error("SQ704", message, "drivers_of", help=help)
        columns[name] = column(table, name)[rows.positions]
    return FeatureRows(replace(rows, columns=columns), response, drivers, 0, (), selected, str(params.drivers_of))


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _with_labels(params: FeatureParams, ctx: Context, rows: Rows) -> Rows:
    """Return the rows with numbers of their sites and of the groups that a search keeps in one fold."""
    table = ctx.table(params.data)
    sites = table.labels("site")
    group = None if params.tune is None else params.tune.group
    groups = sites
    if group == ROWS:
        groups = None
    elif group is not None:
        groups = group_labels(table, str(group), ctx.block.span("tune", "group"))
    columns = dict(rows.columns)
    for key, labels in ((_SITES, sites), (_GROUPS, groups)):
        if labels is not None:
            columns[key] = np.unique(labels, return_inverse=True)[1].astype(np.int64)[rows.positions]
    return replace(rows, columns=columns)


def zone_rows(found: FeatureRows, columns: Columns, zone: str) -> ZoneRows:
    """Return the rows of a zone as a learner sees them.

    Raises
    ------
    SoilqlError
        No drivers were chosen in the zone, or too few of its rows have them (SQ802).
    """
    nodes = found.nodes
    if found.chosen is not None:
        if zone not in found.chosen:
            message = f"`{found.chosen_by}` chose no drivers here: not fitted"
            raise SoilqlError(Diagnostic("SQ802", message))
        columns, nodes = _complete(found, columns, found.chosen[zone])
    y = np.asarray(columns[found.response], dtype=np.float64)
    factors = tuple(learn(node, columns) for node in nodes)
    numeric = np.repeat([one.levels is None for one in factors], [len(one.labels()) for one in factors])
    data = Training(matrix(factors, columns, y.size), y, numeric, columns.get(_SITES), columns.get(_GROUPS))
    return ZoneRows(factors, data, _columns_of(nodes))


def _complete(found: FeatureRows, columns: Columns, drivers: Sequence[str]) -> tuple[Columns, tuple[Node, ...]]:
    """Return the rows of a zone that have its drivers, and the drivers as features."""
    size = columns[found.response].size
    kept = np.ones(size, bool)
    for name in drivers:
        kept &= ~missing(columns[name])
    if kept.sum() < found.needed:
        has = " and ".join(f"`{name}`" for name in drivers)
        words = f"{int(kept.sum())} of {size} rows have {has}, {found.needed} needed: not fitted"
        raise SoilqlError(Diagnostic("SQ802", words))
    columns = {name: values[kept] for name, values in columns.items()}
    nodes = [ast.Name(name) for name in drivers]
    texts = [ast.to_text(node) for node in nodes]
    written = [f"C({t})" if columns[n].dtype.kind == "O" else t for t, n in zip(texts, drivers, strict=True)]
    return columns, tuple(parse_expression(text).root for text in written)
