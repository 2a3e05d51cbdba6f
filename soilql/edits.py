"""The edits that diagnostics offer: a word put right, a part put in or taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from soilql.errors import Fix, Span, close_names

_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n]*)?(?:\r\n|\r|\n|$)")
_LINE_END = re.compile(r"\r\n|\r|\n")
_COMMA_BEHIND = re.compile(r"\s*,\s*")


def replaced(span: Span, old: str, new: str, *, safe: bool, title: str = "") -> tuple[Fix, ...]:
    """Return the edit that puts one text in the place of another.

    Parameters
    ----------
    span : Span
        Where the text stands.
    old : str
        What should stand there. There is no edit where something else does: an escape, an input's reference.
    new : str
        What is put there.
    safe : bool
        Whether nothing else can have been meant.
    title : str
        Default: that the one is replaced by the other.

    Returns
    -------
    tuple of Fix
        One, or none.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> replaced(Source("x.yaml", "a && b").span(2, 4), "&&", "and", safe=True)[0].title
    'replace `&&` by `and`'
    """
    if span.text != old or old == new:
        return ()
    return (Fix(span, new, safe, title or f"replace `{old.strip()}` by `{new.strip()}`"),)


def respelled(span: Span, name: str, known: Iterable[str], *, safe: bool) -> tuple[Fix, ...]:
    """Return the edits that put the close known names in the place of a misspelt one.

    Parameters
    ----------
    span : Span
        Where the misspelt name stands.
    name : str
        The misspelt name.
    known : iterable of str
        Names that may be meant.
    safe : bool
        Whether the names are words of the language: a single close one that differs by one letter is then certain.
        What the author named (columns, blocks) is never certain.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> span = Source("x.yaml", "tress: 500").span(0, 5)
    >>> [(fix.replacement, fix.safe) for fix in respelled(span, "tress", ["trees", "seed"], safe=True)]
    [('trees', True)]
    """
    close = close_names(name, known)
    certain = safe and len(close) == 1 and one_letter_off(name.lower(), close[0].lower())
    return tuple(fix for word in close for fix in replaced(span, name, word, safe=certain))


def one_letter_off(a: str, b: str) -> bool:
    """Return whether two words differ by at most one letter: left out, put in, exchanged, or swapped with the next.

    Examples
    --------
    >>> one_letter_off("tress", "trees"), one_letter_off("fold", "folds"), one_letter_off("dta", "date")
    (True, True, False)
    """
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest, other = a[start:], b[start:]
    swapped = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return rest[1:] == other[1:] or rest[1:] == other or rest == other[1:] or swapped


def removed(span: Span, *, safe: bool, title: str) -> tuple[Fix, ...]:
    """Return the edit that takes out an entry of a mapping or an item of a list, with its line or its comma.

    Parameters
    ----------
    span : Span
        The entry, from its key to the end of its value.
    safe : bool
        Whether the rest means the same without it.
    title : str
        What the edit does.

    Returns
    -------
    tuple of Fix
        One; none where the entry shares its lines with what has to stay.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> (fix,) = removed(Source("x.yaml", "[a, b, c]").span(4, 5), safe=False, title="leave out `b`")
    >>> fix.span.text
    ', b'
    """
    text, (start, end) = span.source.text, (span.start, span.end)
    at = len(text[:start].rstrip(" \t"))
    rest = _REST_OF_LINE.match(text, end)
    if rest is not None and (at == 0 or text[at - 1] in "\r\n"):
        return (Fix(Span(span.source, at, rest.end()), "", safe, title),)
    head = text[:start].rstrip()
    if head.endswith(","):
        return (Fix(Span(span.source, len(head) - 1, end), "", safe, title),)
    tail = _COMMA_BEHIND.match(text, end)
    if head.endswith(("{", "[", "(")) and tail is not None:
        return (Fix(Span(span.source, start, tail.end()), "", safe, title),)
    return ()


def line_end(text: str) -> str:
    """Return the line end that a text uses."""
    found = _LINE_END.search(text)
    return "\n" if found is None else found[0]
