"""Find a kind by its file name, and what a kind's module has to offer.

A kind is one module in the package of its section. It has a docstring, ``VERSION`` (raised whenever the same
parameters and inputs would give another result), ``PRODUCES``, a frozen dataclass ``Params`` and ``run``::

    VERSION = 1
    PRODUCES = ValueType.TABLE

    @dataclass(frozen=True)
    class Params(params.Params): ...

    def run(params: Params, ctx: Context) -> Table: ...

and, where they apply,

``STORED = False``
    the value is cheap and is made anew rather than kept in the store (readers of grids, partitions, schemes);
``SHOWS_NAMES = ("inputs",)``
    which names of blocks the value shows, and its key therefore holds: ``"inputs"``, those that it refers to, as in the
    column of models of a table of skill; ``"own"``, that of the block, as the name of a variable; both; or none,
    ``()``. Where it is not said, a value of `analyses` shows both, and any other none. A block whose name nothing shows
    may be renamed without anything being computed again;
``produces(params, scope) -> ValueType | None``
    instead of ``PRODUCES``, where it depends on the parameters;
``schema(block, scope) -> Schema | None``
    columns or variables of the result, known without reading data (None: unknown);
``check(block, scope) -> Iterable[Diagnostic]``
    what lint can say about the parameters beyond their types, above all the names in expressions;
``complete(key, node, scope) -> list[str]``
    names that a missing key must list, where the rest of the block tells them; empty where it does not;
``describe(params) -> str``
    one line for ``plan``: what the node will do;
``size(params, ctx, sizes) -> Size | None``
    how large the result will be, from the sizes of the inputs by name and the files of the context, looking at no
    more than a file's header; the context has no inputs;
``key_extra(params) -> Any``
    further JSON that decides the result, such as the registry's reader settings;
``key_names(params, files) -> Any``
    further JSON that decides the result and that the names of the files tell, such as their dates;
``headline(value) -> list[str]``
    for kinds that make tables or grids: the key results, one a line, that a run shows in the end; kept with the stored
    value;
``check_files(params, ctx) -> Iterable[Diagnostic]``
    for readers: every name that the files do not have, where ``run`` stops at the first;
``file_units(params, ctx) -> Mapping[str, str]``
    for readers: the unit that the files, or the registry, give to what each new column or variable is a copy of;
``before_filter(params, ctx) -> Mapping[str, ndarray]``
    for readers with a filter: the columns that it sees, for all rows;
``load(state, params) -> Fitted``
    for models and partitions: the inverse of ``state()``;
``needs(params, scope) -> tuple[str, ...]``, ``labels(params, scope) -> tuple[str, ...] | None``
    for partitions: the columns or grid variables that they look at, and their zones, as far as both are known without
    data.

Heavy libraries are imported inside these functions, never at the top of the module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from soilql.errors import Diagnostic, Span
from soilql.params import Params
from soilql.source import Mapping as MappingNode
from soilql.source import Scalar, Sequence
from soilql.values import Grid, State, Table, Value, ValueType

if TYPE_CHECKING:
    from soilql.context import Context

#: The package that holds the kinds of each section of a spec.
SECTIONS: Mapping[str, str] = {
    "datasets": "soilql.readers",
    "zones": "soilql.zones",
    "models": "soilql.models",
    "validation": "soilql.validation",
    "analyses": "soilql.steps",
}


@dataclass(frozen=True)
class Variable:
    """What is known of a column or grid variable before any data are read."""

    type: str = "unknown"  # number, text, boolean or unknown
    unit: str | None = None
    description: str = ""
    range: tuple[float, float] | None = None  # least and greatest value, known once the data have been read


@dataclass(frozen=True)
class Schema:
    """Columns or variables of a block's value; ``open`` when there may be more than are listed."""

    variables: Mapping[str, Variable] = field(default_factory=dict)
    open: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How large a value is or will be; a table has rows, a grid has cells.

    Attributes
    ----------
    rows, cells : int or None
        Rows of a table; cells of one variable of a grid.
    columns : int
        Columns or variables.
    at_most : bool
        Whether it may turn out smaller: a table before its filter.
    """

    rows: int | None = None
    cells: int | None = None
    columns: int = 1
    at_most: bool = False

    @property
    def bytes(self) -> int:
        """Bytes in memory, eight a value."""
        return 8 * self.columns * (self.rows or self.cells or 0)

    def __str__(self) -> str:
        count, unit = (self.rows, "rows") if self.cells is None else (self.cells, "cells")
        return f"{'at most ' if self.at_most else ''}{count:,} {unit} x {self.columns}"


@dataclass(frozen=True, eq=False)
class Block:
    """One named block of a spec, bound to the parameters of its kind.

    Attributes
    ----------
    name, section, kind : str
        As the spec says.
    params : Params
        Bound parameters.
    node : soilql.source.Mapping
        The block in the tree, for the places of its parts.
    name_span : Span
        Where its name stands.
    """

    name: str
    section: str
    kind: str
    params: Any
    node: MappingNode
    name_span: Span

    def node_at(self, *path: str | int) -> Scalar | Sequence | MappingNode:
        """Return the node at a path of keys and positions, or the deepest one that exists."""
        node: Scalar | Sequence | MappingNode = self.node
        for step in path:
            inner = None
            if isinstance(node, MappingNode):
                inner = node.get(str(step))
            elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
                inner = node.items[step]
            if inner is None:
                return node
            node = inner
        return node

    def span(self, *path: str | int) -> Span:
        """Return the place of a parameter's value; the block's name where the spec does not give it."""
        node = self.node_at(*path)
        return self.name_span if node is self.node else node.span

    def key_span(self, key: str) -> Span:
        """Return the place of a parameter's key; the block's name where the spec does not give it."""
        entry = self.node.entry(key)
        return self.name_span if entry is None else entry.key.span


class Scope(Protocol):
    """What a kind may ask about the other blocks of the spec while it is linted."""

    def block(self, name: str) -> Block | None:
        """Return the block of that name."""
        ...

    def value_type(self, name: str) -> ValueType | None:
        """Return what the value of a block is, or None where that cannot be told."""
        ...

    def schema(self, ref: str) -> Schema | None:
        """Return the columns of the block a reference names (``name`` or ``name.variable``), or None if unknown."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names of all blocks."""
        ...


