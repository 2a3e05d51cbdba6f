"""A YAML text as it is written, with its anchors, aliases and merge keys, so that a new layout keeps them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import yaml

from soilql.errors import Span
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, Tree, resolve
from soilql.surface.comments import Path

#: Style of an alias, and of the key `<<`: written as it stands.
VERBATIM = "*"

_MAYBE_ANCHOR = re.compile(r"(?<!\w)[&*]\w|<<")
_PREFIX = re.compile(r"(?:[&!][^\s,\[\]{}]*\s*)*")
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class AsWritten:
    """A tree in which an alias is a leaf, and the names of the anchors by their paths."""

    root: Node | None
    anchors: dict[Path, str]


def as_written(tree: Tree) -> AsWritten:
    """Return a YAML tree without its aliases followed.

    Parameters
    ----------
    tree : Tree
        From :func:`soilql.source.parse_yaml`, without diagnostics.
    """
    if not _MAYBE_ANCHOR.search(tree.source.text):
        return AsWritten(tree.root, {})
    reader = _Reader(tree)
    return AsWritten(reader.document(), reader.anchors)


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.source = tree.source
        self.anchors: dict[Path, str] = {}
        self._events = yaml.parse(tree.source.text, Loader=_Loader)

    def document(self) -> Node | None:
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                return self._node(event, ())
        return None

    def _node(self, event: yaml.Event, path: Path) -> Node:
        start, end = _place(event)
        if isinstance(event, yaml.AliasEvent):
            text = self.source.text[start:end]
            return Scalar(text, text, self.source.span(start, end), VERBATIM)
        assert isinstance(event, yaml.NodeEvent)
        if event.anchor:
            self.anchors[path] = event.anchor
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        prefix = _PREFIX.match(self.source.text, start)
        start = start if prefix is None else prefix.end()
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(event, (*path, len(items))))
            return Sequence(tuple(items), self._span(start, _place(event)[1]))
        entries: list[Entry] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, (*path, f"key {len(entries)}"))
            assert isinstance(key, Scalar), "a tree without diagnostics has plain keys"
            if key.text == "<<" and key.style == "":
                key = replace(key, style=VERBATIM)
            value = self._node(next(self._events), (*path, key.text))
            entries.append(Entry(key, value))
        return Mapping(tuple(entries), self._span(start, _place(event)[1]))

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        start, end = _place(event)
        prefix = _PREFIX.match(self.source.text, start, end)
        style = event.style or ""
        value = resolve(event.value) if style == "" else event.value
        return Scalar(value, event.value, self._span(start if prefix is None else prefix.end(), end), style)

    def _span(self, start: int, end: int) -> Span:
        end = start + len(self.source.text[start:end].rstrip())
        return self.source.span(start, max(start, end))


def _place(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark is not None and event.end_mark is not None
    return event.start_mark.index, event.end_mark.index
