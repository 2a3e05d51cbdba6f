"""What can stand as a value: words, names of blocks and columns, data sets, files, units, parts of expressions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from soilql import kinds, registry
from soilql.errors import SoilqlError
from soilql.expr.ast import name_text
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.kinds import Kind
from soilql.lsp import describe
from soilql.lsp.cursor import Cursor
from soilql.lsp.documents import Document, kind_of
from soilql.lsp.items import Item, Sort, Where, item
from soilql.lsp.names import Named, View, columns, data_of, visible
from soilql.lsp.typed import Leaf, Slot, is_a
from soilql.params import ColumnName, DataSource, NewName, Ref, UnitText
from soilql.parse import SUFFIXES
from soilql.source import Mapping, Scalar
from soilql.values import ValueType

#: Parts that the columns of a table play.
ROLES = {"lat": "latitude", "lon": "longitude", "time": "year or time", "site": "place of repeated observations"}

_MOST_FILES = 200
_PATH = re.compile(r"[\w.:/~\\-]*$")
_NAME = re.compile(r"[\w.:]*$")
_UNIT = re.compile(r"[\w%°/^*.\- ]*$")
_IN_CALL = re.compile(r"(?P<function>\w+)\((?P<before>[^()]*,)?\s*(?P<quote>[\"'])(?P<word>[^\"']*)$")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")
_SUFFIX_SOURCES = frozenset(SUFFIXES)


def value_items(doc: Document, cursor: Cursor, slots: Iterable[Slot], *, names: bool = False) -> Iterator[Item]:
    """Yield what can stand at the cursor as a value.

    Parameters
    ----------
    doc, cursor
    slots : iterable of Slot
        What may stand there.
    names : bool
        Whether a key with a name of the author's is wanted.
    """
    where = Where(cursor.start, cursor.end)
    for slot in slots:
        annotation = slot.annotation
        if slot.role is not None:
            yield from _expression_items(doc, cursor, slot)
        elif slot.choices:
            default = None if slot.field is None else slot.field.default
            for choice in map(str, slot.choices):
                yield item(where, choice, "value", detail="default" if choice == default else "", rank=1)
        elif is_a(annotation, Ref):
            yield from _reference_items(doc, cursor, annotation)
        elif annotation is DataSource:
            yield from _source_items(doc, cursor)
        elif annotation is UnitText:
            yield from _unit_items(doc, cursor)
        elif annotation is ColumnName:
            yield from _column_items(cursor, where)
        elif annotation is NewName:
            yield from _new_name_items(cursor, where, slot)
        elif annotation is str and names and slot.field is not None and "lat" in slot.field.doc:
            yield from (item(where, role, "word", detail=text) for role, text in ROLES.items())
        elif annotation is bool:
            yield from (item(where, word, "value") for word in ("true", "false"))
        elif annotation in (int, float) and slot.field is not None:
            default = slot.field.default
            if isinstance(default, int | float) and not isinstance(default, bool):
                yield item(where, describe.default_text(default), "value", detail="default")


def _before(doc: Document, cursor: Cursor, token: re.Pattern[str]) -> Where:
    """Return what a proposal replaces where a word may have other characters than letters."""
    line = max(doc.text.rfind("\n", 0, cursor.start), doc.text.rfind("\r", 0, cursor.start)) + 1
    match = token.search(doc.text[line : cursor.start])
    return Where(cursor.start - (0 if match is None else len(match[0].lstrip())), cursor.end)


def _view(cursor: Cursor) -> View | None:
    """Return the block that the cursor is in, though it may not be complete."""
    return View.of(cursor.study, str(cursor.path[1])) if len(cursor.path) > 1 else None


def _kind(cursor: Cursor) -> Kind | None:
    section = str(cursor.path[0])
    inside = len(cursor.path) > 1 and section in kinds.SECTIONS
    return cursor.study.kind(section, str(cursor.path[1])) if inside else None


# --- blocks -----------------------------------------------------------------------------------------------------------


def _reference_items(doc: Document, cursor: Cursor, wanted: type[Ref]) -> Iterator[Item]:
    where = _before(doc, cursor, _NAME)
    typed = doc.text[where.start : cursor.start]
    if "." in typed:
        yield from _variable_items(cursor, typed, where)
        return
    own = str(cursor.path[1]) if len(cursor.path) > 1 else ""
    for name, type in _block_types(cursor):
        if name != own and (type is None or type in wanted.accepts):
            yield _block_item(cursor, where, name, 1 if type is not None else 3)


def _block_item(cursor: Cursor, where: Where, name: str, rank: int) -> Item:
    block = cursor.study.spec.block(name)
    detail = "" if block is None else f"{block.kind}, in {block.section}"
    return item(where, name, "block", detail=detail, doc=describe.block_text(cursor.study, name), rank=rank)


def _block_types(cursor: Cursor) -> Iterator[tuple[str, ValueType | None]]:
    """Yield the blocks with what their values are, as far as that can be told; incomplete ones too."""
    study = cursor.study
    for name in study.spec.names():
        yield name, study.spec.value_type(name)
    for section, entry in study.blocks():
        if study.spec.block(entry.name) is None:
            kind = kind_of(section, entry.value)
            yield entry.name, None if kind is None else getattr(kind.module, "PRODUCES", None)


def _variable_items(cursor: Cursor, typed: str, where: Where) -> Iterator[Item]:
    """Yield the variables of the block before a point."""
    name, _, _ = typed.rpartition(".")
    where = Where(cursor.start, cursor.end)
    for named in columns(cursor.study, Ref(name)).values():
        yield _named_item(cursor, where, named)


def _named_item(cursor: Cursor, where: Where, named: Named, text: str = "") -> Item:
    is_own = named.made is not None and named.owner == _own_name(cursor)
    detail = ", ".join(filter(None, [named.variable.unit or "", _first_sentence(named.variable.description)]))
    doc = describe.named_text(named, cursor.study)
    sort: Sort = "parameter" if is_own else "column"
    return item(where, named.name, sort, insert=text or named.name, detail=detail, doc=doc, rank=1)


def _own_name(cursor: Cursor) -> str:
    return str(cursor.path[1]) if len(cursor.path) > 1 else ""


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")[:80]


# --- columns ----------------------------------------------------------------------------------------------------------


def _seen(cursor: Cursor, slot: Slot | None = None) -> dict[str, Named]:
    view = _view(cursor)
    if view is None:
        return {}
    empty = Scalar("", "", view.node.span)
    at = Leaf(empty, () if slot is None else (slot,), cursor.path[2:])
    return visible(view, at)


def _column_items(cursor: Cursor, where: Where) -> Iterator[Item]:
    for named in _seen(cursor).values():
        yield _named_item(cursor, where, named)
    view = _view(cursor)
    roles: dict[str, str] = {}
    for ref in () if view is None else data_of(view):
        schema = cursor.study.spec.schema(str(ref))
        roles |= {} if schema is None else dict(schema.roles)
    own = view.node.get("roles") if view is not None else None
    roles |= {entry.name: getattr(entry.value, "text", "") for entry in own} if isinstance(own, Mapping) else {}
    yield from (item(where, role, "word", detail=f"the role of `{name}`", rank=0) for role, name in roles.items())


def _new_name_items(cursor: Cursor, where: Where, slot: Slot) -> Iterator[Item]:
    """Yield names that the rest of the block tells, such as the parameters of its formula."""
    kind, view = _kind(cursor), _view(cursor)
    complete = None if kind is None else getattr(kind.module, "complete", None)
    if complete is None or view is None or slot.field is None:
        return
    for name in complete(slot.field.key, view.node, cursor.study.spec):
        yield item(where, name, "parameter", detail=f"a name of the formula of `{view.name}`", rank=1)


# --- expressions ------------------------------------------------------------------------------------------------------


def _expression_items(doc: Document, cursor: Cursor, slot: Slot) -> Iterator[Item]:
    role = "" if slot.role is None else slot.role.role
    if match := _IN_CALL.search(cursor.before):
        yield from _choices(cursor, match)
        return
    if _is_inside_text(cursor.before):
        return
    where = _before(doc, cursor, _NAME)
    typed = doc.text[where.start : cursor.start]
    if role == "blocks":
        if "." in typed:
            yield from _variable_items(cursor, typed, where)
            return
        for name, type in _block_types(cursor):
            if name != _own_name(cursor) and type in (None, ValueType.TABLE, ValueType.GRID):
                yield _block_item(cursor, where, name, 1)
    else:
        for named in _seen(cursor, slot).values():
            yield _named_item(cursor, where, named, name_text(named.name))
        if cursor.study.spec.value_type(_own_name(cursor)) is ValueType.GRID:
            yield from (item(where, axis, "column", detail=ROLES[axis]) for axis in ("lat", "lon"))
    view = _view(cursor)
    terms = role == "formula" and view is not None and not any(leaf.of(NewName) for leaf in view.own_names)
    for name, function in FUNCTIONS.items():
        if terms or not function.formula_only:
            followed = doc.text[cursor.end : cursor.end + 1] == "("
            text = name if followed else f"{name}("
            doc_text = describe.function_text(name)
            yield item(where, name, "function", insert=text, detail=describe.signature(function), doc=doc_text, rank=4)
    yield from (item(where, name, "constant", doc=describe.function_text(name), rank=5) for name in CONSTANTS)
    if role != "formula":
        yield from (item(where, word, "word", rank=5) for word in ("and", "or", "not", "in", "true", "false"))


def _is_inside_text(before: str) -> bool:
    rest = _QUOTED.sub("", before)
    return any(mark in rest for mark in "\"'`")


def _choices(cursor: Cursor, match: re.Match[str]) -> Iterator[Item]:
    """Yield the texts that may be the argument of a function at the cursor."""
    function = FUNCTIONS.get(match["function"])
    position = (match["before"] or "").count(",")
    where = Where(cursor.start - len(match["word"]), cursor.end)
    for i, texts in () if function is None else function.choices:
        if i == position:
            yield from (item(where, text, "value", rank=0) for text in texts)


# --- data sets, files and units ---------------------------------------------------------------------------------------


def _source_items(doc: Document, cursor: Cursor) -> Iterator[Item]:
    where = _before(doc, cursor, _PATH)
    kind = _kind(cursor)
    try:
        entries = registry.list_entries()
    except SoilqlError:
        entries = []
    for entry in entries:
        rank = 1 if kind is None or entry.kind == kind.name else 6
        if entry.kind != "recipe":
            label, text = f"registry:{entry.name}", describe.data_set_text(entry.name)
            yield item(where, label, "data set", detail=entry.title, doc=text, rank=rank)
    yield from file_items(doc, cursor, recipes=False)


def file_items(doc: Document, cursor: Cursor, *, recipes: bool) -> Iterator[Item]:
    """Yield files and folders beside the spec: specs, or files that may hold data."""
    where = _before(doc, cursor, _PATH)
    typed = doc.text[where.start : cursor.start]
    if typed.startswith("registry:") or doc.source.path is None:
        return
    folder = doc.source.folder / Path(typed[: typed.rfind("/") + 1]).expanduser()
    where = Where(cursor.start - len(typed) + typed.rfind("/") + 1, cursor.end)
    for name, is_folder in _listed(folder):
        spec = Path(name).suffix in _SUFFIX_SOURCES
        if is_folder or (spec == recipes and name != Path(doc.source.name).name):
            yield item(where, f"{name}/" if is_folder else name, "file", rank=4)


def _listed(folder: Path) -> list[tuple[str, bool]]:
    """Return what a folder holds, hidden things left out; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            listed = sorted((one.name, one.is_dir()) for one in found if not one.name.startswith("."))
    except OSError:
        return []
    return listed[:_MOST_FILES]


def _unit_items(doc: Document, cursor: Cursor) -> Iterator[Item]:
    """Yield the units of the columns that the block sees."""
    where = _before(doc, cursor, _UNIT)
    units = dict.fromkeys(named.variable.unit for named in _seen(cursor).values() if named.variable.unit)
    yield from (item(where, unit, "unit") for unit in units if unit)
