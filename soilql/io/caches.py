"""What libraries keep of a run's memory, of whose budget they know nothing: blocks of rasters, heaps of threads."""

from __future__ import annotations

import ctypes
import os
import sys

_SMALLEST = 1 << 20
#: Of the budget, what each variable of an open NetCDF file may keep of its chunks, and GDAL of all its blocks.
_NETCDF_SHARE = 64
_GDAL_SHARE = 16
#: The GNU C library's name of the number of heaps; it makes eight for each core, and each keeps what it once held.
_M_ARENA_MAX = -8
_HEAPS = 2


def limit_caches(memory: int) -> None:
    """Keep the caches of NetCDF, GDAL and the C library small beside a budget of memory, from now on.

    NetCDF keeps up to 64 MB for every variable that has been read, and GDAL a twentieth of the machine's memory. What
    the user has set by the environment variables ``GDAL_CACHEMAX`` and ``MALLOC_ARENA_MAX`` stands.

    Parameters
    ----------
    memory : int
        The budget in bytes.
    """
    import netCDF4

    netCDF4.set_chunk_cache(max(_SMALLEST, memory // _NETCDF_SHARE))
    # GDAL takes numbers as large as these for bytes.
    os.environ.setdefault("GDAL_CACHEMAX", str(max(16 * _SMALLEST, memory // _GDAL_SHARE)))
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        # Other C libraries than GNU's have no such function, or do nothing.
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _HEAPS)
