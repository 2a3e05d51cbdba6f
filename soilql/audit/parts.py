"""Arithmetic between printed figures: `boreal + tropical - temperate`, with the rounding of each carried through."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from soilql.errors import Diagnostic, Span
from soilql.stats.printed import Interval, printed

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*%?!?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-−–+*/^()]))"
)
_MINUS = {"−": "-", "–": "-"}


@dataclass(frozen=True)
class Parts:
    """An expression over figures, ready to be evaluated.

    Attributes
    ----------
    text : str
        As written.
    names : tuple of str
        Figures it names, in order, each once.
    evaluate : callable
        From the interval of each named figure to the interval of the whole.
    """

    text: str
    names: tuple[str, ...]
    evaluate: Callable[[dict[str, Interval]], Interval]


class PartsError(ValueError):
    """Text that is no such expression; `at` is where in it."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


def parse_parts(text: str) -> Parts:
    """Parse an expression of figures and printed numbers with ``+ - * / ^ sqrt( )``.

    A bare number is a printed one and carries its rounding; ``14!`` is exact, as are exponents.

    Parameters
    ----------
    text : str
        Such as ``14! * slope`` or ``15% + 24% + 61%``.

    Returns
    -------
    Parts

    Raises
    ------
    PartsError
        The text cannot be parsed.

    Examples
    --------
    >>> parse_parts("14! * slope").evaluate({"slope": Interval(0.5, 1.0)})
    Interval(lower=7.0, upper=14.0)
    """
    parser = _Parser(text)
    root = parser.sum()
    if parser.kind != "end":
        raise PartsError(f"`{parser.token}` cannot stand here", parser.at)
    return Parts(text.strip(), tuple(dict.fromkeys(parser.names)), root)


def parts_problem(error: PartsError, text: str, span: Span) -> Diagnostic:
    """Return the diagnostic for an expression that cannot be parsed, at its place in the cell if that can be told."""
    inside = span.text.find(text)
    if inside >= 0:
        at = span.start + inside + min(error.at, max(len(text) - 1, 0))
        span = span.source.span(at, at + 1)
    help = "write printed numbers and ids joined by + - * / ^, with sqrt(...) and brackets: `14! * slope_tropical`"
    return Diagnostic("SQ110", f"`parts` cannot be read: {error}", span, help=help)


_Node = Callable[[dict[str, Interval]], Interval]


class _Parser:
    """Recursive descent; each method returns a function that evaluates what it has read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.names: list[str] = []
        self.end = 0
        self.advance()

    def advance(self) -> None:
        rest = self.text[self.end :]
        self.at = self.end + len(rest) - len(rest.lstrip())
        if not rest.strip():
            self.kind, self.token = "end", "the end"
            return
        match = _TOKEN.match(self.text, self.end)
        if match is None:
            raise PartsError(f"`{self.text[self.at]}` has no meaning", self.at)
        self.kind = str(match.lastgroup)
        self.token = _MINUS.get(match[self.kind], match[self.kind].strip())
        self.end = match.end()

    def take(self, signs: str) -> str:
        if self.kind == "sign" and self.token in signs:
            sign = self.token
            self.advance()
            return sign
        return ""

    def sum(self) -> _Node:
        left = self.product()
        while sign := self.take("+-"):
            left = _joined(left, sign, self.product())
        return left

    def product(self) -> _Node:
        left = self.signed()
        while sign := self.take("*/"):
            left = _joined(left, sign, self.signed())
        return left

    def signed(self) -> _Node:
        if self.take("-"):
            inner = self.signed()
            return lambda values: -inner(values)
        return self.power()

    def power(self) -> _Node:
        base = self.atom()
        if not self.take("^"):
            return base
        if self.kind != "number" or not self.token.isdigit() or not 1 <= int(self.token) <= 9:
            raise PartsError("an exponent is a whole number from 1 to 9", self.at)
        exponent = int(self.token)
        self.advance()
        return lambda values: base(values).power(exponent)

    def atom(self) -> _Node:
        kind, token, at = self.kind, self.token, self.at
        if kind == "number":
            self.advance()
            interval = printed(token).interval
            return lambda values: interval
        if kind == "name":
            self.advance()
            if token == "sqrt":
                inner = self.bracketed(at)
                return lambda values: inner(values).sqrt()
            self.names.append(token)
            return lambda values: values[token]
        return self.bracketed(at)

    def bracketed(self, at: int) -> _Node:
        if not self.take("("):
            raise PartsError(f"a number, an id or `(` is expected, not {self.token}", at)
        inner = self.sum()
        if not self.take(")"):
            raise PartsError("a bracket opened and not closed", at)
        return inner


def _joined(left: _Node, sign: str, right: _Node) -> _Node:
    if sign == "+":
        return lambda values: left(values) + right(values)
    if sign == "-":
        return lambda values: left(values) - right(values)
    if sign == "*":
        return lambda values: left(values) * right(values)
    return lambda values: left(values) / right(values)
