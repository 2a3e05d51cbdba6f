"""Regions to add up over: the globe, the zones of a partition and bands of latitude, crossed with one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.gridding import band_codes, band_labels
from soilql.values import Zones

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Regions:
    """The regions of a table, by kind: ``global``, ``zone``, ``band``.

    Each cell lies in one crossing of a zone (or none) with a band (or none). What is added up over the crossings
    rolls up to the regions of every kind, so that the cells are gone through once.

    Attributes
    ----------
    labels : dict of str to tuple of str
        Names of the regions of each kind.
    zones : Zones or None
        The partition.
    limits : numpy.ndarray, shape (bands + 1,) or (0,)
        Limits of the bands of latitude from south to north; empty without bands.
    """

    labels: Mapping[str, tuple[str, ...]]
    zones: Zones | None
    limits: np.ndarray[Any, Any]

    @classmethod
    def of(cls, zones: Zones | None, limits: list[float]) -> Regions:
        """Return the regions of a partition (or none) and bands between limits (or none).

        Examples
        --------
        >>> Regions.of(None, [-90, 0, 90]).labels
        {'global': ('global',), 'band': ('90°S to 0°', '0° to 90°N')}
        """
        import numpy as np

        labels: dict[str, tuple[str, ...]] = {"global": ("global",)}
        if zones is not None:
            labels["zone"] = tuple(zones.labels)
        ends = np.array(limits, dtype=float)
        if ends.size:
            labels["band"] = band_labels(ends)
        return cls(labels, zones, ends)

    @property
    def count(self) -> int:
        """Number of crossings."""
        return (self._size("zone") + 1) * (self._size("band") + 1)

    def _size(self, kind: str) -> int:
        return len(self.labels.get(kind, ()))

    def crossings(
        self, lat: np.ndarray[Any, Any], lon: np.ndarray[Any, Any], maps: Mapping[str, np.ndarray[Any, Any]]
    ) -> np.ndarray[Any, Any]:
        """Return the crossing that each cell of a block lies in.

        Parameters
        ----------
        lat, lon : array, shapes (rows,) and (columns,)
            Cell centres in degrees.
        maps : mapping of str to array, each of shape (rows, columns)
            The variables that the partition looks at.

        Returns
        -------
        array of int, shape (rows, columns)
            0 to :attr:`count` - 1.

        Examples
        --------
        >>> import numpy as np
        >>> Regions.of(None, [-60, 0, 60]).crossings(np.array([70.0, 30.0, -30.0]), np.array([0.0]), {}).ravel()
        array([0, 2, 1])
        """
        import numpy as np

        found = np.zeros((lat.size, lon.size), np.int64)
        if self.zones is not None:
            places = {"lat": np.repeat(lat, lon.size), "lon": np.tile(lon, lat.size)}
            columns = places | {name: np.asarray(values, float).ravel() for name, values in maps.items()}
            found += (np.asarray(self.zones.codes(columns)).reshape(found.shape) + 1) * (self._size("band") + 1)
        if self.limits.size:
            found += band_codes(lat, self.limits)[:, None] + 1
        return found

    def regions(self, kind: str) -> np.ndarray[Any, Any]:
        """Return the region of a kind that each crossing is part of, -1 for none; shape (:attr:`count`,).

        Examples
        --------
        >>> bands = Regions.of(None, [-60, 0, 60])
        >>> bands.regions("global"), bands.regions("band")
        (array([0, 0, 0]), array([-1,  0,  1]))
        """
        import numpy as np

        crossing = np.arange(self.count)
        if kind == "global":
            return np.zeros_like(crossing)
        zone, band = np.divmod(crossing, self._size("band") + 1)
        return (zone if kind == "zone" else band) - 1
