"""Where in a spec a new word would stand: a marker is put there, and the parser itself says what it becomes.

The text around the cursor is seldom whole, so that several ways to go on behind the marker are tried, from none at all
to closing what is open and leaving out other lines with errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from soilql.lsp.documents import Document, Study, word_at
from soilql.lsp.recovery import SYNTAX, blank, parse, readable
from soilql.lsp.typed import Step
from soilql.source import Entry, Mapping, Node, Scalar, Sequence

MARKER = "zqCursorqz"

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_TOKEN = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'|`[^`]*`|[\"'`(\[{}\])#]", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Cursor:
    """What a word at the cursor would be.

    Attributes
    ----------
    path : tuple
        Keys and positions from the root to the mapping of a key, or to a value.
    role : {"key", "value"}
    before : str
        What stands before the word in the same value or key.
    after : str
        What stands behind it.
    start, end : int
        The word that is there, in the document.
    implied : bool
        Whether the value stands without its name, so that a name may be meant too.
    study : Study
        The spec with the marker in it.
    node : Node
        The block or other mapping or list that the word stands in.
    """

    path: tuple[Step, ...]
    role: Literal["key", "value"]
    before: str
    after: str
    start: int
    end: int
    implied: bool
    study: Study
    node: Node


def cursor_at(doc: Document, offset: int) -> Cursor | None:
    """Return what a word at an offset would be; None where no way to read the text has a place for one."""
    start, end = word_at(doc.text, offset)
    for text in _readings(doc, start, end):
        tree = parse(replace(doc.source, text=text))
        if not isinstance(tree.root, Mapping) or any(one.code in SYNTAX for one in tree.diagnostics):
            continue
        found = _find(tree.root, ())
        if found is None:
            continue
        path, role, scalar, node, implied = found
        before, _, after = scalar.text.partition(MARKER)
        if role == "key" and (before or after):
            continue
        study = Study.of(tree.source, _without_marker(tree.root), doc.others)
        return Cursor(path, role, before, after, start, end, implied, study, node)
    return None


def _readings(doc: Document, start: int, end: int) -> Iterator[str]:
    """Yield texts with the marker in them, from the most faithful to the most mended."""
    text = doc.text
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    match = re.search(r"[\r\n]", text[end:])
    line_end = len(text) if match is None else end + match.start()
    head, tail = text[line_start:start], text[end:line_end]
    rests = [(text[:line_start], text[line_end:])]
    # The same with the errors of other lines left out.
    others = readable(replace(doc.source, text=blank(text, line_start, line_end)))
    if others.blanked or others.root is None:
        whole = text
        for first, last in others.blanked:
            whole = blank(whole, first, last)
        rests.append((whole[:line_start], whole[line_end:]))
    # And with nothing behind the line: a bracket that it opens may take in all that follows.
    rests.append((text[:line_start], blank(text[line_end:], 0, len(text) - line_end)))
    rests.append((_closed_before(doc, text[:line_start]), blank(text[line_end:], 0, len(text) - line_end)))
    for above, below in rests:
        for middle in _middles(doc, above, head, tail):
            yield f"{above}{middle}{below}"


def _closed_before(doc: Document, above: str) -> str:
    """Return the text above a line with everything in it that cannot be read left out."""
    for first, last in readable(replace(doc.source, text=above)).blanked:
        above = blank(above, first, last)
    return above


def _middles(doc: Document, above: str, head: str, tail: str) -> Iterator[str]:
    """Yield ways to write the line of the cursor."""
    mini = doc.surface == "soilql"
    close = _closing(_statement(above, head) if mini else head)
    quote = close[:1] if close[:1] in "\"'`" else ""
    word = f"{head}{MARKER}"
    if not mini:
        yield from (f"{word}{more}" for more in (tail, f":{tail}", f"{quote}{tail}", close, f":{close}", "", ":"))
        return
    for comma in ("", ","):
        yield from (f"{word}{more}{comma}{tail}" for more in ("", quote, " = 0", " 0", "(0)", ": 0"))
    # A bracket of a formula is open, those of the statement may be closed further below.
    comma = "" if tail.lstrip().startswith(",") else ","
    yield from (f"{word}{close[:count]}{comma}{tail}" for count in range(1, len(close)))
    yield from (f"{word}{more}{end}" for more in ("", " = 0", " 0", ": 0") for end in (close, quote))


def _statement(above: str, head: str) -> str:
    """Return the statement of the mini-language so far, up to the cursor."""
    if head[:1].strip():
        return head
    begin = [match.start() for match in re.finditer(r"^(?=[^\s#)\]}|])", above, re.MULTILINE)]
    return above[begin[-1] :] + head if begin else head


def _closing(text: str) -> str:
    """Return what closes the quotes and brackets that are open at the end of a text.

    Examples
    --------
    >>> _closing('f(a, [b, "c')
    '"])'
    """
    opened: list[str] = []
    at = 0
    while (match := _TOKEN.search(text, at)) is not None:
        token, at = match[0], match.end()
        if token == "#" and (match.start() == 0 or text[match.start() - 1].isspace()):
            at = len(text) if (end := text.find("\n", at)) < 0 else end
        elif token in _CLOSERS:
            opened.append(_CLOSERS[token])
        elif token in ")]}":
            if token in opened:
                del opened[len(opened) - 1 - opened[::-1].index(token) :]
        elif len(token) == 1 and token != "#" and not text[match.start() - 1 : match.start()].isalnum():
            return token + "".join(reversed(opened))
    return "".join(reversed(opened))


def open_brackets(doc: Document, offset: int) -> str:
    """Return what closes the brackets that a statement of the mini-language has open at an offset, innermost first."""
    line = max(doc.text.rfind("\n", 0, offset), doc.text.rfind("\r", 0, offset)) + 1
    return _closing(_statement(doc.text[:line], doc.text[line:offset]))


_Found = tuple[tuple[Step, ...], Literal["key", "value"], Scalar, Node, bool]


def _find(node: Node, path: tuple[Step, ...], implied: bool = False, inside: Node | None = None) -> _Found | None:
    """Return the path to the marker, what it is, and what it stands in."""
    if isinstance(node, Scalar):
        return (path, "value", node, inside or node, implied) if MARKER in node.text else None
    if isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            if (found := _find(item, (*path, i), implied, node)) is not None:
                return found
        return None
    for entry in node:
        if MARKER in entry.name:
            return path, "key", entry.key, node, False
        # In the mini-language a value may stand for a key that is not written; the kind is such a key too.
        bare = entry.key.substituted and entry.name != "kind" and _stands_for(entry)
        if (found := _find(entry.value, (*path, entry.name), bare, node)) is not None:
            return found
    return None


def _stands_for(entry: Entry) -> bool:
    return entry.key.span.start == entry.value.span.start


def _without_marker(root: Mapping) -> Mapping:
    """Return a tree without the keys and values that hold the marker: nobody meant them yet."""
    kept = []
    for entry in root:
        value = _cleaned(entry.value)
        if MARKER not in entry.name and value is not None:
            kept.append(Entry(entry.key, value))
    return Mapping(tuple(kept), root.span)


def _cleaned(node: Node) -> Node | None:
    if isinstance(node, Scalar):
        return None if MARKER in node.text else node
    if isinstance(node, Sequence):
        items = (_cleaned(item) for item in node.items)
        return Sequence(tuple(item for item in items if item is not None), node.span)
    return _without_marker(node)
