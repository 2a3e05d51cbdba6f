"""Series of regions, added up band by band: their area-weighted means or totals, year by year."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from soilql.errors import Severity
from soilql.regional.regions import Regions
from soilql.regional.sums import Crossings
from soilql.values import Note

if TYPE_CHECKING:
    import numpy as np

    from soilql.stats.totals import ZoneSums

    #: Sums over the crossings of regions at all times: in one piece, or one for each time.
    SeriesSums: TypeAlias = list[ZoneSums]

#: Change of the area with a value, as a share of the largest, above which it is worth a word.
_AREA_CHANGES = 0.01


def band_sums(values: np.ndarray[Any, Any], area: np.ndarray[Any, Any], crossings: Crossings, count: int) -> SeriesSums:
    """Add up a band of rows over the crossings of regions.

    Parameters
    ----------
    values : array, shape (time, rows, columns)
        NaN where there is none.
    area : array, shape (rows, columns)
        Area of each cell that counts, km2.
    crossings : Crossings
        Of the cells: one map for all times, or one for each.
    count : int
        Number of crossings.
    """
    from soilql.stats.totals import weighted_sums

    if len(crossings.maps) == 1:
        return [weighted_sums(values, area, crossings.at(0), count)]
    return [weighted_sums(one, area, crossings.at(step), count) for step, one in enumerate(values)]


def add_bands(parts: Iterable[SeriesSums]) -> SeriesSums:
    """Add up the sums of bands."""
    from soilql.stats.totals import add_up

    return [add_up(same) for same in zip(*parts, strict=True)]


@dataclass(frozen=True, eq=False)
class RegionSeries:
    """The series of each region.

    Attributes
    ----------
    kinds, names : tuple of str
        Kind (global, zone, band) and name of each region.
    means, sums, area : array, shape (time, regions)
        Area-weighted mean, sum of value x area (km2), and area with a value (km2).
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    means: np.ndarray[Any, Any]
    sums: np.ndarray[Any, Any]
    area: np.ndarray[Any, Any]

    @classmethod
    def of(cls, sums: SeriesSums, regions: Regions) -> RegionSeries:
        """Roll the sums of crossings up to the regions of every kind."""
        import numpy as np

        kinds: list[str] = []
        names: list[str] = []
        columns: list[list[Any]] = [[], [], []]
        for kind, labels in regions.labels.items():
            kinds += [kind] * len(labels)
            names += labels
            rolled = [one.rolled_up(regions.regions(kind), len(labels)) for one in sums]
            for column, part in zip(
                columns, ([f(one) for one in rolled] for f in (_means, _totals, _areas)), strict=True
            ):
                column.append(np.concatenate(part))
        return cls(tuple(kinds), tuple(names), *(np.concatenate(column, axis=1) for column in columns))

    def notes(self, name: str, summary: str = "mean") -> Iterator[Note]:
        """Say where the area with a value changes, so that a series follows the area too, and where there is none.

        Parameters
        ----------
        name : str
            What the values are called.
        summary : {"mean", "total"}
            What the series are: a total misses the cells without a value altogether.
        """
        import numpy as np

        changed = []
        for i, region in enumerate(self.names):
            area = self.area[:, i]
            if not area.any():
                yield Note("SQ802", f"`{name}`: {self.kinds[i]} `{region}` has no cell with a value")
            elif np.ptp(area) > _AREA_CHANGES * area.max():
                changed.append((region, float(np.ptp(area) / area.max())))
        if changed:
            listed = ", ".join(f"{share:.1%} in {region}" for region, share in changed[:4])
            more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
            words = f"`{name}`: the area with a value changes by up to {listed}{more}, and the {summary}s with it"
            yield Note("SQ713", words, Severity.WARNING if summary == "total" else Severity.INFO)


def _means(sums: ZoneSums) -> np.ndarray[Any, Any]:
    return sums.mean()


def _totals(sums: ZoneSums) -> np.ndarray[Any, Any]:
    return sums.total()


def _areas(sums: ZoneSums) -> np.ndarray[Any, Any]:
    return sums.area()


@dataclass(frozen=True, eq=False)
class ClassAreas:
    """Area of each class of a map in each region, added up exactly band by band.

    Attributes
    ----------
    codes : tuple of int
        The classes.
    """

    regions: Regions
    codes: tuple[int, ...]

    def band(self, classes: np.ndarray[Any, Any], area: np.ndarray[Any, Any], crossing: np.ndarray[Any, Any]) -> Any:
        """Return the exact sums of a band: a row with one group for each crossing and class.

        Parameters
        ----------
        classes : array, shape (rows, columns)
            A code, or anything else (NaN) for cells that do not count.
        area : array, shape (rows, columns)
            km2.
        crossing : array of int, shape (rows, columns)
            The crossing of regions of each cell.
        """
        import numpy as np

        from soilql.stats.totals import ExactSums

        codes = np.array(self.codes)
        position = np.searchsorted(codes, np.nan_to_num(classes, nan=codes[0])).clip(max=codes.size - 1)
        counted = codes[position] == classes
        groups = crossing[counted] * codes.size + position[counted]
        return ExactSums.of(area[counted][None], groups, self.regions.count * codes.size)

    def rows(self, parts: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Yield kind, region, code, area (million km2) and share of the region's classified area."""
        from functools import reduce
        from operator import add

        size = len(self.codes)
        fine = reduce(add, parts).values().reshape(self.regions.count, size)
        for kind, labels in self.regions.labels.items():
            into = self.regions.regions(kind)
            for i, label in enumerate(labels):
                areas = fine[into == i].sum(axis=0)
                whole = areas.sum()
                for code, one in zip(self.codes, areas, strict=True):
                    share = one / whole if whole else float("nan")
                    yield {"kind": kind, "region": label, "code": code, "area_Mkm2": one / 1e6, "share": share}
