"""Bind a block of the tree to the parameters of its kind, and say everything that does not fit."""

from __future__ import annotations

import dataclasses
import math
import re
import types
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql import params as p
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.source import Entry, Mapping, Node, Scalar, Sequence

_NEW_NAME = re.compile(r"[^\W\d]\w*")
_SHAPES = {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}
_MISSING = object()


class Binder:
    """Turn nodes into typed values; every problem goes into :attr:`diagnostics`.

    A value that cannot be bound leaves its block unbuilt, so that one mistake gives one diagnostic.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def params(self, cls: type[p.Params], node: Mapping, *, ignore: Iterable[str] = ()) -> Any | None:
        """Build a Params object from a mapping.

        Parameters
        ----------
        cls : type
            The Params class.
        node : Mapping
            The block.
        ignore : iterable of str
            Keys that are read elsewhere (``kind``).

        Returns
        -------
        object of type cls, or None
            None where something did not fit; :attr:`diagnostics` then says what.
        """
        declared = p.fields(cls)
        by_key = {field.key: field for field in declared}
        skipped = set(ignore)
        values: dict[str, Any] = {}
        fits = True
        for entry in node:
            if entry.name in skipped or entry.name.startswith("x-"):
                continue
            field = by_key.get(entry.name)
            if field is None:
                self._unknown_key(entry, [key for key in by_key if node.get(key) is None])
                fits = False
                continue
            value = self._field(field, entry.value)
            fits = fits and value is not _MISSING
            values[field.name] = value
        return self._build(cls, node, declared, values) if self._complete(node, declared, values) and fits else None

    def _build(self, cls: type[p.Params], node: Mapping, declared: tuple[p.Field, ...], values: dict[str, Any]) -> Any:
        given = {field.name: values.get(field.name, field.default) for field in declared}
        try:
            return cls(**given)
        except ValueError as error:  # a Params class may check in __post_init__ what concerns several fields
            key = str(error.args[1]) if len(error.args) > 1 else ""
            inner = node.get(key)
            self.report("SQ112", str(error.args[0]), inner or node)
            return None

    def _complete(self, node: Mapping, declared: tuple[p.Field, ...], values: dict[str, Any]) -> bool:
        missing = [field for field in declared if field.required and field.name not in values]
        for field in missing:
            span = node.entries[0].key.span if node.entries else node.span
            what = f"`{field.key}`: {field.doc}" if field.doc else f"`{field.key}`"
            self.diagnostics.append(Diagnostic("SQ121", f"missing key `{field.key}`", span, help=f"add {what}"))
        return not missing

    def _unknown_key(self, entry: Entry, known: list[str]) -> None:
        help = did_you_mean(entry.name, known) or (f"known keys: {', '.join(sorted(known))}" if known else "")
        self.diagnostics.append(Diagnostic("SQ120", f"unknown key `{entry.name}`", entry.key.span, help=help))

    def _field(self, field: p.Field, node: Node) -> Any:
        optional, inner = _optional(field.type)
        if isinstance(node, Scalar) and node.value is None and node.style == "":
            if optional or not field.required:
                return field.default
            return self.report("SQ122", f"`{field.key}` has no value", node, help=f"expected {describe(inner)}")
        value = self.value(inner, node, field.key)
        return value if value is _MISSING else self._bounded(field, value, node)

    def _bounded(self, field: p.Field, value: Any, node: Node) -> Any:
        if isinstance(value, list):
            items = node.items if isinstance(node, Sequence) else (node,) * len(value)
            bound = [self._bounded(field, item, item_node) for item, item_node in zip(value, items, strict=False)]
            return _MISSING if any(item is _MISSING for item in bound) else bound
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        words = bounds_text(field)
        inside = (
            (field.minimum is None or value >= field.minimum)
            and (field.maximum is None or value <= field.maximum)
            and (field.above is None or value > field.above)
            and (field.below is None or value < field.below)
            and not (words and math.isnan(value))
        )
        return value if inside else self.report("SQ123", f"`{field.key}` must be {words}", node, f"is {value:g}")

    def value(self, annotation: Any, node: Node, key: str) -> Any:
        """Bind one node to one type; the module's missing marker where it does not fit."""
        if isinstance(node, Scalar) and "${" in node.text and not node.substituted:
            return _MISSING  # a reference that leads nowhere has been reported where the inputs are put in
        origin = get_origin(annotation)
        if origin is Annotated:
            return self._expression(get_args(annotation)[1], node, key)
        if origin in (Union, types.UnionType):
            return self._union(get_args(annotation), node, key)
        if origin is list:
            return self._list(get_args(annotation)[0], node, key)
        if origin is dict:
            key_type, item = get_args(annotation)
            return self._dict(key_type, item, node, key)
        if origin is Literal:
            return self._choice(get_args(annotation), node, key)
        if isinstance(annotation, type) and issubclass(annotation, p.Params):
            return self._nested(annotation, node, key)
        return self._scalar(annotation, node, key)

    def _expression(self, role: p.ExprRole, node: Node, key: str) -> Any:
        from soilql.expr.parse import parse_expression, parse_formula

        if not isinstance(node, Scalar):
            return self._wrong_shape(node, key, "an expression")
        parse = parse_formula if role.role == "formula" else parse_expression
        try:
            return parse(node.text, node.locate)
        except SoilqlError as error:
            self.diagnostics += error.diagnostics
            return _MISSING

    def _union(self, choices: tuple[Any, ...], node: Node, key: str) -> Any:
        fitting = [choice for choice in choices if _shape_fits(choice, node)]
        if not fitting:
            return self._wrong_shape(node, key, " or ".join(describe(choice) for choice in choices))
        # A number is taken as text only where no number is asked for.
        fitting.sort(key=lambda choice: not (isinstance(node, Scalar) and type(node.value) is choice))
        trial = Binder()
        for choice in fitting[:-1]:
            value = trial.value(choice, node, key)
            if value is not _MISSING and not trial.diagnostics:
                return value
            trial = Binder()
        if len(fitting) > 1:
            value = trial.value(fitting[-1], node, key)
            if value is _MISSING:
                words = " or ".join(describe(choice) for choice in fitting)
                return self.report("SQ122", f"`{key}` must be {words}", node, _found(node))
            return value
        return self.value(fitting[-1], node, key)

    def _list(self, item: Any, node: Node, key: str) -> Any:
        nodes = node.items if isinstance(node, Sequence) else (node,)
        if not isinstance(node, Sequence) and not _shape_fits(item, node):
            return self._wrong_shape(node, key, f"a list of {describe(item)}")
        values = [self.value(item, inner, key) for inner in nodes]
        return _MISSING if any(value is _MISSING for value in values) else values

    def _dict(self, key_type: Any, item: Any, node: Node, key: str) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong_shape(node, key, "a mapping")
        bound: dict[str, Any] = {}
        fits = True
        for entry in node:
            if entry.name.startswith("x-"):
                continue
            name = self._scalar(key_type, entry.key, entry.name)
            optional, inner = _optional(item)
            empty = isinstance(entry.value, Scalar) and entry.value.value is None and entry.value.style == ""
            value = None if empty and optional else self.value(inner, entry.value, entry.name)
            fits = fits and name is not _MISSING and value is not _MISSING
            bound[name if name is not _MISSING else entry.name] = value
        return bound if fits else _MISSING

    def _choice(self, choices: tuple[Any, ...], node: Node, key: str) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong_shape(node, key, "one of " + ", ".join(map(str, choices)))
        for choice in choices:
            if node.value == choice or (isinstance(choice, str) and node.text == choice):
                return choice
        help = did_you_mean(node.text, [str(c) for c in choices]) or ""
        return self.report(
            "SQ124", f"`{key}` cannot be `{node.text}`", node, f"one of {', '.join(map(str, choices))}", help
        )

    def _nested(self, cls: type[p.Params], node: Node, key: str) -> Any:
        if isinstance(node, Mapping):
            built = self.params(cls, node)
            return _MISSING if built is None else built
        short = next((field for field in p.fields(cls) if field.key == cls.SHORTHAND), None)
        if short is None:
            return self._wrong_shape(node, key, "a mapping")
        value = self._field(short, node)
        rest = {f.name: f.default for f in p.fields(cls) if f.name != short.name}
        return _MISSING if value is _MISSING else cls(**{short.name: value, **rest})

    def _scalar(self, annotation: Any, node: Node, key: str) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong_shape(node, key, describe(annotation))
        value = node.value if node.style == "" else node.text
        if annotation is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if annotation in (int, float, bool):
            if type(value) is annotation:
                return value
            return self.report("SQ122", f"`{key}` must be {describe(annotation)}", node, _found(node))
        if not isinstance(value, str) and annotation is not p.UnitText:  # the unit `1` is a number in YAML
            if value is None:
                return self.report("SQ122", f"`{key}` has no value", node, help=f"expected {describe(annotation)}")
            if annotation is str or annotation is p.ColumnName:
                return annotation(node.text)  # a year or a class number used as a label
            return self.report("SQ122", f"`{key}` must be {describe(annotation)}", node, _found(node))
        if annotation is p.NewName and not _NEW_NAME.fullmatch(node.text):
            help = "use letters, digits and underscores, beginning with a letter"
            return self.report("SQ125", f"`{node.text}` cannot be a name", node, help=help)
        if annotation is p.UnitText:
            return self._unit(node)
        return annotation(node.text)

    def _unit(self, node: Scalar) -> Any:
        from soilql.units import check_unit

        found = check_unit(node.text, node.locate)
        self.diagnostics += found
        return _MISSING if any(d.severity is Severity.ERROR for d in found) else p.UnitText(node.text)

    def _wrong_shape(self, node: Node, key: str, expected: str) -> Any:
        return self.report("SQ122", f"`{key}` must be {expected}", node, f"is {_SHAPES[type(node)]}")

    def report(self, code: str, message: str, node: Node, label: str = "", help: str = "") -> Any:
        """Add a diagnostic at a node and return the marker of a value that is missing."""
        span = node.span
        if isinstance(node, Mapping) and node.entries:
            span = node.entries[0].key.span
        self.diagnostics.append(Diagnostic(code, message, span, label, help))
        return _MISSING


