"""Cut the text of a statement into tokens; find where an unquoted value ends, and where the comments are."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from lark import Token

from soilql.errors import Diagnostic, Source
from soilql.minilang.literals import CODE, TEXT_ALONE
from soilql.minilang.words import ASSIGN, BARE_NAME, FIRST_KEYS, NAME, SECTION_WORDS, VERSION_WORD
from soilql.source import MAX_DEPTH

#: Where reading stops: what follows so many errors is hardly a spec.
MAX_SYNTAX_ERRORS = 100

_WORD = "|".join(SECTION_WORDS)
_VERSION = re.compile(rf"{VERSION_WORD}(?=[ \t]+[^\s=(])")
_IN_SECTION = re.compile(rf"({_WORD})[ \t]+({NAME})[ \t]*({ASSIGN})")
_KIND = re.compile(rf"({BARE_NAME})[ \t]*(\()")
_ASSIGNED = re.compile(rf"({NAME})\s*({ASSIGN})")
_CALLED = re.compile(rf"({NAME})[ \t]*(\()")
_NEXT_ARGUMENT = re.compile(rf",\s*{BARE_NAME}\s*{ASSIGN}")
_PAIR = re.compile(rf"({NAME})\s*(:)")
_VERB = re.compile(BARE_NAME)
_COLON_FOR_EQUALS = re.compile(rf"({BARE_NAME})(:)\s")

_SPACE = re.compile(r"(?:\s|#[^\r\n]*)*")
_COMMENT = re.compile(r"#[^\r\n]*")
_ORDINARY = re.compile(r"[^\s\"'`()\[\]{},#]+")
_TEXT_INSIDE = {
    '"': re.compile(r'"(?:[^"\\\r\n]|\\.)*"'),
    "'": re.compile(r"'(?:[^'\\\r\n]|\\.)*'"),
    "`": re.compile(r"`(?:[^`\r\n]|``)*`"),
}
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_SINGLE_WORD = re.compile(r"[\w$.:/-]+")

_OPENERS = {"(": "LPAR", "[": "LSQB", "{": "LBRACE"}
_CLOSERS = {")": "RPAR", "]": "RSQB", "}": "RBRACE"}
OPENER_WORDS = {"(": "parenthesis", "[": "bracket", "{": "brace"}
CLOSER_OF = {"(": ")", "[": "]", "{": "}"}


class Scanner:
    """The text, how far it has been read, and what was found on the way.

    Attributes
    ----------
    position : int
        Where the next token begins.
    limit : int
        Where the statement ends at the latest: at the next line that can only begin another one.
    opened : list of (str, int)
        Brackets of the statement that are open, with their places.
    comments : dict of int to int
        Start and end of each comment passed.
    problems : list of Diagnostic
        Slips that the grammar has no words for.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.position = 0
        self.limit = len(self.text)
        self.opened: list[tuple[str, int]] = []
        self.comments: dict[int, int] = {}
        self.problems: list[Diagnostic] = []
        self.suspect: tuple[str, int] | None = None  # a bracket in a value that took in the next argument
        self._unclosed = False  # a bracket of this statement never closes: lines with `|` end every value
        self._no_quote_after: dict[str, int] = {}
        first = self._skipped(0)
        self.base = self.column(first) if first < len(self.text) else 0
        names = rf"(?:{_WORD})[ \t]+{NAME}[ \t]*{ASSIGN}|{VERSION_WORD}[ \t]+\d|meta[ \t]*\("
        heads = re.compile(rf"^[ \t]{{0,{self.base}}}(?={names})", re.MULTILINE)
        self._heads = [match.end() for match in heads.finditer(self.text)]
        self._line = re.compile(rf"^(?:[ \t]*(?=\|)|[ \t]{{0,{self.base}}}(?=[^\s#)\]}}]))", re.MULTILINE)

    # --- places ---------------------------------------------------------------------------------------------------

    def column(self, at: int) -> int:
        """Return the number of characters before a place on its line."""
        return self.source.position(at)[1] - 1

    def begin(self, at: int) -> None:
        """Begin a statement."""
        self.position = at
        index = bisect_right(self._heads, at)
        self.limit = self._heads[index] if index < len(self._heads) else len(self.text)
        self.opened.clear()
        self.suspect = None
        self._unclosed = False
        self._no_quote_after.clear()

    def next_line(self, at: int) -> int:
        """Return where the first line after a place begins that is a statement or begins with `|`."""
        match = self._line.search(self.text, at)
        return len(self.text) if match is None else match.end()

    def skip(self) -> int:
        """Skip white space and comments, and return the place of what follows."""
        self.position = self._skipped(self.position)
        return self.position

    def ends_statement(self, at: int) -> bool:
        """Return whether what stands at a place begins a new line and a new statement."""
        if at >= self.limit:
            return True
        return self.text[at] != "|" and self.column(at) <= self.base and self._begins_line(at)

    def _begins_line(self, at: int) -> bool:
        return self.text[at - self.column(at) : at].isspace() or self.column(at) == 0

    def _ends_segment(self, at: int) -> bool:
        """Return whether a place ends the head or the `|` line; inside brackets, lines may begin anywhere."""
        if at >= self.limit or (self.text[at] == "|" and self._begins_line(at)):
            return True
        return not self.opened and self.ends_statement(at)

    def _skipped(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        assert match is not None
        if "#" in match[0]:
            self._note_comments(at, match.end())
        return match.end()

    def _note_comments(self, start: int, end: int) -> None:
        self.comments.update(match.span() for match in _COMMENT.finditer(self.text, start, end))

    # --- tokens ---------------------------------------------------------------------------------------------------

    def head(self) -> Iterator[Token]:
        """Yield the tokens of a statement up to its lines with `|`; none where no statement begins like this."""
        text, at = self.text, self.position
        if match := _VERSION.match(text, at):
            yield self._token("VERSION", match.span())
            yield from self._values(named=False)
        elif match := _IN_SECTION.match(text, at):
            is_given = SECTION_WORDS[match[1]] in FIRST_KEYS
            yield self._token("GIVEN" if is_given else "SECTION", match.span(1))
            yield self._token("NAME", match.span(2))
            yield self._token("EQUALS", match.span(3))
            self.skip()
            if not is_given and (kind := _KIND.match(text, self.position)) and not self._ends_segment(self.position):
                yield self._token("KIND", kind.span(1))
                yield self._opened("(", kind.start(2))
                yield from self._values(named=True)
            else:
                yield from self._values(named=False)
        elif match := _ASSIGNED.match(text, at):
            yield self._token("KEY", match.span(1))
            yield self._token("EQUALS", match.span(2))
            yield from self._values(named=False)
        elif match := _CALLED.match(text, at):
            yield self._token("KEY", match.span(1))
            yield self._opened("(", match.start(2))
            yield from self._values(named=True)

    def pipe(self) -> Iterator[Token]:
        """Yield the tokens of a line that begins with `|`, and of the lines that go on with it."""
        yield self._token("BAR", (self.position, self.position + 1))
        at = self.skip()
        match = _VERB.match(self.text, at, self.limit)
        if match is None or self._ends_segment(at):
            return
        yield self._token("VERB", match.span())
        yield from self._values(named=True)

    def _values(self, named: bool) -> Iterator[Token]:
        """Yield tokens to the end of the segment.

        Parameters
        ----------
        named : bool
            Whether `name = value` may come first outside all brackets.
        """
        fresh = True
        while True:
            at = self.skip()
            if self._ends_segment(at):
                return
            char = self.text[at]
            if char in _CLOSERS and self.opened:
                yield self._token(_CLOSERS[char], (at, at + 1))
                self.opened.pop()
                fresh = False
            elif char == ",":
                yield self._token("COMMA", (at, at + 1))
                fresh = named = True
            elif char == "|" and not self.opened and not fresh:
                return
            elif fresh:
                fresh = False
                for token in self.item(at, named):
                    fresh = token.type in ("LPAR", "LSQB", "LBRACE")
                    yield token
            else:
                yield self._scalar(at)

    def item(self, at: int, named: bool) -> Iterator[Token]:
        """Yield the name of an item, if it has one, and what its value begins with."""
        within = self.opened[-1][0] if self.opened else ""
        if within == "{":
            match = _PAIR.match(self.text, at)
        elif within == "(" or (not within and named):
            match = _ASSIGNED.match(self.text, at)
            if match is None and (slip := _COLON_FOR_EQUALS.match(self.text, at)) and within:
                help = f"write `{slip[1]} = ...`; `name: value` stands in braces `{{ }}`"
                self._problem("a name and its value are joined by `=` here", slip.span(2), "found `:`", help)
        else:
            match = None
        if match is not None:
            yield self._token("KEY", match.span(1))
            yield self._token("COLON" if within == "{" else "EQUALS", match.span(2))
            at = self.skip()
            if self._ends_segment(at) or self.text[at] == "," or self.text[at] in _CLOSERS:
                return
        char = self.text[at]
        if char in "[{":
            yield self._opened(char, at)
        else:
            yield self._scalar(at)

    def _token(self, type: str, span: tuple[int, int]) -> Token:
        self.position = span[1]
        return Token(type, self.text[slice(*span)], span[0], end_pos=span[1])

    def _opened(self, char: str, at: int) -> Token:
        self.opened.append((char, at))
        if len(self.opened) == MAX_DEPTH:
            self.problems.append(
                Diagnostic("SQ107", f"nested more than {MAX_DEPTH} levels deep", self.source.span(at, at + 1))
            )
        return self._token(_OPENERS[char], (at, at + 1))

    def _problem(self, message: str, span: tuple[int, int], label: str = "", help: str = "") -> None:
        if len(self.problems) < MAX_SYNTAX_ERRORS:
            self.problems.append(Diagnostic(CODE, message, self.source.span(*span), label, help))

    # --- values without brackets of the statement's own -----------------------------------------------------------

    def _scalar(self, at: int) -> Token:
        end = self._quoted_end(at) if self.text[at] in TEXT_ALONE else None
        if end is not None:
            return self._token("QUOTED", (at, end))
        return self._token("PLAIN", (at, self._plain_end(at)))

    def _quoted_end(self, at: int) -> int | None:
        """Return the end of a text in quotes that is a whole value; None for one that begins an expression."""
        quote = self.text[at]
        if at >= self._no_quote_after.get(quote, self.limit):
            return None
        match = TEXT_ALONE[quote].match(self.text, at, self.limit)
        if match is None:
            self._no_quote_after[quote] = at
            return None
        after = self._skipped(match.end())
        whole = self._ends_segment(after) or self.text[after] in ",)]}|"
        return match.end() if whole or self._names_next(after) else None

    def _names_next(self, at: int) -> bool:
        """Return whether a line begins with `name = `: the comma before it is missing."""
        return self._begins_line(at) and _ASSIGNED.match(self.text, at) is not None

    def _plain_end(self, start: int) -> int:
        """Return the end of an unquoted value, brackets and quotes inside it balanced."""
        inner: list[tuple[str, int]] = []
        at = end = start
        while at < self.limit:
            char = self.text[at]
            if char.isspace() or (char == "#" and self.text[at - 1].isspace()):
                following = self._skipped(at)
                if self._stops_value(start, end, following, inner):
                    break
                at = following
                continue
            if char in CLOSER_OF:
                inner.append((char, at))
            elif char in _CLOSERS and inner:
                inner.pop()
            elif (char in _CLOSERS and self.opened) or (char == "," and not inner):
                break
            elif char == "," and _NEXT_ARGUMENT.match(self.text, at):
                self.suspect = inner[-1]
            elif char in _TEXT_INSIDE:
                at = end = self._text_end(at, start)
                continue
            match = _ORDINARY.match(self.text, at, self.limit)
            at = end = at + 1 if match is None else match.end()
        if not inner:
            return end
        return self._unbalanced(start, end, inner[0])

    def _stops_value(self, start: int, end: int, at: int, inner: list[tuple[str, int]]) -> bool:
        """Return whether an unquoted value ends before what follows white space."""
        if inner and at < self.limit:
            return self._unclosed and (self._ends_segment(at) or self.ends_statement(at))
        if self._ends_segment(at):
            return True
        if self._names_next(at) or (
            self.opened and _SINGLE_WORD.fullmatch(self.text, start, end) and _ASSIGNED.match(self.text, at)
        ):
            match = _ASSIGNED.match(self.text, at)
            assert match is not None
            help = f"end the value before it with a comma; to compare, write `{match[1]} == ...`"
            self._problem(f"expected `,` before `{match[1]}`", match.span(1), help=help)
            return True
        return False

    def _text_end(self, at: int, start: int) -> int:
        """Return the end of a text in quotes inside an unquoted value."""
        quote = self.text[at]
        if quote != "`" and at > start and (self.text[at - 1].isalnum() or self.text[at - 1] == "_"):
            return at + 1  # an apostrophe
        match = _TEXT_INSIDE[quote].match(self.text, at, self.limit)
        if match is not None:
            return match.end()
        rest = _REST_OF_LINE.match(self.text, at, self.limit)
        assert rest is not None
        what = "name in backquotes" if quote == "`" else "text"
        label = f"opened here and not closed by {'a backquote' if quote == '`' else quote}"
        self._problem(f"unterminated {what}", (at, rest.end()), label)
        return rest.end()

    def _unbalanced(self, start: int, end: int, opening: tuple[str, int]) -> int:
        char, at = opening
        if not self._unclosed:
            label = "opened here and never closed"
            self._problem(f"unclosed {OPENER_WORDS[char]}", (at, at + 1), label, f"add the missing `{CLOSER_OF[char]}`")
            self._unclosed = True
            return self._plain_end(start)
        return end
