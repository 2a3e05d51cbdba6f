"""From a tree to a spec: typed blocks that refer to one another, and every structural problem on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from soilql import kinds, params
from soilql.bind import Binder
from soilql.errors import Diagnostic, Severity, Source, Span, did_you_mean
from soilql.inputs import Inputs
from soilql.kinds import SECTIONS, Block, Kind, Schema
from soilql.params import Params, Ref, param
from soilql.source import Entry, Scalar, Tree, parse_yaml, read_source
from soilql.source import Mapping as MappingNode
from soilql.values import ValueType

GRAMMAR_VERSION = 1
TOP_LEVEL = ("soilql", "meta", "inputs", *SECTIONS)

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


@dataclass(frozen=True)
class Reference:
    """One mention of a block in another block's parameters.

    Attributes
    ----------
    ref : Ref
        What is named.
    span : Span
        Where.
    parameter : str
        Key of the parameter that holds it.
    in_expression : bool
        Whether it is a name in an expression, which the block's kind checks as a whole.
    """

    ref: Ref
    span: Span
    parameter: str
    in_expression: bool = False


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
        In the order of the file; blocks that could not be bound are left out.
    diagnostics : tuple of Diagnostic
        Everything found while parsing and binding.
    inputs : mapping of str to Any
        Value of each input.
    unbound : frozenset of str
        Names of the blocks that could not be bound, so that a reference to one of them is not reported too.
    resolved : soilql.source.Mapping or None
        The tree after the inputs were put in.
    """

    source: Source
    meta: Meta
    blocks: Mapping[str, Block]
    diagnostics: tuple[Diagnostic, ...]
    inputs: Mapping[str, Any]
    unbound: frozenset[str]
    resolved: MappingNode | None

    @property
    def folder(self) -> Path:
        """Folder that relative paths of data start from."""
        return Path(self.source.name).parent

    def names(self) -> tuple[str, ...]:
        """Return the names of all blocks."""
        return tuple(self.blocks)

    def block(self, name: str) -> Block | None:
        """Return the block of that name, or None."""
        return self.blocks.get(name)

    def kind(self, block: Block) -> Kind:
        """Return the kind of a block."""
        kind = kinds.find(block.section, block.kind)
        assert kind is not None
        return kind

    def value_type(self, name: str) -> ValueType | None:
        """Return what the value of a block is, or None where that cannot be told."""
        block = self.blocks.get(name)
        if block is None or name in self.cyclic:
            return None
        if name not in self._types:
            self._types[name] = self.kind(block).produces(block.params, self)
        return self._types[name]

    def schema(self, ref: str) -> Schema | None:
        """Return the columns of a block, or of the one variable that the reference picks; None if unknown."""
        name, _, variable = ref.partition(".")
        block = self.blocks.get(name)
        if block is None or name in self.cyclic:
            return None
        if name not in self._schemas:
            self._schemas[name] = self.kind(block).schema(block, self)
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
        return _cycles({name: [r.ref.block for r in refs] for name, refs in self.references.items()})

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


def find_references(block: Block) -> Iterator[Reference]:
    """Yield every reference that a block's parameters hold, also inside lists, mappings and expressions."""
    yield from _references(block, block.params, ())


