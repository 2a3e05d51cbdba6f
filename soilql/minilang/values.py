"""Single values as mini-language text: unquoted where they are read back as the same, else in quotes."""

from __future__ import annotations

import re
from enum import StrEnum

from soilql.errors import Source
from soilql.minilang.literals import is_quoted, plain_scalar, quoted_scalar
from soilql.minilang.scan import Scanner
from soilql.minilang.shapes import Phrase, ShortForm
from soilql.minilang.short import read_short
from soilql.minilang.words import is_bare_name
from soilql.source import Mapping, Node, Scalar, Sequence, resolve
from soilql.surface.same import scalar_key
from soilql.surface.wrap import authors_lines, is_foldable, wrap
from soilql.surface.yamlwrite import double_quoted

_SIMPLE = re.compile(r"[^\W\d][\w.]*(?:[:/-][\w.-]+)*")
_NUMBER_OR_NAME = re.compile(r"[\w.]+")
_KIND_LIKE = re.compile(r"[\w$.\-]+[ \t]*\(")


class Where(StrEnum):
    """What an unquoted value stands in, which decides where it ends."""

    CALL = "("
    LIST = "["
    MAPPING = "{"
    PIPE = "|"
    STATEMENT = "="
    SECTION = "section"


def name_text(name: str) -> str:
    """Return a name as it is written before `=` or `:`."""
    return name if is_bare_name(name) else double_quoted(name)


def scalar_text(scalar: Scalar, where: Where, *, expression: bool = False) -> str:
    """Return a value on one line.

    Parameters
    ----------
    scalar : Scalar
        The value.
    where : Where
        What it stands in.
    expression : bool
        Whether blanks are no reason for quotes: formulas and conditions stand without, texts for people with them.
    """
    text = scalar.text
    if scalar.value is None:
        return "null"
    if not isinstance(scalar.value, str):
        return text
    if _is_plain(scalar, text, where, expression):
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """Return a text in quotes, of the sort that needs no escapes."""
    if '"' in text and "'" not in text and "\\" not in text and text.isprintable():
        return f"'{text}'"
    return double_quoted(text)


def _is_plain(scalar: Scalar, text: str, where: Where, expression: bool) -> bool:
    if not text or not isinstance(resolve(text), str):
        return False
    if _SIMPLE.fullmatch(text):
        return True
    if not expression and any(char.isspace() for char in text):
        return False
    if where is Where.SECTION and _KIND_LIKE.match(text):
        return False
    return _reads_as(text, text, where)


def _reads_as(written: str, text: str, where: Where) -> bool:
    """Return whether an unquoted value, which may stand on several lines, is read as a text."""
    if written[0] in "|[{,)]}#" or not written.replace("\n", "").isprintable():
        return False
    source = Source("", written)
    scanner = Scanner(source)
    scanner.base = -1
    if where in (Where.CALL, Where.LIST, Where.MAPPING):
        scanner.opened.append((str(where), 0))
    tokens = list(scanner.item(0, named=where is Where.PIPE))
    whole = len(tokens) == 1 and tokens[0].type == "PLAIN" and tokens[0].end_pos == len(written)
    if not whole or scanner.problems or scanner.comments:
        return False
    return plain_scalar(source, 0, len(written), []).text == text


def scalar_lines(scalar: Scalar, where: Where, width: int, *, expression: bool) -> list[str]:
    """Return a value that is too long for one line on several, or on one if it cannot be broken."""
    text = scalar.text
    if not isinstance(scalar.value, str):
        return [scalar_text(scalar, where)]
    if is_foldable(text):
        lines = authors_lines(scalar, width)
        if _is_plain(scalar, text, where, expression):
            for choice in (lines, wrap(text, width, keep_quoted=True)):
                if choice is not None and _reads_as("\n      ".join(choice), text, where):
                    return choice
            return [text]
        inner = double_quoted(text)[1:-1]
        lines = wrap(inner, width - 2) if lines is None or inner != text else lines
        return [f'"{lines[0]}', *lines[1:-1], f'{lines[-1]}"'] if len(lines) > 1 else [f'"{inner}"']
    if "\n" not in text.rstrip("\n"):
        return [quoted(text)]
    return _literal_lines(text)


