"""Advisory locks between processes, and a working folder that a later process can tell from an abandoned one.

A lock is held through an open file (``flock``), so the system releases it with the process, however that dies.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OWNER = "owner.json"
_HIDDEN = ".new-"
_DAY = 86400
# Some network file systems have no locks; results are published by renaming, so that only work is done twice there.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class BusyError(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(
    path: Path, *, shared: bool = False, wait: bool = True, waiting: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock of a file, made where it is missing, or of a folder that exists.

    Parameters
    ----------
    path : Path
        The file or folder. A lock file that was held alone is deleted when it is released.
    shared : bool
        Whether others may hold it too, as long as they share it.
    wait : bool
        Whether to wait for others to release it.
    waiting : callable, optional
        Called once, before waiting.

    Raises
    ------
    BusyError
        Another process holds it and `wait` is false.
    OSError
        The lock file cannot be made.
    """
    descriptor = _acquire(path, shared, wait, waiting)
    try:
        yield
    finally:
        if not shared and not path.is_dir():
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, shared: bool, wait: bool, waiting: Callable[[], None] | None) -> int:
    folder = path.is_dir()
    if not folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(descriptor, shared, wait=False):
                if not wait:
                    raise BusyError(str(path))
                if waiting is not None:
                    waiting()
                    waiting = None
                _lock(descriptor, shared, wait=True)
        except BaseException:
            os.close(descriptor)
            raise
        if _is_still(path, descriptor):
            return descriptor
        os.close(descriptor)  # who held it before deleted the file; a lock on it keeps nobody out


def _lock(descriptor: int, shared: bool, *, wait: bool) -> bool:
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class Workplace:
    """A folder of this process's own below a shared one, removed when closed.

    Parameters
    ----------
    root : Path
        The shared folder. What dead processes left there is removed; what belongs to a living one, or to another
        machine, stays.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        remove_abandoned(root)
        # Made under a hidden name, which nobody cleans up, until its lock is held.
        hidden = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=root))
        self._descriptor = os.open(hidden / _OWNER, os.O_RDWR | os.O_CREAT, 0o666)
        _lock(self._descriptor, False, wait=True)
        owner = {"host": platform.node(), "boot": _boot_id(), "pid": os.getpid()}
        os.write(self._descriptor, json.dumps(owner).encode())
        self.folder = root / f"{os.getpid()}-{hidden.name.removeprefix(_HIDDEN)}"
        hidden.rename(self.folder)

    def new(self, prefix: str) -> Path:
        """Make an empty folder in it."""
        return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=self.folder))

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            os.close(self._descriptor)


def remove_abandoned(root: Path) -> None:
    """Remove the working folders whose processes are dead.

    A process is dead when its lock can be taken and it ran on this machine: the same host, or the same boot of one
    kernel (containers). Of another machine's locks one cannot be sure.
    """
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        if folder.name.startswith(".") or not folder.is_dir():
            _remove_unborn(folder)
            continue
        try:
            descriptor = os.open(folder / _OWNER, os.O_RDWR)
        except FileNotFoundError:
            shutil.rmtree(folder, ignore_errors=True)  # somebody's removal was cut short: the lock goes first or last
            continue
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            owner = json.loads(os.read(descriptor, 4096))
            if owner.get("host") == platform.node() or owner.get("boot") == _boot_id() != "":
                shutil.rmtree(folder, ignore_errors=True)
        except (OSError, ValueError, AttributeError):
            pass  # held by a living process, or not ours to judge
        finally:
            os.close(descriptor)


def _remove_unborn(folder: Path) -> None:
    """Remove a folder whose process died before it could lock it, once it is too old to be about to."""
    with suppress(OSError):
        if folder.name.startswith(_HIDDEN) and time.time() - folder.stat().st_mtime > _DAY:
            shutil.rmtree(folder, ignore_errors=True)


def _boot_id() -> str:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
