"""Inputs of a spec: typed values with defaults and bounds, used as the whole value ``${inputs.name}``.

A value keeps its type and is never pasted into a text: ``trees: ${inputs.trees}`` is a number, ``of: ${inputs.maps}`` a
list. Inside a list a reference is one item. A range ``2000-2014`` is the pair ``[2000, 2014]``, both ends included;
``${inputs.years.first}`` and ``${inputs.years.last}`` are its ends and ``${inputs.years.all}`` is the list of all its
numbers. The value of a `reference` is the name of a block: of the spec itself for a default, of the spec that uses it
as a recipe for what is given there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from soilql.bind import Binder
from soilql.edits import respelled
from soilql.errors import Diagnostic, Severity, SoilqlError, Source, Span, did_you_mean
from soilql.params import Params, Problem, param
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, parse_yaml, plain, resolve

_REFERENCE = re.compile(r"\$\{\s*inputs\.(?P<name>[^\s{}]*)\s*\}")
_ANY_REFERENCE = re.compile(r"\$\{[^{}]*\}?")
_RANGE = re.compile(r"\s*([-+]?\d{1,9})\s*(?:-|\.\.)\s*([-+]?\d{1,9})\s*")
_BLOCK = re.compile(r"[^\W\d]\w*(?:::[^\W\d]\w*)*(?:\.[\w.]+)?")
_PARTS = ("first", "last", "all")
_LONGEST_RANGE = 10_000

Type: TypeAlias = Literal["text", "number", "integer", "boolean", "range", "list", "mapping", "reference"]
Item: TypeAlias = str | float | int | bool
Default: TypeAlias = Item | list[Item] | dict[str, Item | list[Item]]

_PYTHON: dict[type, Type] = {
    str: "text",
    float: "number",
    int: "integer",
    bool: "boolean",
    list: "list",
    dict: "mapping",
}
_WORDS: dict[Type, str] = {
    "range": "a range of whole numbers such as 2000-2014",
    "list": "a list of single values",
    "mapping": "a mapping",
    "reference": "the name of a block",
}


@dataclass(frozen=True)
class Input(Params):
    """One input of a spec."""

    SHORTHAND = "default"

    default: Default = param(doc="value when none is given from outside")
    type: Type | None = param(None, doc="type; default: that of the default")
    choices: list[str] | None = param(None, doc="the texts or numbers allowed, for each item of a list")
    min: float | None = param(None, doc="smallest number allowed, for each item of a list and both ends of a range")
    max: float | None = param(None, doc="largest number allowed, for each item of a list and both ends of a range")
    doc: str = param("", doc="what the input is for")

    def problems(self) -> Iterator[Problem]:
        if self.min is not None and self.max is not None and self.min > self.max:
            yield f"`min` {self.min:g} is above `max` {self.max:g}", "min"
        for key in ("min", "max"):
            if getattr(self, key) is not None and self.kind in ("text", "boolean", "mapping", "reference"):
                yield f"`{key}` is for numbers, and the input is {_WORDS.get(self.kind, self.kind)}", key

    @property
    def kind(self) -> Type:
        """Declared type, or that of the default."""
        return self.type or _PYTHON[type(self.default)]

    def problem(self, value: object) -> str:
        """Return why a value is not allowed, or an empty string.

        Parameters
        ----------
        value : object
            Text, number, truth value, list or mapping.

        Examples
        --------
        >>> Input(default=10, min=1).problem(0), Input(default="2000-2014", type="range").problem("2000-1990")
        ('must be at least 1', 'must not end before it begins')
        """
        if not self._fits(value):
            return f"must be {_WORDS.get(self.kind, self.kind)}"
        if self.kind == "range":
            first, last = range_ends(value) or (0, 0)
            if last < first:
                return "must not end before it begins"
            if last - first >= _LONGEST_RANGE:
                return f"must not have more than {_LONGEST_RANGE} numbers"
            value = [first, last]
        found = (self._item_problem(item) for item in (value if isinstance(value, list) else [value]))
        return next(filter(None, found), "")

    def _fits(self, value: object) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        match self.kind:
            case "number":
                return number
            case "integer":
                return number and isinstance(value, int)
            case "range":
                return range_ends(value) is not None
            case "list":
                return isinstance(value, list) and not any(isinstance(item, list | dict | None) for item in value)
            case "reference":
                names = value if isinstance(value, list) else [value]
                return all(isinstance(name, str) and _BLOCK.fullmatch(name) is not None for name in names)
            case kind:
                return isinstance(value, {"text": str, "boolean": bool, "mapping": dict}[kind])

    def _item_problem(self, item: object) -> str:
        if self.choices is not None and not isinstance(item, dict) and str(item) not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if isinstance(item, bool) or not isinstance(item, int | float):
            bounded = self.kind == "list" and (self.min is not None or self.max is not None)
            return "must be a list of numbers" if bounded else ""
        if self.min is not None and not item >= self.min:
            return f"must be at least {self.min:g}"
        if self.max is not None and not item <= self.max:
            return f"must be at most {self.max:g}"
        return ""


def range_ends(value: object) -> tuple[int, int] | None:
    """Return the first and last number of a range, or None for what is no range.

    Examples
    --------
    >>> range_ends("2000-2014"), range_ends([1, 12]), range_ends("-5..5"), range_ends("2000")
    ((2000, 2014), (1, 12), (-5, 5), None)
    """
    if isinstance(value, str) and (match := _RANGE.fullmatch(value)):
        return int(match[1]), int(match[2])
    if isinstance(value, list) and len(value) == 2 and all(type(end) is int for end in value):
        return value[0], value[1]
    return None


@dataclass(frozen=True, eq=False)
class Filled(Scalar):
    """A scalar that an input put in the place of a reference; `origin` is where its text was written."""

    origin: Span | None = None


def origin(node: Node) -> Span:
    """Return where the text of a node was written; a relative path starts from the folder of that file."""
    return node.origin if isinstance(node, Filled) and node.origin is not None else node.span


class Inputs:
    """The inputs of one spec with their values.

    Parameters
    ----------
    node : Mapping or None
        The ``inputs`` section.
    given : mapping of str to str or Entry
        What is set from outside: text from the command line, or entries of the spec that uses this one as a recipe.
    binder : Binder
        Receives the diagnostics.
    home : Source
        The spec that the user named: paths from the command line start from its folder.
    """

    def __init__(self, node: Mapping | None, given: MappingABC[str, str | Entry], binder: Binder, home: Source) -> None:
        self._binder = binder
        self._home = home
        self._given = given
        self._used: set[str] = set()
        self._bad_reference = False
        self._keys: dict[str, Scalar] = {}
        self.declared: dict[str, Input] = {}
        self.values: dict[str, Node] = {}
        for entry in node or ():
            if not entry.name.startswith("x-"):
                self._keys[entry.name] = entry.key
                self._declare(entry, given.get(entry.name))
        for name, value in given.items():
            if name not in self._keys:
                binder.diagnostics.append(self._unknown(name, value))

    def _unknown(self, name: str, value: str | Entry) -> Diagnostic:
        known = list(self._keys)
        help = did_you_mean(name, known) or (f"inputs: {', '.join(known)}" if known else "it declares none")
        if isinstance(value, str):
            return Diagnostic("SQ130", f"--set {name}: the spec has no input `{name}`", help=help)
        fixes = respelled(value.key.span, name, known, safe=False)
        return Diagnostic("SQ130", f"the recipe has no input `{name}`", value.key.span, help=help, fixes=fixes)

    def _declare(self, entry: Entry, given: str | Entry | None) -> None:
        if (reference := _unresolved(entry.value)) is not None:
            message, help = "an input cannot refer to another", "write the value itself"
            self._bad(reference, message, reference.span, help)
            return
        found = self._binder.value(Input, entry.value, entry.name)
        if not isinstance(found, Input):
            return
        self.declared[entry.name] = found
        default = entry.value.get("default") if isinstance(entry.value, Mapping) else entry.value
        assert default is not None, "a declaration without a default is not bound"
        if problem := found.problem(plain(default)):
            self._binder.report("SQ131", f"default of input `{entry.name}` {problem}", default)
            return
        if isinstance(given, str):
            default = self._parse(entry.name, found, given, default)
        elif given is not None and _unresolved(given.value) is None:
            default = self._take(found, given, default)
        self.values[entry.name] = _as_pair(default) if found.kind == "range" else default

    def _parse(self, name: str, declared: Input, text: str, default: Node) -> Node:
        """Return what the command line sets; where that is not allowed, the default."""
        node: Node | None = Scalar(text, text, default.span)
        if declared.kind == "list" and not text.lstrip().startswith("["):
            items = (item.strip() for item in text.split(","))
            node = Sequence(tuple(Scalar(resolve(item), item, default.span) for item in items), default.span)
        elif declared.kind not in ("text", "range", "reference") or _is_bracketed(declared, text):
            node = parse_yaml(Source("--set", text)).root
        problem = declared.problem(plain(node))
        if node is None or problem:
            message = f"--set {name}={text}: `{name}` {problem}"
            self._binder.diagnostics.append(Diagnostic("SQ131", message))
            return default
        # The command line has no place in the file, so diagnostics about the value point at the default.
        return _placed(node, default.span, self._home.span(0, 0))

    def _take(self, declared: Input, given: Entry, default: Node) -> Node:
        """Return what the spec that uses this recipe gives; where that is not allowed, the default."""
        node = given.value
        if declared.kind == "list" and isinstance(node, Scalar):
            node = Sequence((node,), node.span)
        if problem := declared.problem(plain(node)):
            self._binder.report("SQ131", f"`{given.name}` {problem}", given.value)
            return default
        return _outwards(node) if declared.kind == "reference" else node

    def substitute(self, node: Node) -> Node:
        """Return the tree with every ``${inputs.name}`` replaced by its value, at the place of the reference."""
        if isinstance(node, Sequence):
            return Sequence(tuple(self.substitute(item) for item in node.items), node.span)
        if isinstance(node, Mapping):
            entries = tuple(Entry(entry.key, self.substitute(entry.value)) for entry in node)
            return Mapping(entries, node.span)
        return self._scalar(node)

    def _scalar(self, node: Scalar) -> Node:
        if "${" not in node.text or node.substituted:
            return node
        match = _REFERENCE.fullmatch(node.text.strip())
        if match is None:
            part = _ANY_REFERENCE.search(node.text)
            start, end = part.span() if part else (0, len(node.text))
            whole = part is not None and part.group() == node.text.strip()
            help = "write `${inputs.NAME}`" if whole else "a reference is the whole value; it is not pasted into text"
            return self._bad(node, "not a reference to an input", node.locate(start, end), help)
        name = match["name"]
        base, _, part_name = name.partition(".")
        self._used.add(base)
        value = self.values.get(base)
        if value is None:
            if base in self._keys:
                return node  # its declaration has been reported
            help = did_you_mean(base, self.declared) or "declare it under `inputs`"
            return self._bad(node, f"unknown input `{base}`", node.locate(*match.span("name")), help)
        if part_name:
            found = _part(value, part_name) if self.declared[base].kind == "range" else None
            if found is None:
                help = "a range has the parts `first`, `last` and `all`; other inputs have none"
                message = f"input `{base}` has no part `{part_name}`"
                return self._bad(node, message, node.locate(*match.span("name")), help)
            value = found
        return _placed(value, node.span, None)

    def _bad(self, node: Scalar, message: str, span: Span, help: str) -> Scalar:
        self._bad_reference = True
        self._binder.diagnostics.append(Diagnostic("SQ132", message, span, help=help))
        return node

    def unused(self) -> Iterator[Diagnostic]:
        """Yield a warning for each input that nothing in the tree refers to, after all of it was substituted."""
        for name, key in self._keys.items():
            if name in self.values and name not in self._used and not self._bad_reference:
                help = f"write `${{inputs.{name}}}` where it belongs, or delete it"
                message = f"nothing uses input `{name}`"
                yield Diagnostic("SQ133", message, key.span, help=help, severity=Severity.WARNING)


def _is_bracketed(declared: Input, text: str) -> bool:
    return declared.kind != "text" and text.lstrip().startswith("[")


def _unresolved(node: Node) -> Scalar | None:
    """Return the first reference that a value still holds."""
    if isinstance(node, Scalar):
        return node if "${" in node.text and not node.substituted else None
    inner = node.items if isinstance(node, Sequence) else [entry.value for entry in node if entry.name != "doc"]
    return next((found for found in map(_unresolved, inner) if found is not None), None)


def _placed(node: Node, span: Span, written: Span | None) -> Node:
    """Return a value as it stands in the place of a reference, remembering where it was written."""
    if isinstance(node, Sequence):
        return Sequence(tuple(_placed(item, span, written) for item in node.items), span)
    if isinstance(node, Mapping):
        entries = (Entry(replace(entry.key, span=span), _placed(entry.value, span, written)) for entry in node)
        return Mapping(tuple(entries), span)
    return Filled(node.value, node.text, span, node.style, True, written or origin(node))


def _outwards(node: Node) -> Node:
    """Return names of blocks as they go inside a recipe, for the spec that uses it."""
    if isinstance(node, Sequence):
        return Sequence(tuple(map(_outwards, node.items)), node.span)
    assert isinstance(node, Scalar)
    text = f"super::{node.text}"
    return Filled(text, text, node.span, node.style, True, origin(node))


def _as_pair(node: Node) -> Node:
    """Return a range as the list of its two ends."""
    ends = range_ends(plain(node))
    if isinstance(node, Sequence) or ends is None:
        return node
    return Sequence(tuple(_number(end, node) for end in ends), node.span)


def _part(node: Node, name: str) -> Node | None:
    ends = range_ends(plain(node))
    if name not in _PARTS or ends is None or not isinstance(node, Sequence):
        return None
    if name == "all":
        numbers = range(ends[0], ends[1] + 1)
        return Sequence(tuple(_number(number, node.items[0]) for number in numbers), node.span)
    return node.items[_PARTS.index(name)]


def _number(value: int, at: Node) -> Scalar:
    return Filled(value, str(value), at.span, "", True, origin(at))


def parse_settings(settings: list[str]) -> dict[str, str]:
    """Split ``name=value`` settings of the command line.

    Raises
    ------
    SoilqlError
        A setting without an equals sign (SQ130).

    Examples
    --------
    >>> parse_settings(["years=2000-2014"])
    {'years': '2000-2014'}
    """
    pairs = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise SoilqlError(Diagnostic("SQ130", f"--set {setting}: expected NAME=VALUE"))
        pairs[name.strip()] = value.strip()
    return pairs
