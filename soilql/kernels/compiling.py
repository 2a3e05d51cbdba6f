"""The one way in which kernels are compiled and kept."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

from soilql.fingerprint import cache_folder

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_SETTING = threading.Lock()


def compiled(function: Kernel) -> Kernel:
    """Return a function that is compiled at its first call for each combination of argument types.

    Division by zero follows IEEE 754, as in numpy; sums keep their order, so that results do not depend on the length
    of the machine's vectors. The machine code is kept in ``kernels/`` of the user's cache folder (in
    ``NUMBA_CACHE_DIR`` where that is set), under the sha256 of all kernels, because numba does not see that a kernel
    called by another has changed. Where no folder can be written the function is compiled anew in each process.

    Parameters
    ----------
    function : callable
        In the subset of Python that numba compiles.

    Returns
    -------
    callable
        With the same signature.

    Examples
    --------
    >>> @compiled
    ... def twice(x):
    ...     return 2 * x
    >>> twice(3)
    6
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    with _kept_in(_folder()):
        try:
            return numba.njit(cache=True, **options)(function)  # type: ignore[no-any-return]
        except RuntimeError:  # numba found no folder that can be written
            return numba.njit(**options)(function)  # type: ignore[no-any-return]


@cache
def _folder() -> Path:
    """Return where this version of the kernels is kept."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return cache_folder() / "kernels" / digest.hexdigest()[:16]


@contextlib.contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    """Point numba's cache at a folder while a function is declared, unless the user points it elsewhere."""
    with _SETTING:
        settings: Any = numba.config
        before = settings.CACHE_DIR
        settings.CACHE_DIR = before or str(folder)
        try:
            yield
        finally:
            settings.CACHE_DIR = before
