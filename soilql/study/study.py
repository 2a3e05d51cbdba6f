"""A spec beside its data: what its columns hold, which rows its models would get, how its folds share them out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from soilql import design
from soilql.errors import Diagnostic, SoilqlError, Span
from soilql.kinds import Block
from soilql.references import data_sources
from soilql.spec import Spec
from soilql.study.rows import Columns, Rows, rows_of
from soilql.study.seen import SeenSpec, schema_of, with_seen
from soilql.study.stated import contradictions
from soilql.study.summaries import Summary, summarise, summarise_grid
from soilql.study.values import Places, Values
from soilql.study.words import counted
from soilql.values import Grid, Table, Value


class Study(Values):
    """A spec beside its data; used in a `with` statement.

    Parameters
    ----------
    spec : Spec
        The spec, which may have errors.
    places : Places
        Where values are kept.
    unsound : collection of str
        Blocks with errors; neither they nor what is made from them is looked at.
    """

    def __init__(self, spec: Spec, places: Places, unsound: Collection[str] = ()) -> None:
        super().__init__(spec, places, unsound)
        self._summaries: dict[tuple[str, str], Summary | None] = {}
        self._rows: dict[str, Rows | None] = {}
        self._contradicted: dict[str, Mapping[str, tuple[str, str, str]]] = {}

    @cached_property
    def spec(self) -> SeenSpec:
        """The spec, whose data sets have the columns that were found in the data."""
        seen = {}
        for name in self.looked_at():
            value = self.value(name)
            if isinstance(value, Table | Grid):
                seen[name] = schema_of(value, self._spec.schema(name))
        return with_seen(self._spec, seen)

    def summary(self, block: str, name: str) -> Summary | None:
        """Return the summary of a column of numbers or a variable; None for texts, and for classes."""
        key = (block, name)
        if key not in self._summaries:
            self._summaries[key] = self._summarised(block, name)
        return self._summaries[key]

    def _summarised(self, block: str, name: str) -> Summary | None:
        value = self.value(block)
        if isinstance(value, Grid) and name in value.data and not value.data[name].attrs.get("categorical"):
            return summarise_grid(value, name)
        if isinstance(value, Table) and name in value.frame.columns and value.frame[name].dtype.kind in "iuf":
            return summarise(value.frame[name].to_numpy(dtype=float))
        return None

    def contradicted(self, name: str) -> Mapping[str, tuple[str, str, str]]:
        """Return what a block that reads files takes to be in another unit than they say; as `contradictions`."""
        if name not in self._contradicted:
            node = self._nodes[name]
            units = node.kind.file_units(node.block.params, self.context(name)) if node.sources else {}
            self._contradicted[name] = contradictions(node.block, units)
        return self._contradicted[name]

    def joins(self) -> Iterator[Block]:
        """Yield the blocks that join sites to grids, also where that fails."""
        yield from (block for block in design.blocks(self.spec, "extract") if block.name in self._nodes)

    def rows(self, model: Block) -> Rows | None:
        """Return the rows that a model would be fitted to, zone by zone; None where they cannot be had."""
        if model.name not in self._rows:
            self._rows[model.name] = None
            table = self.table(model.params.data.block)
            by = getattr(model.params, "by", None)
            zones = None if by is None else self.zones(by.block)
            if table is not None and (by is None or zones is not None):
                with suppress(SoilqlError):  # names and types that do not fit have findings of their own
                    self._rows[model.name] = rows_of(model, table, zones)
        return self._rows[model.name]

    def models(self, *kinds: str) -> Iterator[tuple[Block, Rows]]:
        """Yield the models, of some kinds or all, whose rows are known."""
        for model in design.models(self.spec, *kinds):
            if model.name in self._nodes and (rows := self.rows(model)) is not None:
                yield model, rows

    def lines(self) -> Iterator[str]:
        """Yield a line for each data set and each model that was looked at: its name, and how large it is."""
        sizes = {name: _size(value) for name in self.looked_at() if (value := self.value(name)) is not None}
        for block in self.joins():
            at = self.table(block.params.at.block)
            if at is not None and (joined := self.table(block.name)) is not None:
                # Rows without all drivers may be kept, and say so.
                status = joined.frame.get("status")
                complete = len(joined.frame) if status is None else int((status == "ok").sum())
                sizes[block.name] = f"{complete:,} of {len(at.frame):,} rows have all drivers"
        for model, rows in self.models():
            zones = ", ".join(f"{zone} {count:,}" for zone, _, count in rows.by_zone() if zone)
            sizes[model.name] = f"{rows.count:,} complete rows" + (f": {zones}" if zones else "")
        shown = {name: size for name, size in sizes.items() if size}
        width = max(map(len, shown), default=0)
        yield from (f"{name:<{width}}  {size}" for name, size in shown.items())

    def _zoned_tables(self) -> Iterator[tuple[Block, str]]:
        """Yield the models and tests by zones, each with the table whose rows are shared out to them."""
        blocks = [(model, model) for model in design.models(self.spec)]
        blocks += [(trial.analysis, trial.model) for trial in design.trials(self.spec)]
        for block, model in blocks:
            if getattr(block.params, "by", None) is not None and hasattr(model.params, "data"):
                yield block, model.params.data.block

    def zoned(self) -> Iterator[tuple[Block, Rows]]:
        """Yield the models and the tests of models by zones, each with the rows in these zones."""
        for model, rows in self.models():
            if rows.labels:
                yield model, rows
        for trial in design.trials(self.spec):
            by = getattr(trial.analysis.params, "by", None)
            zones = None if by is None else self.zones(by.block)
            table = self.table(trial.model.params.data.block) if hasattr(trial.model.params, "data") else None
            if zones is None or table is None:
                continue
            with suppress(SoilqlError):
                if (found := rows_of(trial.model, table, zones)) is not None:
                    yield trial.analysis, found

    @cached_property
    def _folds(self) -> list[tuple[design.Trial, Table, Any]]:
        """Each test with the table that is shared out and the fold of each row, or what is wrong with the folds."""
        found: list[tuple[design.Trial, Table, Any]] = []
        for trial in design.trials(self.spec):
            data = getattr(trial.model.params, "data", None)
            table = None if data is None or trial.model.name not in self._nodes else self.table(data.block)
            scheme = self.scheme(trial.scheme.name)
            if table is None or scheme is None:
                continue
            try:
                found.append((trial, table, scheme.folds(table)))
            except SoilqlError as error:
                found.append((trial, table, error))
        return found

    def folds(self) -> Iterator[tuple[design.Trial, Table, Any]]:
        """Yield each test with the table that is shared out, and the fold of each of its rows."""
        yield from (one for one in self._folds if not isinstance(one[2], SoilqlError))

    def fold_problems(self) -> Iterator[tuple[design.Trial, tuple[Diagnostic, ...]]]:
        """Yield each test whose folds cannot be made, with the reasons."""
        yield from ((trial, found.diagnostics) for trial, _, found in self._folds if isinstance(found, SoilqlError))

    def coefficients(self, model: Block, columns: Columns) -> int:
        """Return how many coefficients a model has for some rows; the levels of a category count apart."""
        from soilql.expr.terms import terms
        from soilql.fits.linear_fit import design_of

        if model.kind not in design.REGRESSIONS or not any(map(len, columns.values())):
            return len(design.parameters(model)) or 1
        if parameters := design.parameters(model):
            return len(parameters)
        try:
            return len(design_of(terms(model.params.formula), columns).labels)
        except SoilqlError:
            return 1

    @cached_property
    def used(self) -> Mapping[tuple[str, str], Span]:
        """Columns and variables of the blocks that read files, where the spec makes use of them, with the place."""
        found: dict[tuple[str, str], Span] = {}
        for block in self.sources():
            for name, span in _declared(block):
                found.setdefault((block.name, name), span)
        for name, references in self.spec.references.items():
            for one in references:
                if one.ref.variable is not None and name in self._nodes:
                    self._use(found, one.ref.block, one.ref.variable, one.span)
        for model, _ in self.models():
            formula = model.params.formula
            for name in (*filter(None, [design.response(model)]), *design.driver_names(model)):
                node = design.find_name(formula, name)
                span = formula.span(node if name != design.response(model) else formula.formula.response)
                self._use(found, model.params.data.block, name, span)
        for analysis, table in self._zoned_tables():
            zones = self.zones(analysis.params.by.block)
            for name in () if zones is None else zones.variables:
                self._use(found, table, name, analysis.span("by"))
        for prediction, model in design.mappings(self.spec):
            rename = {str(k): str(v) for k, v in prediction.params.rename.items()}
            for name in design.driver_names(model):
                self._use(found, prediction.params.on.block, rename.get(name, name), prediction.span("on"))
        return {key: span for key, span in found.items() if self._has(*key)}

    def _use(self, found: dict[tuple[str, str], Span], block: str, name: str, span: Span) -> None:
        origin = self.origin(block, name)
        if origin is not None:
            found.setdefault(origin, span)

    def origin(self, block: str, name: str) -> tuple[str, str] | None:
        """Return the block that reads the files which a column comes from, following copies of the same name."""
        here = self._spec.block(block)
        if here is None or not self._has(block, name):
            return None
        if any(True for _ in data_sources(here.params)):
            return block, name
        for one in self._spec.references.get(block, ()):
            if (found := self.origin(one.ref.block, name)) is not None:
                return found
        return None

    def _has(self, block: str, name: str) -> bool:
        value = self.value(block)
        if isinstance(value, Table):
            return name in value.frame.columns
        return isinstance(value, Grid) and name in value.data

    def unit(self, block: str, name: str) -> str | None:
        """Return the unit of a column or variable."""
        found = self.spec.schema(block)
        return None if found is None or name not in found.variables else found.variables[name].unit


def _size(value: Value) -> str:
    if isinstance(value, Table):
        return f"{len(value.frame):,} rows"
    if isinstance(value, Grid):
        rows, columns = value.shape
        steps = [f"{value.data.sizes[dim]:,} {dim}s" for dim in ("time", "member") if dim in value.data.sizes]
        return ", ".join([f"{rows:,} x {columns:,} cells", counted(len(value.data.data_vars), "variable"), *steps])
    return ""


def _declared(block: Block) -> Iterator[tuple[str, Span]]:
    """Yield the columns or variables that a block makes, with the place of each."""
    from soilql.formula.drivers import made_columns

    made = {str(name) for names in made_columns(block) for name in names}
    for entry in block.node:
        node = entry.value
        for inner in getattr(node, "entries", ()):
            if inner.name in made:
                yield inner.name, inner.key.span
    average = getattr(block.params, "average", None)
    for i, name in enumerate(average.of if average is not None else ()):
        yield str(name), block.span("average", "of", i)
