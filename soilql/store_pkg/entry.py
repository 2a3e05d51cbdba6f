"""One value in the store as it stands on disk: a folder of files and ``value.json``, which describes and seals them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soilql import codec
from soilql.disk import sync_folder, sync_sha256
from soilql.fingerprint import canonical_json, file_sha256, text_sha256
from soilql.values import Note, ValueType

FORMAT = 2
META = "value.json"
_SEAL = "sha256"


class DamagedError(Exception):
    """A stored value cannot be read back."""


@dataclass(frozen=True)
class Info:
    """What is known of a stored value without reading it.

    Attributes
    ----------
    key : str
        Key of its node.
    kind : str
        ``section.kind`` that made it.
    version : int
        Version of the kind.
    value_type : ValueType
        What it is.
    parts : mapping of str to Any
        What the key is the hash of.
    notes : tuple of Note
        Statuses that travel with it.
    shape : mapping of str to int
        ``rows`` and ``columns`` of a table, the size of each dimension of a grid, empty for a model.
    columns : tuple of str
        Names of the columns or variables.
    bytes : int
        Size on disk.
    stored : bool
        False where only the notes are kept, as the value is cheap to make anew.
    headline : tuple of str
        Its key results, one a line.
    """

    key: str
    kind: str
    version: int
    value_type: ValueType
    parts: Mapping[str, Any]
    notes: tuple[Note, ...]
    shape: Mapping[str, int]
    columns: tuple[str, ...]
    bytes: int
    stored: bool
    headline: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return the shape in words, such as ``table, 120 rows x 3 columns``."""
        sizes = " x ".join(f"{size} {name}" for name, size in self.shape.items())
        return f"{self.value_type}, {sizes}" if sizes else str(self.value_type)


def info(meta: Mapping[str, Any]) -> Info:
    """Return what a description says."""
    return Info(
        meta["key"],
        meta["kind"],
        meta["version"],
        ValueType(meta["value_type"]),
        meta["parts"],
        tuple(map(codec.note_from_json, meta["value"]["notes"])),
        meta["value"]["shape"],
        tuple(meta["value"]["columns"]),
        sum(size for size, _ in meta["files"].values()),
        meta["stored"],
        tuple(meta.get("headline", ())),
    )


def read(folder: Path, key: str) -> dict[str, Any] | None:
    """Return the description of an entry, whose files are there with the sizes that they were written with.

    Returns
    -------
    dict or None
        None where there is no such entry.

    Raises
    ------
    DamagedError
        The description or a file is missing, cut short or changed.
    """
    try:
        meta: dict[str, Any] = json.loads((folder / META).read_bytes())
    except FileNotFoundError:
        if folder.is_dir():
            raise DamagedError(f"`{META}` is missing") from None
        return None
    except (OSError, ValueError):
        raise DamagedError(f"`{META}` cannot be read") from None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT or meta.get("key") != key:
        raise DamagedError(f"`{META}` is not of this version of the store")
    if meta.pop(_SEAL, None) != _seal(meta):
        raise DamagedError(f"`{META}` is not what was written")
    for name, (size, _) in meta["files"].items():
        try:
            found = (folder / name).stat().st_size
        except OSError:
            raise DamagedError(f"`{name}` is missing") from None
        if found != size:
            raise DamagedError(f"`{name}` has {found} bytes instead of {size}")
    return meta


def check_files(folder: Path, meta: Mapping[str, Any]) -> None:
    """Read every file of an entry.

    Raises
    ------
    DamagedError
        A file does not hold the bytes that it was written with.
    """
    for name, (_, sha256) in meta["files"].items():
        try:
            same = file_sha256(folder / name) == sha256
        except OSError as error:
            raise DamagedError(f"`{name}` cannot be read: {error.strerror or error}") from error
        if not same:
            raise DamagedError(f"`{name}` is not what was written")


def write(folder: Path, meta: Mapping[str, Any]) -> None:
    """Write the description of a folder's files into it, and make sure that all of it is on disk."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sums = {path.relative_to(folder).as_posix(): [path.stat().st_size, sync_sha256(path)] for path in files}
    whole = {"format": FORMAT, **meta, "files": sums}
    with (folder / META).open("w", encoding="utf-8") as file:
        json.dump({**whole, _SEAL: _seal(whole)}, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(inner)


def _seal(meta: Mapping[str, Any]) -> str:
    return text_sha256(canonical_json(json.loads(json.dumps(meta))))
