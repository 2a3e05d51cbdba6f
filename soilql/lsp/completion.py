"""What can be written at the cursor: keys, kinds, names of blocks, columns, functions, words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from soilql import kinds
from soilql.explain import codes
from soilql.inputs import Input
from soilql.lsp import describe
from soilql.lsp.cursor import Cursor, cursor_at, open_brackets
from soilql.lsp.documents import Document
from soilql.lsp.hover import slots_of
from soilql.lsp.items import Item, Where, item
from soilql.lsp.proposals import file_items, value_items
from soilql.lsp.typed import Slot, short_forms
from soilql.minilang.parse import parse_with_comments
from soilql.minilang.shapes import find_shape
from soilql.minilang.words import FIRST_KEYS, SECTION_WORDS, WORD_OF_SECTION
from soilql.params import fields
from soilql.references import SEPARATOR
from soilql.source import Mapping, Scalar
from soilql.spec import SECTION_DOCS, TOP_LEVEL
from soilql.yaml_comments import find_comments

_CODES = re.compile(r"#[ \t]*soilql[ \t]*:[ \t]*ignore\[(?:[^\]\r\n]*[\s,])?(?P<word>\w*)$")
_INPUT = re.compile(r"\$(?:\{[ \t]*(?P<word>[\w.]*))?$")
_ASSIGNED = re.compile(r"[ \t]*[:=(]")


def complete(doc: Document, offset: int) -> list[Item]:
    """Return what can be written at an offset, the most likely first.

    Parameters
    ----------
    doc : Document
        Whole or not.
    offset : int
        Characters from the beginning of the text.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> text = "soilql: 1\\nvalidation: {f: {kind: kfold, fo"
    >>> [one.label for one in complete(document(text), len(text))][:2]
    ['folds', 'group']
    """
    line = doc.text[_line_start(doc.text, offset) : offset]
    if match := _CODES.search(line):
        where = Where(offset - len(match["word"]), offset)
        return [item(where, code, "code", detail=_title(code)) for code in codes() if _can_be_hidden(code)]
    if _in_comment(doc, offset):
        return []
    if match := _INPUT.search(line):
        return list(_inputs(doc, offset, match))
    cursor = cursor_at(doc, offset)
    if cursor is None:
        return []
    found = list(_at(doc, cursor))
    return list({(one.label, one.sort): one for one in found}.values())


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _title(code: str) -> str:
    return codes()[code].partition("\n")[0].removeprefix(f"{code} ")


def _can_be_hidden(code: str) -> bool:
    return code[2] in "34567"


def _in_comment(doc: Document, offset: int) -> bool:
    spans = parse_with_comments(doc.source)[1] if doc.surface == "soilql" else find_comments(doc.source)
    return any(span.start < offset <= span.end for span in spans)


def _inputs(doc: Document, offset: int, match: re.Match[str]) -> Iterator[Item]:
    """Yield the references to inputs that may follow a `$`, with the braces that are missing."""
    where = Where(offset - len(match[0]), offset)
    close = "" if doc.text[offset : offset + 1] == "}" else "}"
    for name, entry in doc.study.inputs().items():
        doc_text = describe.input_text(name, entry.value)
        declared = entry.value.get("type") if isinstance(entry.value, Mapping) else None
        parts = ("", ".first", ".last", ".all") if isinstance(declared, Scalar) and declared.text == "range" else ("",)
        for part in parts:
            text = f"${{inputs.{name}{part}{close}"
            yield item(where, f"${{inputs.{name}{part}}}", "input", insert=text, doc=doc_text)


def _at(doc: Document, cursor: Cursor) -> Iterator[Item]:
    path, where = cursor.path, Where(cursor.start, cursor.end)
    if not path:
        yield from _top_level(doc, cursor, where)
        return
    section = str(path[0])
    mini = doc.surface == "soilql"
    begins_line = not doc.text[_line_start(doc.text, cursor.start) : cursor.start].strip()
    # On a line of its own a word in YAML is a key before its colon is there.
    as_key = cursor.role == "key" or (not mini and begins_line and not cursor.before)
    if section == "extends":
        yield from file_items(doc, cursor, recipes=True)
    elif section in ("inputs", "use") and len(path) == 1:
        return
    elif section in kinds.SECTIONS and len(path) == 1:
        yield from _inherited(cursor, section, where) if as_key else ()
    elif section in kinds.SECTIONS and len(path) == 2 and mini and cursor.role == "value":
        yield from _kinds(section, where, call=True)
    elif section in kinds.SECTIONS and path[2:] == ("kind",) and cursor.role == "value":
        yield from _kinds(section, where, call=mini and doc.text[cursor.end : cursor.end + 1] != "(")
    else:
        if cursor.role == "value":
            yield from _values(doc, cursor)
        if as_key or cursor.implied:
            yield from _keys(doc, cursor, where)


def _top_level(doc: Document, cursor: Cursor, where: Where) -> Iterator[Item]:
    given = [entry.name for entry in cursor.node] if isinstance(cursor.node, Mapping) else []
    left = [name for name in TOP_LEVEL if name not in given]
    if doc.surface == "yaml":
        for name in left:
            text = "soilql: 1" if name == "soilql" else "extends: " if name == "extends" else f"{name}:"
            yield item(where, name, "section", insert=_unless_followed(doc, cursor, name, text), doc=_doc(name))
        return
    for word, section in SECTION_WORDS.items():
        yield item(where, word, "section", insert=f"{word} ", detail=f"in `{section}`", doc=_doc(section))
    for name in left:
        if name not in WORD_OF_SECTION:
            text = {"soilql": "soilql 1", "extends": "extends = "}.get(name, f"{name}(")
            yield item(where, name, "section", insert=text, doc=_doc(name), rank=0 if name == "soilql" else 5)


def _doc(name: str) -> str:
    return describe.KEY_DOCS.get(name, SECTION_DOCS.get(name, ""))


def _unless_followed(doc: Document, cursor: Cursor, name: str, text: str) -> str:
    """Return a text, or the bare name where what joins it to its value is there already."""
    return name if _ASSIGNED.match(doc.text, cursor.end) else text


def _inherited(cursor: Cursor, section: str, where: Where) -> Iterator[Item]:
    """Yield the blocks of the parents, which a spec may change."""
    node = None if cursor.study.merged.root is None else cursor.study.merged.root.get(section)
    for entry in node if isinstance(node, Mapping) else ():
        if not cursor.study.own(entry.key.span):
            detail = f"of {entry.key.span.source.name}"
            yield item(where, entry.name, "block", insert=f"{entry.name}:", detail=detail)


def _kinds(section: str, where: Where, *, call: bool) -> Iterator[Item]:
    for name in kinds.names(section):
        kind = kinds.find(section, name)
        if kind is not None:
            detail = kind.doc.partition("\n\n")[0].replace("\n", " ")
            text = f"{name}(" if call else name
            yield item(where, name, "kind", insert=text, detail=detail, doc=describe.kind_text(kind))


# --- keys -------------------------------------------------------------------------------------------------------------


def _keys(doc: Document, cursor: Cursor, where: Where) -> Iterator[Item]:
    """Yield the keys that the mapping at the cursor may still have."""
    path = cursor.path[:-1] if cursor.implied else cursor.path
    given = {entry.name for entry in cursor.node} if isinstance(cursor.node, Mapping) else set()
    if cursor.implied and cursor.path:
        given.discard(str(cursor.path[-1]))
    section = str(path[0])
    if section == "use" and len(path) == 2:
        for name, text in (("recipe", "the text of a recipe, instead of `from`"), ("inputs", "values of its inputs")):
            yield item(where, name, "property", insert=_joined(doc, cursor, name), doc=text, rank=2)
    if section == "use" and path[2:] == ("inputs",):
        yield from _recipe_inputs(doc, cursor, where)
        return
    block = section in kinds.SECTIONS and len(path) == 2 and doc.surface == "yaml"
    if block and "kind" not in given and cursor.study.kind(section, str(path[1])) is None:
        text = f"one of {', '.join(kinds.names(section))}"
        yield item(where, "kind", "property", insert=_joined(doc, cursor, "kind"), detail=text, rank=0)
    steps = _steps(doc, cursor)
    for slot in slots_of(cursor.study, path):
        if slot.params is not None:
            for field in fields(slot.params):
                if field.key not in given:
                    detail = describe.field_facts(field)
                    rank = 1 if field.required or field.key in steps else 2
                    text = _joined(doc, cursor, field.key)
                    yield item(where, field.key, "property", insert=text, detail=detail, doc=field.doc, rank=rank)
        elif slot.mapping is not None:
            yield from _names(doc, cursor, where, slot, given)


def _steps(doc: Document, cursor: Cursor) -> set[str]:
    """Return the keys that are written as `|` lines, where the cursor is on one."""
    section = str(cursor.path[0])
    kind = cursor.study.kind(section, str(cursor.path[1])) if len(cursor.path) > 1 else None
    line = doc.text[_line_start(doc.text, cursor.start) : cursor.start]
    if kind is None or doc.surface == "yaml" or line.strip() != "|":
        return set()
    shape = find_shape(section, kind.name)
    return set() if shape is None else {key for key, slot in shape.slots.items() if slot.in_pipe}


def _joined(doc: Document, cursor: Cursor, name: str) -> str:
    """Return a key with what joins it to a value on its surface, in its place."""
    opened = open_brackets(doc, cursor.start) if doc.surface == "soilql" else "}"
    between = {"}": ": ", ")": " = "}.get(opened[:1], " = " if cursor.path[0] in FIRST_KEYS else " ")
    return _unless_followed(doc, cursor, name, f"{name}{between}")


def _names(doc: Document, cursor: Cursor, where: Where, slot: Slot, given: Iterable[str]) -> Iterator[Item]:
    """Yield names that a mapping with names of the author's is likely to have."""
    for one in value_items(doc, cursor, [Slot((slot.mapping or (str,))[0], slot.field)], names=True):
        if one.label not in given:
            yield item(where, one.label, one.sort, insert=_joined(doc, cursor, one.insert), detail=one.detail)


