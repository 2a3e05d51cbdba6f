"""Bind a block of the tree to the parameters of its kind, and say everything that does not fit."""

from __future__ import annotations

import contextlib
import math
import re
import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql import params as p
from soilql.edits import replaced, respelled
from soilql.errors import Diagnostic, Fix, Severity, SoilqlError, Span, did_you_mean
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, resolve
from soilql.type_shapes import is_detail, shape_fits, split_optional
from soilql.type_words import bounds_text, describe, listed

_NEW_NAME = re.compile(r"[^\W\d]\w*")
_LONGEST_NAME = 80
_SHAPES = {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}
_MISSING = object()
_TRUTHS = {"yes": "true", "y": "true", "on": "true", "no": "false", "n": "false", "off": "false"}


class Binder:
    """Turn nodes into typed values; every problem goes into :attr:`diagnostics`.

    A value that cannot be bound leaves its block unbuilt, so that one mistake gives one diagnostic.
    """

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._cut: set[int] = set()  # places of commas that cut off an expression

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
            None where something did not fit that says what the block is; :attr:`diagnostics` then says what. An
            optional number, word, unit or filter that did not fit is reported too and has its default, so that the
            rest of the block can still be checked.
        """
        declared = p.fields(cls)
        by_key = {field.key: field for field in declared}
        skipped = set(ignore)
        values: dict[str, Any] = {}
        meant: set[str] = set()
        fits, strange = True, False
        for before, entry in zip((None, *node.entries), node, strict=False):
            if self._is_rest(before, entry):
                continue
            if entry.name in skipped or entry.name.startswith("x-"):
                continue
            field = by_key.get(entry.name)
            if field is None:
                close = self._unknown_key(node, entry, [key for key in by_key if node.get(key) is None])
                meant |= close
                strange = strange or not close
                fits = fits and bool(close) and all(is_detail(by_key[key]) for key in close)
                continue
            value = self._field(field, entry.value)
            fits = fits and (value is not _MISSING or is_detail(field))
            values[field.name] = value
        missing = [field for field in declared if field.required and field.name not in values]
        self._missing_keys(node, [field for field in missing if field.key not in meant])
        # A key like none may be any of those that are not given.
        unknown = {f.name for f in declared if f.name not in values and (strange or f.required or f.key in meant)}
        return self._build(cls, node, values, unknown, fits=fits and not missing)

    def _build(
        self, cls: type[p.Params], node: Node, values: dict[str, Any], unknown: Iterable[str] = (), *, fits: bool = True
    ) -> Any | None:
        """Return the object, or None where it makes no sense; report what of its known values does not fit together."""
        unfit = {name for name, value in values.items() if value is _MISSING}
        given = {f.name: f.default for f in p.fields(cls)}
        given |= {name: value for name, value in values.items() if name not in unfit}
        said = False
        for message, key in _problems(cls, given, unfit | set(unknown)):
            inner = node.get(key) if isinstance(node, Mapping) else None
            self.report("SQ126", message, inner or node)
            said = True
        if said or not fits:
            return None
        built = cls(**given)
        return None if any(built.problems()) else built  # a default may not go with the rest

    def _missing_keys(self, node: Mapping, missing: Iterable[p.Field]) -> None:
        for field in missing:
            span = node.entries[0].key.span if node.entries else node.span
            what = f"`{field.key}`: {field.doc}" if field.doc else f"`{field.key}`"
            self.diagnostics.append(Diagnostic("SQ121", f"missing key `{field.key}`", span, help=f"add {what}"))

    def _unknown_key(self, node: Mapping, entry: Entry, known: list[str]) -> set[str]:
        """Report a key and return the keys that it may be a misspelling of: they are not missing."""
        close = did_you_mean(entry.name, known)
        help = close or (f"known keys: {', '.join(sorted(known))}" if known else "")
        message, span = f"unknown key `{entry.name}`", entry.key.span
        # A key that was merged in from an anchor may be right in the other places.
        own = node.span.start <= span.start < node.span.end
        fixes = respelled(span, entry.name, known, safe=True) if own else ()
        self.diagnostics.append(Diagnostic("SQ120", message, span, help=help, fixes=fixes))
        return {key for key in known if f"`{key}`" in close}

    def _field(self, field: p.Field, node: Node) -> Any:
        optional, inner = split_optional(field.type)
        if _is_empty(node):
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
        if inside:
            return value
        share = (field.maximum == 1 or field.below == 1) and 1 < value < 100
        help = f"for {value:g} % write {value / 100:g}" if share else ""
        return self.report("SQ123", f"`{field.key}` must be {words}", node, f"is {value:g}", help)

    def field(self, field: p.Field, node: Node) -> Any:
        """Bind one node to one declared parameter, its bounds included; None where it does not fit."""
        value = self._field(field, node)
        return None if value is _MISSING else value

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
            comma = _comma_after(node)
            if comma is None:
                self.diagnostics += error.diagnostics
                return _MISSING
            self._cut.add(comma.start)
            help = "inside `{...}` a comma ends the value: put the whole expression in quotes"
            self.diagnostics.append(Diagnostic("SQ110", "the expression is cut off at the comma", comma, help=help))
            return _MISSING

    def _is_rest(self, before: Entry | None, entry: Entry) -> bool:
        """Whether an entry is the rest of an expression that a comma cut off, reported already."""
        if before is None or not _is_empty(entry.value):
            return False
        comma = _next_comma(before.value.span if not _is_empty(before.value) else before.key.span)
        if comma is None or comma.start not in self._cut:
            return False
        following = _next_comma(entry.key.span)
        self._cut |= {following.start} if following else set()
        return True

    def _union(self, choices: tuple[Any, ...], node: Node, key: str) -> Any:
        fitting = [choice for choice in choices if shape_fits(choice, node)]
        if not fitting:
            return self._wrong_shape(node, key, describe(Union[choices]))  # noqa: UP007 - built at run time
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
                words = describe(Union[tuple(fitting)])  # noqa: UP007 - built at run time
                return self.report("SQ122", f"`{key}` must be {words}", node, _found(node))
            return value
        return self.value(fitting[-1], node, key)

    def _list(self, item: Any, node: Node, key: str) -> Any:
        nodes = node.items if isinstance(node, Sequence) else (node,)
        if not isinstance(node, Sequence) and not shape_fits(item, node):
            return self._wrong_shape(node, key, f"a list of {describe(item)}")
        values = [self.value(item, inner, key) for inner in nodes]
        return _MISSING if any(value is _MISSING for value in values) else values

    def _dict(self, key_type: Any, item: Any, node: Node, key: str) -> Any:
        if not isinstance(node, Mapping):
            return self._wrong_shape(node, key, "a mapping")
        bound: dict[str, Any] = {}
        fits = True
        for before, entry in zip((None, *node.entries), node, strict=False):
            if entry.name.startswith("x-") or self._is_rest(before, entry):
                continue
            name = self._scalar(key_type, entry.key, entry.name)
            optional, inner = split_optional(item)
            empty = _is_empty(entry.value)
            value = None if empty and optional else self.value(inner, entry.value, entry.name)
            fits = fits and name is not _MISSING and value is not _MISSING
            bound[name if name is not _MISSING else entry.name] = value
        return bound if fits else _MISSING

    def _choice(self, choices: tuple[Any, ...], node: Node, key: str) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong_shape(node, key, "one of " + listed(choices))
        for choice in choices:
            if node.value == choice or (isinstance(choice, str) and node.text == choice):
                return choice
        help = did_you_mean(node.text, [str(c) for c in choices]) or ""
        fixes = respelled(node.span, node.text, [str(c) for c in choices], safe=True)
        message, label = f"`{key}` cannot be `{node.text}`", f"one of {listed(choices)}"
        return self.report("SQ124", message, node, label, help, fixes)

    def _nested(self, cls: type[p.Params], node: Node, key: str) -> Any:
        if isinstance(node, Mapping):
            built = self.params(cls, node)
            return _MISSING if built is None else built
        short = next((field for field in p.fields(cls) if field.key == cls.SHORTHAND), None)
        if short is None:
            return self._wrong_shape(node, key, "a mapping")
        value = self._field(short, node)
        built = None if value is _MISSING else self._build(cls, node, {short.name: value})
        return _MISSING if built is None else built

    def _scalar(self, annotation: Any, node: Node, key: str) -> Any:
        if not isinstance(node, Scalar):
            return self._wrong_shape(node, key, describe(annotation))
        value = node.value if node.style == "" else node.text
        if annotation is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if annotation in (int, float, bool):
            if type(value) is annotation:
                return value
            plain = _plain(annotation, node)
            help = f"write `{plain}`{' without quotes' if node.style and plain == node.text.strip() else ''}"
            fixes = () if node.substituted else replaced(node.span, node.span.text, plain, safe=True)
            message = f"`{key}` must be {describe(annotation)}"
            return self.report("SQ122", message, node, _found(node), help if plain else "", fixes if plain else ())
        if not isinstance(value, str) and annotation is not p.UnitText:  # the unit `1` is a number in YAML
            if value is None:
                return self.report("SQ122", f"`{key}` has no value", node, help=f"expected {describe(annotation)}")
            if annotation is str or annotation is p.ColumnName:
                return annotation(node.text)  # a year or a class number used as a label
            return self.report("SQ122", f"`{key}` must be {describe(annotation)}", node, _found(node))
        if annotation is p.NewName and not _NEW_NAME.fullmatch(node.text):
            mended = re.sub(r"\W+", "_", node.text.strip())
            help = "use letters, digits and underscores, beginning with a letter"
            help = f"write `{mended}`" if _NEW_NAME.fullmatch(mended) else help
            return self.report("SQ125", f"`{node.text}` cannot be a name", node, help=help)
        if annotation is p.NewName and len(node.text.encode()) > _LONGEST_NAME:
            message = f"the name `{node.text[:20]}...` is too long: names of files are made of it"
            return self.report("SQ125", message, node, help=f"use at most {_LONGEST_NAME} letters")
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

    def report(
        self, code: str, message: str, node: Node, label: str = "", help: str = "", fixes: tuple[Fix, ...] = ()
    ) -> Any:
        """Add a diagnostic at a node and return the marker of a value that is missing."""
        span = node.span
        if isinstance(node, Mapping) and node.entries:
            span = node.entries[0].key.span
        self.diagnostics.append(Diagnostic(code, message, span, label, help, fixes=fixes))
        return _MISSING


class _UnknownError(Exception):
    """A value was read that is not known."""


def _problems(cls: type[p.Params], given: dict[str, Any], unknown: set[str]) -> Iterator[p.Problem]:
    """Yield the first problem of each key that can be told without the unknown values."""

    def read(built: p.Params, name: str) -> Any:
        if name in unknown:
            raise _UnknownError
        return object.__getattribute__(built, name)

    watched = type(cls.__name__, (cls,), {"__getattribute__": read})
    told = set()
    with contextlib.suppress(_UnknownError):
        for message, key in watched(**given).problems():
            if key not in told:
                yield message, key
            told.add(key)


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.style == ""


def _next_comma(span: Span) -> Span | None:
    """Return the comma that follows a place, if nothing but white space lies between."""
    text = span.source.text
    at = len(text) - len(text[span.end :].lstrip())
    return span.source.span(at, at + 1) if text[at : at + 1] == "," else None


def _comma_after(node: Scalar) -> Span | None:
    """Return the comma that cut off an unquoted expression inside braces, between its parentheses."""
    cut = node.style == "" and not node.substituted and node.text.count("(") > node.text.count(")")
    return _next_comma(node.span) if cut else None


def _plain(annotation: Any, node: Scalar) -> str:
    """Return how a number or truth value is written that was given as text; empty where it was something else."""
    text = node.text.strip()
    if annotation is bool and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    number = resolve(text)
    wanted = isinstance(number, int if annotation is int else int | float) and not isinstance(number, bool)
    return text if node.style and annotation is not bool and wanted else ""


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
