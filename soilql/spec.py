"""From a tree to a spec: typed blocks that refer to one another, and every structural problem on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from soilql import kinds, params, using
from soilql.bind import Binder
from soilql.compose import merge_parents
from soilql.edits import line_end, replaced, respelled
from soilql.errors import Diagnostic, Fix, Severity, Source, Span, did_you_mean
from soilql.inputs import Inputs
from soilql.kinds import SECTIONS, Block, Kind, Schema
from soilql.params import Params, param
from soilql.parse import parse_source
from soilql.recipes import Library
from soilql.references import SEPARATOR, Reference, cycles, find_references
from soilql.source import Entry, Scalar, Tree, plain, read_source
from soilql.source import Mapping as MappingNode
from soilql.values import ValueType

GRAMMAR_VERSION = 1
TOP_LEVEL = ("soilql", "meta", "extends", "inputs", "use", *SECTIONS)

#: What each part of a spec is, in one sentence.
SECTION_DOCS: Mapping[str, str] = {
    "meta": "What the study is: title, authors, DOI.",
    "inputs": "Typed values with defaults, used as ${inputs.name} and set with --set name=value.",
    "datasets": "Tables of observations and stacks of grids.",
    "zones": "Partitions of sites and pixels.",
    "models": "Formulas and learners, with what they are fitted to.",
    "validation": "Schemes of folds.",
    "analyses": "Everything computed from the above, and from each other.",
}


@dataclass(frozen=True)
class Meta(Params):
    """What the study is."""

    title: str = param("", doc="title of the study", in_key=False)
    authors: list[str] = param([], doc="authors", in_key=False)
    doi: str = param("", doc="DOI of the study that the recipe repeats", in_key=False)
    description: str = param("", doc="what the recipe does", in_key=False)
    licence: str = param("", doc="licence of the recipe", in_key=False)


@dataclass(frozen=True, eq=False)
class Spec:
    """A bound spec; the scope in which its blocks are checked.

    Attributes
    ----------
    source : Source
        The text.
    meta : Meta
        Title, authors, DOI.
    blocks : mapping of str to Block
        Those of its recipes, as ``alias::name``, then its own in the order of the file; blocks that could not be bound
        are left out.
    diagnostics : tuple of Diagnostic
        Everything found while parsing and binding.
    inputs : mapping of str to Any
        Value of each input.
    unbound : frozenset of str
        Names of the blocks that could not be bound, so that a reference to one of them is not reported too.
    resolved : soilql.source.Mapping or None
        The tree after parents were merged, inputs put in and the recipes that are needed written out.
    available : mapping of str to Block
        All blocks of its recipes, whether or not anything needs them.
    idle : frozenset of str
        Blocks of its recipes that are linted and not computed, as nothing here asks for them.
    """

    source: Source
    meta: Meta
    blocks: Mapping[str, Block]
    diagnostics: tuple[Diagnostic, ...]
    inputs: Mapping[str, Any]
    unbound: frozenset[str]
    resolved: MappingNode | None
    available: Mapping[str, Block] = field(default_factory=dict)
    idle: frozenset[str] = frozenset()

    @property
    def folder(self) -> Path:
        """Folder that relative paths of data start from."""
        return self.source.folder

    def names(self) -> tuple[str, ...]:
        """Return the names of all blocks, those of recipes last."""
        return (*(name for name in self.blocks if name not in self.available), *self.available)

    def block(self, name: str) -> Block | None:
        """Return the block of that name, or None."""
        return self.blocks.get(name) or self.available.get(name)

    def kind(self, block: Block) -> Kind:
        """Return the kind of a block."""
        kind = kinds.find(block.section, block.kind)
        assert kind is not None
        return kind

    def value_type(self, name: str) -> ValueType | None:
        """Return what the value of a block is, or None where that cannot be told."""
        block = self.block(name)
        if block is None or name in self.cyclic:
            return None
        if name not in self._types:
            self._types[name] = self.kind(block).produces(block.params, self)
        return self._types[name]

    def schema(self, ref: str) -> Schema | None:
        """Return the columns of a block, or of the one variable that the reference picks; None if unknown."""
        name, _, variable = ref.partition(".")
        block = self.block(name)
        if block is None or name in self.cyclic:
            return None
        if name not in self._schemas:
            # A result that is named after its block has the name that the block has in its own file.
            local = replace(block, name=name.rpartition(SEPARATOR)[2])
            self._schemas[name] = self.kind(block).schema(local, self)
        found = self._schemas[name]
        if found is None or not variable or variable not in found.variables:
            return found
        return Schema({variable: found.variables[variable]})

    @cached_property
    def _types(self) -> dict[str, ValueType | None]:
        return {}

    @cached_property
    def _schemas(self) -> dict[str, Schema | None]:
        return {}

    @cached_property
    def references(self) -> Mapping[str, tuple[Reference, ...]]:
        """For each block, what it refers to, in order of mention."""
        return {name: tuple(find_references(block)) for name, block in self.blocks.items()}

    @cached_property
    def cyclic(self) -> Mapping[str, tuple[str, ...]]:
        """Blocks that need their own result, each with the way round."""
        return cycles({name: [r.ref.block for r in refs] for name, refs in self.references.items()})

    def misleads(self, reference: Reference) -> bool:
        """Return whether a reference names no block, or one whose value is not what it needs."""
        target = reference.ref.block
        found = self.value_type(target)
        known = target in self.blocks and (found is None or found in reference.ref.accepts)
        return not (known or target in self.unbound)

    @property
    def ok(self) -> bool:
        """Whether nothing found so far is an error."""
        return not any(d.severity is Severity.ERROR for d in self.diagnostics)


def load(path: Path, settings: Mapping[str, str] | None = None, *, name: str | None = None) -> Spec:
    """Read, parse and bind a spec file.

    Parameters
    ----------
    path : Path
        A spec; the mini-language where its name ends in ``.soilql``, else YAML.
    settings : mapping of str to str, optional
        Inputs set from outside.
    name : str, optional
        Name that diagnostics show; default the path.

    Returns
    -------
    Spec
        With its diagnostics; it can be checked further even where they are errors.

    Raises
    ------
    SoilqlError
        The file cannot be read (SQ102, SQ106).
    """
    source = replace(read_source(path, name), path=path)
    return build(parse_source(source), settings or {})


def build(tree: Tree, settings: Mapping[str, str], library: Library | None = None) -> Spec:
    """Bind a tree to a spec.

    Parameters
    ----------
    tree : Tree
        What was parsed.
    settings : mapping of str to str
        Inputs set from outside.
    library : Library, optional
        Opens the files that it extends or uses; by default those that are at hand.
    """
    return _build(tree, settings, library or Library(tree.source), tree.source)


def _build(tree: Tree, given: Mapping[str, str] | Mapping[str, Entry], library: Library, home: Source) -> Spec:
    binder = Binder()
    merged = merge_parents(tree, library)
    binder.diagnostics += merged.diagnostics
    for one in merged.trees:
        if isinstance(one.root, MappingNode):
            _check_top_level(one.root, binder)
    if merged.root is None:
        if not merged.diagnostics:
            binder.diagnostics.append(_not_a_spec(tree))
        return Spec(tree.source, Meta(), {}, tuple(binder.diagnostics), {}, frozenset(), None)
    section = merged.root.get("inputs")
    inputs = Inputs(section if isinstance(section, MappingNode) else None, given, binder, home)
    root = using.put_in(merged.root, inputs)
    binder.diagnostics += inputs.unused()
    meta_node = root.get("meta")
    meta = binder.params(Meta, meta_node) if isinstance(meta_node, MappingNode) else None
    own, unbound = _bind_blocks(root, binder, [one.source for one in merged.trees])
    using.check_paths(own, binder)
    recipes = using.open_recipes(root.get("use"), binder, library, lambda t, g: _build(t, g, library, home))
    available = using.seen_outside(recipes)
    mentioned = {reference.ref.block for block in own.values() for reference in find_references(block)}
    unbound += using.unbound_outside(recipes, mentioned)
    wanted = using.reached(using.asked_for(own, recipes), available)
    # A data set of the recipe that its inputs replaced is neither computed nor linted.
    kept = wanted | using.reached(using.results(available), available)
    if mentioned <= {*own, *available, *unbound}:
        binder.diagnostics += using.unused(recipes, wanted)
    return Spec(
        tree.source,
        meta or Meta(),
        {name: block for name, block in available.items() if name in kept} | own,
        tuple(binder.diagnostics),
        {name: plain(node) for name, node in inputs.values.items()},
        frozenset(unbound),
        using.written_out(root, recipes, kept, wanted),
        available,
        frozenset(kept - wanted),
    )


def _not_a_spec(tree: Tree) -> Diagnostic:
    span = tree.source.span(0, min(1, len(tree.source.text)))
    help = "begin with `soilql: 1`, then `datasets:`, `models:`, `analyses:`"
    return Diagnostic("SQ101", "the file is empty" if tree.root is None else "a spec is a mapping", span, help=help)


def _check_top_level(root: MappingNode, binder: Binder) -> None:
    meant: set[str] = set()
    for entry in root:
        if entry.name.startswith("x-"):
            continue
        if entry.name not in TOP_LEVEL:
            help = did_you_mean(entry.name, TOP_LEVEL) or f"sections: {', '.join(TOP_LEVEL)}"
            message, free = f"unknown key `{entry.name}`", [name for name in TOP_LEVEL if root.get(name) is None]
            fixes = respelled(entry.key.span, entry.name, free, safe=True)
            meant |= {fix.replacement for fix in fixes}
            binder.diagnostics.append(Diagnostic("SQ120", message, entry.key.span, help=help, fixes=fixes))
        elif entry.name == "soilql":
            value = entry.value
            if not (isinstance(value, Scalar) and value.value == GRAMMAR_VERSION):
                message, version = f"grammar version must be {GRAMMAR_VERSION}", str(GRAMMAR_VERSION)
                quoted = isinstance(value, Scalar) and value.text.strip() == version
                fixes = replaced(value.span, value.span.text, version, safe=True) if quoted else ()
                binder.report("SQ108", message, value, help="write `soilql: 1`", fixes=fixes)
        elif entry.name != "extends" and not isinstance(entry.value, MappingNode) and not _empty(entry.value):
            binder.report("SQ122", f"`{entry.name}` must be a mapping of names to blocks", entry.value)
    if root.get("soilql") is None:
        start = root.span.start
        span = root.span.source.span(start, start + 1)
        help = "add `soilql: 1` as the first line"
        message = "the grammar version is missing"
        fixes = () if "soilql" in meant else _version_line(root)
        binder.diagnostics.append(Diagnostic("SQ108", message, span, help=help, fixes=fixes))


def _version_line(root: MappingNode) -> tuple[Fix, ...]:
    """Return the edit that writes the version above the first key; nothing stands between braces on one line."""
    source, start = root.span.source, root.span.start
    if source.text[start : start + 1] == "{":
        return ()
    # A `.soilql` text has no colons; its first statement tells the surface apart.
    line = f"soilql {GRAMMAR_VERSION}" if source.name.endswith(".soilql") else f"soilql: {GRAMMAR_VERSION}"
    indent = source.line(root.span.line)[: root.span.column - 1]
    edit = Fix(source.span(start, start), f"{line}{line_end(source.text)}{indent}", True, f"write `{line}`")
    return (edit,) if not indent.strip() else ()


def _empty(node: Any) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.style == ""


def _bind_blocks(root: MappingNode, binder: Binder, sources: list[Source]) -> tuple[dict[str, Block], list[str]]:
    blocks: dict[str, Block] = {}
    unbound: list[str] = []
    places: dict[str, Span] = {}
    for section in SECTIONS:
        node = root.get(section)
        for entry in node if isinstance(node, MappingNode) else ():
            if entry.name.startswith("x-"):
                continue
            if entry.name in places:
                binder.diagnostics.append(
                    Diagnostic(
                        "SQ109",
                        f"two blocks are named `{entry.name}`",
                        entry.key.span,
                        f"the other is on line {places[entry.name].line}",
                        "all sections share one set of names; rename one",
                    )
                )
                unbound.append(entry.name)  # a reference to it may mean either
                continue
            places[entry.name] = entry.key.span
            block = _bind_block(section, entry, binder)
            if block is None:
                unbound.append(entry.name)
            else:
                blocks[entry.name] = block
    rank = {id(source): i for i, source in enumerate(sources)}

    def place(item: tuple[str, Block]) -> tuple[int, int]:
        span = item[1].name_span
        return rank.get(id(span.source), 0), span.start

    return dict(sorted(blocks.items(), key=place)), unbound


def _bind_block(section: str, entry: Entry, binder: Binder) -> Block | None:
    if not isinstance(entry.value, MappingNode):
        binder.report("SQ122", f"`{entry.name}` must be a mapping with a `kind`", entry.value)
        return None
    named = binder.value(params.NewName, entry.key, entry.name)
    node = entry.value.get("kind")
    known = kinds.names(section)
    if node is None:
        help = f"add `kind:`, one of {', '.join(known)}"
        binder.diagnostics.append(Diagnostic("SQ121", "missing key `kind`", entry.key.span, help=help))
        return None
    kind = kinds.find(section, node.text) if isinstance(node, Scalar) else None
    if kind is None:
        shown = node.text if isinstance(node, Scalar) else "that"
        help = did_you_mean(shown, known) or f"kinds of `{section}`: {', '.join(known)}"
        elsewhere = [other for other in SECTIONS if other != section and kinds.find(other, shown)]
        if elsewhere:
            help = f"`{shown}` belongs to the section `{elsewhere[0]}`"
        fixes = () if elsewhere else respelled(node.span, shown, known, safe=True)
        binder.report("SQ205", f"`{section}` has no kind `{shown}`", node, help=help, fixes=fixes)
        return None
    bound = binder.params(kind.params_type, entry.value, ignore=("kind",))
    if bound is None or not isinstance(named, str):
        return None
    return Block(entry.name, section, kind.name, bound, entry.value, entry.key.span)
