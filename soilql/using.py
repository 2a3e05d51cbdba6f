"""Recipes that a spec uses under an alias: opened, given their inputs, and written out as far as they are needed.

``use: {warner: {from: ../specs/warner2019.yaml, inputs: {srdb: registry:srdb-v3}}}`` makes the blocks of the recipe
available as ``warner::rs`` and their variables as ``warner::rs.mean``. The whole recipe is linted; only what the spec
refers to is computed, and what it lists under ``blocks``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from soilql.bind import Binder
from soilql.edits import respelled
from soilql.errors import Diagnostic, Severity, SoilqlError, Span, did_you_mean
from soilql.inputs import Inputs, origin
from soilql.kinds import SECTIONS, Block
from soilql.params import NewName, Params, param
from soilql.parse import parse_source
from soilql.recipes import Library
from soilql.references import SEPARATOR, as_seen_outside, data_sources, find_references
from soilql.source import Entry, Node, Scalar, Sequence, Tree
from soilql.source import Mapping as MappingNode

if TYPE_CHECKING:
    from soilql.spec import Spec

#: Binds the tree of a recipe with the inputs that it is given.
Build = Callable[[Tree, Mapping[str, Entry]], "Spec"]


@dataclass(frozen=True)
class Use(Params):
    """A recipe under an alias; `inputs` sets its inputs, and `recipe` may hold its text instead of `from`."""

    SHORTHAND = "from"

    from_: str | None = param(None, doc="path relative to the file, `registry:NAME` or `https://` address of a recipe")
    blocks: list[NewName] = param([], doc="results of the recipe to compute even where nothing here refers to them")


@dataclass(frozen=True, eq=False)
class Recipe:
    """A recipe under an alias; without a spec where it cannot be read."""

    alias: str
    key: Span
    use: Use | None = None
    spec: Spec | None = None
    listed: Node | None = None

    @property
    def prefix(self) -> str:
        """What its blocks' names begin with, seen from outside."""
        return f"{self.alias}{SEPARATOR}"

    @property
    def blocks(self) -> Mapping[str, Block]:
        """Its blocks under the names in its own file."""
        return {} if self.spec is None else self.spec.blocks


def put_in(root: MappingNode, inputs: Inputs) -> MappingNode:
    """Return a tree with the values of its inputs; a recipe that is written out in it has inputs of its own."""
    entries = []
    for entry in root:
        if entry.name == "use" and isinstance(entry.value, MappingNode):
            used = (Entry(one.key, _put_in_use(one.value, inputs)) for one in entry.value)
            entries.append(Entry(entry.key, MappingNode(tuple(used), entry.value.span)))
        elif entry.name != "inputs":
            entries.append(Entry(entry.key, inputs.substitute(entry.value)))
    return MappingNode(tuple(entries), root.span)


def _put_in_use(node: Node, inputs: Inputs) -> Node:
    if not isinstance(node, MappingNode):
        return inputs.substitute(node)
    kept = (entry if entry.name == "recipe" else Entry(entry.key, inputs.substitute(entry.value)) for entry in node)
    return MappingNode(tuple(kept), node.span)


def open_recipes(node: Node | None, binder: Binder, library: Library, build: Build) -> list[Recipe]:
    """Return the recipes of a ``use`` section.

    Parameters
    ----------
    node : Node or None
        The section.
    binder : Binder
        Receives what is wrong with the section and in the recipes.
    library : Library
        Opens the files.
    build : callable
        Binds a recipe.
    """
    recipes = []
    for entry in node if isinstance(node, MappingNode) else ():
        if entry.name.startswith("x-") or not isinstance(binder.value(NewName, entry.key, entry.name), str):
            continue
        if entry.name == "super":
            message = "`super` is no alias: in a recipe it means the spec that uses it"
            binder.report("SQ125", message, entry.key, help="choose another name")
            continue
        recipe = Recipe(entry.name, entry.key.span)
        try:
            recipe = _open(recipe, entry.value, binder, library, build)
        except SoilqlError as error:
            binder.diagnostics += error.diagnostics
        if recipe.spec is not None:
            binder.diagnostics += recipe.spec.diagnostics
            _check_listed(recipe, binder)
        recipes.append(recipe)
    return recipes


