"""Comments and blank lines of a spec: which key each belongs to, whatever the surface it is written on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from soilql.errors import Source, Span
from soilql.source import Mapping, Node, Scalar, Sequence

#: Way from the root of the tree to an entry: names of keys and positions in lists.
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True)
class Anchor:
    """A key with its value, or an item of a list, as it stands in the text."""

    path: Path
    start: int
    end: int


@dataclass
class Comments:
    """Comments by the path of what they belong to, each with its `#`.

    Attributes
    ----------
    above : dict of Path to list of str
        Lines above it; an empty one is a blank line between or below them.
    behind : dict of Path to str
        On its line.
    below : dict of Path to list of str
        Lines after it that begin nothing else: at the end of a section, or of the file under the empty path.
    blank : set of Path
        What has a blank line above it and its comments.
    """

    above: dict[Path, list[str]] = field(default_factory=dict)
    behind: dict[Path, str] = field(default_factory=dict)
    below: dict[Path, list[str]] = field(default_factory=dict)
    blank: set[Path] = field(default_factory=set)

    def inside(self) -> set[Path]:
        """Return the paths of everything that has a comment inside."""
        commented = [*self.above, *self.behind, *self.below]
        return {path[:length] for path in commented for length in range(len(path))}

    def add_above(self, path: Path, text: str) -> None:
        """Add a line above an entry."""
        self.above.setdefault(path, []).append(text)

    def add_behind(self, path: Path, text: str) -> None:
        """Put a comment on the line of an entry; a second one goes above it."""
        if path in self.behind:
            self.add_above(path, text)
        else:
            self.behind[path] = text


def find_anchors(root: Node | None, *, open_ended: bool = False) -> list[Anchor]:
    """Return what comments can belong to, in the order of the text, each place once.

    The value of an alias, or an entry that came by `<<`, stands elsewhere; it is found there.

    Parameters
    ----------
    root : Node or None
        The tree.
    open_ended : bool
        Whether a mapping or list without brackets ends where its last part does, as in YAML, whose parser takes the
        comments behind it for a part of it.
    """
    found: dict[int, Anchor] = {}
    for anchor in _walk(root, (), open_ended):
        found.setdefault(anchor.start, anchor)
    return sorted(found.values(), key=lambda anchor: anchor.start)


def _walk(node: Node | None, path: Path, open_ended: bool) -> Iterator[Anchor]:
    children: list[tuple[Path, int, Node]] = []
    if isinstance(node, Mapping):
        children = [((*path, entry.name), entry.key.span.start, entry.value) for entry in node]
    elif isinstance(node, Sequence):
        children = [((*path, i), item.span.start, item) for i, item in enumerate(node.items)]
    for place, start, value in children:
        if value.span.start < start:
            yield Anchor(place, start, start)
            continue
        yield Anchor(place, start, _end(value) if open_ended else value.span.end)
        yield from _walk(value, place, open_ended)


def _end(node: Node) -> int:
    while not isinstance(node, Scalar) and node.span.text[:1] not in ("{", "["):
        last = (node.items if isinstance(node, Sequence) else [entry.value for entry in node])[-1:]
        if not last or last[0].span.start < node.span.start:
            break
        node = last[0]
    return node.span.end


def attach(source: Source, anchors: list[Anchor], comments: Iterable[Span], *, nested_by_indent: bool) -> Comments:
    """Say which entry each comment belongs to.

    A comment on a line with an entry belongs to that entry; one on a line of its own to the next entry, or, where it
    is indented deeper than that, to the end of what stands above it.

    Parameters
    ----------
    source : Source
        The text.
    anchors : list of Anchor
        What comments can belong to, in the order of the text.
    comments : iterable of Span
        The comments, in order.
    nested_by_indent : bool
        Whether indentation tells to the end of what a comment belongs, as in YAML; else brackets do.
    """
    return _Attachment(source, anchors, nested_by_indent).attach(comments)


class _Attachment:
    """Anchors with their lines and with the anchors they stand in."""

    def __init__(self, source: Source, anchors: list[Anchor], nested_by_indent: bool) -> None:
        self.nested_by_indent = nested_by_indent
        self.source = source
        self.anchors = anchors
        self.found = Comments()
        self._parents = _parents(anchors)
        self._starting: dict[int, Anchor] = {}
        self._ending: dict[int, Anchor] = {}
        for anchor in anchors:
            self._starting.setdefault(self._line(anchor.start), anchor)
            end = self._line(max(anchor.start, anchor.end - 1))
            known = self._ending.get(end)
            if known is None or len(anchor.path) >= len(known.path):
                self._ending[end] = anchor

    def attach(self, comments: Iterable[Span]) -> Comments:
        following = 0
        lines: dict[int, list[int]] = {}
        for span in comments:
            while following < len(self.anchors) and self.anchors[following].start < span.start:
                following += 1
            number = span.line
            if self.source.line(number)[: span.column - 1].strip():
                self._behind(span, following)
            elif self._stands_above(span, following):
                above = lines.setdefault(following, [])
                if above and not self.source.line(number - 1).strip():
                    self.found.add_above(self.anchors[following].path, "")
                above.append(number)
                self.found.add_above(self.anchors[following].path, span.text.rstrip())
            else:
                self._at_end(span, following)
        for i, anchor in enumerate(self.anchors):
            self._note_blank_lines(anchor, lines.get(i, []))
        return self.found

    def _line(self, at: int) -> int:
        return self.source.position(at)[0]

    def _indent(self, anchor: Anchor) -> int:
        line = self.source.line(self._line(anchor.start))
        return len(line) - len(line.lstrip())

    def _begins_line(self, anchor: Anchor) -> bool:
        return self._starting[self._line(anchor.start)] is anchor

    def _ancestors(self, index: int) -> Iterator[Anchor]:
        """Yield an anchor and those it stands in, from the inside."""
        while index >= 0:
            yield self.anchors[index]
            index = self._parents[index]

    def _around(self, span: Span, following: int) -> Anchor | None:
        """Return the innermost anchor in whose value a comment stands."""
        return next((a for a in self._ancestors(following - 1) if a.end > span.start), None)

    def _behind(self, span: Span, following: int) -> None:
        """Attach a comment to what begins on its line, or ends there, or goes on there."""
        number = span.line
        anchor = self._starting.get(number) or self._ending.get(number)
        if anchor is not None:
            self.found.add_behind(anchor.path, span.text.rstrip())
        elif around := self._around(span, following):
            self.found.add_above(around.path, span.text.rstrip())
        else:
            self._at_end(span, following)

    def _stands_above(self, span: Span, following: int) -> bool:
        if following == len(self.anchors):
            return False
        anchor = self.anchors[following]
        around = self._around(span, following)
        if around is not None and anchor.start >= around.end:
            return False
        brackets_tell = around is not None and not self.nested_by_indent
        return brackets_tell or span.column - 1 <= self._indent(anchor)

    def _at_end(self, span: Span, following: int) -> None:
        """Attach a comment that stands inside a value, or at the end of a block or of the file."""
        text = span.text.rstrip()
        before = self.anchors[following - 1] if following else None
        if before is not None and before.end > span.start:
            self.found.add_above(before.path, text)
            return
        around = self._around(span, following)
        within = () if around is None else around.path
        path: Path = ()
        if before is not None and (span.column > 1 or within):
            siblings = [a for a in self._ancestors(following - 1) if len(a.path) > len(within)]
            aligned = (a.path for a in siblings if self._begins_line(a) and self._indent(a) <= span.column - 1)
            path = next(aligned, siblings[-1].path) if self.nested_by_indent else siblings[-1].path
        self.found.below.setdefault(path, []).append(text)

    def _note_blank_lines(self, anchor: Anchor, above: list[int]) -> None:
        line = self._line(anchor.start)
        if above and not self.source.line(line - 1).strip():
            self.found.add_above(anchor.path, "")
        first = above[0] if above else line
        on_own_line = bool(above) or self._begins_line(anchor)
        if on_own_line and first > 1 and not self.source.line(first - 1).strip():
            self.found.blank.add(anchor.path)


def _parents(anchors: list[Anchor]) -> list[int]:
    """Return for each anchor the index of the innermost one that it stands in, or -1."""
    parents: list[int] = []
    opened: list[int] = []
    for i, anchor in enumerate(anchors):
        while opened and anchors[opened[-1]].end <= anchor.start:
            opened.pop()
        parents.append(opened[-1] if opened else -1)
        opened.append(i)
    return parents
