"""Where the columns of a study come from: a column of a file, a layer of a grid, a formula of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from soilql import registry
from soilql.errors import SoilqlError
from soilql.expr import ast
from soilql.kinds import Block
from soilql.params import Ref
from soilql.spec import Spec


@dataclass(frozen=True)
class Origin:
    """A column of a file, a layer of a grid, or a column that a simulation makes.

    Attributes
    ----------
    block : str
        Name of the data set that reads or makes it.
    column : str
        Its name there.
    """

    block: str
    column: str


def entries(block: Block) -> tuple[registry.Entry, ...]:
    """Return the registry's entries that a data set is read from."""
    found = []
    product = getattr(block.params, "product", None)
    for source in (*getattr(block.params, "source", ()), *((product,) if product else ())):
        if source.registry is not None:
            try:
                found.append(registry.find(source.registry))
            except SoilqlError:
                continue
    return tuple(found)


def variable(spec: Spec, origin: Origin) -> registry.Variable | None:
    """Return what the registry says of a column; None for one of the user's own."""
    block = spec.block(origin.block)
    found = () if block is None else entries(block)
    return next((entry.variables[origin.column] for entry in found if origin.column in entry.variables), None)


def origins(spec: Spec, block: str, column: str) -> frozenset[Origin]:
    """Return the columns of files, layers of grids and simulated columns that a column is made from.

    Parameters
    ----------
    spec : Spec
        The study.
    block : str
        A table or a grid.
    column : str
        A column or variable of it.
    """
    return frozenset(_Tracer(spec).trace(block, column))


def filtered(spec: Spec, table: Block) -> frozenset[str]:
    """Return the columns of the file that a table's filter looks at."""
    where = table.params.where
    names = () if where is None else ast.names(where.root)
    tracer = _Tracer(spec)
    return frozenset(one.column for name in names for one in tracer.made(table, name, table.params.columns))


def copies(spec: Spec, block: str, column: str) -> Origin | None:
    """Return the one column that a column is an unchanged copy of; None where an expression made it."""
    tracer = _Tracer(spec)
    found = set(tracer.trace(block, column))
    return found.pop() if len(found) == 1 and not tracer.computed else None


class _Tracer:
    """Follows a column to its sources; `computed` tells whether an expression lay on the way."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.computed = False
        self._open: set[tuple[str, str]] = set()

    def trace(self, name: str, column: str) -> Iterator[Origin]:
        block = self.spec.block(name)
        if block is None or (name, column) in self._open or name in self.spec.cyclic:
            return
        self._open.add((name, column))
        follow = getattr(self, f"_{block.kind}", None)
        yield from (Origin(name, column),) if follow is None else follow(block, column)
        self._open.discard((name, column))

    def _extract(self, block: Block, column: str) -> Iterator[Origin]:
        for ref in (block.params.at, *block.params.from_):
            known = self.spec.schema(ref)
            if known is not None and column in known.variables:
                yield from self.trace(ref.block, column)
                return
        yield Origin(block.name, column)

    def _table(self, block: Block, column: str) -> Iterator[Origin]:
        average = block.params.average
        base = column.removesuffix("_sd").removesuffix("_n")
        if average is not None and base != column and base in average.of:
            self.computed, column = True, base
        yield from self.made(block, column, block.params.columns)

    def _grid(self, block: Block, column: str) -> Iterator[Origin]:
        yield from self.made(block, column, {**block.params.variables, **block.params.derive})

    def made(self, block: Block, column: str, columns: Mapping[str, Any]) -> Iterator[Origin]:
        """Follow a column through those that a block makes, each of which sees only those above it."""
        one = columns.get(column)
        expression = getattr(one, "expr", None)
        if one is None or expression is None:
            yield Origin(block.name, str(getattr(one, "from_", None) or column))
            return
        self.computed = True
        above = {name: columns[name] for name in list(columns)[: list(columns).index(column)]}
        for name in ast.names(expression.root):
            yield from self.made(block, name, above)

    def _simulate(self, block: Block, column: str) -> Iterator[Origin]:
        made = {**block.params.columns, **block.params.variables}
        yield Origin(block.name, column)
        if column in made:
            self.computed = True
            for name in ast.names(made[column].expr.root):
                yield from self.trace(block.name, name)
        elif block.params.on is not None:
            yield from self.trace(block.params.on.block, column)

    def _compute(self, block: Block, column: str) -> Iterator[Origin]:
        refs = [Ref(name) for name in ast.names(block.params.expr.root)]
        if column != str(block.params.name or block.name):
            # Of a table the other columns are kept as they are; of a grid each variable is computed in turn.
            kept = [ref for ref in refs if (known := self.spec.schema(ref.block)) and column in known.variables]
            for ref in kept[:1]:
                yield from self.trace(ref.block, column)
            return
        self.computed = True
        for ref in refs:
            yield from self.trace(ref.block, ref.variable or column)
