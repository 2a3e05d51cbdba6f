"""Columns and names that a block can see, and where each of them was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from soilql import registry
from soilql.errors import SoilqlError
from soilql.kinds import Variable
from soilql.lsp.documents import Study, kind_of
from soilql.lsp.typed import Leaf, leaves
from soilql.params import DataSource, NewName, Params, Ref
from soilql.source import Mapping
from soilql.values import ValueType

_DATA = frozenset({ValueType.TABLE, ValueType.GRID})


@dataclass(frozen=True)
class Named:
    """A name that an expression or a list of columns may use.

    Attributes
    ----------
    name : str
    variable : Variable
        Type, unit and description, as far as they are known.
    owner : str
        The block that makes it; for a column of a data set, the block that reads it.
    made : Leaf or None
        Where it is made; None for what a data set holds or a kind makes.
    entry : registry.Entry or None
        The data set that holds it.
    """

    name: str
    variable: Variable
    owner: str
    made: Leaf | None = None
    entry: registry.Entry | None = None

    @property
    def registered(self) -> registry.Variable | None:
        """What the registry says of it."""
        return None if self.entry is None else self.entry.variables.get(self.name)


@dataclass(frozen=True, eq=False)
class View:
    """A block as its own text sees the rest.

    Attributes
    ----------
    study : Study
    name : str
        Of the block.
    cls : type
        Its declared parameters.
    node : Mapping
        The block, inputs put in; it need not be complete.
    """

    study: Study
    name: str
    cls: type[Params]
    node: Mapping

    @classmethod
    def of(cls, study: Study, name: str) -> View | None:
        """Return the view of a block of the spec itself; None for one without a kind that there is."""
        return _views(study).get(name)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Its single values and the names it gives."""
        return tuple(leaves(self.cls, self.node))

    @cached_property
    def own_names(self) -> tuple[Leaf, ...]:
        """The names that it gives to what it makes."""
        return tuple(leaf for leaf in self.leaves if leaf.of(NewName) is not None)

    def references(self) -> Iterator[tuple[Ref, type[Ref]]]:
        """Yield the blocks that it refers to, with the type of reference."""
        for leaf in self.leaves:
            wanted = leaf.of(Ref)
            if wanted is not None and not leaf.is_key and isinstance(leaf.scalar.value, str):
                yield Ref(leaf.scalar.text), wanted

    def entries(self) -> Iterator[registry.Entry]:
        """Yield the public data sets that it reads."""
        for leaf in self.leaves:
            if leaf.of(DataSource) is not None and (name := DataSource(leaf.scalar.text).registry) is not None:
                try:
                    yield registry.find(name)
                except SoilqlError:
                    continue

    def data_blocks(self, seen: frozenset[str] = frozenset()) -> Iterator[Ref]:
        """Yield the tables and grids that it refers to, also those behind the models it refers to."""
        for ref, wanted in self.references():
            if wanted.accepts & _DATA:
                yield ref
            elif ref.block not in seen and (model := View.of(self.study, ref.block)) is not None:
                yield from model.data_blocks(seen | {self.name})


@lru_cache(maxsize=16)
def _views(study: Study) -> dict[str, View]:
    found: dict[str, View] = {}
    for section, entry in study.blocks():
        kind = kind_of(section, entry.value)
        if kind is not None and isinstance(entry.value, Mapping):
            found.setdefault(entry.name, View(study, entry.name, kind.params_type, entry.value))
    return found


def visible(view: View, at: Leaf | None = None) -> dict[str, Named]:
    """Return the names that a place in a block can see: its own, and the columns of the data it refers to.

    Parameters
    ----------
    view : View
    at : Leaf, optional
        The place; by default a filter, which sees all new columns.
    """
    found: dict[str, Named] = {}
    read = list(view.entries())
    for ref in data_of(view):
        found |= {name: named for name, named in columns(view.study, ref).items() if name not in found}
    for entry in read:
        found |= {name: _registered(name, view.name, entry) for name in entry.variables if name not in found}
    return found | {leaf.scalar.text: _own(view, leaf) for leaf in _own_visible(view, at)}


def data_of(view: View) -> list[Ref]:
    """Return the tables and grids whose columns a block can name; all of them for one that names none itself."""
    refs = list(dict.fromkeys(view.data_blocks()))
    if refs or any(True for _ in view.entries()) or any(leaf.role for leaf in view.leaves):
        return refs
    return [Ref(one.name) for _, one in view.study.blocks() if view.study.spec.value_type(one.name) in _DATA]


def _own_visible(view: View, at: Leaf | None) -> Iterator[Leaf]:
    """Yield the names of a block that a place in it can see: inside a new column, only those above that one."""
    made = None
    if at is not None:
        made = next((one for one in view.own_names if one.is_key and one.path == at.path[: len(one.path)]), None)
    if made is None:
        yield from view.own_names
    elif at is not None and at.role is not None:
        above = True
        for leaf in view.own_names:
            above = above and leaf.path != made.path
            if above or leaf.path[0] != made.path[0]:
                yield leaf


@lru_cache(maxsize=256)
def columns(study: Study, ref: Ref) -> dict[str, Named]:
    """Return the columns or variables of a block of the spec, each with where it was made."""
    schema = study.spec.schema(str(ref))
    found: dict[str, Named] = {}
    for name, variable in ({} if schema is None else schema.variables).items():
        found[name] = origin(study, ref.block, name) or Named(name, variable, ref.block)
        found[name] = Named(name, variable, found[name].owner, found[name].made, found[name].entry)
    view = View.of(study, ref.block)
    if schema is None and view is not None and ref.variable is None:
        # The block is not whole: what it makes and reads is still known.
        found |= {leaf.scalar.text: _own(view, leaf) for leaf in view.own_names}
        for entry in view.entries():
            found |= {name: _registered(name, ref.block, entry) for name in entry.variables if name not in found}
    return found


def origin(study: Study, block: str, name: str, seen: frozenset[str] = frozenset()) -> Named | None:
    """Return where a column of a block comes from; None where that cannot be told."""
    view = View.of(study, block)
    if view is None or block in seen:
        return None
    schema = study.spec.schema(block)
    shown = schema is None or schema.open or name in schema.variables
    for leaf in view.own_names:
        if leaf.scalar.text == name and shown:
            return _own(view, leaf)
    for ref in view.data_blocks():
        if ref.variable not in (None, name):
            continue
        found = origin(study, ref.block, name, seen | {block})
        known = study.spec.schema(ref.block)
        if found is not None and (known is None or known.open or name in known.variables):
            return found
        if known is not None and name in known.variables:
            return Named(name, known.variables[name], ref.block)
    for entry in view.entries():
        if name in entry.variables:
            return _registered(name, block, entry)
    return None


def _registered(name: str, owner: str, entry: registry.Entry) -> Named:
    known = entry.variables[name]
    type = "text" if known.type == "text" else "number"
    return Named(name, Variable(type, known.unit or None, known.description), owner, entry=entry)


def _own(view: View, leaf: Leaf) -> Named:
    """Return a name that a block gives, with the unit that is stated there or follows."""
    name = leaf.scalar.text
    schema = view.study.spec.schema(view.name)
    if schema is not None and name in schema.variables:
        return Named(name, schema.variables[name], view.name, leaf)
    stated = leaf.value.get("unit") if isinstance(leaf.value, Mapping) else None
    return Named(name, Variable("unknown", getattr(stated, "text", None)), view.name, leaf)
