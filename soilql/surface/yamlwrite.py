"""A tree to YAML text in one layout, comments included."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingABC

from soilql.errors import Source
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, parse_yaml, resolve
from soilql.surface.aliases import VERBATIM
from soilql.surface.comments import Comments, Path
from soilql.surface.same import scalar_key
from soilql.surface.wrap import WIDTH, authors_lines, is_foldable, wrap

_INDENT = 2
_SAFE = re.compile(r"(?:[^\W_]|[/.$])[\w/.+*^()~<>=;$-]*(?: (?:[\w/.+*^(~<>=;$-])[\w/.+*^()~<>=;$-]*)*")
#: What YAML allows nowhere, or takes for the end of a line; a comment of the mini-language may hold it.
_NOT_IN_COMMENTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ESCAPED = {
    "\\": "\\\\", '"': '\\"', "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v",
    "\f": "\\f", "\r": "\\r", "\x1b": "\\e", "\x85": "\\N", "\xa0": "\\_", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def write_yaml(
    root: Node | None,
    comments: Comments,
    *,
    anchors: MappingABC[Path, str] | None = None,
    short_on_one_line: bool = False,
) -> str:
    """Write a tree as YAML.

    Parameters
    ----------
    root : Mapping or None
        The tree of a spec.
    comments : Comments
        Its comments.
    anchors : mapping of Path to str, optional
        Names of anchors, for a tree that :func:`soilql.surface.aliases.as_written` made.
    short_on_one_line : bool
        For a tree that comes from the mini-language: mappings that stand on one line there do so here, if they fit.
        Otherwise those that stand in braces.

    Returns
    -------
    str
        Text that parses to the same tree and is written the same again.
    """
    writer = _Writer(comments, anchors or {}, short_on_one_line)
    if isinstance(root, Mapping):
        writer.mapping(root, (), 0)
    elif root is not None:
        writer.lines += writer.value_lines(root, (), 0)
    writer.below((), 0)
    return "\n".join(writer.lines) + "\n" if writer.lines else ""


class _Writer:
    def __init__(self, comments: Comments, anchors: MappingABC[Path, str], short_on_one_line: bool) -> None:
        self.comments = comments
        self._anchors = anchors
        self.lines: list[str] = []
        self._short = short_on_one_line
        self._commented = comments.inside()

    def mapping(self, node: Mapping, path: Path, indent: int) -> None:
        """Write the entries of a mapping, each on lines of its own."""
        long_before = False
        for entry in node:
            place = (*path, entry.name)
            lines = self._entry_lines(entry, place, indent)
            self._blank(place, not path and long_before)
            self._above(place, indent)
            self.lines += lines
            self.below(place, indent)
            long_before = len(lines) > 1

    def _entry_lines(self, entry: Entry, place: Path, indent: int) -> list[str]:
        key = " " * indent + key_text(entry.key) + ":" + self._anchor(place)
        value = entry.value
        is_section = len(place) == 1 and entry.key.substituted  # made of statements
        line = None if is_section else self._one_line(value, place, len(key) + 1)
        if line is not None:
            return [self._with_comment(f"{key} {line}" if line else key, place)]
        if isinstance(value, Scalar):
            header, *rest = block_scalar(value, indent + _INDENT)
            return [self._with_comment(f"{key} {header}", place), *rest]
        if (filled := self._filled(value, place, len(key) + 2)) is not None:
            first, *rest = filled
            return [f"{key} [{first}", *rest]
        return [self._with_comment(key, place), *self.value_lines(value, place, indent + _INDENT)]

    def value_lines(self, value: Node, place: Path, indent: int) -> list[str]:
        """Return the lines of a mapping or list that does not stand on one."""
        outer, self.lines = self.lines, []
        if isinstance(value, Mapping):
            self.mapping(value, place, indent)
        elif isinstance(value, Sequence):
            self._sequence(value, place, indent)
        else:
            line = self._one_line(value, place, indent)
            self.lines += block_scalar(value, indent) if line is None else [" " * indent + line]
        found, self.lines = self.lines, outer
        return found

    def _sequence(self, node: Sequence, path: Path, indent: int) -> None:
        for i, item in enumerate(node.items):
            place = (*path, i)
            dash = " " * indent + "-" + self._anchor(place)
            self._blank(place, False)
            self._above(place, indent)
            line = self._one_line(item, place, len(dash) + 1)
            if line is not None:
                self.lines.append(self._with_comment(f"{dash} {line}" if line else dash, place))
            elif isinstance(item, Scalar):
                header, *rest = block_scalar(item, indent + _INDENT)
                self.lines += [self._with_comment(f"{dash} {header}", place), *rest]
            else:
                self.lines += self._item_lines(dash, item, place, indent)
            self.below(place, indent)

    def _item_lines(self, dash: str, item: Node, place: Path, indent: int) -> list[str]:
        """Return the lines of a mapping or list in a list; its first line stands behind the dash."""
        inner = self.value_lines(item, place, indent + _INDENT)
        behind = self.comments.behind.get(place)
        above = [] if behind is None else [" " * indent + _comment(behind)]
        if place in self._anchors or not inner[0].strip() or inner[0].lstrip()[0] == "#":
            return [*above, dash, *inner]
        return [*above, dash + inner[0][indent + 1 :], *inner[1:]]

    def _anchor(self, place: Path) -> str:
        return f" &{self._anchors[place]}" if place in self._anchors else ""

    # --- comments -------------------------------------------------------------------------------------------------

    def _blank(self, place: Path, wanted: bool) -> None:
        if self.lines and self.lines[-1] and (wanted or place in self.comments.blank):
            self.lines.append("")

    def _above(self, place: Path, indent: int) -> None:
        for text in self.comments.above.get(place, ()):
            self.lines.append(" " * indent + _comment(text) if text else "")

    def below(self, place: Path, indent: int) -> None:
        """Write the comments below an entry, or at the end of the file.

        They are indented so that they are not read as those above the next top-level key.
        """
        indent += _INDENT if len(place) == 1 else 0
        self.lines += [" " * indent + _comment(text) for text in self.comments.below.get(place, ())]

    def _with_comment(self, line: str, place: Path) -> str:
        comment = self.comments.behind.get(place)
        return line if comment is None else f"{line}  {_comment(comment)}"

    # --- values on one line ---------------------------------------------------------------------------------------

    def _one_line(self, value: Node, place: Path, column: int) -> str | None:
        """Return a value that goes on one line behind its key; None for one that does not."""
        if isinstance(value, Scalar):
            if value.value is None and value.style == "" and not value.text:
                return ""
            text = scalar_text(value, flow=False)
            fits = (column + len(text) <= WIDTH or " " not in text) and "\n" not in value.text
            return text if fits or not _has_block(value) else None
        items = value.items if isinstance(value, Sequence) else value.entries
        if items and not (self._on_one_line(value) and place not in self._commented):
            return None
        flow = self._flow(value, place)
        return flow if flow is not None and (not items or column + len(flow) <= WIDTH) else None

    def _filled(self, value: Node, place: Path, column: int) -> list[str] | None:
        """Return a list of numbers and words in brackets on as many lines as it takes; None for any other value."""
        if not isinstance(value, Sequence) or not value.items or not value.span.text.startswith("["):
            return None
        texts = [self._in_flow(item, (*place, i)) for i, item in enumerate(value.items) if isinstance(item, Scalar)]
        if len(texts) < len(value.items) or place in self._commented or place in self.comments.behind:
            return None
        lines = [""]
        for text, end in zip(map(str, texts), ["," for _ in texts[1:]] + ["]"], strict=True):
            if lines[-1] and column + len(f"{lines[-1]} {text}{end}") > WIDTH:
                lines.append("")
            lines[-1] += f"{' ' * bool(lines[-1])}{text}{end}"
        pad = " " * column
        return [lines[0], *(pad + line for line in lines[1:])] if len(lines) > 1 else None

    def _on_one_line(self, value: Mapping | Sequence) -> bool:
        """Return whether a mapping or list was written in brackets, or in short in the mini-language."""
        raw = value.span.text
        if raw[:1] in ("{", "[") or (self._short and isinstance(value, Sequence)):
            return True
        return self._short and "\n" not in raw and "\r" not in raw

    def _in_flow(self, value: Node, place: Path) -> str | None:
        text = self._flow(value, place)
        return text if text is None else f"{self._anchor(place)} {text}".lstrip()

    def _flow(self, value: Node, place: Path) -> str | None:
        if isinstance(value, Scalar):
            return scalar_text(value, flow=True)
        if not self._on_one_line(value) and (value.items if isinstance(value, Sequence) else value.entries):
            return None
        if isinstance(value, Sequence):
            items = [self._in_flow(item, (*place, i)) for i, item in enumerate(value.items)]
            return None if None in items else f"[{', '.join(map(str, items))}]"
        pairs = [(key_text(entry.key, flow=True), self._in_flow(entry.value, (*place, entry.name))) for entry in value]
        if any(text is None for _, text in pairs):
            return None
        return "{" + ", ".join(f"{key}: {text}" if text else f"{key}:" for key, text in pairs) + "}"


def _comment(text: str) -> str:
    return _NOT_IN_COMMENTS.sub(" ", text)


def key_text(key: Scalar, *, flow: bool = False) -> str:
    """Return a key as it is written; text that could be read as something else in quotes."""
    if key.style == VERBATIM:
        return key.text
    if key.text in ("<<", ""):
        return f'"{key.text}"'
    if _SAFE.fullmatch(key.text):
        return key.text if not isinstance(key.value, str) or isinstance(resolve(key.text), str) else f'"{key.text}"'
    return scalar_text(key, flow=flow, as_key=True)


def scalar_text(scalar: Scalar, *, flow: bool, as_key: bool = False) -> str:
    """Return a value on one line: plain where that is read back as the same, else in quotes."""
    text = scalar.text
    if scalar.style == VERBATIM:
        return text
    if scalar.value is None:
        return text if as_key else "null"
    if not isinstance(scalar.value, str):
        return text
    if _reads_back(scalar, text, flow, as_key):
        return text
    single = "'" + text.replace("'", "''") + "'"
    shorter = ('"' in text or "\\" in text) and text.isprintable()
    if shorter and _reads_back(scalar, single, flow, as_key):
        return single
    return double_quoted(text)


def _reads_back(scalar: Scalar, written: str, flow: bool, as_key: bool) -> bool:
    if _SAFE.fullmatch(written):
        return isinstance(resolve(written), str)
    if "\n" in written or not written.isprintable() or (as_key and len(written) > 100):
        return False
    text = f"{{{written}: 1}}" if as_key and flow else f"{written}: 1" if as_key else f"[{written}]" if flow else None
    tree = parse_yaml(Source("", f"k: {written}" if text is None else text))
    if tree.diagnostics or tree.root is None:
        return False
    if isinstance(tree.root, Sequence):
        found = tree.root.items[0] if len(tree.root.items) == 1 else None
    elif isinstance(tree.root, Mapping) and len(tree.root.entries) == 1:
        found = tree.root.entries[0].key if as_key else tree.root.entries[0].value
    else:
        found = None
    return isinstance(found, Scalar) and scalar_key(found) == scalar_key(scalar) and "#" not in written[:1]


def double_quoted(text: str) -> str:
    """Return a text in double quotes, with the escapes that YAML and the mini-language share.

    Examples
    --------
    >>> print(double_quoted('say "no"'))
    "say \\"no\\""
    """
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPED:
        return _ESCAPED[char]
    if char.isprintable() and char != "\ufeff":
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _has_block(scalar: Scalar) -> bool:
    """Return whether a text can be written below its key, folded or line by line."""
    text = scalar.text
    if scalar.style == VERBATIM or not isinstance(scalar.value, str) or not _is_printable(text):
        return False
    return is_foldable(text) or _is_literal(text)


def _is_printable(text: str) -> bool:
    return all(line.isprintable() and "\ufeff" not in line for line in text.split("\n"))


def _is_literal(text: str) -> bool:
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line == line.strip() and line for line in (lines[0], lines[-1]))
        and all(line == line.rstrip() for line in lines)
    )


def block_scalar(scalar: Scalar, indent: int) -> list[str]:
    """Return the header and the lines of a text written below its key."""
    text = scalar.text
    pad = " " * indent
    if is_foldable(text):
        lines: Iterable[str] = authors_lines(scalar, WIDTH - indent) or wrap(text, WIDTH - indent)
        return [">-", *(pad + line for line in lines)]
    header = "|" if text.endswith("\n") else "|-"
    return [header, *(pad + line if line else "" for line in text.removesuffix("\n").split("\n"))]
