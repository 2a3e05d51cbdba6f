"""Every mention of a block, an input, a column or a parameter in a file, and which mentions mean the same thing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from soilql.errors import SoilqlError, Source, Span
from soilql.expr import ast
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.kinds import SECTIONS
from soilql.lsp.documents import Document, Study, kind_of, same_file
from soilql.lsp.names import Named, View, columns, origin, visible
from soilql.lsp.typed import Leaf, leaves
from soilql.params import ColumnName, DataSource, NewName, Ref
from soilql.references import SEPARATOR
from soilql.source import Entry, Mapping, Node, Scalar, Sequence
from soilql.suppress import read_suppression, suppressing_comments

Sort: TypeAlias = Literal[
    "block", "input", "name", "column", "variable", "alias", "file", "kind", "function", "constant", "dataset", "code"
]

_INPUT = re.compile(r"\$\{\s*inputs\.(?P<name>[^\s{}.]+)")


@dataclass(frozen=True)
class Symbol:
    """What a mention means.

    Attributes
    ----------
    sort : str
        ``name`` is a column, parameter or constant that a block of the spec makes, ``column`` one that a public data
        set holds, ``variable`` one that a kind makes.
    name : str
    owner : str
        The block that a name belongs to; the section of a kind; the data set of a column; for an input of a recipe,
        the alias.
    """

    sort: Sort
    name: str
    owner: str = ""


@dataclass(frozen=True)
class Mention:
    """One place that means something.

    Attributes
    ----------
    symbol : Symbol
    span : Span
        The name alone, quotes and backquotes around it included.
    defines : bool
        Whether the thing is made here.
    block : str
        The block that it stands in; empty outside of blocks.
    """

    symbol: Symbol
    span: Span
    defines: bool = False
    block: str = ""


def mentions(study: Study, root: Mapping | None, source: Source) -> list[Mention]:
    """Return every mention in a file, in order of place, each place once.

    Parameters
    ----------
    study : Study
        What the names mean.
    root : Mapping or None
        The tree of the file itself, inputs not put in.
    source : Source
        The file.
    """
    found = _Mentions(study)
    for entry in root or ():
        found.top(entry)
    for comment in suppressing_comments(source):
        known = read_suppression(comment)
        if known is not None and hasattr(known, "codes"):
            found.all += [Mention(Symbol("code", code), span) for code, span in known.codes]
    # A YAML alias repeats places; the first mention of a place counts.
    unique: dict[tuple[int, int], Mention] = {}
    for one in found.all:
        if same_file(one.span.source, source):
            unique.setdefault((one.span.start, one.span.end), one)
    return sorted(unique.values(), key=lambda one: (one.span.start, one.span.end))


@lru_cache(maxsize=8)
def mentions_of(doc: Document) -> list[Mention]:
    """Return every mention in a document."""
    return mentions(doc.study, doc.readable.root, doc.source)


def mention_at(doc: Document, offset: int) -> Mention | None:
    """Return the mention at an offset; behind the last letter counts too."""
    around = [one for one in mentions_of(doc) if one.span.start <= offset <= one.span.end]
    inside = [one for one in around if offset < one.span.end]
    return min(inside or around, key=lambda one: one.span.end - one.span.start, default=None)


class _Mentions:
    """Collects the mentions of one file."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.all: list[Mention] = []
        self._visible: dict[tuple[str, tuple[object, ...]], dict[str, Named]] = {}
        self._reference_inputs = _reference_inputs(study)

    def add(self, sort: Sort, name: str, span: Span, owner: str = "", defines: bool = False, block: str = "") -> None:
        self.all.append(Mention(Symbol(sort, name, owner), span, defines, block))

    def top(self, entry: Entry) -> None:
        """Collect what a key of the spec holds."""
        self._inputs_used(entry.value)
        if entry.name == "extends" and isinstance(entry.value, Scalar):
            self.add("file", entry.value.text, entry.value.span)
        for one in entry.value if isinstance(entry.value, Mapping) else ():
            if one.name.startswith("x-"):
                continue
            if entry.name == "inputs":
                self.add("input", one.name, one.key.span, defines=True)
                self._default(one)
            elif entry.name == "use":
                self._use(one)
            elif entry.name in SECTIONS:
                self.add("block", one.name, one.key.span, defines=True, block=one.name)
                if isinstance(one.value, Mapping):
                    self._block(entry.name, one.name, one.value)

    def _inputs_used(self, node: Node) -> None:
        """Collect the references to inputs, which may stand anywhere."""
        if isinstance(node, Scalar):
            for match in _INPUT.finditer(node.text) if "${" in node.text else ():
                self.add("input", match["name"], node.locate(*match.span("name")))
        else:
            for inner in node.items if isinstance(node, Sequence) else [entry.value for entry in node]:
                self._inputs_used(inner)

    def _default(self, one: Entry) -> None:
        """Collect the block that the default of an input names."""
        default = one.value.get("default") if isinstance(one.value, Mapping) else one.value
        if one.name in self._reference_inputs and default is not None:
            for item in default.items if isinstance(default, Sequence) else (default,):
                if isinstance(item, Scalar) and isinstance(item.value, str):
                    self._reference(item, "")

    def _use(self, one: Entry) -> None:
        self.add("alias", one.name, one.key.span, defines=True)
        named = one.value.get("from") if isinstance(one.value, Mapping) else one.value
        if isinstance(named, Scalar) and "${" not in named.text:
            self.add("file", named.text, named.span)
        if not isinstance(one.value, Mapping):
            return
        listed = one.value.get("blocks")
        for item in listed.items if isinstance(listed, Sequence) else [listed]:
            if isinstance(item, Scalar):
                self.add("block", f"{one.name}{SEPARATOR}{item.text}", item.span)
        given = one.value.get("inputs")
        for entry in given if isinstance(given, Mapping) else ():
            self.add("input", entry.name, entry.key.span, owner=one.name)
            if isinstance(entry.value, Scalar) and entry.value.text.partition(".")[0] in self.study.spec.names():
                self._reference(entry.value, "")

    # --- blocks ---------------------------------------------------------------------------------------------------

    def _block(self, section: str, name: str, node: Mapping) -> None:
        kind = self.study.kind(section, name) or kind_of(section, node)
        word = node.get("kind")
        if isinstance(word, Scalar):
            self.add("kind", word.text, word.span, owner=section, block=name)
        if kind is None:
            return
        view = View.of(self.study, name) or View(self.study, name, kind.params_type, node)
        for leaf in leaves(kind.params_type, node):
            if "${" not in leaf.scalar.text:
                self._leaf(view, leaf)

    def _leaf(self, view: View, leaf: Leaf) -> None:
        scalar = leaf.scalar
        if leaf.role is not None:
            self._expression(view, leaf)
        elif leaf.of(NewName) is not None:
            self.add("name", scalar.text, scalar.span, owner=view.name, defines=True, block=view.name)
        elif not isinstance(scalar.value, str) and leaf.of(ColumnName) is None:
            return
        elif leaf.of(Ref) is not None and not leaf.is_key:
            self._reference(scalar, view.name)
        elif leaf.of(ColumnName) is not None:
            self._column(view, leaf, scalar.text, scalar.span)
        elif leaf.of(DataSource) is not None and (entry := DataSource(scalar.text).registry) is not None:
            self.add("dataset", entry, scalar.span, block=view.name)

    def _reference(self, scalar: Scalar, block: str) -> None:
        """Collect a reference to a block, and to one variable of it."""
        self._path(scalar.text, lambda start, end: scalar.locate(start, end), block)

    def _path(self, text: str, locate: Callable[[int, int], Span], block: str) -> None:
        ref = Ref(text)
        alias, mark, _ = ref.block.partition(SEPARATOR)
        if mark:
            self.add("alias", alias, locate(0, len(alias)), block=block)
            self.add("block", ref.block, locate(len(alias + mark), len(ref.block)), block=block)
        else:
            self.add("block", ref.block, locate(0, len(ref.block)), block=block)
        if ref.variable is not None:
            named = origin(self.study, ref.block, ref.variable) or columns(self.study, Ref(ref.block)).get(ref.variable)
            symbol = _symbol(named) if named is not None else Symbol("variable", ref.variable, ref.block)
            self.all.append(Mention(symbol, locate(len(ref.block) + 1, len(text)), block=block))

    def _expression(self, view: View, leaf: Leaf) -> None:
        from soilql.expr.parse import parse_expression, parse_formula

        scalar = leaf.scalar
        parse = parse_formula if leaf.role is not None and leaf.role.role == "formula" else parse_expression
        try:
            expression = parse(scalar.text, scalar.locate)
        except SoilqlError:
            return
        for node in ast.walk(expression.root):
            if isinstance(node, ast.Call):
                if node.function in FUNCTIONS:
                    span = scalar.locate(node.start, node.start + len(node.function))
                    self.add("function", node.function, span, block=view.name)
            elif isinstance(node, ast.Name):
                self._name(view, leaf, node, expression.span(node))

    def _name(self, view: View, leaf: Leaf, node: ast.Name, span: Span) -> None:
        if leaf.role is not None and leaf.role.role == "blocks":
            start = node.start

            def locate(first: int, last: int) -> Span:
                return leaf.scalar.locate(start + first, start + last)

            self._path(node.name, locate, view.name)
        elif node.name in CONSTANTS:
            self.add("constant", node.name, span, block=view.name)
        else:
            self._column(view, leaf, node.name, span)

    def _column(self, view: View, leaf: Leaf, name: str, span: Span) -> None:
        key = (view.name, leaf.path if leaf.role is not None or not leaf.is_key else ())
        if key not in self._visible:
            self._visible[key] = visible(view, leaf)
        named = self._visible[key].get(name)
        symbol = Symbol("variable", name) if named is None else _symbol(named)
        self.all.append(Mention(symbol, span, block=view.name))


def _symbol(named: Named) -> Symbol:
    if named.made is not None:
        return Symbol("name", named.name, named.owner)
    if named.entry is not None:
        return Symbol("column", named.name, named.entry.name)
    return Symbol("variable", named.name, named.owner)


def _reference_inputs(study: Study) -> set[str]:
    """Return the inputs whose values name blocks."""
    found = set()
    for name, entry in study.inputs().items():
        declared = entry.value.get("type") if isinstance(entry.value, Mapping) else None
        if isinstance(declared, Scalar) and declared.text == "reference":
            found.add(name)
    for section in SECTIONS:
        node = None if study.merged.root is None else study.merged.root.get(section)
        for entry in node if isinstance(node, Mapping) else ():
            kind = study.kind(section, entry.name)
            if kind is None or not isinstance(entry.value, Mapping):
                continue
            for leaf in leaves(kind.params_type, entry.value):
                match = _INPUT.search(leaf.scalar.text)
                if match is not None and leaf.of(Ref) is not None:
                    found.add(match["name"])
    return found
