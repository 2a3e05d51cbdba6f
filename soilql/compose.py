"""A spec and the parents that it extends, merged into one tree whose parts know the file they came from.

`extends: parent.yaml` takes over everything the parent says. Blocks and keys are merged by name, to any depth; what the
child says wins, and a list is replaced as a whole. `$remove: [names]` in a mapping leaves out what the parent has under
these names, and so does the value `$remove` of one key; removing what is not there is an error. A bare value over a
declared input sets its default and keeps its type and bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from soilql.edits import respelled
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.parse import parse_source
from soilql.recipes import Library
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, Tree

REMOVE = "$remove"


@dataclass(frozen=True, eq=False)
class Merged:
    """A tree with its parents.

    Attributes
    ----------
    root : Mapping or None
        All that the files say together; None where one of them cannot be read.
    trees : tuple of Tree
        The files, from the first parent to the file itself.
    diagnostics : tuple of Diagnostic
        What is wrong in the way they are put together, and in their syntax.
    """

    root: Mapping | None
    trees: tuple[Tree, ...]
    diagnostics: tuple[Diagnostic, ...]


def merge_parents(tree: Tree, library: Library) -> Merged:
    """Follow `extends` and merge what the files say.

    Parameters
    ----------
    tree : Tree
        The file that may extend another.
    library : Library
        Opens its parents.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> source = Source("x.yaml", "soilql: 1\\nmeta: {title: x}\\n")
    >>> merge_parents(parse_source(source), Library(source)).root.get("meta").get("title").value
    'x'
    """
    trees = [tree]
    found = list(tree.diagnostics)
    readable = isinstance(tree.root, Mapping)
    while readable and (named := _extended(trees[0])) is not None:
        try:
            trees.insert(0, _open_parent(named, library))
        except SoilqlError as error:
            found += error.diagnostics
            readable = False
            break
        parent = trees[0]
        found += parent.diagnostics
        readable = isinstance(parent.root, Mapping)
        if not readable and not parent.diagnostics:
            span = named.span
            found.append(Diagnostic("SQ101", "the parent is no spec: it is empty or no mapping", span))
    if not readable:
        return Merged(None, tuple(trees), tuple(found))
    merger = _Merger()
    root: Mapping | None = None
    for one in trees:
        assert isinstance(one.root, Mapping)
        own = Mapping(tuple(entry for entry in one.root if entry.name != "extends"), one.root.span)
        root = merger.without_parent(own) if root is None else merger.merge(root, own, ())
    return Merged(root, tuple(trees), (*found, *merger.diagnostics))


def _extended(tree: Tree) -> Node | None:
    return tree.root.get("extends") if isinstance(tree.root, Mapping) else None


def _open_parent(node: Node, library: Library) -> Tree:
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = "`extends` names one parent, by its path relative to this file"
        raise SoilqlError(Diagnostic("SQ122", message, node.span))
    return parse_source(library.open(node.text, node.span, "extended by"))


class _Merger:
    """Lay a child over its parent, and say what was to be removed and is not there."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def merge(self, parent: Mapping, child: Mapping, path: tuple[str, ...]) -> Mapping:
        """Return the parent with what the child changes, adds and removes."""
        gone = set(self._removed(parent, child))
        kept = {entry.name: entry for entry in parent if entry.name not in gone}
        for entry in child:
            if entry.name == REMOVE or _is_removal(entry.value):
                continue
            above = kept.get(entry.name)
            if above is None:
                value = self._checked(entry.value)
            else:
                value = self._over(above.value, entry.value, (*path, entry.name))
            kept[entry.name] = Entry(entry.key, value)
        return Mapping(tuple(kept.values()), child.span)

    def _over(self, above: Node, value: Node, path: tuple[str, ...]) -> Node:
        if path[0] == "inputs" and len(path) == 2 and isinstance(above, Mapping) != isinstance(value, Mapping):
            above, value = _as_declaration(above), _as_declaration(value)
        if isinstance(above, Mapping) and isinstance(value, Mapping):
            return self.merge(above, value, path)
        return self._checked(value)

    def _removed(self, parent: Mapping, child: Mapping) -> Iterator[str]:
        for name, where in _removals(child):
            if parent.get(name) is not None:
                yield name
                continue
            known = [entry.name for entry in parent]
            fixes = respelled(where.span, name, known, safe=False)
            help = did_you_mean(name, known) or "delete it here"
            message = f"`{name}` cannot be removed: the parent does not have it"
            self.diagnostics.append(Diagnostic("SQ135", message, where.span, help=help, fixes=fixes))

    def _checked(self, node: Node) -> Node:
        """Report removals in what the parent does not have, and leave them out."""
        if isinstance(node, Sequence):
            return Sequence(tuple(map(self._checked, node.items)), node.span)
        return self.without_parent(node) if isinstance(node, Mapping) else node

    def without_parent(self, node: Mapping) -> Mapping:
        """Report removals in a mapping that stands alone, and leave them out."""
        for name, where in _removals(node):
            message = f"`{name}` cannot be removed: there is nothing above to remove it from"
            help = "name the parent under `extends`, or delete it here"
            self.diagnostics.append(Diagnostic("SQ135", message, where.span, help=help))
        kept = (entry for entry in node if entry.name != REMOVE and not _is_removal(entry.value))
        return Mapping(tuple(Entry(entry.key, self._checked(entry.value)) for entry in kept), node.span)


def _is_removal(node: Node) -> bool:
    return isinstance(node, Scalar) and node.style == "" and node.text == REMOVE


def _removals(node: Mapping) -> Iterator[tuple[str, Scalar]]:
    """Yield the names that a mapping removes, each with the place that says so."""
    for entry in node:
        if _is_removal(entry.value):
            assert isinstance(entry.value, Scalar)
            yield entry.name, entry.key
        elif entry.name == REMOVE:
            names = entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)
            yield from ((name.text, name) for name in names if isinstance(name, Scalar))


def _as_declaration(node: Node) -> Mapping:
    """Return the bare value of an input as what it stands for."""
    if isinstance(node, Mapping):
        return node
    key = Scalar("default", "default", node.span, substituted=True)
    return Mapping((Entry(key, node),), node.span)
