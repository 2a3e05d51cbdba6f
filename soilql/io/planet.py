"""Random fields on the sphere and sites on a grid, each value a function of its place and the seed alone.

A smooth field is a sum of cosines of random directions in space (random Fourier features of a Gaussian process), so it
has no seam at the date line or the poles, is the same planet at every resolution, and any block of it can be computed
by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import dask.array
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from soilql.stats.sphere import great_circle_distance

Array: TypeAlias = "np.ndarray[Any, Any]"

# dask carries no types of its own.
da: Any = dask.array

# Cosines in a smooth field: its values are normal to within what a histogram of a planet shows.
FEATURES = 256
_SMOOTH, _ROUGH, _SITES, _ROWS = range(4)


@dataclass(frozen=True)
class Distribution:
    """A distribution of random numbers.

    Attributes
    ----------
    kind : {"normal", "uniform"}
    mean, sd : float
        Of the normal one.
    low, high : float
        Of the uniform one.
    """

    kind: Literal["normal", "uniform"] = "normal"
    mean: float = 0.0
    sd: float = 1.0
    low: float = 0.0
    high: float = 1.0

    def of_normal(self, z: Array) -> Array:
        """Return standard normal numbers turned into this distribution, rank by rank.

        Examples
        --------
        >>> Distribution("uniform", low=2, high=4).of_normal(np.array([-np.inf, 0.0, np.inf])).tolist()
        [2.0, 3.0, 4.0]
        """
        if self.kind == "uniform":
            return np.asarray(self.low + (self.high - self.low) * ndtr(z))
        return np.asarray(self.mean + self.sd * z)


def generator(seed: int, name: str, *parts: int) -> np.random.Generator:
    """Return a random generator of its own for a seed, a name, and whatever else tells draws apart."""
    return np.random.default_rng([seed, len(name), *name.encode(), *parts])


@dataclass(frozen=True)
class Field:
    """A random field.

    Attributes
    ----------
    seed : int
    name : str
        Fields of one seed and different names are independent.
    distribution : Distribution
    smooth : float
        Length scale in degrees: the correlation between two places d apart is exp(-d^2 / (2 smooth^2)). 0 for a
        field without any correlation between cells.
    """

    seed: int
    name: str
    distribution: Distribution
    smooth: float = 0.0

    def values(self, lat: Array, lon: Array) -> Array:
        """Return the field on rows and columns.

        Parameters
        ----------
        lat, lon : ndarray, shapes (rows,) and (columns,)
            Cell centres (degrees).

        Returns
        -------
        ndarray, shape (rows, columns)
            The same for a place whatever the other rows and columns are.
        """
        return self.distribution.of_normal(self.normal(lat, lon))

    def normal(self, lat: Array, lon: Array) -> Array:
        """Return the standard normal field behind the values, shape (rows, columns)."""
        return self._smooth(lat, lon) if self.smooth > 0 else self._rough(lat, lon)

    def _smooth(self, lat: Array, lon: Array) -> Array:
        rng = generator(self.seed, self.name, _SMOOTH)
        waves = rng.standard_normal((FEATURES, 3)) / np.radians(self.smooth)
        phases = rng.uniform(0.0, 2.0 * np.pi, FEATURES)
        phi, lam = np.radians(lat)[:, None], np.radians(lon)[None, :]
        x, y, up = np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)
        total = np.zeros(np.broadcast_shapes(x.shape, up.shape))
        # One wave after the other: in this order whatever the block, so that the last bit agrees as well.
        for (a, b, c), phase in zip(waves, phases, strict=True):
            total += np.cos(a * x + b * y + c * up + phase)
        return np.asarray(total * np.sqrt(2.0 / FEATURES))

    def _rough(self, lat: Array, lon: Array) -> Array:
        """Return numbers hashed from the place: a cell has its own, whichever block computes it."""
        rng = generator(self.seed, self.name, _ROUGH)
        salts = rng.integers(0, 2**64, size=4, dtype=np.uint64, endpoint=False)
        rows, columns = (np.round(axis * 1e6).astype(np.int64).view(np.uint64) for axis in (lat, lon))
        mixed = _mix(_mix(rows + salts[0])[:, None] ^ _mix(columns + salts[1])[None, :])
        first, second = (_unit(_mix(mixed + salt)) for salt in salts[2:])
        # Box and Muller (1958).
        return np.asarray(np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second))

    def lazy(self, lat: Array, lon: Array, chunks: tuple[Any, Any]) -> Any:
        """Return the field as a dask array over rows and columns in the given blocks."""
        rows = da.from_array(lat[:, None], chunks=(chunks[0], 1))
        columns = da.from_array(lon[None, :], chunks=(1, chunks[1]))
        return da.map_blocks(self._block, rows, columns, chunks=chunks, dtype=np.float64, meta=np.empty((0, 0)))

    def _block(self, lat: Array, lon: Array) -> Array:
        return self.values(lat[:, 0], lon[0])


@dataclass(frozen=True)
class YearlyField:
    """A random field that is another one each year.

    Attributes
    ----------
    field : Field
        Its distribution in any one year, and how it varies over the planet.
    years : tuple of int
        Every year has the same field whatever the other years are, unless `lag1` ties them together.
    lag1 : float
        Correlation of the field with that of the year before: AR(1), started in its stationary state.
    """

    field: Field
    years: tuple[int, ...]
    lag1: float = 0.0

    def values(self, lat: Array, lon: Array) -> Array:
        """Return the field on rows and columns, shape (years, rows, columns); see :meth:`Field.values`."""
        found = np.empty((len(self.years), lat.size, lon.size))
        for i, year in enumerate(self.years):
            fresh = replace(self.field, name=f"{self.field.name} {year}").normal(lat, lon)
            found[i] = self.lag1 * found[i - 1] + np.sqrt(1 - self.lag1**2) * fresh if i else fresh
        return self.field.distribution.of_normal(found)

    def lazy(self, lat: Array, lon: Array, chunks: tuple[Any, Any]) -> Any:
        """Return the field as a dask array over years, rows and columns in the given blocks."""
        rows = da.from_array(lat[:, None], chunks=(chunks[0], 1))
        columns = da.from_array(lon[None, :], chunks=(1, chunks[1]))
        whole = ((len(self.years),), *chunks)
        return da.map_blocks(
            self._block, rows, columns, new_axis=0, chunks=whole, dtype=np.float64, meta=np.empty((0, 0, 0))
        )

    def _block(self, lat: Array, lon: Array) -> Array:
        return self.values(lat[:, 0], lon[0])


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finalizer (Steele, Lea and Flood 2014): nearby numbers become unrelated ones."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _unit(x: NDArray[np.uint64]) -> Array:
    """Return integers as numbers in (0, 1]."""
    return np.asarray(((x >> np.uint64(11)).astype(np.float64) + 1.0) * 2.0**-53)


def centres(resolution: float, bounds: Sequence[float]) -> tuple[Array, Array]:
    """Return the cell centres of a regular grid, latitudes from north to south.

    Parameters
    ----------
    resolution : float
        Degrees; divides the height and width.
    bounds : sequence of float
        West, south, east and north edge (degrees).

    Examples
    --------
    >>> [axis.tolist() for axis in centres(45, [-90, 0, 0, 90])]
    [[67.5, 22.5], [-67.5, -22.5]]
    """
    from soilql.io.axes import latitude_axis, longitude_axis

    west, south, east, north = bounds
    rows, columns = round((north - south) / resolution), round((east - west) / resolution)
    lat = south + (np.arange(rows) + 0.5) * (north - south) / rows
    lon = west + (np.arange(columns) + 0.5) * (east - west) / columns
    return latitude_axis(lat, "the grid").centres, longitude_axis(lon, "the grid").centres


def draw_sites(
    valid: NDArray[np.bool_],
    areas: Array,
    lat: Array,
    lon: Array,
    count: int,
    seed: int,
    clusters: int = 0,
    spread: float = 500.0,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw cells without replacement, with probability in proportion to their area.

    Parameters
    ----------
    valid : ndarray of bool, shape (rows, columns)
        Cells that may be drawn; at least `count`.
    areas : ndarray, shape (rows, columns)
    lat, lon : ndarray
        Cell centres (degrees).
    count : int
        Number of sites.
    seed : int
    clusters : int
        Number of centres round which sites gather, themselves drawn by area; 0 for none.
    spread : float
        Distance (km) at which the density round a centre has fallen by exp(-1/2).

    Returns
    -------
    rows, columns : ndarray of int, shape (count,)
        In order of draw.
    """
    rows, columns = np.nonzero(valid)
    weights = areas[rows, columns].astype(np.float64)
    weights /= weights.sum()
    rng = generator(seed, "", _SITES)
    if clusters:
        heads = _weighted(rng, weights, min(clusters, weights.size))
        density = np.zeros(weights.size)
        for head in heads:
            km = great_circle_distance(lat[rows[head]], lon[columns[head]], lat[rows], lon[columns])
            density += np.exp(-0.5 * (km / spread) ** 2)
        # Far from every centre the density is zero in floating point; such cells come last rather than never.
        weights = weights * np.maximum(density, 1e-12)
    chosen = _weighted(rng, weights, count)
    return rows[chosen], columns[chosen]


def _weighted(rng: np.random.Generator, weights: Array, count: int) -> NDArray[np.intp]:
    """Draw positions without replacement by weight (Efraimidis and Spirakis 2006)."""
    keys = rng.standard_exponential(weights.size) / weights
    return np.argsort(keys, kind="stable")[:count]


def draw_rows(distribution: Distribution, seed: int, name: str, labels: NDArray[np.intp], groups: int) -> Array:
    """Draw one number for each group and give it to the rows of the group.

    Parameters
    ----------
    distribution : Distribution
    seed : int
    name : str
        Draws of different names are independent.
    labels : ndarray of int, shape (n,)
        Group of each row, 0 to `groups` - 1.
    groups : int
    """
    z = generator(seed, name, _ROWS).standard_normal(groups)
    return distribution.of_normal(z)[labels]
