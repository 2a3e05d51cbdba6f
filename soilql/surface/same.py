"""Whether two trees say the same: keys in order and typed values, whatever their places and quotes."""

from __future__ import annotations

from typing import Any

from soilql.source import Mapping, Node, Scalar, Sequence


def plain(node: Node | None) -> Any:
    """Return a tree as nested tuples that are equal where trees say the same.

    An empty file and an empty mapping as the whole of it say the same.
    """
    if node is None:
        return ("mapping",)
    if isinstance(node, Mapping):
        return ("mapping", *((entry.name, plain(entry.value)) for entry in node))
    if isinstance(node, Sequence):
        return ("list", *(plain(item) for item in node.items))
    return scalar_key(node)


def scalar_key(scalar: Scalar) -> tuple[str, str]:
    """Return the type and text of a value: two that are written differently, such as 1e3 and 1000, are not the same.

    No value is the same however it is written.
    """
    return type(scalar.value).__name__, "" if scalar.value is None else scalar.text
