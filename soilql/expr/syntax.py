"""What is wrong with a text that does not parse, said in the words of the person who wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from lark import Lark, Token
from lark.exceptions import UnexpectedToken

from soilql.edits import replaced
from soilql.errors import Diagnostic, Span
from soilql.expr.ast import KEYWORDS, Node

Locate: TypeAlias = Callable[[int, int], Span]
Edit: TypeAlias = tuple[str, str]  # what stands there, and what has to

MAX_DEPTH = 200
_MAX_SYNTAX_ERRORS = 20

_CLOSER = {"LPAR": "RPAR", "LSQB": "RSQB"}
_CLOSER_TEXT = {"LPAR": ")", "LSQB": "]"}
_OPENER_NAME = {"LPAR": "parenthesis", "LSQB": "bracket"}
_MEANT = {
    "||": "or", "&&": "and", "&": "and", "|": "or", "!": "not", "¬": "not",
    "=": "==", "===": "==", "!==": "!=", "=<": "<=", "=>": ">=", "<>": "!=", "≤": "<=", "≥": ">=", "≠": "!=",
    "%in%": "in [...]", "%%": "%", "//": "floor(a / b)", "%/%": "floor(a / b)",
    "×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "—": "-",
}  # fmt: skip
_SUPERSCRIPTS = {"²": "^2", "³": "^3"}
_UNKNOWN_HELP = {
    "²": "write `^2`",
    "³": "write `^3`",
    ".": "`.` for all other columns is not known here: name the columns",
    "$": "name the column alone, without its table",
    "#": "there are no comments inside an expression",
    "{": "parentheses are `(` and `)`, lists are `[` and `]`",
    "}": "parentheses are `(` and `)`, lists are `[` and `]`",
    ";": "an expression is a single one, without `;`",
    "?": "write `where(condition, a, b)` to choose between two values",
}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_VALUE_STARTS = frozenset({"NUMBER", "NAME", "TEXT", "QUOTED_NAME", "BOOLEAN", "LPAR"})


class Findings:
    """The diagnostics found in one text so far."""

    def __init__(self, locate: Locate) -> None:
        self.locate = locate
        self.found: list[Diagnostic] = []

    def add(
        self, code: str, message: str, start: int, end: int, label: str = "", help: str = "", edit: Edit | None = None
    ) -> None:
        """Note a problem between two character offsets of the expression, and what has to stand there instead."""
        span = self.locate(start, end)
        fixes = () if edit is None else replaced(span, *edit, safe=True)
        self.found.append(Diagnostic(code, message, span, label, help, fixes=fixes))


def _shown(token: str) -> str:
    text = " ".join(token.split()) or token
    text = text if len(text) <= 24 else text[:21] + "..."
    return f"`{text}`" if "`" not in text else text


def _places(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, token.end_pos or 0


def _straight(token: str) -> Edit | None:
    """Return the edit that puts straight quotes around a text in typographic ones."""
    inner = token[1:-1]
    quote = '"' if token[0] in "“”„" else "'"
    return None if len(token) < 2 or quote in inner or "\\" in inner else (str(token), f"{quote}{inner}{quote}")


class KeepForeign:
    """Tells lark to keep the terminals of foreign habits, which no rule of the grammar has."""

    always_accept = (
        "UNTERMINATED", "UNKNOWN",
        "WRONG_OR", "WRONG_AND", "WRONG_NOT", "WRONG_COMPARE", "WRONG_TIMES", "WRONG_SIGN", "WRONG_TEXT",
    )  # fmt: skip

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Return the tokens as they are."""
        return stream


