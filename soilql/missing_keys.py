"""Edits that write a missing key whose value the rest of its block tells, as the parameters of a formula are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from soilql import kinds, params
from soilql.edits import line_end
from soilql.errors import Diagnostic, Fix, Span
from soilql.source import Entry, Mapping, resolve
from soilql.spec import Spec

_CODE = "SQ121"


def with_missing_keys(spec: Spec, findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return the findings, with an edit for each missing key whose value the rest of its block tells.

    Parameters
    ----------
    spec : Spec
        What was linted. A kind that can tell the value of a missing key has ``complete`` (see :mod:`soilql.kinds`).
    findings : iterable of Diagnostic
        As :func:`soilql.lint.lint` returns them.
    """
    found = list(findings)
    if not any(one.code == _CODE for one in found):
        return found
    offers = dict(_offers(spec))
    return [
        replace(one, fixes=(*one.fixes, offers[one.message, one.span]))
        if one.code == _CODE and (one.message, one.span) in offers
        else one
        for one in found
    ]


def _offers(spec: Spec) -> Iterator[tuple[tuple[str, Span | None], Fix]]:
    """Yield the edits by message and place of the diagnostic that each belongs to."""
    for section in kinds.SECTIONS:
        blocks = None if spec.resolved is None else spec.resolved.get(section)
        for entry in blocks if isinstance(blocks, Mapping) else ():
            node = entry.value
            if entry.name not in spec.unbound or not isinstance(node, Mapping):
                continue
            kind = kinds.find(section, getattr(node.get("kind"), "text", ""))
            complete = None if kind is None else getattr(kind.module, "complete", None)
            if kind is None or complete is None:
                continue
            for field in params.fields(kind.params_type):
                after = node.entry("formula")
                names = complete(field.key, node, spec) if field.required and node.get(field.key) is None else ()
                if names and after is not None:
                    message = f"missing key `{field.key}`"
                    yield (message, node.entries[0].key.span), _insertion(node, after, field.key, names)


def _insertion(node: Mapping, after: Entry, key: str, names: Sequence[str]) -> Fix:
    """Return the edit that writes a list of names behind an entry, in the manner in which the block is written."""
    source, end = node.span.source, after.value.span.end
    listed = "[" + ", ".join(name if isinstance(resolve(name), str) else f'"{name}"' for name in names) + "]"
    title = f"write `{key}: {listed}`"
    between = source.text[after.key.span.end : after.value.span.start].lstrip()
    braces = source.text[node.span.start : node.span.start + 1] == "{"
    if braces or not between.startswith(":"):  # in a `.soilql` text a key is given by its place, or followed by `=`
        return Fix(source.span(end, end), f", {key}{':' if braces else ' ='} {listed}", True, title)
    # Behind the last line of the value, where a comment may stand.
    line, column = source.position(end)
    at = end + len(source.line(line)) - (column - 1)
    indent = " " * (after.key.span.column - 1)
    return Fix(source.span(at, at), f"{line_end(source.text)}{indent}{key}: {listed}", True, title)