@dataclass(frozen=True)
class Kind:
    """A kind found by its file name."""

    section: str
    name: str
    module: ModuleType

    @property
    def params_type(self) -> type[Params]:
        cls: type[Params] = self.module.Params
        return cls

    @property
    def version(self) -> int:
        return int(self.module.VERSION)

    @property
    def stored(self) -> bool:
        return bool(getattr(self.module, "STORED", True))

    @property
    def doc(self) -> str:
        return (self.module.__doc__ or "").strip()

    @property
    def run(self) -> Callable[[Any, Context], Value]:
        function: Callable[[Any, Context], Value] = self.module.run
        return function

    @property
    def load(self) -> Callable[[State, Any], Value]:
        function: Callable[[State, Any], Value] = self.module.load
        return function

    def produces(self, params: Any, scope: Scope) -> ValueType | None:
        """Return what the value of a block of this kind is."""
        if hasattr(self.module, "produces"):
            decided: ValueType | None = self.module.produces(params, scope)
            return decided
        fixed: ValueType = self.module.PRODUCES
        return fixed

    def schema(self, block: Block, scope: Scope) -> Schema | None:
        """Return the columns of the value, where they are known without data."""
        function = getattr(self.module, "schema", None)
        found: Schema | None = None if function is None else function(block, scope)
        return found

    def check(self, block: Block, scope: Scope) -> Iterable[Diagnostic]:
        """Return what lint can say about the block beyond the types of its parameters."""
        function = getattr(self.module, "check", None)
        found: Iterable[Diagnostic] = () if function is None else function(block, scope)
        return found

    def describe(self, params: Any) -> str:
        """Return one line that says what a node of this kind will do."""
        function = getattr(self.module, "describe", None)
        return self.doc.partition("\n")[0].rstrip(".") if function is None else str(function(params))

    def check_files(self, params: Any, ctx: Context) -> Iterable[Diagnostic]:
        """Return the names of the parameters that the files do not have."""
        function = getattr(self.module, "check_files", None)
        found: Iterable[Diagnostic] = () if function is None else function(params, ctx)
        return found

    def file_units(self, params: Any, ctx: Context) -> Mapping[str, str]:
        """Return the units that the files give to the new columns or variables."""
        function = getattr(self.module, "file_units", None)
        found: Mapping[str, str] = {} if function is None else function(params, ctx)
        return found

    def before_filter(self, params: Any, ctx: Context) -> Mapping[str, Any] | None:
        """Return the columns that the filter of a reader sees; None for kinds without one."""
        function = getattr(self.module, "before_filter", None)
        found: Mapping[str, Any] | None = None if function is None else function(params, ctx)
        return found

    def size(self, params: Any, ctx: Context, sizes: Mapping[str, Size]) -> Size | None:
        """Return how large the value will be, or None where that cannot be told before it is made."""
        function = getattr(self.module, "size", None)
        found: Size | None = None if function is None else function(params, ctx, sizes)
        return found

    def key_extra(self, params: Any) -> Any:
        """Return further JSON that decides the result."""
        function = getattr(self.module, "key_extra", None)
        return None if function is None else function(params)

    def key_names(self, params: Any, files: Mapping[str, tuple[Path, ...]]) -> Any:
        """Return further JSON that decides the result, told by the names of the files."""
        function = getattr(self.module, "key_names", None)
        return None if function is None else function(params, files)

    def headline(self, value: Value) -> list[str]:
        """Return the key results of a value in lines of their own; none for most kinds."""
        function = getattr(self.module, "headline", None)
        found: list[str] = function(value) if function is not None and isinstance(value, Table | Grid) else []
        return found


@cache
def names(section: str) -> tuple[str, ...]:
    """Return the kinds of a section, in alphabetical order.

    Examples
    --------
    >>> "total" in names("analyses")
    True
    """
    package = importlib.import_module(SECTIONS[section])
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")))


@cache
def find(section: str, name: str) -> Kind | None:
    """Return a kind, or None where the section has none of that name.

    Parameters
    ----------
    section : str
        A key of :data:`SECTIONS`.
    name : str
        Name of the kind, which is the name of its module.
    """
    if name not in names(section):
        return None
    return Kind(section, name, importlib.import_module(f"{SECTIONS[section]}.{name}"))
