"""What a type asks of a node before its value is looked at."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql import params as p
from soilql.source import Mapping, Node, Scalar, Sequence


def split_optional(annotation: Any) -> tuple[bool, Any]:
    """Split ``T | None`` into whether None is allowed and T."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return False, annotation
    args = get_args(annotation)
    rest = tuple(arg for arg in args if arg is not type(None))
    if len(rest) == len(args):
        return False, annotation
    return True, rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built at run time


def shape_fits(annotation: Any, node: Node) -> bool:
    """Whether a node could be a value of a type, by its shape and, of numbers and truth values, by what it is."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return isinstance(node, Scalar)
    if origin is list:
        return isinstance(node, Sequence) or shape_fits(get_args(annotation)[0], node)
    if origin is dict:
        return isinstance(node, Mapping)
    if origin in (Union, types.UnionType):
        return any(shape_fits(choice, node) for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return isinstance(node, Mapping) or (annotation.SHORTHAND is not None and not isinstance(node, Mapping))
    if annotation in (int, float) and isinstance(node, Scalar):
        return isinstance(node.value, int | float) and not isinstance(node.value, bool)
    if annotation is bool and isinstance(node, Scalar):
        return isinstance(node.value, bool)
    return isinstance(node, Scalar)


def is_detail(field: p.Field) -> bool:
    """Whether the rest of a block means the same without a parameter: no name or shape of a result hangs on it."""
    _, inner = split_optional(field.type)
    if field.required:
        return False
    if get_origin(inner) is Annotated:
        return bool(get_args(inner)[1].role == "filter")
    return inner in (int, float, bool, p.UnitText) or get_origin(inner) is Literal