class Scan:
    """One pass over the tokens that finds what needs no grammar: foreign operators, quotes and brackets.

    Attributes
    ----------
    tokens : list of lark.Token
        What to give to the parser: brackets balanced, and without characters that mean nothing.
    broken : bool
        True when tokens were dropped or texts run away, so that what the parser says about the rest is no news.
    opened : list of lark.Token
        Brackets that were never closed.
    """

    def __init__(self, text: str, tokens: Iterable[Token], formula: bool, findings: Findings) -> None:
        self.text = text
        self.formula = formula
        self.findings = findings
        self.tokens: list[Token] = []
        self.broken = False
        self.opened: list[Token] = []
        self.too_deep = False
        self._calls: list[bool] = []
        self._tildes = 0
        self._equals: Token | None = None
        for token in tokens:
            self._take(token)
            if self.too_deep:
                return
        self._finish()

    def _take(self, token: Token) -> None:
        kind = token.type
        if kind in _CLOSER:
            self._open(token)
        elif kind in ("RPAR", "RSQB"):
            self._close(token)
        elif kind == "UNKNOWN":
            power = _SUPERSCRIPTS.get(token)
            edit = None if power is None else (str(token), power)
            seen = _shown(token) if token.isprintable() else f"the character U+{ord(token):04X}, which is not seen,"
            help = _UNKNOWN_HELP.get(token, "" if token.isprintable() else "delete it")
            self._drop("SQ110", f"{seen} has no meaning here", token, "", help, edit)
        elif kind == "TILDE":
            self._tilde(token)
        elif kind == "BAR":
            self._bar(token)
        else:
            self._word(token)
            meant = "TEXT" if kind == "UNTERMINATED" else kind.removeprefix("WRONG_")
            self.tokens.append(token if meant == kind else Token.new_borrow_pos(meant, token, token))

    def _word(self, token: Token) -> None:
        """Note what is wrong with a token that stays in its place."""
        kind, (start, end) = token.type, _places(token)
        if kind == "TEXT":
            self._escapes(token)
        elif kind == "NUMBER" and float(token) == float("inf"):
            self.findings.add("SQ110", f"the number {_shown(token)} is too large", start, end)
        elif kind == "UNTERMINATED":
            self.broken = True
            what = "name in backquotes" if token.startswith("`") else "text"
            label = f"opened here and not closed by {'a backquote' if token.startswith('`') else token[0]}"
            self.findings.add("SQ110", f"unterminated {what}", start, end, label)
        elif kind == "WRONG_TEXT":
            help = "write straight quotes: \"...\" or '...'"
            self.findings.add("SQ110", "typographic quotes", start, end, "", help, _straight(token))
        elif kind == "WRONG_COMPARE" and token == "=" and self.formula and not self.opened and not self._tildes:
            self._equals = self._equals or token
        elif kind.startswith("WRONG_"):
            message, help = f"`{token}` is not an operator", f"write `{_MEANT[token]}`"
            self.findings.add("SQ110", message, start, end, "", help, self._operator(token))
        elif kind == "COLON" and not self.formula:
            message = "`:` is an interaction and belongs in a formula only"
            self.findings.add("SQ113", message, start, end, help="write `*` for a product")

    def _drop(
        self, code: str, message: str, token: Token, label: str = "", help: str = "", edit: Edit | None = None
    ) -> None:
        self.broken = True
        self.findings.add(code, message, *_places(token), label, help, edit)

    def _operator(self, token: Token) -> Edit | None:
        """Return the edit that puts the operator that was meant in the place of another language's."""
        meant = _MEANT[token]
        before = self.tokens[-1] if self.tokens else None
        if meant == "not" and before is not None and before.type not in ("AND", "OR", "NOT", "LPAR", "COMMA"):
            return None  # `a == !b` needs parentheses as well
        if "[" in meant or "(" in meant:
            return None
        if meant.isalpha():
            start, end = _places(token)
            left = " " if start and not self.text[start - 1].isspace() and self.text[start - 1] != "(" else ""
            right = " " if not self.text[end : end + 1].isspace() else ""
            meant = f"{left}{meant}{right}"
        return str(token), meant

    def _escapes(self, token: Token) -> None:
        for match in _ESCAPE.finditer(token):
            if match[1] not in "\"'\\nrt":
                start = _places(token)[0] + match.start()
                help = "write `\\\\` for a backslash"
                self.findings.add("SQ110", f"unknown escape `{match[0]}` in a text", start, start + 2, help=help)

    def _open(self, token: Token) -> None:
        previous = self.tokens[-1] if self.tokens else None
        self._calls.append(previous is not None and previous.type == "NAME")
        self.opened.append(token)
        self.tokens.append(token)
        if len(self.opened) > MAX_DEPTH:
            self.too_deep = True
            message = f"parentheses nested more than {MAX_DEPTH} deep"
            self.findings.add("SQ110", message, *_places(token), help="split the expression into several columns")

    def _close(self, token: Token) -> None:
        if not self.opened:
            self.findings.add(
                "SQ110", f"`{token}` closes nothing", *_places(token), help="leave it out, or open it before"
            )
            return
        opening = self.opened.pop()
        self._calls.pop()
        if _CLOSER[opening.type] != token.type:
            wanted = _CLOSER_TEXT[opening.type]
            message = f"`{opening}` is closed by `{token}`"
            self.findings.add("SQ110", message, *_places(token), f"expected `{wanted}`")
            token = Token.new_borrow_pos(_CLOSER[opening.type], wanted, token)
        self.tokens.append(token)

    def _tilde(self, token: Token) -> None:
        if not self.formula:
            message = "`~` makes a formula, and here an expression is expected"
            self._drop("SQ113", message, token, help="formulas belong under `formula`")
        elif self.opened:
            self._drop("SQ113", "`~` inside parentheses", token, help="write `response ~ predictors`")
        elif self._tildes:
            self._drop("SQ113", "a second `~` in a formula", token, "a formula has one `~`")
        else:
            self._tildes += 1
            self.tokens.append(token)

    def _bar(self, token: Token) -> None:
        if self.formula and self._calls and not self._calls[-1] and self.opened[-1].type == "LPAR":
            self.tokens.append(token)
            return
        group = "; a group term stands in parentheses: `(1 | site)`" if self.formula else ""
        edit = None if self.formula else self._operator(token)
        self.findings.add("SQ110", "`|` is not an operator", *_places(token), "", f"write `or`{group}", edit)
        self.tokens.append(Token.new_borrow_pos("OR", token, token))

    def _finish(self) -> None:
        end = len(self.text.rstrip())
        for opening in reversed(self.opened):
            what = _OPENER_NAME[opening.type]
            self.findings.add("SQ110", f"unclosed {what}", *_places(opening), "opened here and never closed")
            self.tokens.append(Token(_CLOSER[opening.type], "", start_pos=end, end_pos=end))
        if not self.formula or not self.tokens:
            return
        if self._equals is not None and self._tildes:
            self.findings.add("SQ110", "`=` is not an operator", *_places(self._equals), help="write `==`")
        elif self._equals is not None:
            edit = (str(self._equals), "~")
            self._drop("SQ113", "a formula is written with `~`, not `=`", self._equals, "", "write `~`", edit)
        elif not self._tildes and not self.broken:
            start, end = _places(self.tokens[0])[0], len(self.text.rstrip())
            help = "write `response ~ predictors`, for example `Rs ~ MAT + MAP`"
            self.findings.add("SQ113", "a formula without `~`", start, end, "no response and predictors", help)


