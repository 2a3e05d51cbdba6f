"""Give a block, an input, a recipe's alias, a column or a parameter another name, everywhere at once or not at all."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from soilql.bind import Binder
from soilql.errors import Diagnostic, SoilqlError, Source, Span
from soilql.expr.ast import KEYWORDS, name_text
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.lint import lint
from soilql.lsp.definition import definition
from soilql.lsp.documents import Document, OpenFiles, Study, same_file
from soilql.lsp.edits import Edit, apply
from soilql.lsp.hover import place_at
from soilql.lsp.names import View, visible
from soilql.lsp.recovery import SYNTAX, parse, readable
from soilql.lsp.symbols import Mention, Symbol, mention_at
from soilql.lsp.typed import Step, slots_at
from soilql.lsp.workspace import everywhere
from soilql.params import NewName, fields
from soilql.references import SEPARATOR
from soilql.source import Mapping, Scalar, resolve
from soilql.spec import build

_UNREAD = frozenset({"SQ110", "SQ113"})
_WHY_NOT = {
    "column": "`{name}` is a column of the data set `{owner}`: its name is that of the file",
    "variable": "`{name}` is not made in this spec: its name is not ours to change",
    "kind": "`{name}` is a word of the language",
    "function": "`{name}` is a word of the language",
    "constant": "`{name}` is a word of the language",
    "dataset": "`{name}` is the name of a public data set",
    "code": "`{name}` is the code of a finding",
    "file": "`{name}` is a file: rename it where files are renamed",
}


class RefusedError(Exception):
    """A name cannot be changed, for the reason that the message says."""


def prepare(doc: Document, offset: int) -> tuple[Span, str]:
    """Return the name at an offset that can be changed, and what it is now.

    Raises
    ------
    RefusedError
        Nothing that stands there has a name of the author's.
    """
    mention = _renamed(doc, offset)
    return mention.span, mention.symbol.name.rpartition(SEPARATOR)[2]


def rename(doc: Document, offset: int, new: str) -> list[Edit]:
    """Return the edits that give the thing at an offset another name, in all files that mention it.

    Parameters
    ----------
    doc : Document
    offset : int
    new : str
        The new name.

    Raises
    ------
    RefusedError
        The name cannot be one, is taken, or the specs would not mean the same afterwards.

    Examples
    --------
    >>> from soilql.lsp.documents import document
    >>> text = "soilql 1\\ndataset t = table(x.csv)\\nmodel m = linear(y ~ x, data = t)\\n"
    >>> print(apply(text, rename(document(text, "x.soilql"), 17, "sites")), end="")
    soilql 1
    dataset sites = table(x.csv)
    model m = linear(y ~ x, data = sites)
    """
    mention = _renamed(doc, offset)
    symbol = mention.symbol
    if new == symbol.name:
        return []
    _check_name(doc, symbol, new)
    found = list(everywhere(doc, symbol))
    _check_copies(doc.study, symbol)
    edits = list(dict.fromkeys(Edit(one.span, _written(one, new)) for one in found))
    _check_texts(doc, edits, symbol.name)
    return edits


def _renamed(doc: Document, offset: int) -> Mention:
    mention = mention_at(doc, offset)
    if mention is None:
        raise RefusedError("nothing here has a name of yours")
    symbol = mention.symbol
    if symbol.sort in _WHY_NOT:
        raise RefusedError(_WHY_NOT[symbol.sort].format(name=symbol.name, owner=symbol.owner))
    if any(one.code in SYNTAX for one in parse(doc.source).diagnostics):
        raise RefusedError("the text has syntax errors: mend them first, so that no mention is missed")
    elsewhere = [span for span in definition(doc, offset) if not doc.study.own(span)]
    if elsewhere or SEPARATOR in symbol.name or (symbol.sort == "input" and symbol.owner):
        where = f" in {elsewhere[0].source.name}" if elsewhere else " in another file"
        raise RefusedError(f"`{symbol.name}` is made{where}: rename it there")
    if not definition(doc, offset):
        raise RefusedError(f"`{symbol.name}` is nowhere defined")
    return mention


def _check_name(doc: Document, symbol: Symbol, new: str) -> None:
    binder = Binder()
    binder.value(NewName, Scalar(new, new, Source("", new).span(0, len(new)), '"'), new)
    if binder.diagnostics:
        found = binder.diagnostics[0]
        raise RefusedError(f"{found.message}: {found.help}")
    if not isinstance(resolve(new), str) or new in KEYWORDS or new in CONSTANTS or new in FUNCTIONS or new == "super":
        raise RefusedError(f"`{new}` is a word of the language")
    if owner := _owner_of(doc.study, symbol, new):
        raise RefusedError(f"`{new}` is already {owner}")


def _owner_of(study: Study, symbol: Symbol, new: str) -> str:
    """Return what has a name already, in words; empty where it is free."""
    if symbol.sort == "block":
        return f"a block in `{study.section_of(new)}`" if study.section_of(new) is not None else ""
    if symbol.sort == "input":
        return "an input" if new in study.inputs() else ""
    if symbol.sort == "alias":
        used = None if study.merged.root is None else study.merged.root.get("use")
        return "an alias" if isinstance(used, Mapping) and used.get(new) is not None else ""
    view = View.of(study, symbol.owner)
    named = None if view is None else visible(view).get(new)
    return "" if named is None else f"a name that `{symbol.owner}` knows, from `{named.owner}`"


def _check_copies(study: Study, symbol: Symbol) -> None:
    """Refuse to rename a column that is a copy of the one of the same name, because its entry does not say of which."""
    view = View.of(study, symbol.owner)
    if view is None or symbol.sort != "name":
        return
    for leaf in view.own_names:
        if leaf.scalar.text != symbol.name or not leaf.is_key or not _copies_by_name(view, leaf.path[0]):
            continue
        given = {entry.name for entry in leaf.value} if isinstance(leaf.value, Mapping) else set()
        if (isinstance(leaf.value, Mapping) and not given & {"from", "expr"}) or _empty(leaf.value):
            help = f"write `from: {symbol.name}` first"
            raise RefusedError(f"`{symbol.name}` is also the column that it is a copy of: {help}")


def _empty(node: object) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _copies_by_name(view: View, key: Step) -> bool:
    """Return whether a new column under a key is a copy of another where nothing else is said."""
    found = slots_at(view.cls, (key, "NAME"))
    return any(slot.params is not None and any(f.key == "from" for f in fields(slot.params)) for slot in found)


def _written(mention: Mention, new: str) -> str:
    """Return a name as it is written in the place of a mention."""
    old = mention.span.text
    return name_text(new) if old.startswith("`") else new


# --- what the texts mean afterwards -----------------------------------------------------------------------------------


def _check_texts(doc: Document, edits: list[Edit], old: str) -> None:
    """Refuse edits after which a file has findings that it does not have now."""
    sources: list[Source] = []
    for edit in edits:
        if edit.span.source.remote:
            raise RefusedError(f"{edit.span.source.name} mentions it, which is not a file of this machine")
        if not any(same_file(edit.span.source, one) for one in sources):
            sources.append(edit.span.source)
    texts = {_key(one): apply(one.text, [e for e in edits if same_file(e.span.source, one)]) for one in sources}
    for source in sources:
        mine = same_file(source, doc.source)
        source = doc.source if mine else replace(source, included=None)
        others = dict(doc.others) if mine else {**doc.others, **_by_path({_key(doc.source): doc.text})}
        before = _findings(source, others)
        for one in before:
            if one.code in _UNREAD and one.span is not None and _may_mention(one.span, old):
                raise RefusedError(
                    f"an expression cannot be read ({one.span}): mend it first, so that no mention is missed"
                )
        after = _findings(replace(source, text=texts[_key(source)]), {**others, **_by_path(texts)})
        _compare(before, after)


def _may_mention(span: Span, name: str) -> bool:
    """Return whether the value that a place is in has a word in it."""
    place = place_at(readable(span.source).root, span.start)
    return place is None or re.search(rf"\b{re.escape(name)}\b", place.text) is not None


def _key(source: Source) -> tuple[str, Path | None]:
    return source.name, None if source.path is None else source.path.resolve()


def _by_path(texts: dict[tuple[str, Path | None], str]) -> dict[Path, str]:
    return {path: text for (_, path), text in texts.items() if path is not None}


def _findings(source: Source, others: dict[Path, str]) -> list[Diagnostic]:
    try:
        return lint(build(parse(source), {}, OpenFiles(source, others)))
    except SoilqlError as error:
        return list(error.diagnostics)


def _compare(before: list[Diagnostic], after: list[Diagnostic]) -> None:
    left = Counter(one.code for one in before)
    for one in after:
        if left[one.code] == 0:
            raise RefusedError(f"the spec would not be sound afterwards: {one.span}: {one.message}")
        left[one.code] -= 1
