"""YAML text to a tree of nodes that know where they stand; YAML 1.2 scalars, merge keys, duplicate keys found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from soilql.edits import removed
from soilql.errors import Diagnostic, Fix, SoilqlError, Source, Span
from soilql.yaml_problems import syntax_error

ScalarValue: TypeAlias = str | int | float | bool | None
Node: TypeAlias = "Scalar | Sequence | Mapping"

# An alias can repeat a large part of the tree; a few of them in one another would repeat it without end.
MAX_NODES = 200_000
MAX_DEPTH = 100

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_NULL = re.compile(r"(?:null|Null|NULL|~|)")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,200}|0o[0-7]{1,200}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"(?P<inf>[-+]?\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN)")

_BOM = "\ufeff"
_DOUBLE_QUOTE_ESCAPES = {"x": 4, "u": 6, "U": 10}


@dataclass(frozen=True, eq=False)
class Scalar:
    """A leaf: its typed value, its text as YAML reads it, and its place.

    Attributes
    ----------
    value : str, int, float, bool or None
        Resolved by the YAML 1.2 core schema: ``1e-3`` is a number, ``no`` and ``12:30`` are text.
    text : str
        The content, unquoted and unfolded.
    span : Span
        The scalar in the source, quotes included.
    style : str
        One of ``""`` (plain), ``"'"``, ``'"'``, ``"|"``, ``">"``.
    substituted : bool
        Whether the text comes from elsewhere (an input), so that only the whole scalar has a place here.
    """

    value: ScalarValue
    text: str
    span: Span
    style: str = ""
    substituted: bool = False

    @cached_property
    def _offsets(self) -> list[int]:
        return _align(self.text, self.span, self.style)

    def locate(self, start: int, end: int) -> Span:
        """Return the span in the source of ``text[start:end]``, whatever the quoting or folding."""
        if self.substituted or not self.text or self.span.start == self.span.end:
            return self.span
        offsets = self._offsets
        first = offsets[min(start, len(offsets) - 1)]
        last = offsets[min(max(end - 1, start), len(offsets) - 1)]
        at_end = start >= len(offsets)
        most = len(self.span.source.text)
        return Span(self.span.source, min(first + at_end, most), min(max(last + 1, first + at_end + 1), most))


@dataclass(frozen=True, eq=False)
class Sequence:
    """A list of nodes."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, eq=False)
class Entry:
    """One key of a mapping with its value."""

    key: Scalar
    value: Node

    @property
    def name(self) -> str:
        return self.key.text


