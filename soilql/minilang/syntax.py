"""Statements as they are written: the grammar applied to the tokens, and what is said where it does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from lark import Lark, Token
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from soilql.errors import Diagnostic, Source, did_you_mean
from soilql.minilang.literals import CODE
from soilql.minilang.scan import CLOSER_OF, MAX_SYNTAX_ERRORS, OPENER_WORDS, Scanner
from soilql.minilang.words import SECTION_WORDS, VERSION_WORD


@dataclass(frozen=True)
class Bracketed:
    """A list or a mapping, `[...]` or `{...}`."""

    items: tuple[Item, ...]
    start: int
    end: int
    is_list: bool


Value: TypeAlias = Token | Bracketed


@dataclass(frozen=True)
class Item:
    """A value with or without a name."""

    name: Token | None
    value: Value

    @property
    def start(self) -> int:
        return place(self.value)[0] if self.name is None else place(self.name)[0]

    @property
    def end(self) -> int:
        return place(self.value)[1]


def place(value: Value) -> tuple[int, int]:
    """Return the start and end of a token or a bracketed value."""
    if isinstance(value, Bracketed):
        return value.start, value.end
    return value.start_pos or 0, value.end_pos or 0


@dataclass(frozen=True)
class Pipe:
    """A line `| verb items`."""

    verb: Token
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Head:
    """The beginning of a statement.

    Attributes
    ----------
    form : str
        Alias of its rule in the grammar.
    word, name, kind : lark.Token or None
        `model`, `m` and `linear` of `model m = linear(...)`; the key of the forms without a word is the name.
    items : tuple of Item
        Values and arguments.
    end : int
        Where it ends.
    """

    form: str
    word: Token | None
    name: Token
    kind: Token | None
    items: tuple[Item, ...]
    end: int


@dataclass(frozen=True)
class Statement:
    """A head with its `|` lines."""

    head: Head
    pipes: tuple[Pipe, ...]
    start: int

    @property
    def end(self) -> int:
        return self.pipes[-1].items[-1].end if self.pipes else self.head.end


def read_statements(source: Source) -> tuple[list[Statement], dict[int, int], list[Diagnostic]]:
    """Read every statement of a text.

    Returns
    -------
    statements : list of Statement
        Those without mistakes.
    comments : dict of int to int
        Start and end of each comment.
    problems : list of Diagnostic
        Every syntax error: after one, reading goes on at the next statement or `|` line.
    """
    reader = _Reader(source)
    return list(reader.statements()), reader.scanner.comments, reader.problems


class _Tokens(Lexer):
    """Stands in for lark's lexer: the parser is fed by hand."""

    def __init__(self, conf: object) -> None: ...

    def lex(self, data: object) -> Iterator[Token]:  # type: ignore[override]
        return iter(())


@lru_cache(maxsize=1)
def _lark() -> Lark:
    grammar = Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")
    # lark's hints ask for its own base class, but it only looks methods up by name.
    builder: Any = _Builder()
    starts = ["head", "pipe"]
    return Lark(grammar, parser="lalr", lexer=_Tokens, start=starts, maybe_placeholders=False, transformer=builder)


_Parts = list[Any]


def _items(parts: Iterable[Any]) -> tuple[Item, ...]:
    return tuple(part for part in parts if isinstance(part, Item))