def _open(recipe: Recipe, node: Node, binder: Binder, library: Library, build: Build) -> Recipe:
    whole = node if isinstance(node, MappingNode) else MappingNode((_entry("from", node, node.span),), node.span)
    bound = binder.params(Use, whole, ignore=("recipe", "inputs"))
    if not isinstance(bound, Use):
        return recipe
    inline, given, named = (whole.get(key) for key in ("recipe", "inputs", "from"))
    if (inline is None) == (bound.from_ is None):
        message = f"`{recipe.alias}` needs one of `from` and `recipe`"
        raise SoilqlError(Diagnostic("SQ126", message, recipe.key, help="write `from: PATH`"))
    for key, part in (("recipe", inline), ("inputs", given)):
        if part is not None and not isinstance(part, MappingNode):
            raise SoilqlError(Diagnostic("SQ122", f"`{key}` must be a mapping", part.span))
    if isinstance(inline, MappingNode):
        tree = Tree(inline.span.source, inline, ())
    else:
        assert isinstance(named, Scalar) and bound.from_ is not None
        words = f"used as `{recipe.alias}` by"
        tree = parse_source(library.open(bound.from_, named.span, words, origin(named).source))
    entries = given.entries if isinstance(given, MappingNode) else ()
    values = {entry.name: entry for entry in entries if not entry.name.startswith("x-")}
    return replace(recipe, use=bound, spec=build(tree, values), listed=whole.get("blocks"))


def _check_listed(recipe: Recipe, binder: Binder) -> None:
    """Report names under `blocks` that the recipe does not have."""
    assert recipe.use is not None and recipe.spec is not None
    known = [name for name in recipe.blocks if SEPARATOR not in name]
    for i, name in enumerate(recipe.use.blocks):
        if name not in known and name not in recipe.spec.unbound:
            node = recipe.listed.items[i] if isinstance(recipe.listed, Sequence) else recipe.listed
            assert node is not None
            help = did_you_mean(name, known) or f"it has {', '.join(f'`{one}`' for one in known)}"
            fixes = respelled(node.span, name, known, safe=False)
            binder.report("SQ203", f"the recipe has no block `{name}`", node, help=help, fixes=fixes)


def check_paths(blocks: Mapping[str, Block], binder: Binder) -> None:
    """Report relative paths of data in a recipe from the network: there is no folder that they could start from."""
    for block in blocks.values():
        for key, sources in data_sources(block.params):
            for i, source in enumerate(sources):
                remote = origin(block.node_at(key, i)).source.remote
                if remote and source.registry is None and not Path(source).is_absolute():
                    message = f"a recipe from the network has no folder that `{source}` could start from"
                    help = "use `registry:NAME`, or make the source an input of the recipe"
                    binder.diagnostics.append(Diagnostic("SQ148", message, block.span(key, i), help=help))


def seen_outside(recipes: list[Recipe]) -> dict[str, Block]:
    """Return the blocks of the recipes under the names by which the spec that uses them refers to them."""
    return {
        recipe.prefix + name: as_seen_outside(block, recipe.alias)
        for recipe in recipes
        for name, block in recipe.blocks.items()
    }


def asked_for(own: Mapping[str, Block], recipes: list[Recipe]) -> list[str]:
    """Return the blocks that a spec names itself."""
    listed = [recipe.prefix + name for recipe in recipes if recipe.use is not None for name in recipe.use.blocks]
    return listed + [reference.ref.block for block in own.values() for reference in find_references(block)]


def results(available: Mapping[str, Block]) -> list[str]:
    """Return the blocks of recipes that are there for their own sake."""
    return [name for name, block in available.items() if block.section in ("models", "analyses")]


