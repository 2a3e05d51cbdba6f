"""A tree to mini-language text in one layout, comments included."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import cached_property

from soilql.minilang.shapes import Shape, Slot, find_shape
from soilql.minilang.values import Where, name_text, phrase_text, scalar_lines, short_text, value_text
from soilql.minilang.words import FIRST_KEYS, VERSION_WORD, WORD_OF_SECTION, is_bare_name
from soilql.source import Entry, Mapping, Node, Scalar, Sequence
from soilql.surface.comments import Comments, Path
from soilql.surface.wrap import WIDTH

_INDENT = 2
#: Indentation of the lines that go on with a `|` line.
_PIPE_INDENT = 6
#: The section whose blocks say step by step, in `|` lines, what is done.
_PIPE_SECTION = "datasets"


def write_soilql(root: Node | None, comments: Comments, *, by_place: bool = False) -> str:
    """Write a tree as mini-language text.

    Parameters
    ----------
    root : Mapping or None
        The tree of a spec.
    comments : Comments
        Its comments.
    by_place : bool
        For a tree that comes from mini-language text: statements in the order of that text, as those of several
        sections may be mixed.

    Returns
    -------
    str
        Text that parses to the same tree and is written the same again.
    """
    writer = _Writer(_without_open_ends(root, comments))
    statements = list(_statements(root, writer.commented)) if isinstance(root, Mapping) else []
    if by_place:
        statements.sort(key=lambda statement: statement.entry.key.span.start)
    last = {statement.section: i for i, statement in enumerate(statements)}
    for i, statement in enumerate(statements):
        writer.statement(statement, is_last=last[statement.section] == i)
    writer.lines += comments.below.get((), [])
    return "\n".join(writer.lines) + "\n" if writer.lines else ""


def _without_open_ends(root: Node | None, comments: Comments) -> Comments:
    """Give comments below the last part of what has no closing bracket, an input or a `|` line, to the whole of it."""
    below = dict(comments.below)
    sections = {entry.name: entry.value for entry in root} if isinstance(root, Mapping) else {}
    for section in (*FIRST_KEYS, _PIPE_SECTION):
        value = sections.get(section)
        for entry in value if isinstance(value, Mapping) else ():
            wholes: list[tuple[Path, Node]] = [((section, entry.name), entry.value)]
            if section == _PIPE_SECTION and isinstance(entry.value, Mapping):
                wholes = [((section, entry.name, pipe.name), pipe.value) for pipe in _pipes(entry.value, section)]
            for path, whole in wholes:
                last = _last(whole)
                if last is not None and (*path, last) in below:
                    below[path] = [*below.pop((*path, last)), *below.get(path, ())]
    return replace(comments, below=below)


def _last(value: Node) -> str | int | None:
    if isinstance(value, Mapping) and value.entries:
        return value.entries[-1].name
    return len(value.items) - 1 if isinstance(value, Sequence) and value.items else None


class _Form(Enum):
    VALUE = auto()
    GIVEN = auto()
    BLOCK = auto()


@dataclass(frozen=True, eq=False)
class _Statement:
    entry: Entry
    place: Path
    section: str | None
    commented: frozenset[Path]  # what has a comment inside

    @property
    def first(self) -> Path:
        """Path of the first entry of the value, if that is a mapping."""
        entries = self.entry.value.entries if isinstance(self.entry.value, Mapping) else ()
        return (*self.place, entries[0].name) if entries else self.place

    @cached_property
    def form(self) -> _Form:
        """How it is written: what is no call and no default with more is written as a value."""
        value = self.entry.value
        if self.section is None or not isinstance(value, Mapping) or not value.entries or self.first in self.commented:
            return _Form.VALUE
        name, first = value.entries[0].name, value.entries[0].value
        if self.section in FIRST_KEYS:
            return _Form.GIVEN if name == FIRST_KEYS[self.section] and len(value.entries) > 1 else _Form.VALUE
        is_kind = isinstance(first, Scalar) and isinstance(first.value, str) and is_bare_name(first.text)
        return _Form.BLOCK if name == "kind" and is_kind else _Form.VALUE


@dataclass(frozen=True)
class _Item:
    """An argument, an item of a list, or a pair of a mapping, with what stands before its value."""

    before: str
    value: Node
    place: Path
    where: Where
    expression: bool = False
    text: str | None = None


def _statements(root: Mapping, commented: frozenset[Path]) -> Iterator[_Statement]:
    """Yield the statements of a tree: one for each entry of a section, one for anything else."""
    for top in root:
        if top.name in WORD_OF_SECTION and isinstance(top.value, Mapping) and top.value.entries:
            for entry in top.value:
                yield _Statement(entry, (top.name, entry.name), top.name, commented)
        else:
            yield _Statement(top, (top.name,), None, commented)


class _Writer:
    def __init__(self, comments: Comments) -> None:
        self.comments = comments
        self.lines: list[str] = []
        self.commented = frozenset(comments.inside())
        self._previous: tuple[str | None, bool] | None = None
        self._begun: set[str] = set()

    # --- statements -----------------------------------------------------------------------------------------------

    def statement(self, statement: _Statement, is_last: bool) -> None:
        """Write one statement with the comments around it; blank lines set apart sections and long statements."""
        place, section = statement.place, statement.section
        blank = place in self.comments.blank
        above = list(self.comments.above.get(place, ()))
        below = list(self.comments.below.get(place, ()))
        if section is not None and section not in self._begun:
            self._begun.add(section)
            blank = blank or (section,) in self.comments.blank
            above = [*self._of_section(section), *above]
        if section is not None and is_last:
            below += self.comments.below.get((section,), ())
        if statement.form is not _Form.VALUE:
            above += self._of_first(statement)
        lines = self._statement_lines(statement)
        is_long = len(lines) > 1
        apart = self._previous is not None and (self._previous[0] != section or self._previous[1] or is_long)
        if self.lines and self.lines[-1] and (blank or apart):
            self.lines.append("")
        self.lines += [*above, *lines, *(" " * _INDENT + text for text in below)]
        self._previous = (section, is_long)

    def _of_section(self, section: str) -> list[str]:
        """Return the comments of a section, which has no line of its own."""
        lines = list(self.comments.above.get((section,), ()))
        if (section,) in self.comments.behind:
            lines.append(self.comments.behind[section,])
        return [*lines, ""] if lines and lines[-1] else lines

    def _of_first(self, statement: _Statement) -> list[str]:
        """Return the comments of what has no line of its own in a block or input: its kind, its default."""
        first = statement.first
        lines = [*self.comments.above.get(first, ()), *self.comments.below.get(first, ())]
        return [text for text in (*lines, self.comments.behind.get(first, "")) if text]

    def _statement_lines(self, statement: _Statement) -> list[str]:
        entry, place, section = statement.entry, statement.place, statement.section
        name = name_text(entry.name)
        if section is None:
            return self._top_level(name, entry.value, place)
        head = f"{WORD_OF_SECTION[section]} {name} = "
        if statement.form is _Form.VALUE:
            return self._item(_Item(head, entry.value, place, Where.SECTION), "", 0)
        assert isinstance(entry.value, Mapping)
        if statement.form is _Form.GIVEN:
            return self._given(head, entry.value, place)
        return self._block(head, entry.value, place, section)

    def _top_level(self, name: str, value: Node, place: Path) -> list[str]:
        if isinstance(value, Mapping):
            items = [self._argument(entry, place, None) for entry in value]
            return self._bracketed(f"{name}(", items, ")", place, 0)
        before = f"{name} = "
        if name == VERSION_WORD and isinstance(value, Scalar) and isinstance(value.value, int | float):
            before = f"{name} "
        return self._item(_Item(before, value, place, Where.STATEMENT), "", 0)

    def _given(self, head: str, value: Mapping, place: Path) -> list[str]:
        first, *rest = value.entries
        items = [self._argument(entry, place, None, Where.PIPE) for entry in rest]
        default = _Item(head, first.value, (), Where.STATEMENT)
        line = ", ".join(map(self._inline, [default, *items]))
        if len(line) <= WIDTH and not any(self._has_comment(item.place) for item in items):
            return [self._behind(line, place)]
        lines = self._item(default, ",", 0)
        if len(lines) == 1:
            lines = [self._behind(lines[0], place)]
        elif place in self.comments.behind:
            lines = [self.comments.behind[place], *lines]
        return [*lines, *self._items(items, _INDENT, trailing=False)]

    def _has_comment(self, place: Path) -> bool:
        found = self.comments
        return place in self.commented or place in found.above or place in found.behind or place in found.below

    def _block(self, head: str, value: Mapping, place: Path, section: str) -> list[str]:
        kind, *entries = value.entries
        assert isinstance(kind.value, Scalar)
        shape = find_shape(section, kind.value.text)
        pipes = _pipes(value, section)
        arguments = entries[: len(entries) - len(pipes)]
        items = [self._argument(entry, place, shape) for entry in arguments]
        unnamed = _unnamed(arguments, shape)
        items[:unnamed] = [replace(item, before="") for item in items[:unnamed]]
        lines = self._bracketed(f"{head}{kind.value.text}(", items, ")", place, 0)
        for entry in pipes:
            slot = None if shape is None else shape.slots.get(entry.name)
            lines += self._pipe(entry, (*place, entry.name), slot)
        return lines

    def _argument(self, entry: Entry, place: Path, shape: Shape | None, where: Where = Where.CALL) -> _Item:
        slot = None if shape is None else shape.slots.get(entry.name)
        expression = slot is not None and slot.expression
        return _Item(f"{name_text(entry.name)} = ", entry.value, (*place, entry.name), where, expression)

    # --- `|` lines ------------------------------------------------------------------------------------------------

    def _pipe(self, entry: Entry, place: Path, slot: Slot | None) -> list[str]:
        verb = f"{' ' * _INDENT}| {entry.name} "
        above = [" " * _INDENT + text if text else "" for text in self.comments.above.get(place, ())]
        below = [" " * _INDENT + text for text in self.comments.below.get(place, ())]
        return [*above, *self._pipe_lines(verb, entry.value, place, slot), *below]

    def _pipe_lines(self, verb: str, value: Node, place: Path, slot: Slot | None) -> list[str]:
        commented = place in self.commented
        if isinstance(value, Mapping) and slot is not None and slot.phrase is not None and not commented:
            phrase = phrase_text(value, slot.phrase)
            if phrase is not None and len(verb + phrase) <= WIDTH:
                return [self._behind(verb + phrase, place)]
        items = self._pipe_items(value, place, slot)
        if items is None:
            expression = slot is not None and slot.expression
            is_phrase = slot is not None and slot.phrase is not None
            text = None
            if is_phrase and isinstance(value, Scalar) and isinstance(value.value, str):
                text = value_text(value, Where.PIPE)
            item = _Item(verb, value, place, Where.PIPE, expression, text)
            return self._item(item, "", _PIPE_INDENT, closing=_INDENT)
        line = verb + ", ".join(self._inline(item) for item in items)
        if not commented and len(line) <= WIDTH:
            return [self._behind(line, place)]
        if commented:
            return [self._behind(verb.rstrip(), place), *self._items(items, _PIPE_INDENT, trailing=False)]
        lines = self._items(items, _PIPE_INDENT, trailing=False)
        first = verb + lines[0].lstrip()
        if len(first) > WIDTH:
            return [self._behind(verb.rstrip(), place), *lines]
        return [self._behind(first, place), *lines[1:]]

    def _pipe_items(self, value: Node, place: Path, slot: Slot | None) -> list[_Item] | None:
        """Return the items of a `|` line; None where its value stands as a whole, in brackets or alone."""
        if isinstance(value, Sequence) and len(value.items) > 1 and (slot is None or slot.phrase is None):
            return [_Item("", item, (*place, i), Where.PIPE) for i, item in enumerate(value.items)]
        if not isinstance(value, Mapping) or not value.entries or (slot is not None and slot.expression):
            return None
        items = []
        for entry in value:
            at = (*place, entry.name)
            text = None
            if slot is not None and slot.short is not None and at not in self.commented:
                try:
                    text = short_text(entry.value, slot.short)
                except ValueError:
                    return None
            elif slot is not None and slot.short is not None and isinstance(entry.value, Scalar):
                return None
            items.append(_Item(f"{name_text(entry.name)} = ", entry.value, at, Where.PIPE, False, text))
        return items

    # --- items ----------------------------------------------------------------------------------------------------

    def _inline(self, item: _Item) -> str:
        text = item.text
        return item.before + (value_text(item.value, item.where, expression=item.expression) if text is None else text)

    def _behind(self, line: str, place: Path) -> str:
        comment = self.comments.behind.get(place)
        return line if comment is None else f"{line}  {comment}"

    def _items(self, items: list[_Item], indent: int, trailing: bool) -> list[str]:
        """Return items on lines of their own, with their comments and the commas between them."""
        lines: list[str] = []
        for i, item in enumerate(items):
            comma = "," if trailing or i < len(items) - 1 else ""
            pad = " " * indent
            lines += [pad + text if text else "" for text in self.comments.above.get(item.place, ())]
            lines += self._item(_indented(item, pad), comma, indent + _INDENT, closing=indent)
            lines += [pad + text for text in self.comments.below.get(item.place, ())]
        return lines

    def _bracketed(self, opening: str, items: list[_Item], closing: str, place: Path, indent: int) -> list[str]:
        line = opening + ", ".join(self._inline(item) for item in items) + closing
        plain = not any(self._has_comment(item.place) for item in items)
        if plain and (len(line) <= WIDTH or not items):
            return [self._behind(line, place)]
        lines = self._items(items, indent + _INDENT, trailing=True)
        return [self._behind(opening, place), *lines, " " * indent + closing]

    def _item(self, item: _Item, after: str, indent: int, closing: int = 0) -> list[str]:
        """Return the lines of one item; those after the first are indented.

        Parameters
        ----------
        item : _Item
            With the indentation of its first line in front.
        after : str
            Comma, or nothing.
        indent : int
            Indentation of further lines of a single value.
        closing : int
            Indentation of the closing bracket of a list or mapping.
        """
        value, place = item.value, item.place
        if place not in self.commented or not place:
            line = self._inline(item) + after
            if len(line) <= WIDTH:
                return [self._behind(line, place)]
        if isinstance(value, Scalar):
            return self._long_scalar(item, after, indent or _INDENT)
        if isinstance(value, Sequence):
            items = [_Item("", inner, (*place, i), Where.LIST) for i, inner in enumerate(value.items)]
            lines = self._bracketed(f"{item.before}[", items, f"]{after}", place, closing)
        else:
            items = [
                _Item(f"{name_text(entry.name)}: ", entry.value, (*place, entry.name), Where.MAPPING) for entry in value
            ]
            lines = self._bracketed(f"{item.before}{{", items, f"}}{after}", place, closing)
        return lines

    def _long_scalar(self, item: _Item, after: str, indent: int) -> list[str]:
        assert isinstance(item.value, Scalar)
        width = WIDTH - indent - len(after)
        if item.text is not None:
            lines = [item.text]
        else:
            lines = scalar_lines(item.value, item.where, width, expression=item.expression)
        first = item.before + lines[0]
        if len(first) > WIDTH and len(lines) > 1 and item.before.strip():
            return self._long_scalar_below(item, lines, after, indent)
        rest = [" " * indent + line for line in lines[1:]]
        whole = [first, *rest]
        whole[-1] = self._behind(whole[-1] + after, item.place)
        return whole

    def _long_scalar_below(self, item: _Item, lines: list[str], after: str, indent: int) -> list[str]:
        """Return a long value that begins on the line below its name."""
        whole = [item.before.rstrip(), *(" " * indent + line for line in lines)]
        whole[-1] = self._behind(whole[-1] + after, item.place)
        return whole


def _indented(item: _Item, pad: str) -> _Item:
    return _Item(pad + item.before, item.value, item.place, item.where, item.expression, item.text)


def _pipes(block: Mapping, section: str) -> tuple[Entry, ...]:
    """Return the entries that are written as `|` lines: from the first that says what is done to the end."""
    kind = block.entries[0].value if block.entries else None
    shape = find_shape(section, kind.text) if isinstance(kind, Scalar) else None
    if shape is None or section != _PIPE_SECTION:
        return ()
    slots = [shape.slots.get(entry.name) for entry in block]
    first = next((i for i, slot in enumerate(slots) if i and slot is not None and slot.in_pipe), len(slots))
    pipes = block.entries[first:]
    return pipes if all(is_bare_name(entry.name) for entry in pipes) else ()


def _unnamed(entries: SequenceABC[Entry], shape: Shape | None) -> int:
    """Return how many arguments stand without their names: the first if it is the first that a kind requires."""
    if shape is None:  # blank names are what the parser gave to the values of a kind that it does not know
        return next((i for i, entry in enumerate(entries) if entry.name != " " * i), len(entries))
    return int(bool(entries) and shape.positional[:1] == (entries[0].name,))
