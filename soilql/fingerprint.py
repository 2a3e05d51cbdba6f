"""Fingerprints of files and settings: the same content has the same sha256, however it is packed or spelt."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
import os
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

BLOCK = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_CACHE_NAME = "fingerprints.sqlite"


def cache_folder() -> Path:
    """Return the folder where soilql keeps what it can make or fetch again; it need not exist.

    Returns
    -------
    Path
        ``$SOILQL_CACHE``, else ``$XDG_CACHE_HOME/soilql``, else ``~/.cache/soilql``.
    """
    if own := os.environ.get("SOILQL_CACHE"):
        return Path(own)
    # The XDG specification has relative paths ignored.
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".cache") / "soilql"


def file_sha256(path: str | Path) -> str:
    """Return the sha256 of a file's bytes as they are on disk.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return _digest(file)


def content_sha256(path: str | Path, *, use_cache: bool = True) -> str:
    """Return the sha256 of what a file or a folder holds, whether or not it is gzipped.

    A gzip file counts as what it unpacks to. A folder (a Zarr store) counts as its sorted tree of files: relative
    POSIX paths and their contents; empty folders do not count.

    Parameters
    ----------
    path : str or Path
    use_cache : bool
        Whether a sum made earlier may stand for a file of the same path, size, time of change and inode.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    OSError
        When something cannot be read, or is a truncated or damaged gzip file.

    Examples
    --------
    >>> import gzip, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plain, packed = Path(folder, "a.csv"), Path(folder, "a.csv.gz")
    ...     _ = plain.write_bytes(b"x,y"), packed.write_bytes(gzip.compress(b"x,y"))
    ...     content_sha256(plain, use_cache=False) == content_sha256(packed, use_cache=False)
    True
    """
    path = Path(path)
    if path.is_dir():
        return _tree_sha256(path, use_cache)
    if not use_cache:
        return _content_of_file(path)
    before = path.stat()
    key = json.dumps([str(path.resolve()), before.st_size, before.st_mtime_ns, before.st_ino])
    with _open_cache() as cache:
        known = _look_up(cache, key)
    if known is not None:
        return known
    found = _content_of_file(path)
    after = path.stat()
    # A file written to while it was read has no one content to remember.
    if (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino):
        with _open_cache() as cache:
            _remember(cache, key, found)
    return found


def canonical_json(value: Any) -> str:
    """Return a JSON text that is the same for equal values: sorted keys, no spaces, shortest numbers.

    A whole float is written as the integer it equals, so that ``1`` and ``1.0`` make one key; NaN and the infinities
    are written as ``{"$float": "NaN"}`` and so on.

    Parameters
    ----------
    value : object
        Mappings with text keys, lists, tuples, text, numbers, booleans, None and paths.

    Returns
    -------
    str

    Raises
    ------
    TypeError
        For anything else, sets included: they have no order.

    Examples
    --------
    >>> canonical_json({"b": 1.0, "a": (True, None, 0.1)})
    '{"a":[true,null,0.1],"b":1}'
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def text_sha256(text: str) -> str:
    """Return the sha256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return {"$float": {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")}
        return int(value) if value.is_integer() else float(value)
    if isinstance(value, os.PathLike):
        return Path(value).as_posix()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"a key of a canonical mapping must be text: {list(value)!r}")
        return {key: _plain(item) for key, item in value.items()}
    raise TypeError(f"no canonical form of a {type(value).__name__}: {value!r}")


def _digest(file: BinaryIO | gzip.GzipFile) -> str:
    total = hashlib.sha256()
    while block := file.read(BLOCK):
        total.update(block)
    return total.hexdigest()


def _content_of_file(path: Path) -> str:
    with path.open("rb") as file:
        packed = path.suffix == ".gz" and file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            return _digest(file)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _digest(unpacked)
        except (EOFError, zlib.error) as error:
            raise OSError(f"`{path}` is a truncated or damaged gzip file: {error}") from error


def _tree_sha256(folder: Path, use_cache: bool) -> str:
    files = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file())
    total = hashlib.sha256(b"tree\0")
    for name, path in files:
        content = content_sha256(path, use_cache=use_cache)
        total.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


@contextlib.contextmanager
def _open_cache() -> Iterator[sqlite3.Connection | None]:
    """The cache, or None where it cannot be used: it only saves time, so no failure of it may stop a run."""
    try:
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(folder / _CACHE_NAME, timeout=2, isolation_level=None)
    except (OSError, RuntimeError, sqlite3.Error):
        yield None
        return
    try:
        yield connection
    finally:
        connection.close()


def _look_up(cache: sqlite3.Connection | None, key: str) -> str | None:
    if cache is None:
        return None
    try:
        row = cache.execute("SELECT sha256 FROM content WHERE key = ?", (key,)).fetchone()
    except sqlite3.Error:
        return None
    return row[0] if row and isinstance(row[0], str) and len(row[0]) == 64 else None


def _remember(cache: sqlite3.Connection | None, key: str, sha256: str) -> None:
    if cache is None:
        return
    with contextlib.suppress(sqlite3.Error):
        cache.execute("CREATE TABLE IF NOT EXISTS content (key TEXT PRIMARY KEY, sha256 TEXT NOT NULL)")
        cache.execute("INSERT OR REPLACE INTO content VALUES (?, ?)", (key, sha256))