def reached(names: Iterable[str], available: Mapping[str, Block]) -> set[str]:
    """Return the blocks of recipes that some blocks are made from, and themselves where they are of a recipe."""
    found: set[str] = set()
    asked = list(names)
    while asked:
        name = asked.pop()
        if name in available and name not in found:
            found.add(name)
            asked += [reference.ref.block for reference in find_references(available[name])]
    return found


def unbound_outside(recipes: list[Recipe], mentioned: set[str]) -> list[str]:
    """Return the names of blocks that are mentioned and cannot be used, for a reason that has been reported."""
    names = []
    for recipe in recipes:
        if recipe.spec is None or recipe.spec.resolved is None:
            names += [name for name in mentioned if name.startswith(recipe.prefix)]
        else:
            names += [recipe.prefix + name for name in recipe.spec.unbound]
    return names


def unused(recipes: list[Recipe], wanted: set[str]) -> Iterator[Diagnostic]:
    """Yield a warning for each recipe without a block that is needed."""
    for recipe in recipes:
        idle = not any(name.startswith(recipe.prefix) for name in wanted)
        if idle and recipe.spec is not None and recipe.spec.ok and recipe.use is not None and not recipe.use.blocks:
            message = f"nothing uses the recipe `{recipe.alias}`"
            help = f"refer to a block of it as `{recipe.prefix}NAME`, or list results to compute under `blocks`"
            yield Diagnostic("SQ147", message, recipe.key, help=help, severity=Severity.WARNING)


def written_out(root: MappingNode, recipes: list[Recipe], kept: set[str], wanted: set[str]) -> MappingNode:
    """Return a tree in which the recipes that are needed stand in full, without the blocks that are not kept."""
    used = []
    for recipe in recipes:
        names = {name.removeprefix(recipe.prefix) for name in kept if name.startswith(recipe.prefix)}
        if (
            any(name.startswith(recipe.prefix) for name in wanted)
            and recipe.spec is not None
            and recipe.spec.resolved is not None
        ):
            parts = [_entry("recipe", _only(recipe.spec.resolved, names), recipe.key)]
            parts += [] if recipe.listed is None else [_entry("blocks", recipe.listed, recipe.key)]
            used.append(_entry(recipe.alias, MappingNode(tuple(parts), recipe.key), recipe.key))
    entries = [
        Entry(entry.key, MappingNode(tuple(used), entry.value.span)) if entry.name == "use" else entry
        for entry in root
        if entry.name != "use" or used
    ]
    return MappingNode(tuple(entries), root.span)


def _only(resolved: MappingNode, names: set[str]) -> MappingNode:
    """Return a resolved recipe with some of its blocks and of those of the recipes in it; the rest is left out."""
    entries = []
    for entry in resolved:
        node = entry.value
        if isinstance(node, MappingNode) and entry.name in (*SECTIONS, "use"):
            kept = _used(node, names) if entry.name == "use" else (block for block in node if block.name in names)
            node = MappingNode(tuple(kept), node.span)
            if not node.entries:
                continue
        entries.append(Entry(entry.key, node))
    return MappingNode(tuple(entries), resolved.span)


def _used(node: MappingNode, names: set[str]) -> Iterator[Entry]:
    for entry in node:
        prefix = f"{entry.name}{SEPARATOR}"
        inner = {name.removeprefix(prefix) for name in names if name.startswith(prefix)}
        recipe = entry.value.get("recipe") if isinstance(entry.value, MappingNode) else None
        if inner and isinstance(recipe, MappingNode):
            assert isinstance(entry.value, MappingNode)
            parts = [one for one in entry.value if one.name != "recipe"]
            parts.insert(0, _entry("recipe", _only(recipe, inner), node.span))
            yield Entry(entry.key, MappingNode(tuple(parts), node.span))


def _entry(name: str, value: Node, span: Span) -> Entry:
    return Entry(Scalar(name, name, span), value)
