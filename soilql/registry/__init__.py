"""Public data sets by name: what they hold, how they are read, whom to cite, and where their files are found.

``registry:srdb-v5`` in a spec names an entry of ``datasets.yaml`` in this package, or of the files in the environment
variable SOILQL_REGISTRY. Its files are looked for by name and sha256 in the folders of SOILQL_DATA, then in the user's
cache, and are then downloaded. A file never counts without its sum.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.fingerprint import cache_folder, content_sha256
from soilql.registry.downloads import download
from soilql.registry.entries import Entry, File, Variable, malformed, read_registry
from soilql.registry.shipped import recipes

__all__ = [
    "Entry",
    "File",
    "Found",
    "Variable",
    "fetch",
    "find",
    "list_entries",
    "load",
    "locate",
    "resolve",
    "verify",
    "where",
]

PACKAGED = Path(__file__).with_name("datasets.yaml")
Report = Callable[[Diagnostic], None]


@dataclass(frozen=True)
class Found:
    """Where a file of a data set is.

    Attributes
    ----------
    file : File
    path : Path or None
        None where it is not at hand.
    place : {"shipped", "data", "cache", "absent"}
        With soilql, a folder of SOILQL_DATA, the user's cache, or nowhere yet.
    problems : tuple of Diagnostic
        Warnings about files of that name with another content.
    """

    file: File
    path: Path | None
    place: Literal["shipped", "data", "cache", "absent"]
    problems: tuple[Diagnostic, ...] = ()


def load(extra: Sequence[str | Path] = ()) -> dict[str, Entry]:
    """Return the data sets by name.

    Parameters
    ----------
    extra : sequence of paths
        More registry files, after the package's own and those in SOILQL_REGISTRY.

    Returns
    -------
    dict of str to Entry
        In the order of the files.

    Raises
    ------
    SoilqlError
        SQ701 or SQ702 for a registry file that cannot be read, SQ145 for one that does not follow the form.

    Examples
    --------
    >>> load()["srdb-v5"].variables["Rs_annual"].unit
    'g C m-2 yr-1'
    """
    named = [item for item in os.environ.get("SOILQL_REGISTRY", "").split(os.pathsep) if item]
    paths = (PACKAGED, *(Path(item) for item in (*named, *extra)))
    return dict(_load(tuple((path, _changed(path)) for path in paths)))


def find(name: str) -> Entry:
    """Return the data set of a name or alias, or a recipe that comes with soilql.

    Raises
    ------
    SoilqlError
        SQ207 for a name that no registry file knows.

    Examples
    --------
    >>> find("rc-stack").name
    'jian2021-drivers'
    """
    entries = load()
    if name in entries:
        return entries[name]
    names = {alias: entry.name for entry in entries.values() for alias in (entry.name, *entry.aliases)}
    if name not in names:
        shipped = recipes()
        if name in shipped:
            return shipped[name]
        help = did_you_mean(name, [*names, *shipped]) or f"known are {', '.join(f'`{known}`' for known in entries)}"
        raise SoilqlError(Diagnostic("SQ207", f"unknown data set `{name}`", help=help))
    return entries[names[name]]


def list_entries() -> list[Entry]:
    """Return all data sets, sorted by name."""
    return sorted(load().values(), key=lambda entry: entry.name)


def locate(name: str) -> list[Found]:
    """Return where each file of a data set is, without downloading.

    Parameters
    ----------
    name : str
        Name or alias of a data set.

    Returns
    -------
    list of Found
        One a file, in the order of the entry.

    Raises
    ------
    SoilqlError
        SQ207 for an unknown name.
    """
    entry = find(name)
    return [_locate(entry, file) for file in entry.files]


def where(name: str) -> list[Path]:
    """Return the paths of the files of a data set that are at hand, without downloading."""
    return [found.path for found in locate(name) if found.path is not None]


def resolve(name: str, report: Report | None = None) -> list[Path]:
    """Return the paths of all files of a data set, downloading those that are not at hand.

    Parameters
    ----------
    name : str
        Name or alias of a data set.
    report : callable, optional
        Gets the warnings about files passed over; by default they become Python warnings.

    Returns
    -------
    list of Path
        One a file, in the order of the entry; a path may end in ``.gz`` where the file lies gzipped in SOILQL_DATA.

    Raises
    ------
    SoilqlError
        SQ207 unknown name; SQ701 a file that is nowhere and has no address; SQ901 to SQ904 as in a download.
    """
    entry = find(name)
    paths = []
    for file in entry.files:
        found = _locate(entry, file)
        for problem in found.problems:
            (report or _warn)(problem)
        paths.append(found.path or _download(entry, file, found.problems))
    return paths


def fetch(name: str) -> list[Path]:
    """Return the paths of the files of a data set in the user's cache, downloading those not there.

    Unlike `resolve` it does not look in SOILQL_DATA. Raises as `resolve`.
    """
    entry = find(name)
    if entry.folder is not None:
        return where(name)
    return [_in_cache(file)[0] or _download(entry, file) for file in entry.files]


def verify(name: str) -> list[Found]:
    """Return where each file is, after reading every byte again instead of trusting sums made earlier.

    Parameters and errors as `locate`.
    """
    entry = find(name)
    return [_locate(entry, file, use_cache=False) for file in entry.files]


def _warn(problem: Diagnostic) -> None:
    warnings.warn(problem.render(), UserWarning, stacklevel=3)


def _locate(entry: Entry, file: File, *, use_cache: bool = True) -> Found:
    if entry.folder is not None:
        return Found(file, entry.folder / file.name, "shipped")
    problems: list[Diagnostic] = []
    for path in _candidates(entry, file, problems):
        found = _sum_or_problem(entry, path, problems, use_cache)
        if found == file.sha256:
            return Found(file, path, "data", tuple(problems))
        # A file of another name was a candidate only for its size.
        if found and path.name in (file.name, f"{file.name}.gz"):
            problems.append(_wrong_sum(entry, file, path, found))
    cached, problem = _in_cache(file, entry, use_cache=use_cache)
    problems += [problem] if problem else []
    return Found(file, cached, "cache" if cached else "absent", tuple(problems))


def _candidates(entry: Entry, file: File, problems: list[Diagnostic]) -> Iterator[Path]:
    by_name, by_size = [], []
    for folder in filter(None, os.environ.get("SOILQL_DATA", "").split(os.pathsep)):
        root = Path(folder).expanduser()
        if not root.is_dir():
            message = f"`{folder}` in SOILQL_DATA is not a folder"
            problems.append(Diagnostic("SQ701", message, severity=Severity.WARNING, help="mend or drop it"))
            continue
        names, sizes = _index(root.resolve())
        # Only the readers of text unpack; libraries that read grids do not.
        is_text = entry.kind == "table" or entry.reader.get("format") in ("table", "numbers")
        packed = names.get(f"{file.name}.gz", ()) if is_text else ()
        by_name += [*names.get(file.name, ()), *packed]
        by_size += [path for path in sizes.get(file.size, ()) if path.name != file.name]
    yield from (path for path in [*by_name, *by_size] if path.exists())


def _sum_or_problem(entry: Entry, path: Path, problems: list[Diagnostic], use_cache: bool) -> str | None:
    try:
        return content_sha256(path, use_cache=use_cache)
    except OSError as error:
        message = f"data set `{entry.name}`: cannot read `{path}`: {error.strerror or error}"
        problems.append(Diagnostic("SQ702", message, severity=Severity.WARNING, help="it was passed over"))
        return None


def _wrong_sum(entry: Entry, file: File, path: Path, found: str) -> Diagnostic:
    return Diagnostic(
        "SQ903",
        f"data set `{entry.name}`: `{path}` is not the file the registry names and was passed over",
        severity=Severity.WARNING,
        notes=(f"expected sha256 {file.sha256}", f"found sha256 {found}"),
        help="to use it all the same, name it by its path instead of `registry:`",
    )


@lru_cache(maxsize=16)
def _index(root: Path) -> tuple[dict[str, list[Path]], dict[int, list[Path]]]:
    """Files under a folder by name and by size, once a process: folders of data hold many files and rarely change."""
    names: dict[str, list[Path]] = {}
    sizes: dict[int, list[Path]] = {}
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        subfolders[:] = [] if real in seen else sorted(subfolders)
        if real in seen:
            continue
        seen.add(real)
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file():
                names.setdefault(name, []).append(path)
                sizes.setdefault(path.stat().st_size, []).append(path)
    return names, sizes


def _cache_path(file: File) -> Path:
    return cache_folder() / "data" / file.sha256[:16] / file.name


def _in_cache(
    file: File, entry: Entry | None = None, *, use_cache: bool = True
) -> tuple[Path | None, Diagnostic | None]:
    path = _cache_path(file)
    if not path.is_file():
        return None, None
    found = content_sha256(path, use_cache=use_cache)
    if found == file.sha256:
        return path, None
    return None, _wrong_sum(entry, file, path, found) if entry else None


def _download(entry: Entry, file: File, problems: Sequence[Diagnostic] = ()) -> Path:
    if file.url is None:
        raise SoilqlError(
            Diagnostic(
                "SQ701",
                f"data set `{entry.name}`: `{file.name}` is not at hand and cannot be downloaded in this form",
                notes=(f"made from: {file.made_from}", f"sha256 {file.sha256}", *(p.message for p in problems)),
                help="put the file in a folder named by the environment variable SOILQL_DATA",
            )
        )
    target = _cache_path(file)
    download(file.url, target, file.sha256, data_set=entry.name)
    return target


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        message = f"cannot read the registry file `{path}`: {error.strerror or error}"
        raise SoilqlError(Diagnostic("SQ701", message, help="mend SOILQL_REGISTRY")) from error


@lru_cache(maxsize=8)
def _load(paths: tuple[tuple[Path, int], ...]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    owner: dict[str, Path] = {}
    for path, _ in paths:
        for entry in read_registry(path):
            for name in (entry.name, *entry.aliases):
                if name in owner:
                    raise malformed(path, name, f"the name is already used in `{owner[name]}`")
                owner[name] = path
            entries[entry.name] = entry
    return entries
