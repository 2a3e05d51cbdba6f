"""The other files that a spec is put together with: its parents, its recipes, and specs that build on it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from soilql.errors import SoilqlError, Source
from soilql.lsp.documents import Document, Study
from soilql.lsp.recovery import readable
from soilql.lsp.symbols import Mention, Symbol, mentions, mentions_of
from soilql.parse import SUFFIXES
from soilql.references import SEPARATOR
from soilql.source import Mapping, Scalar, read_source

_MOST_SPECS = 2_000
_BUILDS_ON = re.compile(r"\bextends\b|\buse\b")


def parents(doc: Document) -> Iterator[tuple[Study, Mapping | None, Source]]:
    """Yield the files that a spec extends, with their trees."""
    for tree in doc.study.merged.trees[:-1]:
        yield doc.study, tree.root if isinstance(tree.root, Mapping) else None, tree.source


def dependents(doc: Document) -> Iterator[Study]:
    """Yield the specs in the folders of the editor that extend or use a spec, in order of their paths."""
    path = doc.source.path
    if path is None:
        return
    here = path.resolve()
    for file in _specs(doc.folders):
        if file == here:
            continue
        try:
            source = read_source(file, _shown(file, doc))
        except SoilqlError:
            continue
        source = replace(source, path=file, text=doc.others.get(file, source.text))
        if _BUILDS_ON.search(source.text) is None:
            continue
        study = Study.of(source, readable(source).root, {**doc.others, here: doc.text})
        if here in study.library.paths:
            yield study


def _shown(file: Path, doc: Document) -> str:
    """Return the name of a file as the document names the files that it builds on."""
    folder = os.path.dirname(doc.source.name)  # noqa: PTH120 - a name as the user wrote it, which may be empty
    return os.path.normpath(os.path.join(folder, os.path.relpath(file, doc.source.folder)))  # noqa: PTH118


def _specs(folders: tuple[Path, ...]) -> list[Path]:
    """Return the files that may be specs, hidden ones left out."""
    found: set[Path] = set()
    for folder in folders:
        for place, inner, names in os.walk(folder):
            inner[:] = sorted(name for name in inner if not name.startswith(".") and name != "node_modules")
            found |= {Path(place, name).resolve() for name in names if name.endswith(SUFFIXES) and name[0] != "."}
            if len(found) > _MOST_SPECS:
                break
    return sorted(found)


def everywhere(doc: Document, symbol: Symbol) -> Iterator[Mention]:
    """Yield the mentions of a thing in the spec, its parents, and the specs that build on it."""
    yield from (one for one in mentions_of(doc) if one.symbol == symbol)
    for study, root, source in parents(doc):
        yield from (one for one in mentions(study, root, source) if one.symbol == symbol)
    for study in dependents(doc):
        wanted = _as_seen_from(study, doc, symbol)
        root = readable(study.source).root
        yield from (one for one in mentions(study, root, study.source) if one.symbol in wanted)


def _as_seen_from(study: Study, doc: Document, symbol: Symbol) -> set[Symbol]:
    """Return what a thing is called in a spec that extends or uses the one that it is in."""
    here = None if doc.source.path is None else doc.source.path.resolve()
    extended = [tree.source.path for tree in study.merged.trees[:-1]]
    found = {symbol} if any(path is not None and path.resolve() == here for path in extended) else set()
    for tree in study.merged.trees:
        used = tree.root.get("use") if isinstance(tree.root, Mapping) else None
        for entry in used if isinstance(used, Mapping) else ():
            named = entry.value.get("from") if isinstance(entry.value, Mapping) else entry.value
            if not isinstance(named, Scalar) or (tree.source.folder / named.text).resolve() != here:
                continue
            if symbol.sort == "block":
                found.add(replace(symbol, name=f"{entry.name}{SEPARATOR}{symbol.name}"))
            elif symbol.sort == "input":
                found.add(replace(symbol, owner=entry.name))
            elif symbol.owner:
                found.add(replace(symbol, owner=f"{entry.name}{SEPARATOR}{symbol.owner}"))
                found.add(Symbol("variable", symbol.name, f"{entry.name}{SEPARATOR}{symbol.owner}"))
    return found
