"""The tree of an expression: immutable nodes with places, a canonical text, and non-recursive traversal.

Long sums parse to trees thousands of levels deep, so nothing here recurses: equality, hashing, printing and
every fold run on an explicit stack. Nodes and their text stand in one module, since a new node needs both.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, ClassVar, Self, TypeVar

T = TypeVar("T")

KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false"})
_PLAIN_NAME = re.compile(r"[^\W\d¹²³⁰-⁹][^\W¹²³⁰-⁹]*(?:(?:\.|::)[^\W\d¹²³⁰-⁹][^\W¹²³⁰-⁹]*)*")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    """A node of an expression.

    Attributes
    ----------
    start, end : int
        Character offsets into the expression text, parentheses around the node included; -1 for a node that
        was built rather than parsed. They take no part in equality.
    """

    start: int = field(default=-1, kw_only=True)
    end: int = field(default=-1, kw_only=True)

    # The fields that tell nodes of one type apart, and those that hold a node or a tuple of nodes, in source order.
    _own: ClassVar[tuple[str, ...]] = ()
    _below: ClassVar[tuple[str, ...]] = ()

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes below this one, in source order."""
        if not self._below:
            return ()
        below: list[Node] = []
        for name in self._below:
            value = getattr(self, name)
            below += value if isinstance(value, tuple) else (value,)
        return tuple(below)

    @property
    def own(self) -> tuple[Any, ...]:
        """What tells this node from another of its type with equal children."""
        return tuple(getattr(self, name) for name in self._own)

    def with_children(self, children: Sequence[Node]) -> Self:
        """Return the same node over other children, in the order of `children`."""
        rest = iter(children)
        changed: dict[str, Any] = {}
        for name in self._below:
            old = getattr(self, name)
            changed[name] = tuple(islice(rest, len(old))) if isinstance(old, tuple) else next(rest)
        return replace(self, **changed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Node):
            return NotImplemented
        pairs = [(self, other)]
        while pairs:
            a, b = pairs.pop()
            if a is b:
                continue
            if _signature(a) != _signature(b):
                return False
            pairs += zip(a.children, b.children, strict=True)
        return True

    def __hash__(self) -> int:
        return hash(tuple(_signature(node) for node in walk(self)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {to_text(self)}>"


def _signature(node: Node) -> tuple[Any, ...]:
    return type(node), node.own, len(node.children)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Node):
    """A finite number without sign; `number` builds the tree of a signed one."""

    _own = ("value",)

    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and math.copysign(1.0, self.value) > 0):
            raise ValueError(f"a number in an expression is finite and without sign, not {self.value}")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Text(Node):
    """A quoted text."""

    _own = ("value",)

    value: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boolean(Node):
    """`true` or `false`."""

    _own = ("value",)

    value: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    """A column, parameter or constant; `rs.mean`, `alias::rs.mean` and names in backquotes are single names."""

    _own = ("name",)

    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unary(Node):
    """A sign, `-` or `+`, before an operand."""

    _own = ("operator",)
    _below = ("operand",)

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Binary(Node):
    """Arithmetic (or, in a linear formula, the algebra of terms): one of `+ - * / % ^`."""

    _own = ("operator",)
    _below = ("left", "right")

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Compare(Node):
    """A comparison, or a chain of them: `0 < x < 5` has two operators and three operands."""

    _own = ("operators",)
    _below = ("operands",)

    operators: tuple[str, ...]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Logical(Node):
    """Two or more operands joined by `and`, or by `or`."""

    _own = ("operator",)
    _below = ("operands",)

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Node):
    """The negation of a condition."""

    _below = ("operand",)

    operand: Node


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Membership(Node):
    """`operand in [choices]`, or with `negated`, `operand not in [choices]`."""

    _own = ("negated",)
    _below = ("operand", "choices")

    operand: Node
    choices: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call(Node):
    """A function call; the function's name begins at `start`."""

    _own = ("function",)
    _below = ("arguments",)

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Interaction(Node):
    """`a:b` in a linear formula."""

    _below = ("left", "right")

    left: Node
    right: Node


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GroupTerm(Node):
    """`(effects | group)` in a linear formula, such as a random intercept `(1 | site)`."""

    _below = ("effects", "group")

    effects: Node
    group: Node


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Formula(Node):
    """`response ~ predictors`."""

    _below = ("response", "predictors")

    response: Node
    predictors: Node


def number(value: float) -> Node:
    """Return the tree of a finite number of either sign.

    Examples
    --------
    >>> number(-2.5)
    <Unary -2.5>
    """
    return Unary("-", Number(-value)) if math.copysign(1.0, value) < 0 else Number(value)


