"""Where the files are found that a spec extends or uses, and whether they are what `soilql.lock` pins them to.

A file from the network or the registry counts only by its sha256: it is read from the user's cache, never fetched
while a spec is linted, planned or run. `soilql lock` fetches and pins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from soilql import registry
from soilql.errors import Diagnostic, Inclusion, SoilqlError, Source, Span
from soilql.fingerprint import cache_folder, file_sha256
from soilql.source import Mapping as MappingNode
from soilql.source import Scalar, parse_yaml, read_source

LOCK_NAME = "soilql.lock"
LOCK_VERSION = 1
#: Files that extend or use one another, from the first to the last.
MOST_FILES = 16
#: Files that one spec may read in all; a few recipes that use one another twice would grow without end.
MOST_IN_ALL = 200
_LOCK_HEAD = "# Recipes that the specs in this folder use, by the sha256 of their text. Written by `soilql lock`."
_TO_LOCK = "run `soilql lock` on the spec, and keep `soilql.lock` with it"

#: From an address to the bytes there.
Fetch = Callable[[str], bytes]


@dataclass(frozen=True)
class Place:
    """Where a file is: its address as the lock file has it, and its path where it is a file of this machine."""

    address: str
    path: Path | None
    registry: str | None = None


def read_lock(path: Path) -> dict[str, str]:
    """Return the sha256 of each recipe that a lock file pins, by address; nothing where there is no such file.

    Raises
    ------
    SoilqlError
        The file cannot be read (SQ102) or does not follow the form (SQ139).
    """
    if not path.exists():
        return {}
    source = read_source(path)
    root = parse_yaml(source).root
    pins: dict[str, str] = {}
    section = root.get("recipes") if isinstance(root, MappingNode) else None
    version = root.get("soilql-lock") if isinstance(root, MappingNode) else None
    if not isinstance(version, Scalar) or version.value != LOCK_VERSION or not isinstance(section, MappingNode):
        raise _bad_lock(source.span(0, min(1, len(source.text))))
    for entry in section:
        value = entry.value.get("sha256") if isinstance(entry.value, MappingNode) else None
        if not isinstance(value, Scalar) or len(value.text) != 64 or set(value.text) - set("0123456789abcdef"):
            raise _bad_lock(entry.key.span)
        pins[entry.name] = value.text
    return pins


def _bad_lock(span: Span) -> SoilqlError:
    label = f"expected `soilql-lock: {LOCK_VERSION}` and `recipes:` with a sha256 of 64 digits each"
    help = "delete the file and run `soilql lock` on the specs of the folder"
    return SoilqlError(Diagnostic("SQ139", "the lock file does not follow the form", span, label, help))


def lock_text(pins: Mapping[str, str]) -> str:
    """Return the text of a lock file; the same pins give the same text."""
    lines = [_LOCK_HEAD, f"soilql-lock: {LOCK_VERSION}", "recipes:" if pins else "recipes: {}"]
    for address in sorted(pins):
        quoted = address.replace('"', "%22").replace("\\", "/")
        lines += [f'  "{quoted}":', f"    sha256: {pins[address]}"]
    return "\n".join(lines) + "\n"


def cached_path(address: str, sha256: str) -> Path:
    """Return where the copy of a recipe from the network is kept; it need not exist."""
    name = Path(urlsplit(address).path).name or "recipe.yaml"
    return cache_folder() / "recipes" / sha256[:16] / name


class Library:
    """Opens the files that a spec extends or uses.

    Parameters
    ----------
    home : Source
        The spec that the user named; `soilql.lock` stands beside it.
    fetch : callable, optional
        Gets what is not at hand and lets it be pinned. Without it nothing is fetched and nothing is pinned.
    update : bool
        Whether what is pinned is fetched anew and may have changed.

    Attributes
    ----------
    opened : dict of str to str
        sha256 of every file opened so far, by its address in the lock file.
    remote : set of str
        The addresses among them that are not files of this machine.
    """

    def __init__(self, home: Source, fetch: Fetch | None = None, *, update: bool = False) -> None:
        self._folder = home.folder
        self._fetch = fetch
        self._update = update
        self._pins: dict[str, str] | None = None
        self._count = 0
        self.opened: dict[str, str] = {}
        self.remote: set[str] = set()

    @property
    def lock_path(self) -> Path:
        """The lock file, which need not exist."""
        return self._folder / LOCK_NAME

    def open(self, reference: str, span: Span, words: str, base: Source | None = None) -> Source:
        """Read a file that a spec extends or uses.

        Parameters
        ----------
        reference : str
            A path relative to `base`, `registry:NAME`, or an `https://` address.
        span : Span
            The place that asks for the file.
        words : str
            What it is to the file that asks, to be followed by the place.
        base : Source, optional
            The file that the reference was written in; default that of the place.

        Raises
        ------
        SoilqlError
            SQ106 missing, SQ102 unreadable, SQ134 a circle or a chain too long, SQ136 not pinned, SQ137 not what is
            pinned, SQ138 not at hand, SQ139 a bad lock file, SQ146 an address that cannot be used. All at `span`.
        """
        base = base or span.source
        place = self._place(reference, base, span)
        self._check_chain(place, span)
        here = place.path is not None
        source = self._local(place, reference, base, span) if here else self._distant(place, span)
        return replace(source, included=Inclusion(span, words, remote=not here))

    def _place(self, reference: str, base: Source, span: Span) -> Place:
        if reference.startswith("registry:"):
            return Place(reference, None, reference.removeprefix("registry:"))
        if reference.startswith("https://"):
            return Place(reference, None)
        if "://" in reference:
            help = "write an `https://` address, `registry:NAME` or a path"
            raise SoilqlError(Diagnostic("SQ146", f"no recipe can be read from `{reference}`", span, help=help))
        if base.remote:
            if base.name.startswith("https://"):
                return Place(urljoin(base.name, reference), None)
            message = f"a recipe of the registry has no folder that `{reference}` could start from"
            raise SoilqlError(Diagnostic("SQ146", message, span, help="write an `https://` address or `registry:NAME`"))
        path = base.folder / Path(reference).expanduser()
        return Place(Path(os.path.relpath(path, self._folder)).as_posix(), path)

    def _check_chain(self, place: Place, span: Span) -> None:
        above = [span.source, *(step.span.source for step in span.source.chain())]
        wanted = place.address if place.path is None else str(place.path.resolve())
        if wanted in map(_identity, above):
            message = f"`{span.text.strip()}` leads back to a file that is being read"
            raise SoilqlError(Diagnostic("SQ134", message, span, help="break the circle in one of these files"))
        if len(above) >= MOST_FILES:
            message = f"more than {MOST_FILES} files that extend or use one another"
            raise SoilqlError(Diagnostic("SQ134", message, span))
        self._count += 1
        if self._count > MOST_IN_ALL:
            message = f"more than {MOST_IN_ALL} files are read for one spec"
            raise SoilqlError(Diagnostic("SQ134", message, span, help="use each recipe fewer times"))

    def _local(self, place: Place, reference: str, base: Source, span: Span) -> Source:
        assert place.path is not None
        # Shown as the user would name it, starting from the file that names it.
        shown = os.path.normpath(os.path.join(os.path.dirname(base.name), reference))  # noqa: PTH118, PTH120
        try:
            source = read_source(place.path, shown)
            found = file_sha256(place.path)
        except SoilqlError as error:
            raise SoilqlError(replace(d, span=span) for d in error.diagnostics) from None
        pin = self._pinned(place, span)
        if pin not in (None, found) and not self._update:
            raise self._changed(place, str(pin), found, span)
        self.opened[place.address] = found
        return replace(source, path=place.path)

    def _distant(self, place: Place, span: Span) -> Source:
        pin = self._pinned(place, span)
        if pin is None and self._fetch is None:
            message = f"`{place.address}` is not pinned: it could change without a word"
            raise SoilqlError(Diagnostic("SQ136", message, span, help=_TO_LOCK))
        path = self._from_registry(place, span) if place.registry else self._from_cache(place, pin, span)
        found = file_sha256(path)
        if pin not in (None, found) and not self._update:
            raise self._changed(place, str(pin), found, span)
        self.opened[place.address] = found
        self.remote.add(place.address)
        try:
            return replace(read_source(path, place.address), path=path)
        except SoilqlError as error:
            raise SoilqlError(replace(d, span=span) for d in error.diagnostics) from None

    def _from_cache(self, place: Place, pin: str | None, span: Span) -> Path:
        """Return the copy of a file from the network that has the pinned sum."""
        if pin is not None and not self._update:
            path = cached_path(place.address, pin)
            if path.is_file() and file_sha256(path) == pin:
                return path
        if self._fetch is None:
            message = f"`{place.address}` is pinned, but its text is not on this machine"
            help = "run `soilql lock` on the spec where there is a network"
            raise SoilqlError(Diagnostic("SQ138", message, span, help=help))
        try:
            content = self._fetch(place.address)
        except SoilqlError as error:
            raise SoilqlError(replace(d, span=span) for d in error.diagnostics) from None
        return _keep(place.address, content)

    def _from_registry(self, place: Place, span: Span) -> Path:
        name = str(place.registry)
        try:
            entry = registry.find(name)
            paths = registry.where(name) if self._fetch is None else registry.resolve(name)
        except SoilqlError as error:
            raise SoilqlError(replace(d, span=span) for d in error.diagnostics) from None
        if entry.kind != "recipe" or len(entry.files) != 1:
            message = f"`{place.address}` is a data set and no recipe"
            raise SoilqlError(Diagnostic("SQ211", message, span, help="name it as the `source` of a data set"))
        if not paths:
            message = f"`{place.address}` is not on this machine"
            help = f"run `soilql lock` on the spec, or `soilql data fetch {name}`, where there is a network"
            raise SoilqlError(Diagnostic("SQ138", message, span, help=help))
        return paths[0]

    def _pinned(self, place: Place, span: Span) -> str | None:
        if self._pins is None:
            self._pins = read_lock(self.lock_path)
        return self._pins.get(place.address)

    def _changed(self, place: Place, pin: str, found: str, span: Span) -> SoilqlError:
        message = f"`{place.address}` is not the recipe that `{LOCK_NAME}` pins"
        notes = (f"pinned sha256 {pin}", f"found sha256 {found}")
        help = "look at what changed, then run `soilql lock --update` on the spec"
        return SoilqlError(Diagnostic("SQ137", message, span, help=help, notes=notes))


def _identity(source: Source) -> str:
    return source.name if source.remote else str((source.path or Path(source.name)).resolve())


def _keep(address: str, content: bytes) -> Path:
    """Keep what was fetched in the cache, under its own sum."""
    import hashlib

    path = cached_path(address, hashlib.sha256(content).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(path)
    return path
