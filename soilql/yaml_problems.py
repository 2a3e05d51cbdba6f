"""What PyYAML says about a text that is not YAML, in the words and at the place of someone who writes specs."""

from __future__ import annotations

import re

import yaml

from soilql.errors import Diagnostic, Source

# Part of the parser's message, what is at the place it points to, and how to mend it. The first that fits counts.
_PROBLEMS = (
    (
        "mapping values are not allowed",
        "no key can stand here",
        "put a value that holds `: ` in quotes, or mend the indentation",
    ),
    (
        "sequence entries are not allowed",
        "no list item can stand here",
        "begin the list on a line of its own, or put a value that begins with `- ` in quotes",
    ),
    ("found undefined alias", "an alias with no anchor of that name", "put a value that begins with `*` in quotes"),
    ("directive name", "a value cannot begin with `%`", "put the value in quotes"),
    ("unknown escape character", "no escape of that name", "put the value in single quotes, or write `\\\\` for `\\`"),
    ("tab character", "a tab where YAML wants spaces", "indent with spaces"),
    ("but found another document", "more than one document in the file", "keep one; delete the `---`"),
    ("expected <document start>", "this belongs to nothing above it", "mend its indentation, or a bracket before it"),
    ("expected '-' indicator", "a key among list items", "indent it unlike the list, or begin it with `- `"),
    ("expected node content", "no value can begin with this", "put the value in quotes"),
    ("expected key", "indented unlike the lines above it", "align it with its siblings"),
    ("expected <block end>", "indented unlike the lines above it", "align it with its siblings"),
)
_UNBLANKED_KEY = re.compile(r"\s*[\w-]+(:)[^\s/]")
_NO_BLANK = ("no blank after the colon", "write `key: value`")
_REFERENCE = re.compile(r"\$\{[^{}\n]*\}?")


def syntax_error(source: Source, error: yaml.MarkedYAMLError) -> Diagnostic:
    """Return the diagnostic for a text that cannot be read as YAML.

    Parameters
    ----------
    source : Source
        The text.
    error : yaml.MarkedYAMLError
        From libyaml or from PyYAML's own parser.

    Returns
    -------
    Diagnostic
        SQ101, at the place that has to be mended as far as it can be told, else where the parser gave up.

    Examples
    --------
    >>> try:
    ...     yaml.compose("where: Biome: Tundra")
    ... except yaml.MarkedYAMLError as error:
    ...     syntax_error(Source("x.yaml", "where: Biome: Tundra"), error).label
    'no key can stand here'
    """
    problem = error.problem or "not YAML"
    mark = error.problem_mark or error.context_mark
    at = min(mark.index if mark is not None else 0, len(source.text))
    at = min(at, max(0, len(source.text.rstrip()) - 1)) if source.text[at:].strip() == "" else at
    opened = at if error.context_mark is None else error.context_mark.index
    if "expected ',' or" in problem:
        return _in_brackets(source, opened, at)
    if "end of stream" in problem:
        return _problem(source, opened, "a quote opened here and never closed", "add the closing quote")
    if "could not find expected ':'" in problem:
        if (key := _UNBLANKED_KEY.match(source.text, opened)) and ": " not in source.line(source.position(opened)[0]):
            return _problem(source, key.start(1), *_NO_BLANK)
        help = "add the missing `: `, or indent the line as a part of the value above it"
        return _problem(source, opened, "a line that is neither `key: value` nor `- item`", help)
    if "cannot start any token" in problem:
        first = source.text[at : at + 1]
        if first == "\t":
            return _problem(source, at, "a tab where YAML wants spaces", "indent with spaces")
        return _problem(source, at, f"a value cannot begin with `{first}`", "put the value in quotes")
    return _at_line(source, at, problem)


def _problem(source: Source, at: int, label: str, help: str, end: int | None = None, note: str = "") -> Diagnostic:
    span = source.span(at, min(at + 1, len(source.text)) if end is None else end)
    notes = (note,) if note else ()
    return Diagnostic("SQ101", "the file is not well-formed YAML", span, label, help, notes=notes)


def _in_brackets(source: Source, opened: int, at: int) -> Diagnostic:
    """Return what is wrong inside ``[...]`` or ``{...}``: a value that needs quotes, or no closing bracket."""
    text = source.text
    closing = {"[": "]", "{": "}"}.get(text[opened : opened + 1], "}")
    if text[max(0, at - 1) : at + 1] == "${":
        reference = _REFERENCE.match(text, at - 1)
        end = reference.end() if reference else at + 1
        help = f"write '{text[at - 1 : end]}', quotes included"
        return _problem(source, at - 1, "a reference inside brackets needs quotes", help, end)
    line, first = source.position(at)[0], source.position(opened)[0]
    at_end = text[at + 1 :].strip() == "" and text[at : at + 1] not in ("]", "}")
    if line > first or at_end:
        note = f"line {line} was still read as a part of it" if line > first else ""
        return _problem(source, opened, "a bracket opened here, not closed", f"add the missing `{closing}`", note=note)
    help = f"put the whole value in quotes, or add the missing `,` or `{closing}`"
    return _problem(source, at, f"neither `,` nor `{closing}`", help)


def _at_line(source: Source, at: int, problem: str) -> Diagnostic:
    number, column = source.position(at)
    before = source.line(number)[: column - 1].rstrip()
    if "expected key" in problem and before.endswith(("'", '"')):
        return _problem(source, at, "text after the closing quote", "put the whole value in quotes of the other sort")
    if "expected key" in problem and source.text[at : at + 1] == "-":
        return _problem(source, at, "a list item among keys", "give it a name: `NAME: ...`")
    if "mapping values are not allowed" in problem and ":" not in before and number > 1:
        above = source.line(number - 1)
        if (key := _UNBLANKED_KEY.match(above)) and ": " not in above:
            start = source.text.rfind(above, 0, at - column + 1)
            return _problem(source, start + key.start(1), *_NO_BLANK)
    for part, label, help in _PROBLEMS:
        if part in problem:
            return _problem(source, at, label, help)
    return _problem(source, at, problem, "")
