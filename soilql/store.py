"""Results kept by the key of the node that made them: written whole or not at all, shared safely between runs.

A value stands in ``<root>/ab/abcdef.../`` as ``value.json``, which describes it, beside the files that hold it. The
folder is made under ``<root>/tmp`` and renamed when all of it is on disk, so a value that can be seen is complete.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soilql import codec
from soilql.context import Resources
from soilql.disk import REFUSED, sync_folder, sync_sha256, write_failure
from soilql.errors import Diagnostic, SoilqlError
from soilql.fingerprint import file_sha256
from soilql.kinds import Kind
from soilql.locks import BusyError, Workplace, locked, remove_abandoned
from soilql.values import Note, Value, ValueType

FORMAT = 1
_META = "value.json"


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

    def describe(self) -> str:
        """Return the shape in words, such as ``table, 120 rows x 3 columns``."""
        sizes = " x ".join(f"{size} {name}" for name, size in self.shape.items())
        return f"{self.value_type}, {sizes}" if sizes else str(self.value_type)


class Store:
    """Values by key, below one folder.

    Parameters
    ----------
    root : Path
        The folder; made when something is first written. Several runs may share it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Store(Path(folder)).has("0" * 64)
    False
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._workplace: Workplace | None = None
        self._reported: dict[str, str] = {}

    def close(self) -> None:
        """Remove what this process was working on."""
        if self._workplace is not None:
            self._workplace.close()
            self._workplace = None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading -----------------------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Return whether the value of a key is there in full; a damaged one is not, and is listed in `damages`."""
        meta = self._meta(key)
        return meta is not None and bool(meta["stored"])

    @property
    def damages(self) -> Mapping[str, str]:
        """What was wrong with the stored values met so far that count as absent, by key."""
        return self._reported

    def info(self, key: str) -> Info | None:
        """Return what is known of a value, from its JSON alone; None where it is absent or damaged."""
        meta = self._meta(key)
        if meta is None:
            return None
        return Info(
            key,
            meta["kind"],
            meta["version"],
            ValueType(meta["value_type"]),
            meta["parts"],
            tuple(map(codec.note_from_json, meta["value"]["notes"])),
            meta["value"]["shape"],
            tuple(meta["value"]["columns"]),
            sum(size for size, _ in meta["files"].values()),
            meta["stored"],
        )

    def load(self, key: str, kind: Kind, params: Any) -> Value:
        """Return a value; a grid lazily.

        Raises
        ------
        DamagedError
            It is absent, or its files cannot be read.
        """
        meta = self._meta(key)
        if meta is None or not meta["stored"]:
            raise DamagedError(self._reported.get(key, "it is not there"))
        try:
            return codec.read(meta["value"], ValueType(meta["value_type"]), self._folder(key), kind, params)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DamagedError(" ".join(f"{type(error).__name__}: {error}".split())) from error

    def keys(self) -> list[str]:
        """Return the keys of all that is stored, in order."""
        return sorted(path.name for path in self.root.glob("[0-9a-f][0-9a-f]/*") if path.is_dir())

    def verify(self) -> dict[str, str]:
        """Read every stored file and return what is wrong, by key.

        Returns
        -------
        dict of str to str
            Empty where every file has the size and the sha256 that it was written with.
        """
        wrong = {}
        for key in self.keys():
            meta = self._meta(key)
            if meta is None:
                wrong[key] = self._reported.get(key, "it is not there")
                continue
            for name, (_, sha256) in meta["files"].items():
                if file_sha256(self._folder(key) / name) != sha256:
                    wrong[key] = f"`{name}` is not what was written"
                    break
        return wrong

    def _folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def _meta(self, key: str) -> dict[str, Any] | None:
        """Return the description of a complete entry, or None; remember what is wrong with a damaged one."""
        folder = self._folder(key)
        try:
            meta: dict[str, Any] = json.loads((folder / _META).read_bytes())
        except FileNotFoundError:
            if folder.is_dir():
                self._reported[key] = f"`{_META}` is missing"
            return None
        except (OSError, ValueError):
            self._reported[key] = f"`{_META}` cannot be read"
            return None
        if not isinstance(meta, dict) or meta.get("format") != FORMAT or meta.get("key") != key:
            self._reported[key] = f"`{_META}` is not of this version of the store"
            return None
        for name, (size, _) in meta["files"].items():
            try:
                found = (folder / name).stat().st_size
            except OSError:
                self._reported[key] = f"`{name}` is missing"
                return None
            if found != size:
                self._reported[key] = f"`{name}` has {found} bytes instead of {size}"
                return None
        return meta

    # --- writing -----------------------------------------------------------------------------------------------

    def put(
        self,
        key: str,
        value: Value,
        parts: Mapping[str, Any],
        value_type: ValueType,
        kind: Kind,
        progress: codec.Progress = lambda done, total: None,
        resources: Resources | None = None,
    ) -> None:
        """Write a value; a grid is computed on the way.

        Parameters
        ----------
        key : str
            Key of the node.
        value : Value
            What it made.
        parts : mapping
            What the key is the hash of.
        value_type : ValueType
            What it is.
        kind : Kind
            What made it.
        progress : callable
            ``progress(done, total)``.
        resources : Resources, optional
            Threads to compute a grid with.

        Raises
        ------
        SoilqlError
            The disk is full or refuses (SQ901). Whatever else is stored is kept.
        """
        workers = (resources or Resources()).workers
        with self.failures(value), self._new("value") as folder:
            described = codec.write(value, value_type, folder, workers, progress)
            self._publish(key, folder, self._describe(key, kind, parts, value_type, described, stored=True))

    def put_notes(
        self, key: str, notes: Iterable[Note], parts: Mapping[str, Any], value_type: ValueType, kind: Kind
    ) -> None:
        """Keep the notes of a value that is itself not stored, so that they are known when it is not made."""
        if self._meta(key) is not None:
            return
        described = {"notes": [codec.note_to_json(note) for note in notes], "shape": {}, "columns": []}
        with self.failures(), self._new("notes") as folder:
            self._publish(key, folder, self._describe(key, kind, parts, value_type, described, stored=False))

    def discard(self, key: str) -> None:
        """Remove what is stored under a key."""
        with self.failures(), self._new("discarded") as grave:
            try:
                # Renamed first, so that nobody sees half of it.
                self._folder(key).rename(grave / key)
            except FileNotFoundError:
                return

    def prune(self, keep: Iterable[str]) -> int:
        """Remove all values but those of some keys, and what dead processes left.

        Parameters
        ----------
        keep : iterable of str
            Keys to keep.

        Returns
        -------
        int
            Bytes freed.

        Raises
        ------
        SoilqlError
            A run is using the store (SQ907).
        """
        kept = set(keep)
        freed = 0
        try:
            with locked(self._lock("store"), wait=False):
                for key in self.keys():
                    if key not in kept:
                        freed += sum(path.stat().st_size for path in self._folder(key).rglob("*") if path.is_file())
                        self.discard(key)
        except BusyError:
            message = f"the store `{self.root}` is in use by a run"
            raise SoilqlError(Diagnostic("SQ907", message, help="prune it when the run is over")) from None
        return freed

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep others from pruning the store meanwhile; what dead processes left in it is removed first."""
        with ExitStack() as held:
            try:
                held.enter_context(locked(self._lock("store"), shared=True))
                remove_abandoned(self.root / "tmp")
            except OSError as error:
                # Whoever may only read the store cannot lock it; nor is anybody's lock of use if the disk is full.
                if error.errno not in REFUSED:
                    raise
            yield

    @contextmanager
    def lock(self, key: str, waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the right to make the value of a key; another run that wants it waits, and then finds it stored."""
        with ExitStack() as held:
            with self.failures():
                held.enter_context(locked(self._lock(key), waiting=waiting))
            yield

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty folder that is removed afterwards."""
        with self._new("scratch") as folder:
            yield folder

    @contextmanager
    def failures(self, value: Value | None = None) -> Iterator[None]:
        """Turn what a full or refusing disk makes any library raise into SQ901."""
        try:
            yield
        except SoilqlError:
            raise
        except Exception as error:
            if (failure := write_failure(error, self.root, value)) is None:
                raise
            raise failure from error

    def _lock(self, name: str) -> Path:
        return self.root / "locks" / name

    @contextmanager
    def _new(self, prefix: str) -> Iterator[Path]:
        with self.failures():
            if self._workplace is None:
                self._workplace = Workplace(self.root / "tmp")
            folder = self._workplace.new(prefix)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _describe(
        self,
        key: str,
        kind: Kind,
        parts: Mapping[str, Any],
        value_type: ValueType,
        described: Mapping[str, Any],
        *,
        stored: bool,
    ) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "key": key,
            "kind": f"{kind.section}.{kind.name}",
            "version": kind.version,
            "value_type": str(value_type),
            "parts": dict(parts),
            "stored": stored,
            "value": described,
        }

    def _publish(self, key: str, folder: Path, meta: dict[str, Any]) -> None:
        """Make a folder the entry of a key, once all of it is on disk."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        meta["files"] = {
            path.relative_to(folder).as_posix(): [path.stat().st_size, sync_sha256(path)] for path in files
        }
        with (folder / _META).open("w", encoding="utf-8") as file:
            json.dump(meta, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())
        for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            sync_folder(inner)
        target = self._folder(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        for last in (False, True):
            try:
                folder.rename(target)
                break
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or last:
                    raise
            there = self._meta(key)
            if there is not None and there["stored"] >= meta["stored"]:
                return  # another run was first
            self.discard(key)
        self._reported.pop(key, None)
        sync_folder(target.parent)