class _Builder:
    """Builds what each rule of the grammar stands for; a method has the name of its rule or alias."""

    def unnamed(self, parts: _Parts) -> Item:
        return Item(None, parts[0])

    def named(self, parts: _Parts) -> Item:
        return Item(parts[0], parts[2])

    def items(self, parts: _Parts) -> tuple[Item, ...]:
        return _items(parts)

    def list(self, parts: _Parts) -> Bracketed:
        values = parts[1:-1:2]
        return Bracketed(tuple(Item(None, value) for value in values), parts[0].start_pos, parts[-1].end_pos, True)

    def mapping(self, parts: _Parts) -> Bracketed:
        return Bracketed(_items(parts), parts[0].start_pos, parts[-1].end_pos, False)

    def pipe(self, parts: _Parts) -> Pipe:
        return Pipe(parts[1], _items(parts))

    def version(self, parts: _Parts) -> Head:
        return Head("version", None, parts[0], None, (Item(None, parts[1]),), place(parts[1])[1])

    def entry(self, parts: _Parts) -> Head:
        return Head("entry", None, parts[0], None, (Item(None, parts[2]),), place(parts[2])[1])

    def entry_in_section(self, parts: _Parts) -> Head:
        return Head("entry_in_section", parts[0], parts[1], None, (Item(None, parts[3]),), place(parts[3])[1])

    def given(self, parts: _Parts) -> Head:
        items = (Item(None, parts[3]), *_items(parts))
        return Head("given", parts[0], parts[1], None, items, items[-1].end)

    def block(self, parts: _Parts) -> Head:
        items = parts[5] if isinstance(parts[5], tuple) else ()
        return Head("block", parts[0], parts[1], parts[3], items, parts[-1].end_pos)

    def group(self, parts: _Parts) -> Head:
        items = parts[2] if isinstance(parts[2], tuple) else ()
        return Head("group", None, parts[0], None, items, parts[-1].end_pos)


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.scanner = Scanner(source)
        self.problems = self.scanner.problems

    def statements(self) -> Iterator[Statement]:
        scanner = self.scanner
        while (at := scanner.skip()) < len(self.source.text) and len(self.problems) < MAX_SYNTAX_ERRORS:
            scanner.begin(at)
            before = len(self.problems)
            head = None
            if scanner.text[at] == "|":
                self._stray_pipe()
            else:
                head = self._segment("head")
            pipes = list(self._pipes(head))
            if isinstance(head, Head) and len(self.problems) == before:
                yield Statement(head, tuple(pipe for pipe in pipes if isinstance(pipe, Pipe)), at)

    def _pipes(self, head: Any) -> Iterator[Any]:
        scanner = self.scanner
        while self._stands_pipe(at := scanner.skip()) and len(self.problems) < MAX_SYNTAX_ERRORS:
            if isinstance(head, Head) and head.form != "block":
                self._problem("only a block with a kind takes lines with `|`", at, at + 1)
                scanner.position = scanner.next_line(at + 1)
                continue
            yield self._segment("pipe")

    def _stands_pipe(self, at: int) -> bool:
        return at < self.scanner.limit and not self.scanner.ends_statement(at) and self.source.text[at] == "|"

    def _stray_pipe(self) -> None:
        at = self.scanner.position
        help = "begin with `dataset NAME = KIND(...)`"
        self._problem("a line with `|` belongs to a block, and none stands above it", at, at + 1, help=help)
        self.scanner.position = self.scanner.next_line(at + 1)

    def _segment(self, start: str) -> Any:
        """Parse a head or a `|` line; None after a syntax error, with the scanner where reading can go on."""
        scanner = self.scanner
        begin = scanner.position
        before = len(self.problems)
        scanner.opened.clear()
        parser = _lark().parse_interactive("", start=start)
        previous: Token | None = None
        for token in scanner.head() if start == "head" else scanner.pipe():
            try:
                parser.feed_token(token)
            except UnexpectedToken:
                if len(self.problems) == before:
                    self._explain(set(parser.accepts()), previous, token)  # type: ignore[no-untyped-call]
                scanner.position = scanner.next_line(max(begin, token.start_pos or 0) + 1)
                return None
            if len(scanner.opened) >= 100 and len(self.problems) > before:
                scanner.position = scanner.next_line(scanner.position)
                return None
            previous = token
        if previous is None:
            self._no_statement(begin)
            scanner.position = scanner.next_line(begin + 1)
            return None
        at = previous.end_pos or 0
        try:
            result = parser.feed_token(Token("$END", "", start_pos=at, end_pos=at))
        except UnexpectedToken:
            if len(self.problems) == before:
                self._explain_end(set(parser.accepts()), previous)  # type: ignore[no-untyped-call]
            return None
        return result if len(self.problems) == before else None

    def _no_statement(self, at: int) -> None:
        line = self.source.text[at:].split("\n", 1)[0].rstrip()
        word = line.split(maxsplit=1)[0]
        known = [*SECTION_WORDS, VERSION_WORD]
        help = (
            did_you_mean(word, known) or "a statement is `model NAME = KIND(...)`, `input NAME = VALUE`, `KEY = VALUE`"
        )
        if word in known:
            help = f"write `{word} 1`" if word == VERSION_WORD else f"write `{word} NAME = ...`"
        elif line.startswith("-"):
            help = "lists stand in brackets: `[a, b]`"
        elif word.endswith(":"):
            help = f"this is how YAML is written; here it is `{word[:-1]} = ...`"
        self._problem("no statement begins like this", at, at + len(line), help=help)

    def _explain(self, expected: set[str], previous: Token | None, token: Token) -> None:
        start, end = place(token)
        label = f"expected {_in_words(expected, self.scanner.opened)}"
        after = f" after {_shown(previous)}" if previous is not None else ""
        help = ""
        if token.type == "COMMA" and "PLAIN" in expected:
            help = "write `null` for no value"
        elif token.type == "PLAIN" and "COLON" not in expected and "KEY" in expected:
            help = "inside braces write `name: value`; names with blanks stand in quotes"
        elif previous is not None and previous.type == "QUOTED":
            help = "put the whole value in quotes of the other sort"
        self._problem(f"unexpected {_shown(token)}{after}", start, end, label, help)

    def _explain_end(self, expected: set[str], previous: Token) -> None:
        if self.scanner.opened:
            char, at = self.scanner.suspect or self.scanner.opened[-1]
            label = "opened here and never closed"
            help = f"add the missing `{CLOSER_OF[char]}`"
            self._problem(f"unclosed {OPENER_WORDS[char]}", at, at + 1, label, help)
            return
        at = place(previous)[1]
        words = _in_words(expected, [])
        self._problem(f"expected {words} after {_shown(previous)}", at, at, "the statement ends here")

    def _problem(self, message: str, start: int, end: int, label: str = "", help: str = "") -> None:
        self.problems.append(Diagnostic(CODE, message, self.source.span(start, end), label, help))


_WORDS = {
    "COMMA": "`,`", "RPAR": "`)`", "RSQB": "`]`", "RBRACE": "`}`", "EQUALS": "`=`", "COLON": "`:`", "LPAR": "`(`",
    "NAME": "a name", "VERB": "a key such as `where` or `columns`", "$END": "the end of the statement",
}  # fmt: skip


def _in_words(expected: set[str], opened: list[tuple[str, int]]) -> str:
    words = []
    if "PLAIN" in expected:
        words.append("a value")
    elif "KEY" in expected:
        words.append("`name: value`" if opened and opened[-1][0] == "{" else "`name = value`")
    words += [_WORDS[kind] for kind in _WORDS if kind in expected]
    return " or ".join(words) or "a statement"


def _shown(token: Token) -> str:
    text = " ".join(token.split())
    text = text if len(text) <= 30 else text[:27] + "..."
    return f"`{text}`" if "`" not in text else text
