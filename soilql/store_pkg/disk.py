"""What the disk is asked to keep, and what it says when it will not."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from soilql.errors import Diagnostic, SoilqlError
from soilql.values import Grid, Value

#: No space, or none left of a quota.
FULL = {errno.ENOSPC, errno.EDQUOT}
#: All reasons for which nothing can be written.
REFUSED = {*FULL, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG}
_BLOCK = 1 << 20
_REMEDIES = {
    errno.EDQUOT: "the quota is used up: free some space or choose another folder",
    errno.EFBIG: "the file system or a limit of this account allows no larger file: choose another folder",
    errno.EACCES: "choose a folder that you may write to, or have its permissions changed",
    errno.EPERM: "choose a folder that you may write to, or have its permissions changed",
    errno.EROFS: "the file system is read-only: choose another folder",
}


def sync_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def write_failure(error: BaseException, folder: Path, value: Value | None = None) -> SoilqlError | None:
    """Return the SQ901 error for what a full or refusing disk makes libraries raise; None for anything else.

    Parameters
    ----------
    error : BaseException
        With its causes: some libraries wrap the system's error, some only repeat its text.
    folder : Path
        Where was written.
    value : Value, optional
        What was written; the space that a grid needs is told.
    """
    number = _refusal(error, folder)
    if number is None:
        return None
    notes = _space(folder, value) if number in FULL else ()
    remedy = _REMEDIES.get(number, "free some space or choose another folder")
    help = f"{remedy}; then run again: what is stored is kept"
    return SoilqlError(
        Diagnostic("SQ901", f"cannot write in `{folder}`: {os.strerror(number)}", help=help, notes=notes)
    )


def _space(folder: Path, value: Value | None) -> tuple[str, ...]:
    notes = []
    if isinstance(value, Grid):
        notes.append(f"the grid needs up to {size_text(value.data.nbytes)}")
    free = _free(folder)
    if free is not None:
        notes.append(f"{size_text(free)} are free there")
    return tuple(notes)


def _refusal(error: BaseException, folder: Path) -> int | None:
    """Return the number of the system's error that says that nothing can be written."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        if isinstance(at, OSError) and at.errno is not None:
            # Files elsewhere may be refused too, when a lazy grid is read while it is written.
            here = str(at.filename or folder).startswith(str(folder))
            if at.errno in FULL or (at.errno in REFUSED and here):
                return at.errno
        if os.strerror(errno.ENOSPC) in str(at):
            return errno.ENOSPC
        at = at.__cause__ or at.__context__
    return None


def _free(folder: Path) -> int | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def size_text(count: float) -> str:
    """Return a number of bytes in words, such as ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def sync_sha256(path: Path) -> str:
    """Make sure that a file is on disk, and return the sha256 of its bytes."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
        os.fsync(file.fileno())
    return total.hexdigest()