@dataclass(frozen=True, eq=False)
class Mapping:
    """An ordered mapping; duplicate keys have been reported and dropped."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, name: str) -> Node | None:
        """Return the value under a key, or None."""
        entry = self._named.get(name)
        return None if entry is None else entry.value

    def entry(self, name: str) -> Entry | None:
        """Return the entry of a key, or None."""
        return self._named.get(name)

    @cached_property
    def _named(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in reversed(self.entries)}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


@dataclass(frozen=True, eq=False)
class Tree:
    """A parsed source: its root (None for an empty file) and what was wrong with it."""

    source: Source
    root: Node | None
    diagnostics: tuple[Diagnostic, ...]


def read_source(path: Path, name: str | None = None) -> Source:
    """Read a spec file as UTF-8, with or without a byte order mark.

    Raises
    ------
    SoilqlError
        The file is missing (SQ106), unreadable or not UTF-8 (SQ102).
    """
    shown = name or str(path)
    try:
        return decode_source(path.read_bytes(), shown)
    except FileNotFoundError:
        raise SoilqlError(Diagnostic("SQ106", f"no such spec: {shown}", help="check the path")) from None
    except OSError as error:
        raise SoilqlError(Diagnostic("SQ102", f"cannot read {shown}: {error.strerror}")) from None


def plain(node: Node | None) -> Any:
    """Return a node as mappings, lists and scalars."""
    if node is None:
        return None
    if isinstance(node, Scalar):
        return node.value if node.style == "" else node.text
    if isinstance(node, Mapping):
        return {entry.name: plain(entry.value) for entry in node}
    return [plain(item) for item in node.items]


def decode_source(raw: bytes, name: str) -> Source:
    """Return bytes as a source: UTF-8, with or without a byte order mark.

    Raises
    ------
    SoilqlError
        They are not UTF-8 (SQ102).
    """
    try:
        return Source(name, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        raise SoilqlError(Diagnostic("SQ102", message, help="save the file as UTF-8")) from None


def parse_yaml(source: Source) -> Tree:
    """Parse YAML text into a tree with spans.

    Parameters
    ----------
    source : Source
        The text.

    Returns
    -------
    Tree
        With every problem found; the root is None where the text is empty or not YAML at all.

    Examples
    --------
    >>> tree = parse_yaml(Source("x.yaml", "soilql: 1\\ntol: 1e-3\\n"))
    >>> [(entry.name, entry.value.value) for entry in tree.root]
    [('soilql', 1), ('tol', 0.001)]
    """
    if source.text.startswith(_BOM):  # a second one, which libyaml would pass over without counting it
        message = "a byte order mark after the first one"
        return Tree(source, None, (Diagnostic("SQ101", message, source.span(0, 1), help="delete it"),))
    try:
        node = yaml.compose(source.text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        return Tree(source, None, (syntax_error(source, error),))
    except yaml.reader.ReaderError as error:
        at = max(0, min(int(error.position), len(source.text)))
        message = f"character U+{_code_point(error):04X} is not allowed in YAML"
        span = source.span(at, min(at + 1, len(source.text)))
        return Tree(source, None, (Diagnostic("SQ101", message, span, help="delete it"),))
    except RecursionError:
        return Tree(source, None, (Diagnostic("SQ107", "nested too deeply", source.span(0, 1)),))
    builder = _Builder(source)
    try:
        root = None if node is None else builder.build(node, 0)
    except SoilqlError as error:
        return Tree(source, None, (*builder.diagnostics, *error.diagnostics))
    return Tree(source, root, tuple(builder.diagnostics))


def _code_point(error: yaml.reader.ReaderError) -> int:
    return error.character if isinstance(error.character, int) else ord(error.character)


class _Builder:
    """Turn PyYAML's nodes into ours and report what YAML allows but a spec does not."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self._done: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()
        self._keys: set[int] = set()
        self._count = 0

    def build(self, node: yaml.Node, depth: int) -> Node | None:
        span = self._span(node)
        if id(node) in self._open:
            self._report("SQ107", "an alias that contains itself", span, help="write the block out")
            return None
        if depth > MAX_DEPTH:
            self._report("SQ107", f"nested more than {MAX_DEPTH} levels deep", span)
            return None
        if id(node) in self._keys:
            self._alias_of_key(span)
        if id(node) in self._done:
            built, size = self._done[id(node)]
            self._grow(size, span)
            return built
        before = self._count
        self._grow(1, span)
        self._open.add(id(node))
        built_or_none = self._convert(node, span, depth)
        self._open.discard(id(node))
        if built_or_none is not None:
            self._done[id(node)] = (built_or_none, self._count - before)
        return built_or_none

    def _grow(self, size: int, span: Span) -> None:
        self._count += size
        if self._count > MAX_NODES:
            message = f"aliases expand to more than {MAX_NODES} nodes"
            raise SoilqlError(Diagnostic("SQ107", message, span, help="write fewer aliases of aliases"))

    def _convert(self, node: yaml.Node, span: Span, depth: int) -> Node | None:
        self._check_tag(node, span)
        if isinstance(node, yaml.ScalarNode):
            style = node.style or ""
            return Scalar(resolve(node.value) if style == "" else node.value, node.value, span, style)
        if isinstance(node, yaml.SequenceNode):
            items = (self.build(item, depth + 1) for item in node.value)
            return Sequence(tuple(item for item in items if item is not None), span)
        assert isinstance(node, yaml.MappingNode)
        return self._mapping(node, span, depth)

    def _mapping(self, node: yaml.MappingNode, span: Span, depth: int) -> Mapping:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            if id(key_node) in self._done and id(key_node) not in self._keys:
                self._alias_of_key(self._span(key_node))
            key = self.build(key_node, depth + 1)
            self._keys.add(id(key_node))
            if not isinstance(key, Scalar):
                self._report("SQ104", "a key must be a plain name", self._span(key_node))
                continue
            if is_too_long(key.text):
                self.diagnostics.append(too_long(key))
                continue
            value = self.build(value_node, depth + 1)
            if value is None:
                continue
            if key.text == "<<" and key.style == "":
                for entry in self._merge(value):
                    merged.setdefault(entry.name, entry)
            elif key.text in own:
                self._duplicate(own[key.text], Entry(key, value))
            else:
                own[key.text] = Entry(key, value)
        return Mapping((*own.values(), *(e for e in merged.values() if e.name not in own)), span)

    def _alias_of_key(self, span: Span) -> None:
        self._report(
            "SQ104", "a key can neither be an alias nor have one", span, help="write the text out where `*` stands"
        )

    def _duplicate(self, first: Entry, second: Entry) -> None:
        title = f"leave out the second `{first.name}`, which says the same"
        whole = Span(self.source, second.key.span.start, second.value.span.end)
        fixes = removed(whole, safe=True, title=title) if _plain(first.value) == _plain(second.value) else ()
        label = f"first given on line {first.key.span.line}"
        self._report("SQ103", f"duplicate key `{first.name}`", second.key.span, label, "keep one of them", fixes)

    def _merge(self, value: Node) -> tuple[Entry, ...]:
        if isinstance(value, Mapping):
            return value.entries
        if isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value.items):
            return tuple(entry for item in value.items if isinstance(item, Mapping) for entry in item)
        help = "write the alias of a mapping behind it"
        self._report("SQ104", "`<<` merges a mapping or a list of mappings", value.span, help=help)
        return ()

    def _check_tag(self, node: yaml.Node, span: Span) -> None:
        default = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}[type(node)]
        if node.tag not in (f"tag:yaml.org,2002:{default}", "!"):
            shown = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._report("SQ105", f"tag `{shown}` has no meaning here", span, help="delete the tag")

    def _span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark.index, node.end_mark.index
        if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
            end = start + len(self.source.text[start:end].rstrip())
        return self.source.span(start, max(start, end))

    def _report(
        self, code: str, message: str, span: Span, label: str = "", help: str = "", fixes: tuple[Fix, ...] = ()
    ) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, label, help, fixes=fixes))