def _recipe_inputs(doc: Document, cursor: Cursor, where: Where) -> Iterator[Item]:
    recipe = cursor.study.recipe(str(cursor.path[1]))
    for name, entry in recipe.inputs().items() if recipe is not None else ():
        text = describe.input_text(name, entry.value)
        yield item(where, name, "input", insert=_joined(doc, cursor, name), doc=text)


# --- values -----------------------------------------------------------------------------------------------------------


def _values(doc: Document, cursor: Cursor) -> Iterator[Item]:
    path = cursor.path
    if path[0] == "use" and (len(path) == 2 or path[2:] == ("from",)):
        yield from file_items(doc, cursor, recipes=True)
        return
    if path[0] == "use" and len(path) > 2 and path[2] == "blocks":
        prefix, where = f"{path[1]}{SEPARATOR}", Where(cursor.start, cursor.end)
        names = [name.removeprefix(prefix) for name in cursor.study.spec.available if name.startswith(prefix)]
        yield from (item(where, name, "block") for name in names)
        return
    found = slots_of(cursor.study, path)
    if path[0] == "inputs" and len(path) == 2:
        found = [slot for slot in found if slot.params is not Input]
    yield from _phrase_words(doc, cursor)
    yield from value_items(doc, cursor, [*found, *short_forms(found)])


def _phrase_words(doc: Document, cursor: Cursor) -> Iterator[Item]:
    """Yield the words between the parts of a `|` line that reads as a phrase."""
    section, where = str(cursor.path[0]), Where(cursor.start, cursor.end)
    kind = cursor.study.kind(section, str(cursor.path[1])) if len(cursor.path) == 3 else None
    shape = None if kind is None or doc.surface == "yaml" else find_shape(section, kind.name)
    slot = None if shape is None else shape.slots.get(str(cursor.path[2]))
    if slot is not None and slot.phrase is not None and cursor.before.strip():
        yield from (item(where, word, "word", insert=f"{word} ", rank=0) for word in slot.phrase.words)
