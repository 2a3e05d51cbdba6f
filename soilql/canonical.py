"""What a bound value means, as plain JSON: the part of a node's key that stands for its block."""

from __future__ import annotations

import dataclasses
from typing import Any

from soilql import params as p

_LEFT_OUT = object()


def canonical(value: Any) -> Any:
    """Return a bound value as plain JSON that says what it means and nothing of how it was written.

    Expressions become their normal text, parameters with ``in_key=False`` and the paths of data sources are left out
    (the sha256 of the files stands for them).
    """
    if isinstance(value, p.Params):
        kept = {f.key: canonical(getattr(value, f.name)) for f in p.fields(type(value)) if f.in_key}
        return {key: item for key, item in kept.items() if item is not _LEFT_OUT}
    if isinstance(value, p.DataSource):
        return _LEFT_OUT
    if isinstance(value, list | tuple):
        items = [canonical(item) for item in value]
        return _LEFT_OUT if items and all(item is _LEFT_OUT for item in items) else items
    if isinstance(value, dict):
        named = {str(key): canonical(item) for key, item in value.items()}
        # A column may be made from the one above it: what is more than a label is made in the order in which it stands.
        labels = all(isinstance(item, str | bool | int | float) for item in value.values())
        return named if labels else [[key, item] for key, item in named.items()]
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if dataclasses.is_dataclass(value) and hasattr(value, "root"):
        from soilql.expr.ast import to_text

        return to_text(value.root)
    raise TypeError(f"no canonical form of {type(value).__name__}")