def _literal_lines(text: str) -> list[str]:
    """Return a text with line breaks in double quotes, a line for each of its lines."""
    pieces = [double_quoted(piece)[1:-1] for piece in re.findall(r"[^\n]*\n|[^\n]+", text)]
    # White space at the beginning of a line is layout, unless it is escaped.
    pieces = [f"\\{piece}" if piece.startswith(" ") and i else piece for i, piece in enumerate(pieces)]
    lines = [f"{piece}\\" for piece in pieces[:-1]] + [pieces[-1]]
    return [f'"{lines[0]}', *lines[1:-1], f'{lines[-1]}"']


def value_text(value: Node, where: Where, *, expression: bool = False) -> str:
    """Return any value on one line; lists and mappings in brackets."""
    if isinstance(value, Scalar):
        return scalar_text(value, where, expression=expression)
    if isinstance(value, Sequence):
        return f"[{', '.join(value_text(item, Where.LIST) for item in value.items)}]"
    pairs = (f"{name_text(entry.name)}: {value_text(entry.value, Where.MAPPING)}" for entry in value)
    return f"{{{', '.join(pairs)}}}"


def short_text(value: Node, form: ShortForm) -> str | None:
    """Return the value of an entry of a `|` line in its short form; None where it has none and needs braces.

    Raises
    ------
    ValueError
        The value can stand in braces only if the whole line does: a single value with another meaning in short.
    """
    if isinstance(value, Scalar):
        text = scalar_text(value, Where.PIPE)
        main, unit = read_short(text, 0, len(text), form)
        if unit is None and main[0] is None:
            return text
        raise ValueError(text)
    if not isinstance(value, Mapping) or not value.entries:
        return None
    keys = [entry.name for entry in value]
    nodes = [entry.value for entry in value]
    if keys[0] not in (form.name, form.expression) or keys[1:] not in ([], [form.unit]):
        return None
    if not all(isinstance(node, Scalar) for node in nodes):
        return None
    main_node, *units = nodes
    assert isinstance(main_node, Scalar)
    text = scalar_text(main_node, Where.PIPE, expression=keys[0] == form.expression)
    for node in units:
        assert isinstance(node, Scalar)
        text += f" [{node.text}]"
    return text if _is_short_for(text, keys, nodes, form) else None


def _is_short_for(text: str, keys: list[str], nodes: list[Node], form: ShortForm) -> bool:
    """Return whether a short form is read back as the keys and values that it was made from."""
    if not is_quoted(text, 0, len(text)) and not _reads_as(text, text, Where.PIPE):
        return False
    (key, start, end), unit = read_short(text, 0, len(text), form)
    read = [_read(text[start:end])] + ([] if unit is None else [_read(text[slice(*unit)])])
    names = [key] + ([] if unit is None else [form.unit])
    found = [scalar_key(node) for node in nodes if isinstance(node, Scalar)]
    return names == keys and [scalar_key(scalar) for scalar in read] == found


def _read(text: str) -> Scalar:
    source = Source("", text)
    if is_quoted(text, 0, len(text)):
        return quoted_scalar(source, 0, len(text), [])
    return plain_scalar(source, 0, len(text), [])


def phrase_text(value: Mapping, phrase: Phrase) -> str | None:
    """Return a mapping as a phrase, `Rs by lat, lon`; None where it is none."""
    keys = [entry.name for entry in value]
    if len(keys) < 2 or keys[0] != phrase.first or any(key not in phrase.words for key in keys[1:]):
        return None
    parts: list[str] = []
    for entry in value:
        items = entry.value.items if isinstance(entry.value, Sequence) else (entry.value,)
        if isinstance(entry.value, Mapping) or (isinstance(entry.value, Sequence) and len(items) < 2):
            return None
        texts = [value_text(item, Where.PIPE) for item in items]
        if not all(
            isinstance(item, Scalar) and _NUMBER_OR_NAME.fullmatch(text)
            for item, text in zip(items, texts, strict=True)
        ):
            return None
        if any(text in phrase.words for text in texts):
            return None
        parts.append((f"{entry.name} " if parts else "") + ", ".join(texts))
    return " ".join(parts)
