"""Source texts, spans in them, diagnostics about them, and the one exception that carries diagnostics."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path

#: What would break the line, move the cursor, turn the direction of reading or not be seen where a text is shown.
_UNSEEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


#: Characters from which on only a part of a line is shown.
_LONGEST_LINE = 200
#: Names from which on only some are looked at for one that may be meant.
_MANY_NAMES = 100
_NEIGHBOURS = 12


def visible(text: str) -> str:
    """Return a text with one sign in the place of each character that a terminal would obey rather than show.

    Examples
    --------
    >>> visible("a\\x1b[2J\\nb\\x9b")
    'a␛[2J␊b�'
    """
    return _UNSEEN.sub(lambda match: chr(0x2400 + ord(match[0])) if match[0] < " " else "\ufffd", text)


class Severity(StrEnum):
    """How much a diagnostic matters; only errors stop a run."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, eq=False)
class Source:
    """A text that spans point into, with the name it is shown under.

    Attributes
    ----------
    name : str
        What a diagnostic prints before the line, usually the path as the user typed it.
    text : str
        The whole text, decoded, without a byte order mark.
    path : Path, optional
        The file it was read from; for a recipe from the network, its copy on this machine.
    included : Inclusion, optional
        Where another spec asked for it; None for the spec that was named by the user.
    """

    name: str
    text: str
    path: Path | None = None
    included: Inclusion | None = None

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(end.end() for end in re.finditer(r"\r\n|\r|\n", self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Return the 1-based line and column of a character offset."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """Return the text of a 1-based line, without its line end."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """Return the span between two character offsets."""
        return Span(self, start, end)

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the text start from."""
        return (self.path or Path(self.name)).parent

    @property
    def remote(self) -> bool:
        """Whether the text came from the network, so that it has no folder of its own."""
        return self.included is not None and self.included.remote

    def chain(self) -> Iterator[Inclusion]:
        """Yield how the text came to be read, from itself up to the spec that was named by the user."""
        step = self.included
        while step is not None:
            yield step
            step = step.span.source.included


@dataclass(frozen=True, eq=False)
class Inclusion:
    """How one spec came to read another.

    Attributes
    ----------
    span : Span
        Where it is named.
    words : str
        What the one is to the other, to be followed by the place: ``extended by``.
    remote : bool
        Whether it comes from the network.
    """

    span: Span
    words: str
    remote: bool = False

    def __str__(self) -> str:
        return f"{self.words} {self.span}"


@dataclass(frozen=True)
class Span:
    """A half-open range of characters of one source; lines and columns count from 1."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        return self.source.position(self.end)[0]

    @property
    def end_column(self) -> int:
        return self.source.position(self.end)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Fix:
    """An edit of a source that mends what a diagnostic found.

    Attributes
    ----------
    span : Span
        What is replaced; an empty span for an insertion.
    replacement : str
        What is put there; empty for a deletion.
    safe : bool
        Whether the text can have meant nothing else, so that `--fix` may make the edit unasked.
    title : str
        What the edit does, in the imperative.
    """

    span: Span
    replacement: str
    safe: bool
    title: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "title", visible(self.title))


@dataclass(frozen=True)
class Diagnostic:
    """One finding: what is wrong, where, and how to mend it.

    What is said of a text may quote it: characters that are not for showing are replaced (see `visible`).

    Parameters
    ----------
    code : str
        Stable code such as ``SQ201``; ``soilql explain`` knows it.
    message : str
        What is wrong, in one line, names in backquotes.
    span : Span, optional
        Where; None only for what has no place in a text (a full disk).
    label : str
        What was found or expected at the span, printed under the carets.
    help : str
        How to mend it.
    severity : Severity
        Errors stop a run; warnings do not.
    notes : tuple of str
        Further facts, one line each.
    fixes : tuple of Fix
        Edits that would mend it, each by itself. With several of them the choice is the author's.
    """

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    help: str = ""
    severity: Severity = Severity.ERROR
    notes: tuple[str, ...] = field(default=())
    fixes: tuple[Fix, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in ("message", "label", "help"):
            object.__setattr__(self, name, visible(getattr(self, name)))
        object.__setattr__(self, "notes", tuple(map(visible, self.notes)))

    @property
    def facts(self) -> tuple[str, ...]:
        """The notes, and how the file at fault came to be read where the user did not name it."""
        chain = () if self.span is None else tuple(str(step) for step in self.span.source.chain())
        return (*self.notes, *chain)

    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Return the key by which diagnostics are shown in order of their place."""
        if self.span is None:
            return ("", -1, -1, self.code, self.message)
        return (self.span.source.name, self.span.start, self.span.end, self.code, self.message)

    def render(self) -> str:
        """Return the diagnostic as plain text with the excerpt of its source.

        Examples
        --------
        >>> source = Source("x.yaml", "formula: Rs ~ exp(a*T + c*Mo)")
        >>> print(Diagnostic("SQ201", "unknown name `Mo`", source.span(26, 28), help="did you mean `M`?").render())
        x.yaml:1:27: error SQ201 unknown name `Mo`
        1 | formula: Rs ~ exp(a*T + c*Mo)
          |                           ^^
          = help: did you mean `M`?
        """
        head = f"{self.severity} {self.code} {self.message}"
        pad = "  "
        lines = [head if self.span is None else f"{self.span}: {head}"]
        if self.span is not None:
            excerpt, pad = _excerpt(self.span, self.label)
            lines += excerpt
        elif self.label:
            lines.append(f"{pad}= {self.label}")
        lines += [f"{pad}= note: {fact}" for fact in self.facts]
        if self.help:
            lines.append(f"{pad}= help: {self.help}")
        return "\n".join(lines)


def _excerpt(span: Span, label: str) -> tuple[list[str], str]:
    number = str(span.line)
    text = span.source.line(span.line)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    if len(text) > _LONGEST_LINE:
        text, start, end = _clipped(text, start, end)
    carets = "^" * max(1, end - start)
    # Tabs are kept in the gutter so that the carets stand under what they mean at any tab width.
    indent = re.sub(r"[^\t]", " ", text[:start])
    pad = " " * (len(number) + 1)
    below = f"{pad}| {indent}{carets}" + (f" {label}" if label else "")
    return [f"{number} | {visible(text)}", below], pad


def _clipped(text: str, start: int, end: int) -> tuple[str, int, int]:
    """Return the part of a line that holds a place, and the place in it; of a long place the beginning."""
    first = max(0, min(start, len(text)) - _LONGEST_LINE // 4)
    last = min(len(text), first + _LONGEST_LINE)
    before, after = "..." if first else "", "..." if last < len(text) else ""
    moved = len(before) - first
    return f"{before}{text[first:last]}{after}", start + moved, min(end, last) + moved


class SoilqlError(Exception):
    """What the user asked for cannot be done; carries every diagnostic found on the way.

    Parameters
    ----------
    diagnostics : Diagnostic or iterable of Diagnostic
        At least one.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__(found)

    def __str__(self) -> str:
        return "\n".join(d.render() for d in self.diagnostics)


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known name closest to a misspelt one, or two that are as close; empty where none is close.

    Examples
    --------
    >>> close_names("lattitude", ["Latitude", "Longitude"])
    ['Latitude']
    """
    return list(_close_names(name, _Names(known if isinstance(known, tuple) else tuple(dict.fromkeys(known)))))


class _Names:
    """Names that are told apart by identity: to hash thousands of them takes longer than to look one up."""

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Names) and self.known is other.known

    def __hash__(self) -> int:
        return id(self.known)


@lru_cache(maxsize=4)
def _close_names(name: str, among: _Names) -> list[str]:
    import difflib

    choices = among.known if len(among.known) <= _MANY_NAMES else _neighbours(name, among)
    by_lower = {choice.lower(): choice for choice in reversed(choices)}
    if name.lower() in by_lower:
        return [by_lower[name.lower()]]
    close = difflib.get_close_matches(name, choices, n=2, cutoff=0.6)
    likeness = [difflib.SequenceMatcher(None, choice, name).ratio() for choice in close]
    return [choice for choice, ratio in zip(close, likeness, strict=True) if ratio > likeness[0] - 0.1]


def _neighbours(name: str, among: _Names) -> tuple[str, ...]:
    """Return the names that begin or end most like another; to look at all would take too long for each of many."""
    near = set()
    for sign in (1, -1):  # forwards, and from the last letter
        names, key = _in_order(among, sign), name.lower()[::sign]
        at = bisect.bisect_left(names, (key, -1))
        near |= {place for _, place in names[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]}
    return tuple(among.known[place] for place in sorted(near))


@lru_cache(maxsize=8)
def _in_order(among: _Names, sign: int) -> list[tuple[str, int]]:
    return sorted((name.lower()[::sign], place) for place, name in enumerate(among.known))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a help text that names the known name closest to a misspelt one, or two as close; else an empty string.

    Examples
    --------
    >>> did_you_mean("Latitud", ["Latitude", "Longitude"])
    'did you mean `Latitude`?'
    >>> did_you_mean("x", ["Latitude"])
    ''
    """
    close = close_names(name, known)
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""
