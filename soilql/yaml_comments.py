"""Comments of a YAML text, found without parsing it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soilql.errors import Source, Span

_BREAKS = "\r\n"
_REST = re.compile(r"[^\r\n]*")
# A block scalar begins with one of its signs at the end of a line, a comment aside.
_SIGN = re.compile(r"""["'#]|[|>](?=(?:[1-9]?[+-]?|[+-][1-9])[ \t]*(?:[ \t]\#[^\r\n]*)?(?:[\r\n]|\Z))""")
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"'(?:[^']|'')*'")}
_AFTER_QUOTED = re.compile(r"[ \t]*(?:[,:\]}#\r\n]|\Z)")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_LEAD = re.compile(r"[ ]*(?:-[ ]+)*")


def find_comments(source: Source) -> Iterator[Span]:
    """Yield the comments of a YAML text in order, each from its `#` to the end of the line.

    A `#` is one at the beginning of a line or behind white space, outside quotes and block scalars.

    Examples
    --------
    >>> text = "a: '# no'  # yes\\nb: |\\n  # no\\nc: x#no\\n# yes\\n"
    >>> [(span.line, span.text) for span in find_comments(Source("x.yaml", text))]
    [(1, '# yes'), (5, '# yes')]
    """
    text, at = source.text, 0
    while (sign := _SIGN.search(text, at)) is not None:
        start = sign.start()
        at = start + 1
        if text[start] == "#":
            if start == 0 or text[start - 1] in " \t\r\n\ufeff":
                at = _end_of_line(text, start)
                yield source.span(start, at)
        elif _begins_value(text, start):
            if text[start] in _QUOTED:
                at = _after_quoted(text, start)
            else:
                line = _end_of_line(text, start)
                comment = text.find("#", start, line)
                if comment >= 0:
                    yield source.span(comment, line)
                at = _after_block(text, start, line)


def _end_of_line(text: str, at: int) -> int:
    rest = _REST.match(text, at)
    assert rest is not None
    return rest.end()


def _begins_value(text: str, at: int) -> bool:
    """Return whether a quote or block sign begins a value, and is not a part of a plain one."""
    before = at - 1
    while before >= 0 and text[before] in " \t":
        before -= 1
    if before < 0 or text[before] in "\r\n,[{\ufeff":
        return True
    if text[before] in ":-?":
        return before < at - 1 or text[before - 1 : before] in ('"', "'")
    if before == at - 1:
        return False
    word = before
    while word > 0 and text[word - 1] not in " \t\r\n":
        word -= 1
    return text[word] in "&!"


def _after_quoted(text: str, start: int) -> int:
    """Return the end of a quoted value; a quote that opens none, on a line of a plain value, is passed over."""
    quoted = _QUOTED[text[start]].match(text, start)
    if quoted is None:
        return start + 1
    one_line = not any(char in quoted[0] for char in _BREAKS)
    return quoted.end() if one_line or _AFTER_QUOTED.match(text, quoted.end()) else start + 1


def _after_block(text: str, start: int, end_of_header: int) -> int:
    """Return the end of a block scalar: the first line below that is indented less than its first one."""
    begin = start
    while begin and text[begin - 1] not in _BREAKS:
        begin -= 1
    lead = _LEAD.match(text, begin)
    assert lead is not None
    parent = lead.end() - begin
    if lead.end() == start:  # the item of a list itself, after its dash
        parent = lead[0].rfind("-")
    digits = [int(char) for char in text[start + 1 : start + 3] if char in "123456789"]
    indent = max(parent, 0) + digits[0] if digits else None
    at = end_of_header + (2 if text.startswith("\r\n", end_of_header) else 1)
    while at < len(text):
        line = _LINE.match(text, at)
        assert line is not None
        if line[1].strip(" "):
            here = len(line[1]) - len(line[1].lstrip(" "))
            if indent is None:
                indent = max(here, parent + 1)
            if here < indent:
                return at
        at = max(line.end(), at + 1)
    return len(text)