def _optional(annotation: Any) -> tuple[bool, Any]:
    """Split ``T | None`` into whether None is allowed and T."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return False, annotation
    args = get_args(annotation)
    rest = tuple(arg for arg in args if arg is not type(None))
    if len(rest) == len(args):
        return False, annotation
    return True, rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built at run time


def _shape_fits(annotation: Any, node: Node) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return isinstance(node, Scalar)
    if origin is list:
        return isinstance(node, Sequence) or _shape_fits(get_args(annotation)[0], node)
    if origin is dict:
        return isinstance(node, Mapping)
    if origin in (Union, types.UnionType):
        return any(_shape_fits(choice, node) for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return isinstance(node, Mapping) or (annotation.SHORTHAND is not None and not isinstance(node, Mapping))
    if annotation in (int, float) and isinstance(node, Scalar):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if annotation is bool and isinstance(node, Scalar):
        return isinstance(node.value, bool)
    return isinstance(node, Scalar)


def _found(node: Node) -> str:
    if not isinstance(node, Scalar):
        return f"is {_SHAPES[type(node)]}"
    if isinstance(node.value, str) or node.style:
        return f"is the text `{node.text.strip()}`"
    names: dict[type, str] = {
        bool: "is true or false",
        type(None): "is empty",
        int: "is a number",
        float: "is a number",
    }
    return names[type(node.value)]


_TYPE_WORDS: dict[Any, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    p.TableRef: "the name of a table",
    p.GridRef: "the name of a grid",
    p.DataRef: "the name of a table or a grid",
    p.ModelRef: "the name of a model",
    p.ZonesRef: "the name of a partition in `zones`",
    p.SchemeRef: "the name of a scheme in `validation`",
    p.DataSource: "a path or `registry:NAME`",
    p.UnitText: "a unit",
    p.ColumnName: "the name of a column",
    p.NewName: "a name",
}


def describe(annotation: Any) -> str:
    """Return a type in words, for messages and documentation.

    Examples
    --------
    >>> describe(list[float])
    'a list of numbers'
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        role = get_args(annotation)[1].role
        return {"formula": "a formula `y ~ x`", "filter": "a condition"}.get(role, "an expression")
    if origin in (Union, types.UnionType):
        return " or ".join(describe(arg) for arg in get_args(annotation) if arg is not type(None))
    if origin is list:
        return f"a list of {_plural(describe(get_args(annotation)[0]))}"
    if origin is dict:
        return f"a mapping of names to {_plural(describe(get_args(annotation)[1]))}"
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(annotation)))
    return _TYPE_WORDS.get(annotation, "a mapping")