def run_parser(lark: Lark, scan: Scan) -> Node | None:
    """Feed the scanned tokens to the parser, noting every independent syntax error.

    Parameters
    ----------
    lark : lark.Lark
        The LALR parser.
    scan : Scan
        The tokens, and where to note what is wrong with them.

    Returns
    -------
    Node or None
        The tree; None when the parser could not go on.
    """
    parser = lark.parse_interactive("")
    end = len(scan.text.rstrip())
    tokens = [*scan.tokens, Token("$END", "", start_pos=end, end_pos=end)]
    result: Node | None = None
    errors = 0
    for i, token in enumerate(tokens):
        try:
            result = parser.feed_token(token)
        except UnexpectedToken as error:
            previous = tokens[i - 1] if i else None
            if not scan.broken:
                _explain(scan, error.expected, previous, token)
            errors += 1
            repaired = _repaired(error.expected, token)
            if not repaired or errors > _MAX_SYNTAX_ERRORS:
                return None
            try:
                for substitute in repaired:
                    result = parser.feed_token(substitute)
            except UnexpectedToken:
                return None
    return result


def _repaired(expected: Iterable[str], token: Token) -> list[Token]:
    """Return what to read in place of an unexpected token to go on after it; empty if there is nothing sensible."""
    if "NUMBER" in expected:
        return [Token.new_borrow_pos("NAME", "_", token), token]
    if "SIGN" in expected and token.lower() in ("and", "or"):
        return [Token.new_borrow_pos(token.upper(), token, token)]
    if "SIGN" in expected and token.type in _VALUE_STARTS:
        return [Token.new_borrow_pos("SIGN", "+", token), token]
    return []


