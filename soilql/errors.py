"""Source texts, spans in them, diagnostics about them, and the one exception that carries diagnostics."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


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
    """

    name: str
    text: str

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        text, i = self.text, 0
        while i < len(text):
            if text[i] == "\r" and text[i + 1 : i + 2] == "\n":
                i += 1
            if text[i] in "\r\n":
                starts.append(i + 1)
            i += 1
        return starts

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
class Diagnostic:
    """One finding: what is wrong, where, and how to mend it.

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
    """

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    help: str = ""
    severity: Severity = Severity.ERROR
    notes: tuple[str, ...] = field(default=())

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
        lines += [f"{pad}= note: {note}" for note in self.notes]
        if self.help:
            lines.append(f"{pad}= help: {self.help}")
        return "\n".join(lines)


def _excerpt(span: Span, label: str) -> tuple[list[str], str]:
    number = str(span.line)
    text = span.source.line(span.line)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    carets = "^" * max(1, end - start)
    # Tabs are kept in the gutter so that the carets stand under what they mean at any tab width.
    indent = "".join("\t" if char == "\t" else " " for char in text[:start])
    pad = " " * (len(number) + 1)
    below = f"{pad}| {indent}{carets}" + (f" {label}" if label else "")
    return [f"{number} | {text}", below], pad


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
        super().__init__("\n".join(d.render() for d in found))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a help text that names the known name closest to a misspelt one, or two as close; else an empty string.

    Examples
    --------
    >>> did_you_mean("Latitud", ["Latitude", "Longitude"])
    'did you mean `Latitude`?'
    >>> did_you_mean("x", ["Latitude"])
    ''
    """
    import difflib

    choices: Sequence[str] = list(dict.fromkeys(known))
    by_lower = {choice.lower(): choice for choice in reversed(choices)}
    if name.lower() in by_lower:
        close = [by_lower[name.lower()]]
    else:
        close = difflib.get_close_matches(name, choices, n=2, cutoff=0.6)
        likeness = [difflib.SequenceMatcher(None, choice, name).ratio() for choice in close]
        close = [choice for choice, ratio in zip(close, likeness, strict=True) if ratio > likeness[0] - 0.1]
    return f"did you mean {' or '.join(f'`{c}`' for c in close)}?" if close else ""