def is_too_long(key: str) -> bool:
    """Return whether a key cannot be written on every surface: YAML takes up to 1024 characters, escapes counted."""
    return len(key) > 100 and len(key) + sum(9 for char in key if not char.isprintable() or char in '"\\') > 1000


def too_long(key: Scalar) -> Diagnostic:
    """Return what is said of a key that is too long."""
    return Diagnostic("SQ104", "a key must be a name, and this is too long for one", key.span, help="shorten it")


def _plain(node: Node) -> object:
    """Return what a node says, for comparison; 1, 1.0 and true are three things."""
    if isinstance(node, Scalar):
        return (type(node.value), node.text)
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return [(entry.name, _plain(entry.value)) for entry in node]


def resolve(text: str) -> ScalarValue:
    """Resolve a plain scalar by the YAML 1.2 core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INT.fullmatch(text):
        # Beyond the range of a float a number is none we could use, and Python refuses thousands of digits.
        return int(text) if len(text) < 300 else float(text)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if special := _SPECIAL_FLOAT.fullmatch(text):
        return float(special["inf"].replace(".", "")) if special["inf"] else float("nan")
    return text


def _align(text: str, span: Span, style: str) -> list[int]:
    """Return for each character of a scalar's content its offset in the source.

    Folding, indentation and quoting only ever add white space, doubled quotes and escapes to the content, so the
    characters that are not white space stand in both in the same order.
    """
    raw, r, end = span.source.text, span.start, span.end
    if style in ("'", '"'):
        r, end = r + 1, end - 1
    elif style in ("|", ">"):
        r = _next_line(raw, r)
    offsets: list[int] = []
    for char in text:
        if style == '"' and r < end and raw[r] == "\\":
            while raw[r : r + 2] in ("\\\n", "\\\r"):  # an escaped line break joins two lines
                r = _skip_space(raw, r + 1, end)
        if style == '"' and r < end and raw[r] == "\\":
            offsets.append(r)
            r += _DOUBLE_QUOTE_ESCAPES.get(raw[r + 1], 2)
            continue
        if char.isspace():
            offsets.append(min(r, end))
            r += r < end and raw[r] == char
            continue
        r = _skip_space(raw, r, end) if r < end and raw[r] != char else r
        offsets.append(min(r, end))
        r += 2 if style == "'" and char == "'" else 1
    return offsets


def _next_line(raw: str, r: int) -> int:
    while r < len(raw) and raw[r] not in "\r\n":
        r += 1
    return r + (2 if raw[r : r + 2] == "\r\n" else 1)


def _skip_space(raw: str, r: int, end: int) -> int:
    while r < end and raw[r].isspace():
        r += 1
    return r