def _references(block: Block, value: Any, path: tuple[str | int, ...]) -> Iterator[Reference]:
    if isinstance(value, Ref):
        yield Reference(value, block.span(*path), str(path[0]))
    elif isinstance(value, Params):
        for field in params.fields(type(value)):
            inner = getattr(value, field.name)
            role = getattr(getattr(field.type, "__metadata__", (None,))[0], "role", None)
            if role == "blocks" and inner is not None:
                yield from _expression_references(inner, field.key)
            else:
                yield from _references(block, inner, (*path, field.key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _references(block, item, (*path, i))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _references(block, item, (*path, str(key)))


def _expression_references(expression: Any, key: str) -> Iterator[Reference]:
    from soilql.expr.ast import Name, walk

    for node in walk(expression.root):
        if isinstance(node, Name):
            yield Reference(params.DataRef(node.name), expression.locate(node.start, node.end), key, in_expression=True)


def _cycles(edges: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Return each node that lies on or leads into a cycle, with the cycle it meets."""
    found: dict[str, tuple[str, ...]] = {}
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        stack = [(start, iter(edges.get(start, ())))] if start not in done else []
        path += [start] if stack else []
        while stack:
            name, rest = stack[-1]
            target = next((t for t in rest if t in edges), None)
            if target is None:
                stack.pop()
                path.pop()
                done.add(name)
            elif target in path:
                cycle = (*path[path.index(target) :], target)
                found.update(dict.fromkeys(path, cycle))
            elif target in found:
                found.update(dict.fromkeys(path, found[target]))
            elif target not in done:
                stack.append((target, iter(edges[target])))
                path.append(target)
    return found


def load(path: Path, settings: Mapping[str, str] | None = None, *, name: str | None = None) -> Spec:
    """Read, parse and bind a spec file.

    Parameters
    ----------
    path : Path
        A YAML spec.
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
    return build(parse_yaml(read_source(path, name)), settings or {})


def build(tree: Tree, settings: Mapping[str, str]) -> Spec:
    """Bind a tree to a spec."""
    binder = Binder()
    binder.diagnostics += tree.diagnostics
    if not isinstance(tree.root, MappingNode):
        if not tree.diagnostics:
            binder.diagnostics.append(_not_a_spec(tree))
        return Spec(tree.source, Meta(), {}, tuple(binder.diagnostics), {}, frozenset(), None)
    _check_top_level(tree.root, binder)
    section = tree.root.get("inputs")
    inputs = Inputs(section if isinstance(section, MappingNode) else None, settings, binder)
    kept = tuple(
        entry if entry.name == "inputs" else Entry(entry.key, inputs.substitute(entry.value)) for entry in tree.root
    )
    root = MappingNode(kept, tree.root.span)
    meta_node = root.get("meta")
    meta = binder.params(Meta, meta_node) if isinstance(meta_node, MappingNode) else None
    blocks, unbound = _bind_blocks(root, binder)
    values = {name: scalar.value if scalar.style == "" else scalar.text for name, scalar in inputs.values.items()}
    return Spec(tree.source, meta or Meta(), blocks, tuple(binder.diagnostics), values, frozenset(unbound), root)


def _not_a_spec(tree: Tree) -> Diagnostic:
    span = tree.source.span(0, min(1, len(tree.source.text)))
    help = "begin with `soilql: 1`, then `datasets:`, `models:`, `analyses:`"
    return Diagnostic("SQ101", "the file is empty" if tree.root is None else "a spec is a mapping", span, help=help)


def _check_top_level(root: MappingNode, binder: Binder) -> None:
    for entry in root:
        if entry.name.startswith("x-"):
            continue
        if entry.name not in TOP_LEVEL:
            help = did_you_mean(entry.name, TOP_LEVEL) or f"sections: {', '.join(TOP_LEVEL)}"
            binder.diagnostics.append(Diagnostic("SQ120", f"unknown key `{entry.name}`", entry.key.span, help=help))
        elif entry.name == "soilql":
            value = entry.value
            if not (isinstance(value, Scalar) and value.value == GRAMMAR_VERSION):
                binder.report("SQ108", f"grammar version must be {GRAMMAR_VERSION}", value, help="write `soilql: 1`")
        elif not isinstance(entry.value, MappingNode) and not _empty(entry.value):
            binder.report("SQ122", f"`{entry.name}` must be a mapping of names to blocks", entry.value)
    if root.get("soilql") is None:
        start = root.span.start
        span = root.span.source.span(start, start + 1)
        help = "add `soilql: 1` as the first line"
        binder.diagnostics.append(Diagnostic("SQ108", "the grammar version is missing", span, help=help))


def _empty(node: Any) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.style == ""


def _bind_blocks(root: MappingNode, binder: Binder) -> tuple[dict[str, Block], list[str]]:
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
    in_order = dict(sorted(blocks.items(), key=lambda item: item[1].name_span.start))
    return in_order, unbound


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
        binder.report("SQ205", f"`{section}` has no kind `{shown}`", node, help=help)
        return None
    bound = binder.params(kind.params_type, entry.value, ignore=("kind",))
    if bound is None or not isinstance(named, str):
        return None
    return Block(entry.name, section, kind.name, bound, entry.value, entry.key.span)
