"""A text in the editor with what is known of it: its tree, the files it builds on, and its blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from soilql import kinds
from soilql.compose import Merged, merge_parents
from soilql.convert import Surface, surface_of
from soilql.errors import SoilqlError, Source, Span
from soilql.kinds import SECTIONS, Kind
from soilql.lsp.positions import BOM, Encoding, Positions, units
from soilql.lsp.recovery import Readable, readable
from soilql.recipes import Library
from soilql.references import SEPARATOR
from soilql.source import Entry, Node, Scalar, Tree
from soilql.source import Mapping as MappingNode
from soilql.spec import Spec, build

_WORD = re.compile(r"\w*")
#: Top-level keys by which a YAML text is told to be a spec: other tools have files with some of them too.
_VERSION_LINE = re.compile(r"^soilql[ \t]*:", re.MULTILINE)
_SECTION_LINE = re.compile(rf"^({'|'.join(SECTIONS)})[ \t]*:", re.MULTILINE)


class OpenFiles(Library):
    """Opens the files that a spec extends or uses, as they stand in the editor where they are open there.

    Parameters
    ----------
    home : Source
        The spec.
    texts : mapping of Path to str
        Texts of open files by their resolved paths.

    Attributes
    ----------
    paths : set of Path
        The files of this machine that were asked for.
    """

    def __init__(self, home: Source, texts: Mapping[Path, str]) -> None:
        super().__init__(home)
        self._texts = texts
        self.paths: set[Path] = set()

    def open(self, reference: str, span: Span, words: str, base: Source | None = None) -> Source:
        """Read a file; see :meth:`soilql.recipes.Library.open`."""
        if "://" not in reference and not reference.startswith("registry:"):
            self.paths.add(((base or span.source).folder / Path(reference).expanduser()).resolve())
        source = super().open(reference, span, words, base)
        text = None if source.path is None or source.remote else self._texts.get(source.path.resolve())
        return source if text is None else replace(source, text=text)


@dataclass(frozen=True, eq=False)
class Document:
    """A text in the editor.

    Attributes
    ----------
    source : Source
        The text, without a byte order mark, under the path of its file.
    uri : str
        What the editor calls it.
    version : int or None
        Counted by the editor.
    bom : bool
        Whether the editor's text begins with a byte order mark.
    encoding : {"utf-8", "utf-16", "utf-32"}
        What the columns of positions count.
    declared : bool
        Whether the editor itself says that it is a spec.
    others : mapping of Path to str
        Texts of the other open files.
    folders : tuple of Path
        The folders that the editor has open.
    """

    source: Source
    uri: str = ""
    version: int | None = None
    bom: bool = False
    encoding: Encoding = "utf-16"
    declared: bool = False
    others: Mapping[Path, str] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()

    @property
    def text(self) -> str:
        return self.source.text

    @property
    def surface(self) -> Surface:
        """The surface that it is written on."""
        return surface_of(self.source.name)

    @property
    def is_spec(self) -> bool:
        """Whether it is meant as a spec: any other YAML file is left alone."""
        if self.surface == "soilql" or self.declared or _VERSION_LINE.search(self.text):
            return True
        return len(set(_SECTION_LINE.findall(self.text))) > 1

    @cached_property
    def positions(self) -> Positions:
        """Positions in the text as the editor counts them."""
        return Positions(self.text, self.encoding, units(BOM, self.encoding) if self.bom else 0)

    @cached_property
    def readable(self) -> Readable:
        """What can be read of the text."""
        return readable(self.source)

    @cached_property
    def study(self) -> Study:
        """What the text means as far as it can be read."""
        return Study.of(self.source, self.readable.root, self.others)


def document(text: str, name: str = "spec.yaml", **known: object) -> Document:
    """Return the document of a text under the name of its file.

    Examples
    --------
    >>> document("soilql 1\\n", "study.soilql").surface
    'soilql'
    """
    bom = text.startswith(BOM)
    path = Path(name) if Path(name).parent != Path() or Path(name).exists() else None
    source = Source(name, text.removeprefix(BOM), path)
    return Document(source, bom=bom, **known)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Study:
    """A spec with the files that it is put together from.

    Attributes
    ----------
    source : Source
    spec : Spec
        Bound as far as it can be.
    merged : Merged
        The tree with its parents, inputs not put in.
    library : OpenFiles
        Opens further files.
    """

    source: Source
    spec: Spec
    merged: Merged
    library: OpenFiles

    @classmethod
    def of(cls, source: Source, root: MappingNode | None, texts: Mapping[Path, str]) -> Study:
        """Return the study of a tree; parents that cannot be read are left out."""
        library = OpenFiles(source, texts)
        tree = Tree(source, root, ())
        merged = merge_parents(tree, library)
        if merged.root is None and root is not None:
            own = MappingNode(tuple(entry for entry in root if entry.name != "extends"), root.span)
            tree = Tree(source, own, ())
            merged = merge_parents(tree, library)
        try:
            spec = build(tree, {}, library)
        except SoilqlError:
            spec = build(Tree(source, None, ()), {}, library)
        return cls(source, spec, merged, library)

    @property
    def root(self) -> MappingNode | None:
        """The tree with its parents and its inputs put in."""
        return self.spec.resolved or self.merged.root

    def section_of(self, name: str) -> str | None:
        """Return the section that a block of the spec itself stands in."""
        for section in SECTIONS:
            node = None if self.merged.root is None else self.merged.root.get(section)
            if isinstance(node, MappingNode) and node.entry(name) is not None:
                return section
        return None

    def blocks(self) -> Iterator[tuple[str, Entry]]:
        """Yield the blocks of the spec itself with their sections, whether or not they can be bound."""
        for section in SECTIONS:
            node = None if self.root is None else self.root.get(section)
            for entry in node if isinstance(node, MappingNode) else ():
                if not entry.name.startswith("x-"):
                    yield section, entry

    def entry(self, name: str) -> Entry | None:
        """Return a block of the spec itself, inputs put in."""
        return next((entry for _, entry in self.blocks() if entry.name == name), None)

    def kind(self, section: str, name: str) -> Kind | None:
        """Return the kind of a block of the spec itself, where it has one that there is."""
        node = None if self.root is None else self.root.get(section)
        block = node.get(name) if isinstance(node, MappingNode) else None
        return kind_of(section, block)

    def inputs(self) -> dict[str, Entry]:
        """Return the declarations of inputs by name."""
        node = None if self.merged.root is None else self.merged.root.get("inputs")
        return {entry.name: entry for entry in node} if isinstance(node, MappingNode) else {}

    def recipe(self, alias: str) -> Study | None:
        """Return the study of the recipe under an alias, where one of its blocks can be found."""
        for name, block in self.spec.available.items():
            if name.startswith(f"{alias}{SEPARATOR}"):
                source = block.name_span.source
                return Study.of(source, readable(source).root, {})
        return None

    def own(self, span: Span) -> bool:
        """Return whether a place is in the text itself and not in a file that it builds on."""
        return same_file(span.source, self.source)


def kind_of(section: str, block: Node | None) -> Kind | None:
    """Return the kind that a block names."""
    node = block.get("kind") if isinstance(block, MappingNode) else None
    return kinds.find(section, node.text) if isinstance(node, Scalar) else None


def same_file(one: Source, other: Source) -> bool:
    """Return whether two sources are states of one file."""
    return one.name == other.name and one.remote == other.remote


def word_at(text: str, offset: int) -> tuple[int, int]:
    """Return start and end of the letters, digits and underscores around an offset.

    Examples
    --------
    >>> word_at("a.bc + d", 3)
    (2, 4)
    """
    start = offset = max(0, min(offset, len(text)))
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    match = _WORD.match(text, offset)
    return start, offset if match is None else match.end()
