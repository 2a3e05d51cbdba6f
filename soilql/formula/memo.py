"""What has been worked out about a spec, kept for the next rule that asks."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_kept: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()


def once(spec: object, key: Hashable, make: Callable[[], T]) -> T:
    """Return what a function makes, made at the first call for a spec and a key.

    Parameters
    ----------
    spec : Spec or other scope
        What it is made from; compared by identity, never changed, and not kept alive.
    key : hashable
        What is asked of it.
    make : callable
        Makes it, from nothing but the spec and the key.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> source = Source("x.yaml", "")
    >>> once(source, "a", lambda: [1]) is once(source, "a", lambda: [1])
    True
    """
    kept = _kept.setdefault(spec, {})
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found
