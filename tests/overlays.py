"""Trends as the steps that lay them over one another take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from soilql.values import Grid


def trends(change: Any, significant: Any) -> Grid:
    """Return trends of cells along the equator, which all have the same area."""
    change, flags = np.asarray(change, float), np.asarray(significant, float)
    lon = np.arange(change.size) - 0.5
    classes = np.where(flags > 0, 2 * np.sign(change), np.sign(change))
    data = {
        "change": change,
        "slope": change / 14,
        "p": np.where(flags > 0, 0.01, 0.5),
        "class": classes,
        "significant": flags,
    }
    found = xr.Dataset(
        {name: (("lat", "lon"), values[None]) for name, values in data.items()}, {"lat": [0.0], "lon": lon}
    )
    found["change"].attrs["units"] = "g C m-2 yr-1"
    return Grid(found)


def fraction(areas: Any) -> Grid:
    """Return a land fraction that gives cells of the equator areas in these proportions."""
    areas = np.asarray(areas, float)
    data = {"f": (("lat", "lon"), areas[None] / areas.max())}
    return Grid(xr.Dataset(data, {"lat": [0.0], "lon": np.arange(areas.size) - 0.5}))
