"""What a kind's parameters say about how its block is written: values without names, `|` lines, short forms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from soilql import kinds
from soilql.params import ColumnName, Params, UnitText, fields


@dataclass(frozen=True)
class ShortForm:
    """How an entry of a `|` line such as `columns` may be written: `Rs = Rs_annual [g m-2 yr-1]`.

    Attributes
    ----------
    name : str or None
        Key that a bare name or quoted text stands for.
    expression : str or None
        Key that any other value stands for.
    unit : str or None
        Key of what stands in brackets behind it.
    """

    name: str | None
    expression: str | None
    unit: str | None


@dataclass(frozen=True)
class Phrase:
    """A `|` line that reads as a phrase: `average Rs by lat, lon` for a first key, then words that are keys."""

    first: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """How one parameter is written.

    Attributes
    ----------
    expression : bool
        Whether it is a formula, a condition or another expression.
    in_pipe : bool
        Whether it is written as a `|` line where the section has them: what is done to rows, columns, variables.
    short : ShortForm or None
        Short form of its entries.
    phrase : Phrase or None
        Words of its `|` line.
    """

    expression: bool
    in_pipe: bool
    short: ShortForm | None
    phrase: Phrase | None


@dataclass(frozen=True)
class Shape:
    """How the parameters of a kind are written; values without names are its required ones, unless it says others."""

    positional: tuple[str, ...]
    slots: Mapping[str, Slot]


@cache
def find_shape(section: str, kind: str) -> Shape | None:
    """Return the shape of a kind, or None for a kind that does not exist.

    Examples
    --------
    >>> find_shape("zones", "cut").positional
    ('of', 'breaks', 'labels')
    """
    found = kinds.find(section, kind) if section in kinds.SECTIONS else None
    if found is None:
        return None
    declared = fields(found.params_type)
    positional = found.params_type.POSITIONAL or tuple(field.key for field in declared if field.required)
    return Shape(positional, {field.key: _slot(field.type) for field in declared})


def _slot(annotation: Any) -> Slot:
    choices = list(_choices(annotation))
    roles = [get_args(choice)[1].role for choice in choices if get_origin(choice) is Annotated]
    mapping = next((choice for choice in choices if get_origin(choice) is dict), None)
    nested = next(filter(_is_params, choices), None)
    columns = any(get_origin(choice) is list and get_args(choice)[0] is ColumnName for choice in choices)
    entry = next(filter(_is_params, _choices(get_args(mapping)[1])), None) if mapping is not None else None
    return Slot(
        bool(roles),
        "filter" in roles or mapping is not None or nested is not None or columns,
        None if entry is None else _short_form(entry),
        None if nested is None else _phrase(nested),
    )


def _choices(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) in (Union, UnionType):
        for choice in get_args(annotation):
            yield from _choices(choice)
    elif annotation is not type(None):
        yield annotation


def _is_params(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Params)


def _short_form(cls: type[Params]) -> ShortForm | None:
    declared = fields(cls)
    choices = {field.key: list(_choices(field.type)) for field in declared}
    expressions = [key for key in choices if any(get_origin(choice) is Annotated for choice in choices[key])]
    units = [key for key in choices if UnitText in choices[key]]
    if cls.SHORTHAND is None and not expressions:
        return None
    return ShortForm(cls.SHORTHAND, next(iter(expressions), None), next(iter(units), None))


def _phrase(cls: type[Params]) -> Phrase | None:
    """Return the words of a phrase: only parameters of which several must be given make one."""
    keys = [field.key for field in fields(cls)]
    required = [field.key for field in fields(cls) if field.required]
    return Phrase(required[0], tuple(key for key in keys if key != required[0])) if len(required) > 1 else None
