"""A model's formula as one writes it on paper, in plain text, and what its names are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from soilql.errors import Diagnostic, SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node, to_text
from soilql.formula.model import FormulaModel, Parameter, infer_model, of_block

if TYPE_CHECKING:
    from soilql.kinds import Block, Scope

_SUPERSCRIPTS = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LETTERS = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_GREEK = dict(zip(_LETTERS, "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_WIDEST = 100
# How tightly what is set binds: a sum, a product, a sign, a power, a name or a bracket.
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)


@dataclass(frozen=True)
class Box:
    """A block of text lines of one width, with the line that stands level with its neighbours.

    Attributes
    ----------
    lines : tuple of str
    base : int
        Position of that line, from 0.
    level : int
        How tightly it binds, so that brackets are set where they are needed.
    """

    lines: tuple[str, ...]
    base: int = 0
    level: int = _ATOM

    @property
    def width(self) -> int:
        return len(self.lines[0])

    @property
    def height(self) -> int:
        return len(self.lines)


def explain_model(block: Block, scope: Scope) -> str:
    """Return a model's formula, typeset, and a table of its response, drivers and parameters with their units.

    Parameters
    ----------
    block : Block
        A model with a formula.
    scope : Scope
        The spec it stands in, for the units of the columns.

    Raises
    ------
    SoilqlError
        The block has no formula (SQ140).
    """
    model = of_block(block, scope)
    if model is None:
        raise SoilqlError(Diagnostic("SQ140", f"`{block.name}` has no formula that can be shown", block.name_span))
    shown = typeset(model.formula.root) if model.parameters else [to_text(model.formula.root)]
    lines = [f"{block.name}, {block.kind}", "", *(f"  {line}" for line in shown), "", *_table(_rows(model))]
    return "\n".join(lines)


def typeset(root: Node, widest: int = _WIDEST) -> list[str]:
    """Return an expression or formula in lines of text, with fractions over lines and raised exponents.

    Parameters
    ----------
    root : Node
    widest : int
        Where the result would be wider, it is written in one line as typed.

    Examples
    --------
    >>> from soilql.expr.parse import parse_formula
    >>> print("\\n".join(typeset(parse_formula("Rs ~ a * exp(b*T + c*T^2) * P / (P + k)").root)))
         a·exp(b·T + c·T²)·P
    Rs = ───────────────────
                P + k
    """
    box = ast.fold(root, _set) if _depth(root) <= _DEEPEST else None
    if box is None or box.width > widest:
        return [to_text(root).replace(" ~ ", " = ")]
    return [line.rstrip() for line in box.lines]


_DEEPEST = 60


def _depth(root: Node) -> int:
    return ast.fold(root, lambda node, below: 1 + max((int(b) for b in below), default=0))


def _set(node: Node, below: tuple[Box, ...]) -> Box:
    match node:
        case ast.Name(name):
            return Box((_symbol(name),))
        case ast.Unary(operator, _):
            return _beside([_text("−" if operator == "-" else "+"), _after(below[0], _PRODUCT)], _SIGN)
        case ast.Binary(operator, _, _):
            return _binary(operator, *below)
        case ast.Call("sqrt", _) if below:
            return _beside([_text("√"), below[0] if below[0].level == _ATOM else _bracketed(below[0])], _ATOM)
        case ast.Call("abs", _) if below:
            return _fenced(below[0], "|", "|")
        case ast.Call("I", _) if below:
            return below[0]
        case ast.Call(function, _):
            return _beside([_text(function), _bracketed(_joined(below, ", "))], _ATOM)
        case ast.Formula():
            return _joined(below, " = ")
        case _ if below:
            return Box((to_text(node),), level=_SUM)
        case _:
            return Box((to_text(node),))


def _binary(operator: str, left: Box, right: Box) -> Box:
    match operator:
        case "/":
            return _fraction(left, right)
        case "^":
            return _raised(left, right)
        case "*":
            level = _SIGN if left.level == _SIGN else _PRODUCT
            return _beside([_at_least(left, _PRODUCT), _text("·"), _after(right, _PRODUCT)], level)
        case "%":
            return _beside([_at_least(left, _PRODUCT), _text(" mod "), _after(right, _POWER)], _PRODUCT)
        case _:
            sign = " − " if operator == "-" else " + "
            least = _PRODUCT if operator == "-" else _SUM
            return _beside([left, _text(sign), _after(right, least)], _SUM)


def _after(box: Box, level: int) -> Box:
    """Return what follows an operator: bracketed where it binds too loosely or begins with a sign."""
    return box if box.level >= level and box.level != _SIGN else _bracketed(box)


def _symbol(name: str) -> str:
    """Return a name that begins with a Greek letter spelt out with the letter: ``beta_1`` is β_1."""
    head, mark, rest = name.partition("_")
    return _GREEK.get(head, head) + mark + rest


def _text(text: str) -> Box:
    return Box((text,))


def _at_least(box: Box, level: int) -> Box:
    return box if box.level >= level else _bracketed(box)


def _bracketed(box: Box) -> Box:
    return _fenced(box, "(", ")")


_TALL = {"(": "⎛⎜⎝", ")": "⎞⎟⎠", "|": "│││"}


def _fenced(box: Box, left: str, right: str) -> Box:
    return _beside([_fence(left, box), box, _fence(right, box)], _ATOM)


def _fence(sign: str, box: Box) -> Box:
    if box.height == 1:
        return _text(sign)
    pieces = _TALL[sign]
    return Box((pieces[0], *[pieces[1]] * (box.height - 2), pieces[2]), box.base)


def _beside(boxes: Sequence[Box], level: int) -> Box:
    """Set boxes side by side, level at their base lines."""
    above = max(box.base for box in boxes)
    below = max(box.height - box.base for box in boxes)
    columns = []
    for box in boxes:
        blank = " " * box.width
        top, bottom = above - box.base, below - (box.height - box.base)
        columns.append([*[blank] * top, *box.lines, *[blank] * bottom])
    return Box(tuple("".join(parts) for parts in zip(*columns, strict=True)), above, level)


def _joined(boxes: Sequence[Box], between: str) -> Box:
    parts: list[Box] = []
    for i, box in enumerate(boxes):
        parts += [_text(between), box] if i else [box]
    return _beside(parts, _SUM) if len(parts) > 1 else parts[0] if parts else _text("")


def _fraction(above: Box, below: Box) -> Box:
    width = max(above.width, below.width)
    lines = [line.center(width) for line in above.lines]
    return Box((*lines, "─" * width, *(line.center(width) for line in below.lines)), above.height, _PRODUCT)


def _raised(base: Box, exponent: Box) -> Box:
    base = _at_least(base, _ATOM)
    text = exponent.lines[0]
    if exponent.height == 1 and text.replace("−", "-").lstrip("-").isdigit():
        return _beside([base, Box((text.replace("−", "-").translate(_SUPERSCRIPTS),), base.base)], _POWER)
    lifted = Box(exponent.lines, exponent.height + base.base, _ATOM)
    return _beside([base, lifted], _POWER)


@dataclass(frozen=True)
class _Row:
    role: str
    name: str
    unit: str
    facts: str


def _rows(model: FormulaModel) -> Iterator[_Row]:
    """Yield the response, drivers, parameters and constants with their units and what else is declared of them."""
    for name in ast.names(model.response):
        yield _Row("response", name, model.response_unit or "?", "")
    for name, known in model.drivers.items():
        yield _Row("driver", name, known.unit or "?", "")
    units = infer_model(model).units if model.parameters else {}
    for name, one in model.parameters.items():
        inferred = units.get(name)
        unit = one.unit or ("?" if inferred is None else str(inferred))
        yield _Row("parameter", name, unit, _facts(one, inferred is not None))
    for name, value in model.constants.items():
        yield _Row("constant", name, "", f"{value:g}")


def _facts(one: Parameter, is_inferred: bool) -> str:
    found = ["stated"] if one.unit else ["inferred"] if is_inferred else []
    found += [f"start {one.start:g}"] if one.start is not None else []
    found += [f"from {one.bounds.low:g} to {one.bounds.high:g}"] if one.bounds is not None else []
    return ", ".join(found)


def _table(rows: Iterable[_Row]) -> Iterator[str]:
    cells = [(row.role, _symbol(row.name), row.unit, row.facts) for row in rows]
    widths = [max((len(row[k]) for row in cells), default=0) for k in range(4)]
    last = ""
    for row in cells:
        role = row[0] if row[0] != last else ""
        last = row[0]
        yield "  ".join(cell.ljust(width) for cell, width in zip((role, *row[1:]), widths, strict=True)).rstrip()