def widened(node: Node, start: int, end: int) -> Node:
    """Return the same node at a wider place, that of the parentheses around it."""
    return replace(node, start=start, end=end)


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and all below it, each before its children and in source order."""
    stack = [node]
    while stack:
        current = stack.pop()
        yield current
        stack += reversed(current.children)


def names(node: Node) -> tuple[str, ...]:
    """Return the distinct names in the tree in order of first appearance; functions are not names.

    Examples
    --------
    >>> names(Binary("+", Name("T"), Call("exp", (Name("M"),))))
    ('T', 'M')
    """
    return tuple(dict.fromkeys(n.name for n in walk(node) if isinstance(n, Name)))


def fold(node: Node, combine: Callable[[Node, tuple[T, ...]], T]) -> T:
    """Compute a value bottom-up: `combine` gets each node and the values of its children.

    Parameters
    ----------
    node : Node
        The root.
    combine : callable
        Called once for each node, after its children.

    Returns
    -------
    object
        What `combine` returned for the root.

    Examples
    --------
    >>> fold(Binary("+", Name("a"), Name("b")), lambda n, below: 1 + sum(below))
    3
    """
    order: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        order.append(current)
        stack += current.children
    # `order` has each node before its children, the last child first; read backwards it is a post-order.
    values: list[T] = []
    for current in reversed(order):
        count = len(current.children)
        below = tuple(values[len(values) - count :])
        del values[len(values) - count :]
        values.append(combine(current, below))
    return values[0]


def substitute(node: Node, mapping: Mapping[str, Node]) -> Node:
    """Return the tree with names replaced by other trees, all at once.

    Examples
    --------
    >>> substitute(Binary("*", Name("a"), Name("T")), {"a": Number(2.0)})
    <Binary 2 * T>
    """

    def swap(current: Node, children: tuple[Node, ...]) -> Node:
        if isinstance(current, Name):
            return mapping.get(current.name, current)
        if all(new is old for new, old in zip(children, current.children, strict=True)):
            return current
        return current.with_children(children)

    return fold(node, swap)


_OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _INTERACTION, _SIGN, _POWER, _ATOM = range(1, 11)
_BINARY_LEVELS = {  # operator: (its level, least level of the left operand, of the right operand)
    "+": (_SUM, _SUM, _PRODUCT),
    "-": (_SUM, _SUM, _PRODUCT),
    "*": (_PRODUCT, _PRODUCT, _INTERACTION),
    "/": (_PRODUCT, _PRODUCT, _INTERACTION),
    "%": (_PRODUCT, _PRODUCT, _INTERACTION),
    "^": (_POWER, _ATOM, _SIGN),
}
_Piece = str | tuple[Node, int]


def to_text(node: Node) -> str:
    """Return the canonical text of a tree; parsing it gives an equal tree.

    Examples
    --------
    >>> to_text(Binary("*", Name("a"), Binary("+", Name("Soil temp"), Number(0.5))))
    'a * (`Soil temp` + 0.5)'
    """
    out: list[str] = []
    stack: list[_Piece] = [(node, 0)]
    while stack:
        piece = stack.pop()
        if isinstance(piece, str):
            out.append(piece)
            continue
        current, least = piece
        level, pieces = _pieces(current)
        if level < least:
            pieces = ["(", *pieces, ")"]
        stack += reversed(pieces)
    return "".join(out)


def _pieces(node: Node) -> tuple[int, list[_Piece]]:
    """Return the node's level of binding and its text, in which children stand with the least level they need."""
    match node:
        case Number(value):
            return _ATOM, [_number_text(value)]
        case Text(value):
            return _ATOM, [_quoted(value)]
        case Boolean(value):
            return _ATOM, ["true" if value else "false"]
        case Name(name):
            return _ATOM, [name_text(name)]
        case Unary(operator, operand):
            return _SIGN, [operator, (operand, _SIGN)]
        case Binary(operator, left, right):
            level, least_left, least_right = _BINARY_LEVELS[operator]
            between = "^" if operator == "^" else f" {operator} "
            return level, [(left, least_left), between, (right, least_right)]
        case Interaction(left, right):
            return _INTERACTION, [(left, _INTERACTION), ":", (right, _SIGN)]
        case Compare(operators, operands):
            pieces: list[_Piece] = [(operands[0], _SUM)]
            for operator, operand in zip(operators, operands[1:], strict=True):
                pieces += [f" {operator} ", (operand, _SUM)]
            return _COMPARE, pieces
        case Membership(operand, choices, negated):
            between = " not in [" if negated else " in ["
            return _COMPARE, [(operand, _SUM), between, *_joined(choices, ", ", _OR), "]"]
        case Not(operand):
            return _NOT, ["not ", (operand, _NOT)]
        case Logical(operator, operands):
            level = _AND if operator == "and" else _OR
            return level, _joined(operands, f" {operator} ", level + 1)
        case Call(function, arguments):
            return _ATOM, [f"{function}(", *_joined(arguments, ", ", _OR), ")"]
        case GroupTerm(effects, group):
            return _ATOM, ["(", (effects, _SUM), " | ", (group, _SUM), ")"]
        case Formula(response, predictors):
            return 0, [(response, _OR), " ~ ", (predictors, _OR)]
        case _:
            raise TypeError(f"not a node of an expression: {type(node).__name__}")


def _joined(nodes: Sequence[Node], between: str, least: int) -> list[_Piece]:
    pieces: list[_Piece] = []
    for i, node in enumerate(nodes):
        pieces += [between, (node, least)] if i else [(node, least)]
    return pieces


def _number_text(value: float) -> str:
    return str(int(value)) if value.is_integer() and value < 1e15 else repr(value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _quoted(value: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in value) + '"'


def name_text(name: str) -> str:
    """Return a name as it is written in an expression, in backquotes where it needs them.

    Examples
    --------
    >>> name_text("rs.mean"), name_text("Soil temp"), name_text("in")
    ('rs.mean', '`Soil temp`', '`in`')
    """
    if _PLAIN_NAME.fullmatch(name) and name not in KEYWORDS:
        return name
    return quoted_name(name)


def quoted_name(name: str) -> str:
    """Return a name in backquotes, as messages show it.

    Examples
    --------
    >>> quoted_name("Mo")
    '`Mo`'
    """
    return "`" + name.replace("`", "``") + "`"
