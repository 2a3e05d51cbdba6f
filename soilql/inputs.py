"""Inputs of a spec: typed values with defaults and bounds, used as the whole scalar ``${inputs.name}``."""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Literal

from soilql.bind import Binder
from soilql.errors import Diagnostic, SoilqlError, Source, did_you_mean
from soilql.params import Params, param
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, parse_yaml

_REFERENCE = re.compile(r"\$\{\s*inputs\.(?P<name>[^\s{}]*)\s*\}")
_ANY_REFERENCE = re.compile(r"\$\{[^{}]*\}?")

_PYTHON: dict[str, type] = {"text": str, "number": float, "integer": int, "boolean": bool}


@dataclass(frozen=True)
class Input(Params):
    """One input of a spec."""

    SHORTHAND = "default"

    default: str | float | int | bool = param(doc="value when the command line sets none")
    type: Literal["text", "number", "integer", "boolean"] | None = param(None, doc="type; default: that of the default")
    choices: list[str] | None = param(None, doc="the texts allowed")
    min: float | None = param(None, doc="smallest number allowed")
    max: float | None = param(None, doc="largest number allowed")
    doc: str = param("", doc="what the input is for")

    @property
    def kind(self) -> str:
        """Declared type, or that of the default."""
        return self.type or next(name for name, cls in _PYTHON.items() if cls is type(self.default))

    def problem(self, value: object) -> str:
        """Return why a value is not allowed, or an empty string."""
        expected = _PYTHON[self.kind]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (isinstance(value, expected) and (number or self.kind in ("text", "boolean"))) and not (
            self.kind == "number" and number
        ):
            return f"must be {self.kind}"
        if self.choices is not None and str(value) not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        if number and self.min is not None and float(str(value)) < self.min:
            return f"must be at least {self.min:g}"
        if number and self.max is not None and float(str(value)) > self.max:
            return f"must be at most {self.max:g}"
        return ""


class Inputs:
    """The inputs of one spec with their values.

    Parameters
    ----------
    node : Mapping or None
        The ``inputs`` section.
    given : mapping of str to str
        What the command line sets, as text.
    binder : Binder
        Receives the diagnostics.
    """

    def __init__(self, node: Mapping | None, given: MappingABC[str, str], binder: Binder) -> None:
        self._binder = binder
        self.declared: dict[str, Input] = {}
        self.values: dict[str, Scalar] = {}
        for entry in node or ():
            self._declare(entry, given.get(entry.name))
        known = [entry.name for entry in node or ()]
        for name in given:
            if name not in known:
                help = did_you_mean(name, known) or (f"inputs: {', '.join(known)}" if known else "it declares none")
                binder.diagnostics.append(
                    Diagnostic("SQ130", f"--set {name}: the spec has no input `{name}`", help=help)
                )

    def _declare(self, entry: Entry, text: str | None) -> None:
        found = self._binder.value(Input, entry.value, entry.name)
        if not isinstance(found, Input):
            return
        self.declared[entry.name] = found
        node = entry.value
        default = node.get("default") if isinstance(node, Mapping) else node
        if not isinstance(default, Scalar):
            return
        if problem := found.problem(default.value if default.style == "" else default.text):
            self._binder.report("SQ131", f"default of input `{entry.name}` {problem}", default)
            return
        self.values[entry.name] = default if text is None else self._parse(entry.name, found, text, default)

    def _parse(self, name: str, declared: Input, text: str, default: Scalar) -> Scalar:
        root = parse_yaml(Source("--set", text)).root
        value = root.value if isinstance(root, Scalar) and root.style == "" and declared.kind != "text" else text
        if problem := declared.problem(value):
            message = f"--set {name}={text}: `{name}` {problem}"
            self._binder.diagnostics.append(Diagnostic("SQ131", message))
        # The command line has no place in the file, so diagnostics about the value point at the default.
        return Scalar(value, text, default.span, substituted=True)

    def substitute(self, node: Node) -> Node:
        """Return the tree with every ``${inputs.name}`` replaced by its value, at the place of the reference."""
        if isinstance(node, Sequence):
            return Sequence(tuple(self.substitute(item) for item in node.items), node.span)
        if isinstance(node, Mapping):
            entries = tuple(Entry(entry.key, self.substitute(entry.value)) for entry in node)
            return Mapping(entries, node.span)
        return self._scalar(node)

    def _scalar(self, node: Scalar) -> Scalar:
        if "${" not in node.text:
            return node
        match = _REFERENCE.fullmatch(node.text.strip())
        if match is None:
            part = _ANY_REFERENCE.search(node.text)
            start, end = part.span() if part else (0, len(node.text))
            whole = part is not None and part.group() == node.text.strip()
            help = "write `${inputs.NAME}`" if whole else "a reference is the whole value; it is not pasted into text"
            span = node.locate(start, end)
            self._binder.diagnostics.append(Diagnostic("SQ132", "not a reference to an input", span, help=help))
            return node
        name = match["name"]
        value = self.values.get(name)
        if value is None:
            if name not in self.declared:
                span = node.locate(*match.span("name"))
                help = did_you_mean(name, self.declared) or "declare it under `inputs`"
                self._binder.diagnostics.append(Diagnostic("SQ132", f"unknown input `{name}`", span, help=help))
            return node
        return Scalar(value.value, value.text, node.span, value.style, substituted=True)


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
