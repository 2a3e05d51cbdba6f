"""Where the pixels of a map lie: Equal Earth for the globe, plate carrée for a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Coefficients of the Equal Earth projection (Šavrič, Patterson and Jenny 2019, doi:10.1080/13658816.2018.1504949).
_A = (1.340264, -0.081106, 0.000893, 0.003796)
_M = np.sqrt(3.0) / 2.0


def _polynomial(theta: Any) -> tuple[Any, Any]:
    """Return y and its derivative by theta."""
    a1, a2, a3, a4 = _A
    t2 = theta * theta
    t6 = t2**3
    return theta * (a1 + a2 * t2 + t6 * (a3 + a4 * t2)), a1 + 3 * a2 * t2 + t6 * (7 * a3 + 9 * a4 * t2)


def equal_earth(lat: Any, lon: Any) -> tuple[Floats, Floats]:
    """Project to Equal Earth, which keeps areas.

    Parameters
    ----------
    lat, lon : array_like
        Degrees, longitudes from the central meridian.

    Returns
    -------
    x, y : ndarray
        On a sphere of radius 1.

    References
    ----------
    Šavrič, Patterson and Jenny (2019), Int. J. Geogr. Inf. Sci. 33, 454-465, doi:10.1080/13658816.2018.1504949.

    Examples
    --------
    >>> x, y = equal_earth(0.0, 180.0)
    >>> round(float(x), 4), round(float(y), 4)
    (2.7066, 0.0)
    """
    theta = np.arcsin(_M * np.sin(np.radians(lat)))
    y, slope = _polynomial(theta)
    return np.asarray(np.radians(lon) * np.cos(theta) / (_M * slope)), np.asarray(y)


def equal_earth_inverse(x: Any, y: Any) -> tuple[Floats, Floats]:
    """Return latitude and longitude of points of an Equal Earth map, NaN outside the globe.

    Parameters
    ----------
    x, y : array_like
        As returned by `equal_earth`.

    Returns
    -------
    lat, lon : ndarray
        Degrees.

    Examples
    --------
    >>> lat, lon = equal_earth_inverse(*equal_earth(48.2, -16.4))
    >>> round(float(lat), 9), round(float(lon), 9)
    (48.2, -16.4)
    """
    # A row of pixels has one latitude: what depends on y alone is not repeated for each x.
    x, y = np.asarray(x, float), np.asarray(y, float)
    theta = np.clip(y / _A[0], -1.2, 1.2)
    for _ in range(12):
        value, slope = _polynomial(theta)
        theta = theta - (value - y) / slope
    _, slope = _polynomial(theta)
    with np.errstate(invalid="ignore"):
        lat = np.degrees(np.arcsin(np.sin(theta) / _M))
        lon = np.degrees(_M * x * slope / np.cos(theta))
    outside = np.isnan(lat) | (np.abs(lon) > 180.0)
    return np.where(outside, np.nan, lat), np.where(outside, np.nan, lon)


@dataclass(frozen=True)
class Frame:
    """The extent of a map and the projection it is drawn in.

    Attributes
    ----------
    west, south, east, north : float
        Degrees.
    """

    west: float
    south: float
    east: float
    north: float

    @property
    def is_global(self) -> bool:
        """Whether the map spans most of the globe and is drawn in Equal Earth."""
        return self.east - self.west > 200

    def project(self, lat: Any, lon: Any) -> tuple[Floats, Floats]:
        """Return map coordinates of points."""
        if self.is_global:
            return equal_earth(lat, lon)
        return np.asarray(lon, float) * self._squeeze, np.asarray(lat, float) + 0.0 * np.asarray(lon, float)

    def locate(self, x: Any, y: Any) -> tuple[Floats, Floats]:
        """Return latitude and longitude of map coordinates, NaN outside the globe."""
        if self.is_global:
            return equal_earth_inverse(x, y)
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        return np.asarray(y), np.asarray(x / self._squeeze)

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """Least and largest x, least and largest y."""
        lat = np.linspace(self.south, self.north, 181)
        x, y = self.project(np.tile(lat, 2), np.repeat([self.west, self.east], lat.size))
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())

    @property
    def _squeeze(self) -> float:
        """Make a degree of longitude as long as it is at the middle latitude."""
        return float(np.cos(np.radians((self.south + self.north) / 2)))

    def outline(self) -> tuple[Floats, Floats]:
        """Return the border of the map as a closed line."""
        lat = np.linspace(self.south, self.north, 181)
        lon = np.linspace(self.west, self.east, 361)
        ones = np.ones_like
        lats = np.concatenate([lat, self.north * ones(lon), lat[::-1], self.south * ones(lon)])
        lons = np.concatenate([self.west * ones(lat), lon, self.east * ones(lat), lon[::-1]])
        return self.project(lats, lons)
