"""References between blocks: where they stand, what they lead to, and the names of blocks inside a recipe.

A recipe under an alias is a scope of its own: `alias::block` names one of its blocks from outside, and inside it its
blocks go by their own names, so that it computes the same wherever it is used. `super::block` names, from inside, a
block of the spec that uses the recipe; it comes in through an input of type `reference`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from soilql import params
from soilql.errors import Span
from soilql.kinds import Block
from soilql.params import DataSource, Params, Ref

#: Between an alias and the name of a block, as between a package and its functions in R.
SEPARATOR = "::"
#: From inside a recipe, the spec that uses it.
OUTWARDS = f"super{SEPARATOR}"


@dataclass(frozen=True)
class Reference:
    """One mention of a block in another block's parameters.

    Attributes
    ----------
    ref : Ref
        What is named.
    span : Span
        Where.
    parameter : str
        Key of the parameter that holds it.
    in_expression : bool
        Whether it is a name in an expression, which the block's kind checks as a whole.
    """

    ref: Ref
    span: Span
    parameter: str
    in_expression: bool = False


def find_references(block: Block) -> Iterator[Reference]:
    """Yield every reference that a block's parameters hold, also inside lists, mappings and expressions."""
    yield from _references(block, block.params, ())


def _references(block: Block, value: Any, path: tuple[str | int, ...]) -> Iterator[Reference]:
    if isinstance(value, Ref):
        yield Reference(value, block.span(*path), str(path[0]))
    elif isinstance(value, Params):
        for field in params.fields(type(value)):
            inner = getattr(value, field.name)
            if _holds_blocks(field) and inner is not None:
                yield from _expression_references(inner, field.key)
            else:
                yield from _references(block, inner, (*path, field.key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _references(block, item, (*path, i))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _references(block, item, (*path, str(key)))


def _holds_blocks(field: params.Field) -> bool:
    """Whether a parameter is an expression whose names are blocks."""
    return getattr(getattr(field.type, "__metadata__", (None,))[0], "role", None) == "blocks"


def _expression_references(expression: Any, key: str) -> Iterator[Reference]:
    from soilql.expr.ast import Name, walk

    for node in walk(expression.root):
        if isinstance(node, Name):
            yield Reference(params.DataRef(node.name), expression.locate(node.start, node.end), key, in_expression=True)


def rename(value: Any, new: Callable[[str], str]) -> Any:
    """Return parameters in which every reference names its block anew.

    Parameters
    ----------
    value : Any
        Parameters of a block, or a part of them.
    new : callable
        From the name of a block to the name that stands for it.

    Examples
    --------
    >>> rename([params.GridRef("rs.mean"), "rs"], str.upper)
    ['RS.mean', 'rs']
    """
    if isinstance(value, Ref):
        return _renamed(value, new)
    if isinstance(value, Params):
        changes: dict[str, Any] = {}
        for field in params.fields(type(value)):
            old = getattr(value, field.name)
            if _holds_blocks(field) and old is not None:
                changes[field.name] = _rename_expression(old, new)
            else:
                changes[field.name] = rename(old, new)
        return replace(value, **changes)  # type: ignore[type-var]
    if isinstance(value, list):
        return [rename(item, new) for item in value]
    if isinstance(value, dict):
        return {key: rename(item, new) for key, item in value.items()}
    return value


def _renamed(ref: Ref, new: Callable[[str], str]) -> Ref:
    block = new(ref.block)
    return type(ref)(block if ref.variable is None else f"{block}.{ref.variable}")


def _rename_expression(expression: Any, new: Callable[[str], str]) -> Any:
    from soilql.expr.ast import Name, Node, fold

    def visit(node: Node, below: tuple[Node, ...]) -> Node:
        if isinstance(node, Name):
            return replace(node, name=str(_renamed(Ref(node.name), new)))
        return node.with_children(below) if below else node

    return replace(expression, root=fold(expression.root, visit))


def scope_of(name: str) -> str:
    """Return the scope that a block stands in: the alias of its recipe, or an empty text.

    Examples
    --------
    >>> scope_of("warner::rs"), scope_of("rs")
    ('warner', '')
    """
    return name.rpartition(SEPARATOR)[0]


def absolute(name: str, scope: str) -> str:
    """Return the name, seen from the spec itself, of what a name inside a scope means.

    Examples
    --------
    >>> absolute("rs", "warner"), absolute("super::drivers", "warner"), absolute("super::x", "a::b")
    ('warner::rs', 'drivers', 'a::x')
    """
    path = scope.split(SEPARATOR) if scope else []
    while path and name.startswith(OUTWARDS):
        name = name.removeprefix(OUTWARDS)
        path.pop()
    return SEPARATOR.join([*path, name])


def relative(name: str, scope: str) -> str:
    """Return the name by which a block goes inside a scope; the inverse of `absolute`.

    Examples
    --------
    >>> relative("warner::rs", "warner"), relative("drivers", "warner"), relative("a::x", "a::b")
    ('rs', 'super::drivers', 'super::x')
    """
    path = scope.split(SEPARATOR) if scope else []
    target = name.split(SEPARATOR)
    shared = 0
    while shared < min(len(path), len(target) - 1) and path[shared] == target[shared]:
        shared += 1
    return OUTWARDS * (len(path) - shared) + SEPARATOR.join(target[shared:])


def as_seen_inside(block: Block) -> Block:
    """Return a block of a recipe under the names of its own file; any other block as it is."""
    scope = scope_of(block.name)
    if not scope:
        return block
    local = rename(block.params, lambda name: relative(name, scope))
    return replace(block, name=relative(block.name, scope), params=local)


def as_seen_outside(block: Block, alias: str) -> Block:
    """Return a block of a recipe under the names of the spec that uses it under an alias."""
    bound = rename(block.params, lambda name: absolute(name, alias))
    return replace(block, name=f"{alias}{SEPARATOR}{block.name}", params=bound)


def data_sources(parameters: Params) -> Iterator[tuple[str, list[DataSource]]]:
    """Yield the parameters that name files or data sets, each with what it names."""
    for field in params.fields(type(parameters)):
        value = getattr(parameters, field.name)
        items = value if isinstance(value, list) else [value]
        sources = [item for item in items if isinstance(item, DataSource)]
        if sources:
            yield field.key, sources


def cycles(edges: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Return each node that lies on or leads into a cycle, with the cycle it meets."""
    found: dict[str, tuple[str, ...]] = {}
    done: set[str] = set()
    for start in edges:
        path: dict[str, int] = {}  # names on the way here, with their positions
        stack = [(start, iter(edges.get(start, ())))] if start not in done else []
        path |= {start: 0} if stack else {}
        while stack:
            name, rest = stack[-1]
            target = next((t for t in rest if t in edges), None)
            if target is None:
                stack.pop()
                del path[name]
                done.add(name)
            elif target in path:
                way = list(path)
                found.update(dict.fromkeys(way, (*way[path[target] :], target)))
            elif target in found:
                found.update(dict.fromkeys(path, found[target]))
            elif target not in done:
                path[target] = len(stack)
                stack.append((target, iter(edges[target])))
    return found
