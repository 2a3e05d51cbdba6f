"""Text to expression: builds the tree and, from a text with mistakes, all of its diagnostics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lark import Lark, Token

from soilql.errors import Diagnostic, SoilqlError, Source, Span
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.syntax import Findings, KeepForeign, Locate, Scan, run_parser


@dataclass(frozen=True)
class Expression:
    """A parsed expression and the way from its offsets to the file it was written in.

    Attributes
    ----------
    text : str
        The text as written.
    root : Node
        Its tree; a `Formula` for what `parse_formula` returned.
    locate : callable
        Maps two character offsets of `text` to a span of the source.
    """

    text: str
    root: Node
    locate: Locate

    def span(self, node: Node) -> Span:
        """Return the place of a node; of the whole text for a node that was built and not parsed."""
        if node.start < 0:
            return self.locate(0, len(self.text))
        return self.locate(node.start, node.end)

    @property
    def formula(self) -> ast.Formula:
        """The root as a formula.

        Raises
        ------
        TypeError
            If the expression is none.
        """
        if not isinstance(self.root, ast.Formula):
            raise TypeError(f"not a formula: {self.text!r}")
        return self.root


def parse_expression(text: str, locate: Locate | None = None) -> Expression:
    """Parse a filter, a derived column or any other expression without `~`.

    Parameters
    ----------
    text : str
        The expression; newlines are blanks.
    locate : callable, optional
        Maps two character offsets of `text` to a span; by default to a source named ``<expression>``.

    Returns
    -------
    Expression
        The tree with its places.

    Raises
    ------
    SoilqlError
        With every syntax error found (SQ110), and SQ113 where the text uses a formula's signs.

    Examples
    --------
    >>> parse_expression("-2^2 < x and kind not in ['a', 'b']").root
    <Logical -2^2 < x and kind not in ["a", "b"]>
    >>> parse_expression("Rs_annual = (5 * x")
    Traceback (most recent call last):
        ...
    soilql.errors.SoilqlError: <expression>:1:11: error SQ110 `=` is not an operator
    1 | Rs_annual = (5 * x
      |           ^
      = help: write `==`
    <expression>:1:13: error SQ110 unclosed parenthesis
    1 | Rs_annual = (5 * x
      |             ^ opened here and never closed
    """
    return _parse(text, locate, formula=False)


def parse_formula(text: str, locate: Locate | None = None) -> Expression:
    """Parse a formula, `response ~ predictors`.

    Parameters
    ----------
    text : str
        The formula; newlines are blanks.
    locate : callable, optional
        Maps two character offsets of `text` to a span; by default to a source named ``<expression>``.

    Returns
    -------
    Expression
        Its root is a `Formula`.

    Raises
    ------
    SoilqlError
        With every syntax error found (SQ110), and SQ113 for no `~`, more than one, or one inside parentheses.

    Examples
    --------
    >>> parse_formula("log(Rs) ~ MAT*MAP + C(biome) + (1|site)").root
    <Formula log(Rs) ~ MAT * MAP + C(biome) + (1 | site)>
    """
    return _parse(text, locate, formula=True)


def _parse(text: str, locate: Locate | None, formula: bool) -> Expression:
    if locate is None:
        locate = Source("<expression>", text).span
    if not text.strip():
        what = "formula" if formula else "expression"
        raise SoilqlError(Diagnostic("SQ110", f"empty {what}", locate(0, len(text))))
    findings = Findings(locate)
    scan = Scan(text, _lexer().lex(text), formula, findings)
    root = None if scan.too_deep else run_parser(_lark(), scan)
    if findings.found or root is None:
        raise SoilqlError(sorted(findings.found, key=Diagnostic.sort_key))
    return Expression(text, root, locate)


def _grammar() -> str:
    return Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _lexer() -> Lark:
    """Return what cuts a text into tokens; a parser would make its lexer anew for every text."""
    return Lark(_grammar(), parser=None, lexer="basic")


@lru_cache(maxsize=1)
def _lark() -> Lark:
    # lark's hints ask for its own base classes, but it only looks methods up by name.
    builder: Any = _Builder()
    keep: Any = KeepForeign()
    return Lark(_grammar(), parser="lalr", lexer="basic", maybe_placeholders=False, transformer=builder, postlex=keep)


_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPE = re.compile(r"\\(.)")
_Children = list[Node | Token]


def _node(child: Node | Token) -> Node:
    assert isinstance(child, Node)
    return child


def _between(children: _Children) -> tuple[int, int]:
    return _start(children[0]), _end(children[-1])


def _start(child: Node | Token) -> int:
    return child.start if isinstance(child, Node) else child.start_pos or 0


def _end(child: Node | Token) -> int:
    return child.end if isinstance(child, Node) else child.end_pos or 0


class _Builder:
    """Builds a node for each rule of the grammar; a method has the name of its rule or alias."""

    def start(self, children: _Children) -> Node:
        if len(children) == 1:
            return _node(children[0])
        start, end = _between(children)
        return ast.Formula(_node(children[0]), _node(children[2]), start=start, end=end)

    def or_test(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.Logical("or", tuple(map(_node, children[::2])), start=start, end=end)

    def and_test(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.Logical("and", tuple(map(_node, children[::2])), start=start, end=end)

    def negation(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.Not(_node(children[1]), start=start, end=end)

    def compare(self, children: _Children) -> Node:
        start, end = _between(children)
        operators = tuple(str(operator) for operator in children[1::2])
        return ast.Compare(operators, tuple(map(_node, children[::2])), start=start, end=end)

    def membership(self, children: list[object]) -> Node:
        operand, items, closing = children[0], children[-2], children[-1]
        assert isinstance(operand, Node) and isinstance(items, list) and isinstance(closing, Token)
        negated = isinstance(children[1], Token) and children[1].type == "NOT"
        return ast.Membership(operand, tuple(items), negated, start=operand.start, end=_end(closing))

    def binary(self, children: _Children) -> Node:
        start, end = _between(children)
        operator = "^" if children[1] == "**" else str(children[1])
        return ast.Binary(operator, _node(children[0]), _node(children[2]), start=start, end=end)

    def crossing(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.Interaction(_node(children[0]), _node(children[2]), start=start, end=end)

    def sign(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.Unary(str(children[0]), _node(children[1]), start=start, end=end)

    def number(self, children: list[Token]) -> Node:
        value = float(children[0])
        return ast.Number(value if value < float("inf") else 0.0, start=_start(children[0]), end=_end(children[0]))

    def text(self, children: list[Token]) -> Node:
        value = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), children[0][1:-1])
        return ast.Text(value, start=_start(children[0]), end=_end(children[0]))

    def boolean(self, children: list[Token]) -> Node:
        return ast.Boolean(children[0] == "true", start=_start(children[0]), end=_end(children[0]))

    def name(self, children: list[Token]) -> Node:
        return ast.Name(str(children[0]), start=_start(children[0]), end=_end(children[0]))

    def quoted_name(self, children: list[Token]) -> Node:
        name = children[0][1:-1].replace("``", "`")
        return ast.Name(name, start=_start(children[0]), end=_end(children[0]))

    def call(self, children: list[object]) -> Node:
        function, closing = children[0], children[-1]
        assert isinstance(function, Token) and isinstance(closing, Token)
        arguments = children[2] if isinstance(children[2], list) else []
        return ast.Call(str(function), tuple(arguments), start=_start(function), end=_end(closing))

    def parenthesised(self, children: _Children) -> Node:
        inner = _node(children[1])
        start, end = _between(children)
        return ast.widened(inner, start, end)

    def group_term(self, children: _Children) -> Node:
        start, end = _between(children)
        return ast.GroupTerm(_node(children[1]), _node(children[3]), start=start, end=end)

    def items(self, children: _Children) -> list[Node]:
        return [_node(child) for child in children[::2]]