def _plural(words: str) -> str:
    if words.startswith("the name of a "):
        return "names of " + " or ".join(f"{noun}s" for noun in words.removeprefix("the name of a ").split(" or a "))
    article, _, noun = words.partition(" ")
    return f"{noun}s" if article in ("a", "an") and " " not in noun.removeprefix("whole ") else words


def bounds_text(field: p.Field) -> str:
    """Return the bounds of a number in words, or an empty string."""
    parts: list[tuple[float | None, Callable[[str], str]]] = [
        (field.minimum, lambda v: f"at least {v}"),
        (field.above, lambda v: f"above {v}"),
        (field.maximum, lambda v: f"at most {v}"),
        (field.below, lambda v: f"below {v}"),
    ]
    return " and ".join(words(f"{value:g}") for value, words in parts if value is not None)


def canonical(value: Any) -> Any:
    """Return a bound value as plain JSON that says what it means and nothing of how it was written.

    Expressions become their normal text, parameters with ``in_key=False`` and the paths of data sources are left out
    (the sha256 of the files stands for them).
    """
    if isinstance(value, p.Params):
        kept = {f.key: canonical(getattr(value, f.name)) for f in p.fields(type(value)) if f.in_key}
        return {key: item for key, item in kept.items() if item is not _MISSING}
    if isinstance(value, p.DataSource):
        return _MISSING
    if isinstance(value, list | tuple):
        items = [canonical(item) for item in value]
        return _MISSING if items and all(item is _MISSING for item in items) else items
    if isinstance(value, dict):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if dataclasses.is_dataclass(value) and hasattr(value, "root"):
        from soilql.expr.ast import to_text

        return to_text(value.root)
    raise TypeError(f"no canonical form of {type(value).__name__}")
