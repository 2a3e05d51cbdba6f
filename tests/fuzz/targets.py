"""What must hold for every text, whatever it is; one function a target, which raises where it does not."""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any

from soilql import fix
from soilql.convert import Surface, convert
from soilql.errors import Diagnostic, SoilqlError, Source, Span
from soilql.explain import codes
from soilql.expr import ast
from soilql.expr.check import Scope, check
from soilql.expr.derivative import differentiate
from soilql.expr.linearity import linear_parameters, log_linear
from soilql.expr.parse import Expression, parse_expression, parse_formula
from soilql.expr.terms import features, terms
from soilql.format import format_text
from soilql.formula.typeset import typeset
from soilql.lint import lint as lint_spec
from soilql.lint_files import FileFindings
from soilql.minilang.parse import parse_with_comments
from soilql.missing_keys import with_missing_keys
from soilql.parse import parse_source
from soilql.reporting import github, sarif, text
from soilql.reporting import json as as_json
from soilql.source import Mapping as MappingNode
from soilql.source import Node, Scalar, Tree, parse_yaml
from soilql.spec import build
from soilql.surface.same import plain
from soilql.surface.yamlread import find_comments as comments_of_tree
from soilql.yaml_comments import find_comments
from tests.fuzz import corpus

_BREAKS = re.compile(r"[\r\n]")


def names(surface: Surface) -> str:
    """Return a name by which a text is read on one surface."""
    return f"x.{surface}"


# --- parsers ------------------------------------------------------------------------------------------------------


def parse(text: str, surface: Surface) -> None:
    """Spans of the tree and of the diagnostics lie inside the text, parts inside their whole."""
    source = Source(names(surface), text)
    tree = parse_source(source)
    check_diagnostics(tree.diagnostics, [source])
    if tree.root is not None:
        check_node(tree.root, source)
    elif text.strip() and surface == "soilql" and not tree.diagnostics:
        assert not _without_comments(text), "a text with statements has a tree or a diagnostic"
    for comments in [parse_with_comments(source)[1]] if surface == "soilql" else _yaml_comments(tree):
        for span in comments:
            assert span.text.startswith("#")
            assert not _BREAKS.search(span.text)


def _yaml_comments(tree: Tree) -> Iterator[list[Span]]:
    """Yield the comments as they are found without a tree, and with one."""
    yield list(find_comments(tree.source))
    if not tree.diagnostics:
        yield list(comments_of_tree(tree))


def _without_comments(text: str) -> str:
    return re.sub(r"#[^\r\n]*", "", text).strip()


