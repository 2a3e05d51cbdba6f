"""Results kept by the key of the node that made them: written whole or not at all, shared safely between runs.

A value stands in ``<root>/ab/abcdef.../`` as ``value.json``, which describes it, beside the files that hold it. The
folder is made under ``<root>/tmp`` and renamed when all of it is on disk, so a value that can be seen is complete.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from soilql.context import Resources
from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Kind
from soilql.store import codec, entry
from soilql.store.disk import REFUSED, sync_folder, write_failure
from soilql.store.entry import DamagedError, Info
from soilql.store.locks import BusyError, Workplace, locked, remove_abandoned
from soilql.values import Note, Value, ValueType


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
        # Keys whose files this process has read whole, or written.
        self._checked: set[str] = set()

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
        return None if meta is None else entry.info(meta)

    def load(self, key: str, kind: Kind, params: Any) -> Value:
        """Return a value; a grid lazily. Its files are read whole first, as a flipped bit may pass for a number.

        Raises
        ------
        DamagedError
            It is absent, or its files cannot be read.
        """
        meta = self._meta(key)
        if meta is None or not meta["stored"]:
            raise DamagedError(self._reported.get(key, "it is not there"))
        if key not in self._checked:
            entry.check_files(self._folder(key), meta)
            self._checked.add(key)
        try:
            return codec.read(meta["value"], ValueType(meta["value_type"]), self._folder(key), kind, params)
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
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
            try:
                entry.check_files(self._folder(key), meta)
            except DamagedError as damage:
                wrong[key] = str(damage)
        return wrong

    def _folder(self, key: str) -> Path:
        return self.root / key[:2] / key

    def _meta(self, key: str) -> dict[str, Any] | None:
        """Return the description of a complete entry, or None; remember what is wrong with a damaged one."""
        try:
            return entry.read(self._folder(key), key)
        except DamagedError as damage:
            self._reported[key] = str(damage)
            return None

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
            meta = self._describe(key, kind, parts, value_type, described, stored=True)
            self._publish(key, folder, meta | {"headline": kind.headline(value)})

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
        self._checked.discard(key)
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
                if error.errno in (errno.ENOTDIR, errno.EEXIST):
                    message = f"the store cannot be at `{self.root}`: a file stands where a folder is needed"
                    raise SoilqlError(Diagnostic("SQ901", message, help="choose another place by --store")) from None
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
        entry.write(folder, meta)
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
        self._checked.add(key)
        sync_folder(target.parent)
