"""Mini-language text to the tree that its YAML twin gives: the same keys and values, with places in this text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from soilql.errors import Diagnostic, Source, Span
from soilql.minilang.literals import CODE, is_quoted, plain_scalar, quoted_scalar
from soilql.minilang.shapes import Shape, Slot, find_shape
from soilql.minilang.short import read_phrase, read_short
from soilql.minilang.syntax import Bracketed, Item, Pipe, Statement, Value, place, read_statements
from soilql.minilang.words import FIRST_KEYS, SECTION_WORDS
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, Tree, is_too_long, resolve, too_long


def parse_soilql(source: Source) -> Tree:
    """Parse mini-language text into a tree with spans.

    Parameters
    ----------
    source : Source
        The text.

    Returns
    -------
    Tree
        Equal in keys and values to that of the same spec in YAML. The root is None where the text is empty or has a
        syntax error (SQ150); all of them are found in one pass.

    Examples
    --------
    >>> tree = parse_soilql(Source("x.soilql", "soilql 1\\nvalidation f = kfold(folds = 5)\\n"))
    >>> [(entry.name, entry.value.value) for entry in tree.root.get("validation").get("f")]
    [('kind', 'kfold'), ('folds', 5)]
    """
    return parse_with_comments(source)[0]


def parse_with_comments(source: Source) -> tuple[Tree, list[Span]]:
    """Parse mini-language text and return its comments too, in order."""
    statements, comments, problems = read_statements(source)
    places = sorted(comments.items())
    builder = _Builder(source, places, problems)
    for statement in statements:
        builder.add(statement)
    failed = any(problem.code in (CODE, "SQ107") for problem in problems)
    root = None if failed or not statements else builder.root(statements)
    return Tree(source, root, tuple(sorted(problems, key=Diagnostic.sort_key))), [source.span(*at) for at in places]


class _Builder:
    def __init__(self, source: Source, comments: list[tuple[int, int]], problems: list[Diagnostic]) -> None:
        self.source = source
        self.problems = problems
        self._comments = comments
        self._top: dict[str, Entry] = {}
        self._sections: dict[str, dict[str, Entry]] = {}
        self._places: dict[str, tuple[Scalar, Span]] = {}

    def root(self, statements: list[Statement]) -> Mapping:
        """Return the whole tree; a section stands where its first statement does."""
        for section, entries in self._sections.items():
            key, span = self._places[section]
            self._top[section] = Entry(key, Mapping(tuple(entries.values()), span))
        return Mapping(tuple(self._top.values()), self.source.span(statements[0].start, statements[-1].end))

    def add(self, statement: Statement) -> None:
        """Add what a statement says."""
        head = statement.head
        if head.form in ("version", "entry"):
            self._put(self._top, Entry(self._key(head.name), self._value(head.items[0].value)))
        elif head.form == "group":
            value = self._mapping(head.items, head.name.end_pos or 0, head.end)
            self._put(self._top, Entry(self._key(head.name), value))
        else:
            self._add_to_section(statement)

    def _add_to_section(self, statement: Statement) -> None:
        head = statement.head
        assert head.word is not None
        section = SECTION_WORDS[head.word]
        if section not in self._sections:
            key = self._implied(section, self.source.span(*place(head.word)))
            if section in self._top:
                self._duplicate(section, key.span, self._top[section].key.span)
                return
            self._top[section] = Entry(key, key)  # keeps the place until the section is complete
            self._sections[section] = {}
            self._places[section] = (key, self.source.span(statement.start, statement.end))
        key, span = self._places[section]
        self._places[section] = (key, self.source.span(span.start, statement.end))
        if head.form == "block":
            value: Node = self._block(section, statement)
        elif head.form == "given":
            value = self._given(section, head.items)
        else:
            value = self._value(head.items[0].value)
        self._put(self._sections[section], Entry(self._key(head.name), value))

    def _block(self, section: str, statement: Statement) -> Mapping:
        head = statement.head
        assert head.kind is not None
        shape = find_shape(section, head.kind)
        span = self.source.span(*place(head.kind))
        entries: dict[str, Entry] = {}
        self._put(entries, Entry(self._implied("kind", span), Scalar(str(head.kind), str(head.kind), span)))
        for entry in self._arguments(head.items, shape, head.kind):
            self._put(entries, entry)
        for pipe in statement.pipes:
            slot = None if shape is None else shape.slots.get(pipe.verb)
            self._put(entries, Entry(self._key(pipe.verb), self._pipe(pipe, slot)))
        return Mapping(tuple(entries.values()), self.source.span(span.start, statement.end))

    def _arguments(self, items: tuple[Item, ...], shape: Shape | None, kind: str) -> Iterable[Entry]:
        unnamed = 0
        for item in items:
            value = self._value(item.value)
            if item.name is not None:
                yield Entry(self._key(item.name), value)
                continue
            if shape is None:
                # The kind is unknown, which is reported when the block is bound; the value is kept under a blank name.
                key = " " * unnamed
            elif unnamed < len(shape.positional):
                key = shape.positional[unnamed]
            else:
                self._too_many(value.span, shape, kind)
                continue
            unnamed += 1
            yield Entry(self._implied(key, value.span), value)

    def _too_many(self, span: Span, shape: Shape, kind: str) -> None:
        keys = ", ".join(f"`{key}`" for key in shape.positional)
        takes = f"only {keys} may stand without a name" if keys else f"`{kind}` takes values with names only"
        known = ", ".join(shape.slots)
        help = f"write `NAME = ...`; names: {known}"
        self.problems.append(Diagnostic(CODE, "a value without a name", span, takes, help))

    def _given(self, section: str, items: tuple[Item, ...]) -> Node:
        first = self._value(items[0].value)
        if len(items) == 1:
            return first
        entries: dict[str, Entry] = {}
        self._put(entries, Entry(self._implied(FIRST_KEYS[section], first.span), first))
        for item in items[1:]:
            self._put_named(entries, item)
        return Mapping(tuple(entries.values()), self.source.span(first.span.start, items[-1].end))

    # --- `|` lines ------------------------------------------------------------------------------------------------

    def _pipe(self, pipe: Pipe, slot: Slot | None) -> Node:
        items = pipe.items
        span = self.source.span(items[0].start, items[-1].end)
        if any(item.name is not None for item in items):
            if slot is not None and slot.expression:
                self._assignment_in_expression(items)
            return self._short_mapping(items, slot, span)
        if slot is not None and slot.phrase is not None:
            segments = read_phrase(self.source.text, [place(item.value) for item in items], slot.phrase.words)
            if len(segments) > 1:
                return self._phrase(slot.phrase.first, items, segments, span)
        values = [self._value(item.value) for item in items]
        return values[0] if len(values) == 1 else Sequence(tuple(values), span)

    def _assignment_in_expression(self, items: tuple[Item, ...]) -> None:
        name = next(item.name for item in items if item.name is not None)
        at = self.source.text.index("=", name.end_pos or 0)
        help = f"write `{name} == ...`"
        problem = Diagnostic(CODE, "`=` does not compare", self.source.span(at, at + 1), "expected `==`", help)
        self.problems.append(problem)

    def _short_mapping(self, items: tuple[Item, ...], slot: Slot | None, span: Span) -> Mapping:
        entries: dict[str, Entry] = {}
        for item in items:
            if item.name is None or slot is None or slot.short is None or isinstance(item.value, Bracketed):
                self._put_named(entries, item)
                continue
            main, unit = read_short(self.source.text, *place(item.value), slot.short)
            self._put(entries, Entry(self._key(item.name), self._short_value(main, unit, slot)))
        return Mapping(tuple(entries.values()), span)

    def _short_value(self, main: tuple[str | None, int, int], unit: tuple[int, int] | None, slot: Slot) -> Node:
        """Return the value behind a name in a `|` line: as it is, or under the keys that the short form stands for."""
        key, start, end = main
        value = self._scalar(start, end)
        if key is None:
            return value
        entries = [Entry(self._implied(key, value.span), value)]
        if unit is not None:
            assert slot.short is not None and slot.short.unit is not None
            found = self._scalar(*unit)
            entries.append(Entry(self._implied(slot.short.unit, found.span), found))
        return Mapping(tuple(entries), self.source.span(start, end if unit is None else unit[1] + 1))

    def _phrase(
        self, first: str, items: tuple[Item, ...], segments: list[tuple[tuple[int, int] | None, list[tuple[int, int]]]],
        span: Span,
    ) -> Mapping:  # fmt: skip
        whole = {place(item.value): item.value for item in items}
        entries: dict[str, Entry] = {}
        for word, places in segments:
            values = [self._value(whole[at]) if at in whole else self._scalar(*at) for at in places]
            implied = self._implied(first, values[0].span if values else span)
            key = implied if word is None else self._scalar(*word)
            if not values:
                at = span if word is None else key.span
                self.problems.append(Diagnostic(CODE, f"expected a value for `{key.text}`", at))
                continue
            value = values[0]
            if len(values) > 1:
                value = Sequence(tuple(values), self.source.span(values[0].span.start, values[-1].span.end))
            self._put(entries, Entry(key, value))
        return Mapping(tuple(entries.values()), span)

    # --- values ---------------------------------------------------------------------------------------------------

    def _value(self, value: Value) -> Node:
        start, end = place(value)
        if not isinstance(value, Bracketed):
            return self._scalar(start, end)
        if value.is_list:
            return Sequence(tuple(self._value(item.value) for item in value.items), self.source.span(start, end))
        return self._mapping(value.items, start, end)

    def _mapping(self, items: tuple[Item, ...], start: int, end: int) -> Mapping:
        entries: dict[str, Entry] = {}
        for item in items:
            self._put_named(entries, item)
        return Mapping(tuple(entries.values()), self.source.span(start, end))

    def _scalar(self, start: int, end: int) -> Scalar:
        text = self.source.text
        if is_quoted(text, start, end):
            return quoted_scalar(self.source, start, end, self.problems)
        first = bisect_left(self._comments, (start, 0))
        last = bisect_left(self._comments, (end, 0))
        return plain_scalar(self.source, start, end, self._comments[first:last])

    def _key(self, token: str) -> Scalar:
        start, end = place(token)  # type: ignore[arg-type]
        if token[0] in "\"'":
            return quoted_scalar(self.source, start, end, self.problems)
        return Scalar(resolve(str(token)), str(token), self.source.span(start, end))

    def _implied(self, text: str, span: Span) -> Scalar:
        return Scalar(text, text, span, '"', substituted=True)

    def _put_named(self, entries: dict[str, Entry], item: Item) -> None:
        if item.name is None:
            help = "name all of them or none"
            span = self.source.span(*place(item.value))
            self.problems.append(Diagnostic(CODE, "a value without a name", span, "expected `name = value`", help))
            return
        self._put(entries, Entry(self._key(item.name), self._value(item.value)))

    def _put(self, entries: dict[str, Entry], entry: Entry) -> None:
        if is_too_long(entry.name):
            self.problems.append(too_long(entry.key))
        elif entry.name in entries:
            self._duplicate(entry.name, entry.key.span, entries[entry.name].key.span)
        else:
            entries[entry.name] = entry

    def _duplicate(self, name: str, span: Span, first: Span) -> None:
        label = f"first given on line {first.line}"
        self.problems.append(Diagnostic("SQ103", f"duplicate key `{name}`", span, label, "keep one of them"))
