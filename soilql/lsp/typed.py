"""The tree of a spec beside the declared types of its parameters: what each key and value stands for."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql.params import ExprRole, Field, Params, fields
from soilql.source import Mapping, Node, Scalar, Sequence

Step = str | int


@dataclass(frozen=True)
class Slot:
    """What may stand in a place.

    Attributes
    ----------
    annotation : Any
        One declared type: never a union, and of a list its item as well.
    field : Field or None
        The declared parameter that the place is, or is a part of.
    """

    annotation: Any
    field: Field | None = None

    @property
    def role(self) -> ExprRole | None:
        """What an expression is for; None for any other type."""
        return get_args(self.annotation)[1] if get_origin(self.annotation) is Annotated else None

    @property
    def params(self) -> type[Params] | None:
        """The parameters of a mapping with declared keys."""
        return self.annotation if is_a(self.annotation, Params) else None

    @property
    def mapping(self) -> tuple[Any, Any] | None:
        """Types of the names and values of a mapping with names of the author's."""
        return get_args(self.annotation) if get_origin(self.annotation) is dict else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words that may stand here, where only some may."""
        return get_args(self.annotation) if get_origin(self.annotation) is Literal else ()


def is_a(annotation: Any, cls: type) -> bool:
    """Return whether a type is a class or one below it."""
    return isinstance(annotation, type) and issubclass(annotation, cls)


def slots(annotation: Any, field: Field | None = None) -> Iterator[Slot]:
    """Yield what a declared type admits; a list of one may be written as its item.

    Examples
    --------
    >>> [slot.annotation for slot in slots(list[int] | None)]
    [list[int], <class 'int'>]
    """
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for choice in get_args(annotation):
            yield from slots(choice, field)
    elif origin is list:
        yield Slot(annotation, field)
        yield from slots(get_args(annotation)[0], field)
    elif annotation is not type(None):
        yield Slot(annotation, field)


def step_into(found: Iterable[Slot], step: Step) -> Iterator[Slot]:
    """Yield what may stand one step further: under a key, or at a position in a list."""
    for slot in found:
        if isinstance(step, int):
            if get_origin(slot.annotation) is list:
                yield from slots(get_args(slot.annotation)[0], slot.field)
        elif slot.params is not None:
            for field in fields(slot.params):
                if field.key == step:
                    yield from slots(field.type, field)
        elif slot.mapping is not None:
            yield from slots(slot.mapping[1], slot.field)


def slots_at(cls: type[Params], path: Iterable[Step]) -> list[Slot]:
    """Return what may stand at a path in a block of declared parameters.

    A single value may also be the short form of a mapping; what it then stands for is among the result.
    """
    found = [Slot(cls)]
    for step in path:
        found = list(step_into(found, step))
    return found


def short_forms(found: Iterable[Slot]) -> Iterator[Slot]:
    """Yield what single values mean in the place of mappings that have a short form."""
    for slot in found:
        if slot.params is not None and slot.params.SHORTHAND is not None:
            for field in fields(slot.params):
                if field.key == slot.params.SHORTHAND:
                    yield from slots(field.type, field)


@dataclass(frozen=True, eq=False)
class Leaf:
    """A single value, or a name of the author's that is a key.

    Attributes
    ----------
    scalar : Scalar
    slots : tuple of Slot
        What it may be.
    path : tuple
        Keys and positions that lead to it, from the block.
    value : Node or None
        For a key, what stands under it.
    is_key : bool
    """

    scalar: Scalar
    slots: tuple[Slot, ...]
    path: tuple[Step, ...]
    value: Node | None = None
    is_key: bool = False

    def of(self, cls: type) -> Any:
        """Return the first type below a class that the value may have, or None."""
        return next((slot.annotation for slot in self.slots if is_a(slot.annotation, cls)), None)

    @property
    def role(self) -> ExprRole | None:
        """What it is for, where it is an expression."""
        return next((slot.role for slot in self.slots if slot.role is not None), None)

    @property
    def field(self) -> Field | None:
        """The parameter that it is a part of."""
        return self.slots[0].field if self.slots else None


def leaves(cls: type[Params], node: Mapping) -> Iterator[Leaf]:
    """Yield the single values of a block, and the keys that are names of the author's, in order.

    Examples
    --------
    >>> from soilql import kinds
    >>> from soilql.errors import Source
    >>> from soilql.source import parse_yaml
    >>> tree = parse_yaml(Source("x.yaml", "{formula: Rs ~ a*T, data: t, params: {a: {start: 1}}}"))
    >>> [leaf.path for leaf in leaves(kinds.find("models", "nonlinear").params_type, tree.root)]
    [('formula',), ('data',), ('params', 'a'), ('params', 'a', 'start')]
    """
    yield from _leaves(node, [Slot(cls)], ())


def _leaves(node: Node, found: list[Slot], path: tuple[Step, ...]) -> Iterator[Leaf]:
    if isinstance(node, Scalar):
        single = [slot for slot in found if slot.params is None and slot.mapping is None]
        single = [slot for slot in single if get_origin(slot.annotation) is not list]
        yield Leaf(node, (*single, *short_forms(found)), path)
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            inner = list(step_into(found, i))
            yield from _leaves(item, inner, (*path, i))
    else:
        for entry in node:
            if entry.name.startswith("x-"):
                continue
            inside = (*path, entry.name)
            names = [one for slot in found if slot.mapping is not None for one in slots(slot.mapping[0], slot.field)]
            declared = any(slot.params is not None and _has(slot.params, entry.name) for slot in found)
            if names and not declared:
                yield Leaf(entry.key, tuple(names), inside, entry.value, is_key=True)
            yield from _leaves(entry.value, list(step_into(found, entry.name)), inside)


def _has(cls: type[Params], key: str) -> bool:
    return any(field.key == key for field in fields(cls))