def check_node(node: Node, source: Source) -> None:
    """Check the places of a tree."""
    nodes = [node]
    while nodes:
        one = nodes.pop()
        check_span(one.span, [source])
        if isinstance(one, Scalar):
            for start, end in ((0, len(one.text)), (len(one.text) // 2, len(one.text) // 2 + 1), (len(one.text),) * 2):
                check_span(one.locate(start, end), [source])
        elif isinstance(one, MappingNode):
            assert len({entry.name for entry in one}) == len(one.entries)
            nodes += [part for entry in one for part in (entry.key, entry.value)]
        else:
            nodes += one.items


def check_span(span: Span, sources: Sequence[Source]) -> None:
    """Check that a place lies in its text, and that the text is one of those that were read."""
    assert 0 <= span.start <= span.end <= len(span.source.text), f"span {span.start}-{span.end} outside"
    assert any(span.source.text == one.text for one in sources), "a place in a text that nobody wrote"


def check_diagnostics(found: Sequence[Diagnostic], sources: Sequence[Source]) -> None:
    """Check that diagnostics say something, in one line each, at a place that exists, and offer possible edits."""
    for one in found:
        assert one.code in codes(), one.code
        assert one.message
        for part in (one.message, one.label, one.help, *one.notes):
            assert not _BREAKS.search(part), f"a line break in {part!r}"
        if one.span is not None:
            check_span(one.span, sources)
        for offer in one.fixes:
            check_span(offer.span, sources)
            assert offer.title
            assert not _BREAKS.search(offer.title)


# --- layout and conversion ------------------------------------------------------------------------------------------


def _written(text: str, source: Surface, target: Surface) -> str | None:
    """Return a text on another surface or laid out anew; None where it has syntax errors."""
    try:
        return format_text(text, source) if source == target else convert(text, source, target)
    except SoilqlError as error:
        assert error.diagnostics
        return None


def _tree(text: str, surface: Surface) -> Any:
    tree = parse_source(Source(names(surface), text))
    assert not tree.diagnostics, tree.diagnostics[0].render()
    return plain(tree.root)


def _comments(text: str, surface: Surface) -> Counter[str]:
    source = Source(names(surface), text)
    found = parse_with_comments(source)[1] if surface == "soilql" else comments_of_tree(parse_yaml(source))
    return Counter(re.sub(r"\W+", "", span.text) for span in found)


def layout(text: str, surface: Surface) -> None:
    """A new layout says the same with the same comments, and is the layout of itself."""
    once = _written(text, surface, surface)
    if once is None:
        return
    assert _tree(once, surface) == _tree(text, surface)
    assert _comments(once, surface) == _comments(text, surface)
    assert _written(once, surface, surface) == once


def conversion(text: str, surface: Surface) -> None:
    """The way to the other surface and back changes neither the tree nor the comments."""
    other: Surface = "soilql" if surface == "yaml" else "yaml"
    there = _written(text, surface, other)
    if there is None:
        return
    whole = _tree(text, surface)
    assert _tree(there, other) == whole
    back = _written(there, other, surface)
    assert back is not None
    assert _tree(back, surface) == whole
    assert _comments(there, other) == _comments(back, surface) == _comments(text, surface)
    assert _written(there, other, other) is not None


# --- expressions ------------------------------------------------------------------------------------------------------


def expression(text: str) -> None:
    """An expression or formula has diagnostics inside it, or a tree that its own text leads back to."""
    for read in (parse_expression, parse_formula):
        try:
            found = read(text)
        except SoilqlError as error:
            check_diagnostics(error.diagnostics, [Source("<expression>", text)])
            continue
        _check_expression(found, text)
        again = read(ast.to_text(found.root))
        assert again.root == found.root, ast.to_text(found.root)
        assert hash(again.root) == hash(found.root)


def _check_expression(found: Expression, text: str) -> None:
    source = Source("<expression>", text)
    for node in ast.walk(found.root):
        assert 0 <= node.start < node.end <= len(text)
        check_span(found.span(node), [source])
    used = ast.names(found.root)
    for linear in (False, True):
        for scope in (Scope(open=True), Scope(dict.fromkeys(used, "number"))):
            check_diagnostics(check(found, scope, linear=linear), [source])
    _check_algebra(found, used[:2])
    typeset(found.root)


def _check_algebra(found: Expression, used: Sequence[str]) -> None:
    root = found.root.predictors if isinstance(found.root, ast.Formula) else found.root
    for name in used:
        _or_diagnostics(partial(differentiate, root, name, found), found)
    _or_diagnostics(lambda: linear_parameters(root, used), found)
    _or_diagnostics(lambda: log_linear(root, used), found)
    if isinstance(found.root, ast.Formula):
        _or_diagnostics(lambda: terms(found), found)
        _or_diagnostics(lambda: features(found), found)


def _or_diagnostics(work: Callable[[], object], found: Expression) -> None:
    try:
        work()
    except SoilqlError as error:
        check_diagnostics(error.diagnostics, [Source("<expression>", found.text)])


# --- the linter -------------------------------------------------------------------------------------------------------


def linter(text: str, surface: Surface) -> None:
    """Every finding has a code, a place and one line; all renderers take it; edits leave a text that is no worse."""
    source = Source(names(surface), text)
    found = lint(source)
    check_diagnostics(found, [source])
    check_reports(source, found)
    if zlib.crc32(text.encode()) % 4 == 0:
        mended = fix.mend(source, lint, parse_source, unsafe=True)
        check_diagnostics(mended.findings, [mended.source])
        fix.difference(source, mended.source)


def lint(source: Source) -> list[Diagnostic]:
    """Return the findings about a text, also where they came as an exception."""
    try:
        spec = build(parse_source(source), {})
        return with_missing_keys(spec, lint_spec(spec))
    except SoilqlError as error:
        return list(error.diagnostics)


def check_reports(source: Source, found: Sequence[Diagnostic]) -> None:
    """Check that findings are shown in every format, in its form."""
    results = [FileFindings(source.name, tuple(found))]
    for colour in (False, True):
        assert text.report(results, colour=colour).count("SQ") >= len(found)
    text.summary(results)
    assert len(json.loads(as_json.report(results))["findings"]) == len(found)
    commands = github.report(results).splitlines()
    assert [line[:2] for line in commands] == ["::"] * len(found)
    log = json.loads(sarif.report(results))
    assert not list(sarif_validator().iter_errors(log))
    assert len(log["runs"][0]["results"]) == len(found)


@cache
def sarif_validator() -> Any:
    """Return what checks a SARIF log against the form of the parts used."""
    import jsonschema

    from tests.test_reporting import LOG

    return jsonschema.Draft202012Validator(LOG)


# --- growth -----------------------------------------------------------------------------------------------------------


def pump(text: str) -> None:
    """A piece of a text that is repeated costs no more each time; `\\x1f` parts what stands before, in and after it."""
    from tests.fuzz.growth import check_growth

    parts = text.split("\x1f")
    if len(parts) == 3 and parts[1]:
        check_growth(*parts)


def _pumps() -> Iterator[str]:
    for surface in ("yaml", "soilql"):
        for one in corpus.specs(surface):
            lines = one.splitlines(keepends=True)
            for at in range(0, len(lines), 3):
                yield "\x1f".join(("".join(lines[:at]), lines[at], "".join(lines[at + 1 :])))


#: Name of each target, what it checks, and the texts it starts from.
TARGETS: Mapping[str, tuple[Callable[[str], None], Callable[[], Sequence[str]]]] = {
    "yaml": (lambda text: parse(text, "yaml"), lambda: corpus.specs("yaml")),
    "soilql": (lambda text: parse(text, "soilql"), lambda: corpus.specs("soilql")),
    "expression": (expression, corpus.expressions),
    "layout-yaml": (lambda text: layout(text, "yaml"), lambda: corpus.specs("yaml")),
    "layout-soilql": (lambda text: layout(text, "soilql"), lambda: corpus.specs("soilql")),
    "convert-yaml": (lambda text: conversion(text, "yaml"), lambda: corpus.specs("yaml")),
    "convert-soilql": (lambda text: conversion(text, "soilql"), lambda: corpus.specs("soilql")),
    "lint-yaml": (lambda text: linter(text, "yaml"), lambda: corpus.specs("yaml")),
    "lint-soilql": (lambda text: linter(text, "soilql"), lambda: corpus.specs("soilql")),
    "pump": (pump, lambda: tuple(_pumps())),
}
