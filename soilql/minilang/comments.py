"""Comments of a mini-language text, each with the key that it would belong to in YAML."""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Span
from soilql.minilang.words import WORD_OF_SECTION
from soilql.source import Mapping, Tree
from soilql.surface.comments import Anchor, Comments, attach, find_anchors


def soilql_comments(tree: Tree, comments: list[Span]) -> Comments:
    """Say which key each comment belongs to.

    Parameters
    ----------
    tree : Tree
        From :func:`soilql.minilang.parse.parse_with_comments`, without diagnostics.
    comments : list of Span
        The comments, from there.
    """
    sections = _sections(tree)
    found = attach(tree.source, list(_own_lines(tree, sections)), comments, nested_by_indent=False)
    for section, first in sections.items():
        _share(found, section, first)
    return found


def _sections(tree: Tree) -> dict[str, str]:
    """Return the sections that are written as statements, each with the name of its first block."""
    root = tree.root if isinstance(tree.root, Mapping) else ()
    return {
        top.name: top.value.entries[0].name
        for top in root
        if top.name in WORD_OF_SECTION and top.key.substituted and isinstance(top.value, Mapping)
    }


def _own_lines(tree: Tree, sections: dict[str, str]) -> Iterator[Anchor]:
    """Yield what can begin a line: not a section, nor the kind of a block; a block begins with its word."""
    for anchor in find_anchors(tree.root):
        path, start = anchor.path, anchor.start
        if path[0] in sections:
            if len(path) == 1 or path[2:] == ("kind",):
                continue
            if len(path) == 2:
                line, column = tree.source.position(start)
                before = tree.source.line(line)[: column - 1]
                start -= len(before.lstrip())
        yield Anchor(path, start, anchor.end)


def _share(found: Comments, section: str, first: str) -> None:
    """Give to a section what is set apart by a blank line above its first block."""
    block = (section, first)
    if block in found.blank:
        found.blank.discard(block)
        found.blank.add((section,))
    above = found.above.get(block, [])
    cut = max((i for i, text in enumerate(above) if not text), default=-1)
    if cut > 0:
        found.above[section,] = above[:cut]
        found.above[block] = above[cut + 1 :]
        if not found.above[block]:
            del found.above[block]
