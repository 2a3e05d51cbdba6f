"""Fit a model to all rows or apart in each zone, and check its formula against its table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.fits.fitted import FALLBACK, WHOLE, FittedModel, Status, ZoneFit
from soilql.fits.training import Rows
from soilql.fits.training import at_span as at_span
from soilql.fits.zoning import check_zones, row_codes
from soilql.kinds import Block, Scope
from soilql.params import ZonesRef
from soilql.values import Note, Table, Zones

if TYPE_CHECKING:
    import numpy as np

    from soilql.expr.parse import Expression

    Columns = Mapping[str, np.ndarray[Any, Any]]

#: What a model with zones does where one has no fit of its own; the field `fallback` beside `by` and `min_rows`.
Fallback: TypeAlias = Literal["none", "all"] | ZonesRef

FALLBACK_DOC = (
    "What predicts in a zone that has too few rows or whose fit fails: `none`, nothing; `all`, one fit to all rows; or "
    "a coarser partition, the fit to the zone of it in which a place lies. The status of the zone says so."
)


class UnfittedError(SoilqlError):
    """A zone that cannot be fitted, with what is to be shown of the attempt.

    Attributes
    ----------
    tables : mapping of str to rows
        As a :class:`soilql.fits.fitted.ZoneFit` may offer them.
    """

    def __init__(self, error: Diagnostic, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        super().__init__(error)
        self.tables = tables


@dataclass
class _Fits:
    """What became of the zones of one partition."""

    statuses: list[Status] = field(default_factory=list)
    fits: dict[int, ZoneFit] = field(default_factory=dict)
    notes: list[tuple[int, Note]] = field(default_factory=list)
    tables: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def show(self, zone: str, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        for name, rows in tables.items():
            self.tables.setdefault(name, []).extend({"zone": zone, **row} for row in rows)


def fit_model(
    ctx: Context,
    rows: Rows,
    fit: Callable[..., ZoneFit],
    *,
    response: str,
    drivers: Sequence[str],
    needed: int,
    labelled: bool = False,
) -> FittedModel:
    """Fit a model to all rows, or apart in each zone where the block says ``by``.

    Parameters
    ----------
    ctx : Context
        Of the model; its parameters have ``data`` and ``by``, and perhaps ``fallback``.
    rows : Rows
        Complete rows.
    fit : callable
        ``fit(columns)`` fits the rows of one zone; raises SoilqlError where that cannot be done.
    response : str
        Column that is modelled.
    drivers : sequence of str
        Columns that a prediction needs.
    needed : int
        Fewest rows of a zone that is fitted.
    labelled : bool
        Whether it is ``fit(columns, zone)``, with the name of the zone; a fit that others fall back on has the name
        ``fallback: ZONE``, or ``fallback: all``.

    Returns
    -------
    FittedModel
        A zone with too few rows (SQ802), or whose fit failed (SQ801, SQ803), has a status and a note and no fit; the
        model falls back on another where the block says so.

    Raises
    ------
    SoilqlError
        Nothing could be fitted (SQ801, with the reason for each zone).
    """
    import numpy as np

    params = ctx.block.params
    one: Callable[[Columns, str], ZoneFit] = fit if labelled else lambda columns, zone: fit(columns)
    zones: Zones | None = None if params.by is None else ctx.zones(params.by)
    codes, notes = np.zeros(rows.count, np.int16), rows.notes
    if zones is not None:
        codes, outside = row_codes(ctx, rows, params.by, "by")
        notes += outside
    labels = (WHOLE,) if zones is None else zones.labels
    found = _fit_zones(rows, codes, labels, one, needed, ctx.progress)
    unit = ctx.table(params.data).units.get(response)
    bare = FittedModel(response, unit, (), (), tuple(drivers), (), {}, kind=ctx.block.kind)
    fallback = None
    if zones is not None and len(found.fits) < len(labels):
        fallback, said = _fall_back(ctx, rows, codes, found, one, needed, bare)
        notes += said
    found.notes += _flat(rows, codes, response, found.fits)
    notes += tuple(replace(n, message=_in_zone(labels[k], n.message, zones is not None)) for k, n in found.notes)
    if not found.fits and fallback is None:
        raise _nothing_fitted(ctx, found.statuses, notes)
    looked_at = [*(() if zones is None else zones.variables), *(() if fallback is None else fallback.variables)]
    return replace(
        bare,
        variables=tuple(dict.fromkeys([*drivers, *looked_at])),
        notes=notes,
        statuses=tuple(found.statuses),
        fits=found.fits,
        zones=zones,
        fallback=fallback,
        tables={name: tuple(shown) for name, shown in found.tables.items()},
    )


def _fit_zones(
    rows: Rows,
    codes: np.ndarray[Any, Any],
    labels: Sequence[str],
    fit: Callable[[Columns, str], ZoneFit],
    needed: int,
    progress: Callable[[int, int], None],
) -> _Fits:
    found = _Fits()
    for code, label in enumerate(labels):
        _fit_zone(found, code, rows, codes == code, fit, label, needed)
        progress(code + 1, len(labels))
    return found


def _fit_zone(
    found: _Fits,
    code: int,
    rows: Rows,
    inside: np.ndarray[Any, Any],
    fit: Callable[[Columns, str], ZoneFit],
    label: str,
    needed: int,
) -> None:
    """Fit one zone, or say why not."""
    count = int(inside.sum())
    if count < needed:
        words = f"{count} complete row{'' if count == 1 else 's'}, {needed} needed: not fitted"
        found.statuses.append(Status(label, count, needed, words))
        found.notes.append((code, Note("SQ802", words)))
        return
    try:
        one = fit({name: values[inside] for name, values in rows.columns.items()}, label)
    except SoilqlError as error:
        first = error.diagnostics[0]
        words = " ".join(part for part in (first.message, f"({first.help})" if first.help else "") if part)
        words += _constant(rows, inside) if first.code == "SQ801" else ""
        found.statuses.append(Status(label, count, needed, words))
        found.notes.append((code, Note(first.code, words)))
        found.show(label, getattr(error, "tables", {}))
        return
    found.statuses.append(Status(label, int(getattr(one, "rows", count)), needed))
    found.fits[code] = one
    found.notes += [(code, said if isinstance(said, Note) else Note("SQ803", said)) for said in one.notes]
    found.show(label, getattr(one, "tables", {}))


def _fall_back(
    ctx: Context,
    rows: Rows,
    codes: np.ndarray[Any, Any],
    found: _Fits,
    fit: Callable[[Columns, str], ZoneFit],
    needed: int,
    like: FittedModel,
) -> tuple[FittedModel | None, tuple[Note, ...]]:
    """Fit what predicts in the zones that have no fit of their own, and say so in their statuses.

    Parameters
    ----------
    like : FittedModel
        What the fallback has in common with the model.
    """
    import numpy as np

    how: Fallback = getattr(ctx.block.params, "fallback", "none")
    if how == "none":
        return None, ()
    zones: Zones | None = None if how == "all" else ctx.zones(ZonesRef(how))
    coarse, notes = np.zeros(rows.count, np.int16), tuple[Note, ...]()
    if zones is not None:
        coarse, notes = row_codes(ctx, rows, ZonesRef(how), "fallback")
    labels = (WHOLE,) if zones is None else zones.labels

    def named(columns: Columns, zone: str) -> ZoneFit:
        return fit(columns, f"{FALLBACK}{zone}")

    other = _fit_zones(rows, coarse, labels, named, needed, ctx.progress)
    notes += tuple(replace(n, message=f"fallback `{labels[k]}`: {n.message}") for k, n in other.notes)
    if not other.fits:
        return None, notes
    for name, shown in other.tables.items():
        found.tables.setdefault(name, []).extend({**row, "zone": f"{FALLBACK}{row['zone']}"} for row in shown)
    for code, status in enumerate(found.statuses):
        if code not in found.fits:
            used = _used(other, zones, str(how), coarse[codes == code])
            words = f"{status.status.removesuffix(': not fitted')}: {used}"
            found.statuses[code] = replace(status, status=words)
            found.notes = [(k, replace(n, message=words) if k == code else n) for k, n in found.notes]
    seen = () if zones is None else zones.variables
    model = replace(
        like,
        variables=tuple(dict.fromkeys([*like.drivers, *seen])),
        statuses=tuple(other.statuses),
        fits=other.fits,
        zones=zones,
    )
    return model, notes


def _used(other: _Fits, zones: Zones | None, name: str, coarse: np.ndarray[Any, Any]) -> str:
    """Return in words which fits a zone falls back on, by the coarser zones in which its rows lie."""
    if zones is None:
        return f"fit to all {other.statuses[0].rows} rows used"
    held = sorted({int(code) for code in coarse if code >= 0})
    fitted = [f"`{zones.labels[code]}`" for code in held if code in other.fits]
    lost = [f"`{zones.labels[code]}`" for code in held if code not in other.fits]
    words = f"fit to {', '.join(fitted)} of `{name}` used" if fitted else f"fits by `{name}` used"
    return (
        words if not lost else f"{words if fitted else 'not fitted'}, {', '.join(lost)} of `{name}` has no fit either"
    )


def _constant(rows: Rows, inside: np.ndarray[Any, Any]) -> str:
    """Return which columns hold one number only, which is often why a fit fails."""
    kept = {name: values[inside] for name, values in rows.columns.items() if values.dtype.kind == "f"}
    found = [f"`{name}` is {values[0]:g} in all rows" for name, values in kept.items() if (values == values[0]).all()]
    return f"; {', '.join(found)}" if found else ""


def _flat(rows: Rows, codes: np.ndarray[Any, Any], response: str, fits: Iterable[int]) -> Iterator[tuple[int, Note]]:
    """Say of which fitted zones the response holds one number only."""
    for code in fits:
        y = rows.columns[response][codes == code]
        if (y == y[0]).all():
            yield code, Note("SQ801", f"`{response}` is {y[0]:g} in all rows: there is nothing to explain")


def _in_zone(label: str, message: str, by_zone: bool) -> str:
    return f"zone `{label}`: {message}" if by_zone else message


def _nothing_fitted(ctx: Context, statuses: Sequence[Status], notes: tuple[Note, ...]) -> SoilqlError:
    span = ctx.block.span("formula")
    if ctx.block.params.by is None:
        message = f"`{ctx.block.name}` could not be fitted: {statuses[0].status.removesuffix(': not fitted')}"
        return SoilqlError(Diagnostic("SQ801", message, span, notes=tuple(n.message for n in notes[:-1])))
    message = f"`{ctx.block.name}` could not be fitted in any zone of `{ctx.block.params.by}`"
    said = tuple(n.message for n in notes)
    return SoilqlError(Diagnostic("SQ801", message, span, notes=said))


def group_labels(table: Table, group: str, span: Span) -> np.ndarray[Any, Any]:
    """Return the group of each row, by role or column.

    Parameters
    ----------
    table : Table
        The rows.
    group : str
        A role such as ``site``, or a column.
    span : Span
        Where the group is named, for diagnostics.

    Raises
    ------
    SoilqlError
        There is no such role or column (SQ704), or rows have no label (SQ711).
    """
    labels = table.labels(group)
    if labels is None:
        known = [*map(str, table.frame.columns), *table.roles, "site"]
        help = did_you_mean(group, known) or "name a column, or a role that the table has"
        raise SoilqlError(Diagnostic("SQ704", f"there is no column or role `{group}` to group by", span, help=help))
    column = table.roles.get(group, group)
    sources = [column] if column in table.frame.columns else [table.roles["lat"], table.roles["lon"]]
    gaps = int(table.frame[sources].isna().any(axis=1).sum())
    if gaps:
        message = f"{gaps} of {len(labels)} rows have no `{group}` and belong to no group"
        help = "filter these rows out, or group by something that all rows have"
        raise SoilqlError(Diagnostic("SQ711", message, span, help=help))
    return labels


def check_formula(block: Block, scope: Scope, *, linear: bool, parameters: Iterable[str] = ()) -> Iterator[Diagnostic]:
    """Check the names and types in a model's formula against its training table, and its zones.

    Parameters
    ----------
    block : Block
        Of the model; its parameters have ``data``, ``by`` and ``formula``.
    scope : Scope
        The other blocks.
    linear : bool
        Whether the formula is one of R's algebra of terms.
    parameters : iterable of str
        Names that are parameters or constants and not columns.
    """
    yield from check_names(block.params.formula, block, scope, linear=linear, parameters=parameters)
    yield from check_zones(block, scope)


def check_names(
    formula: Expression, block: Block, scope: Scope, *, linear: bool, parameters: Iterable[str] = ()
) -> Iterator[Diagnostic]:
    """Check the names and types in one formula of a model; see :func:`check_formula`."""
    from soilql.expr import check

    data, declared = block.params.data, tuple(parameters)
    schema = scope.schema(data)
    names: dict[str, Any] = {}
    absent = f"neither a column of `{data}` nor a parameter of `{block.name}`"
    if schema is not None:
        names = {name: variable.type for name, variable in schema.variables.items()}
    names |= dict.fromkeys(declared, "number")
    open_ = schema is None or schema.open
    absent, hint = (absent, "a parameter is declared under `params`") if declared else (f"not a column of `{data}`", "")
    known = check.Scope(names, open_, absent, hint)
    yield from check.check(formula, known, "number", linear=linear)