def _explain(scan: Scan, expected: Iterable[str], previous: Token | None, token: Token) -> None:
    wanted = set(expected)
    if "NUMBER" in wanted:
        _explain_missing_value(scan, previous, token)
    elif "SIGN" in wanted and token.type in _VALUE_STARTS and previous is not None:
        _explain_missing_operator(scan, previous, token)
    else:
        _explain_out_of_place(scan, wanted, previous, token)


def _explain_missing_value(scan: Scan, previous: Token | None, token: Token) -> None:
    start, end = _places(token)
    add = scan.findings.add
    if token == "":  # the end, or a bracket that was closed for the writer
        if previous is not None and previous not in scan.opened:
            add("SQ110", f"expected a value after {_shown(previous)}", end, end, "the expression ends here")
    elif token.type == "TILDE" and previous is None:
        help = "write `response ~ predictors`, for example `Rs ~ MAT + MAP`"
        add("SQ113", "a formula without a response before `~`", start, end, help=help)
    elif previous is None:
        add("SQ110", f"expected a value before {_shown(token)}", start, end)
    elif previous.type in _CLOSER and token.type == _CLOSER[previous.type]:
        message = f"expected a value between {_shown(previous)} and {_shown(token)}"
        add("SQ110", message, _places(previous)[0], end)
    else:
        help = ""
        if token.type == "NOT":
            help = f"put `not` in parentheses: `{previous} (not ...)`"
        add("SQ110", f"expected a value after {_shown(previous)}", start, end, f"found {_shown(token)}", help)


def _explain_missing_operator(scan: Scan, previous: Token, token: Token) -> None:
    start, end = _places(token)
    help = ""
    if previous.type == "NUMBER" and token.type == "NAME" and _places(previous)[1] == start:
        name = f"{previous}{token}"
        product = f"{previous} * {token}"
        help = f"write `{product}` for a product; a name that starts with a digit stands in backquotes: `{name}`"
    elif (word := next((w for w in (token, previous) if w.lower() in KEYWORDS), None)) is not None:
        help = f"write `{word.lower()}` in lower case"
    elif previous.type == token.type == "NAME":
        help = f"a name with spaces stands in backquotes: `{previous} {token}`"
    elif token.type == "LPAR" and previous.type in ("NUMBER", "RPAR"):
        help = "write `*` for a product"
    label = f"found right after {_shown(previous)}"
    scan.findings.add("SQ110", f"expected an operator before {_shown(token)}", start, end, label, help)


_WANTED = {"RPAR": "`)`", "RSQB": "`]`", "IN": "`in`", "LSQB": "a list in brackets", "COMMA": "`,`"}


def _explain_out_of_place(scan: Scan, wanted: set[str], previous: Token | None, token: Token) -> None:
    start, end = _places(token)
    after = f" after {_shown(previous)}" if previous is not None else ""
    if token == "" and previous is not None:
        options = " or ".join(_WANTED[kind] for kind in _WANTED if kind in wanted)
        scan.findings.add("SQ110", f"expected {options}{after}", end, end, "the expression ends here")
        return
    help = ""
    if token.type == "COMMA":
        help = "`,` separates the arguments of a function and the items of a list only"
    elif token.type == "LSQB":
        help = "there is no indexing; a list follows `in` only"
    elif previous is not None and previous.type == "IN":
        help = 'write the list in brackets: `in ["a", "b"]`'
    options = " or ".join(_WANTED[kind] for kind in _WANTED if kind in wanted and len(wanted) < 4)
    label = f"expected {options}" if options else ""
    scan.findings.add("SQ110", f"unexpected {_shown(token)}{after}", start, end, label, help)
