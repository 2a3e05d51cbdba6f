"""Comments of a YAML text, which its tree leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from soilql.errors import Span
from soilql.source import Mapping, Node, Scalar, Sequence, Tree
from soilql.surface.comments import Comments, attach, find_anchors

_COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")
_BLOCK_HEADER = re.compile(r"[|>][^\s#]*[ \t]*(#[^\r\n]*)?(?:\r\n|\r|\n|$)")


def yaml_comments(tree: Tree) -> Comments:
    """Return the comments of a YAML text, each with the key it belongs to.

    Parameters
    ----------
    tree : Tree
        From :func:`soilql.source.parse_yaml`, without diagnostics.
    """
    anchors = find_anchors(tree.root, open_ended=True)
    return attach(tree.source, anchors, find_comments(tree), nested_by_indent=True)


def find_comments(tree: Tree) -> Iterator[Span]:
    """Yield the comments of a YAML text in order: every `#` behind white space that no value holds."""
    source = tree.source
    at = 0
    for start, end, style in [*sorted(set(_scalars(tree.root))), (len(source.text), len(source.text), "")]:
        for match in _COMMENT.finditer(source.text, at, max(at, start)):
            yield source.span(*match.span())
        at = max(at, end)
        if style in ("|", ">"):
            header = _BLOCK_HEADER.match(source.text, start)
            if header is not None and header[1]:
                yield source.span(*header.span(1))


def _scalars(node: Node | None) -> Iterator[tuple[int, int, str]]:
    if isinstance(node, Scalar):
        yield node.span.start, node.span.end, node.style
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _scalars(item)
    elif isinstance(node, Mapping):
        for entry in node:
            yield from _scalars(entry.key)
            yield from _scalars(entry.value)
