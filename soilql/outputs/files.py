"""Files that appear whole or not at all, and the diagnostic of a disk that refuses them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from soilql.errors import Diagnostic, SoilqlError

_HELP = {
    errno.ENOSPC: "free some space or choose another output folder",
    errno.EDQUOT: "the disk quota is used up: free some space or choose another output folder",
    errno.EFBIG: "the file system or a limit of this account allows no larger file: choose another output folder",
    errno.EACCES: "choose an output folder that may be written to",
    errno.EPERM: "choose an output folder that may be written to",
    errno.EROFS: "the file system is read-only: choose another output folder",
    errno.ENOTDIR: "a file stands where a folder is needed: choose another output folder",
    errno.EEXIST: "a file stands where a folder is needed: choose another output folder",
}


def cannot_write(path: Path, error: Exception) -> SoilqlError:
    """Return the SQ901 error that says why a file could not be written.

    Parameters
    ----------
    path : Path
        What was to be written.
    error : Exception
        What the library raised; its ``errno``, where it has one, decides the remedy.

    Examples
    --------
    >>> print(cannot_write(Path("out/rs.nc"), OSError(errno.ENOSPC, "No space left on device")))
    error SQ901 cannot write `out/rs.nc`: No space left on device
      = help: free some space or choose another output folder
    """
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if number else " ".join(str(error).split()) or type(error).__name__
    remedy = _HELP.get(number or 0, "check the free space and the permissions of the output folder")
    return SoilqlError(Diagnostic("SQ901", f"cannot write `{path}`: {reason}", help=remedy))


@contextmanager
def refusals(path: Path, *failures: type[Exception]) -> Iterator[None]:
    """Turn what a library raises when the disk refuses into the error that names the file.

    Parameters
    ----------
    path : Path
        The file being written.
    *failures : exception type
        What, besides OSError, the library raises then.

    Raises
    ------
    SoilqlError
        The file could not be written (SQ901).
    """
    refused: tuple[type[Exception], ...] = (OSError, *failures)
    try:
        yield
    except refused as error:
        raise cannot_write(path, error) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of a path; it takes the path's place once it is written whole.

    What is raised inside passes through: put what writes under :func:`refusals`.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made where it is missing.

    Yields
    ------
    Path
        Where to write. Whatever stood under `path` stays there until the end, and for good when writing fails.

    Raises
    ------
    SoilqlError
        The folder or the file could not be made (SQ901).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "a.txt")) as partial:
    ...         _ = partial.write_text("whole")
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['a.txt']
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with refusals(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        with refusals(path):
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
