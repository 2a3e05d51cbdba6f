"""Labels of time axes: dates where a file counts from a date, numbers (years) where it does not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from soilql.errors import Span
from soilql.io.layers import unreadable

if TYPE_CHECKING:
    import xarray as xr

Array: TypeAlias = "np.ndarray[Any, Any]"


def time_labels(data: xr.Dataset, dim: str, path: Path, span: Span | None = None) -> Array:
    """Return the labels of a dimension.

    Parameters
    ----------
    data : xarray.Dataset
        Opened without decoding its times.
    dim : str
        The dimension.
    path : Path
        Of the file.
    span : Span, optional
        Where the spec names the file.

    Returns
    -------
    ndarray, shape (n,)
        datetime64[ns] where the units are ``... since ...``, in the civil calendar (a 30 February of a model
        calendar becomes the last day of February); the numbers as they are otherwise; 0, 1, ... without labels.
    """
    if dim not in data.variables:
        return np.arange(data.sizes[dim])
    variable = data.variables[dim]
    try:
        values = np.asarray(variable.values)
    except (RuntimeError, OSError) as error:
        raise unreadable(path, error, span) from None
    units = str(variable.attrs.get("units", ""))
    if " since " not in units:
        return values
    from xarray.coding.times import decode_cf_datetime

    try:
        decoded = np.asarray(decode_cf_datetime(values, units, variable.attrs.get("calendar", "standard")))
    except (ValueError, OverflowError):
        return values
    if decoded.dtype.kind == "M":
        return decoded.astype("datetime64[ns]")
    return np.array([_civil(date) for date in decoded], dtype="datetime64[ns]")


def _civil(date: Any) -> np.datetime64:
    """Return a date of a model calendar in the civil one, cut to the length of its month."""
    month = np.datetime64(f"{date.year:04d}-{date.month:02d}", "M")
    length = int(((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(int))
    day = month.astype("datetime64[D]") + np.timedelta64(min(date.day, length) - 1, "D")
    seconds = date.hour * 3600 + date.minute * 60 + date.second
    return np.datetime64(day.astype("datetime64[s]") + np.timedelta64(seconds, "s"), "ns")
