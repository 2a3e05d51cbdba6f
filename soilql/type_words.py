"""Types and bounds of parameters in words, for messages and documentation."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql import params as p

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
        args = [arg for arg in get_args(annotation) if arg is not type(None)]
        kept = [arg for arg in args if not (arg is int and float in args)]  # a whole number is a number
        return _either([describe(arg) for arg in kept])
    if origin is list:
        return f"a list of {_plural(describe(get_args(annotation)[0]))}"
    if origin is dict:
        return f"a mapping of names to {_plural(describe(get_args(annotation)[1]))}"
    if origin is Literal:
        return "one of " + listed(get_args(annotation))
    return _TYPE_WORDS.get(annotation, "a mapping")


def _either(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 2 else words)


def listed(choices: Iterable[Any]) -> str:
    """Join the words that may be chosen; signs such as a decimal comma in backquotes."""
    return ", ".join(text if text[:1].isalnum() else f"`{text}`" for text in map(str, choices))


def _plural(words: str) -> str:
    if words == _TYPE_WORDS[p.DataSource]:
        return "paths or `registry:NAME`"
    if words.startswith("the name of a "):
        nouns = (noun.partition(" ") for noun in words.removeprefix("the name of a ").split(" or a "))
        return "names of " + " or ".join(f"{noun}s{blank}{rest}" for noun, blank, rest in nouns)
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
    return " and ".join(words(number_text(value)) for value, words in parts if value is not None)


def number_text(value: float) -> str:
    """Return a number as people write it: whole numbers without a point or exponent."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"
