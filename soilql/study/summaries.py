"""What a column or a map holds, in a few numbers; large grids by bands of rows spread over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.values import PLACES

if TYPE_CHECKING:
    import numpy as np

    from soilql.values import Grid

#: Values of a grid that are read to sum it up; of a larger one, bands of rows spread over it.
MOST_VALUES = 40_000_000
#: Values kept for the quantiles.
_KEPT = 400_000


@dataclass(frozen=True)
class Summary:
    """The values of a column or variable.

    Attributes
    ----------
    count, missing : int
        Values that are there, and that are not; infinite ones count as missing.
    low, q05, median, q95, high : float
        Of those that are there; NaN where there are none.
    whole : bool
        Whether every value was looked at.
    """

    count: int
    missing: int
    low: float = float("nan")
    q05: float = float("nan")
    median: float = float("nan")
    q95: float = float("nan")
    high: float = float("nan")
    whole: bool = True


def summarise(values: np.ndarray[Any, Any]) -> Summary:
    """Return the summary of an array of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> found = summarise(np.array([1.0, np.nan, 3.0]))
    >>> found.count, found.missing, found.low, found.median, found.high
    (2, 1, 1.0, 2.0, 3.0)
    """
    return _summary([values], True)


def summarise_grid(grid: Grid, name: str) -> Summary:
    """Return the summary of a variable of a grid."""
    parts = (part[name] for part in bands(grid, [name]))
    return _summary(parts, step_of(grid, [name]) == 1)


def _summary(parts: Iterator[np.ndarray[Any, Any]] | Sequence[np.ndarray[Any, Any]], whole: bool) -> Summary:
    import numpy as np

    count = total = 0
    low, high = np.inf, -np.inf
    kept: list[np.ndarray[Any, Any]] = []
    for part in parts:
        values = np.asarray(part, dtype=np.float64).ravel()
        total += values.size
        values = values[np.isfinite(values)]
        count += values.size
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
            kept.append(values)
            if sum(one.size for one in kept) > 4 * _KEPT:
                kept = [_thinned(np.concatenate(kept))]
    if not count:
        return Summary(0, total, whole=whole)
    q05, median, q95 = map(float, np.quantile(_thinned(np.concatenate(kept)), (0.05, 0.5, 0.95)))
    return Summary(count, total - count, low, q05, median, q95, high, whole)


def _thinned(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return values[:: -(-values.size // _KEPT)] if values.size > _KEPT else values


def step_of(grid: Grid, names: Sequence[str]) -> int:
    """Return of how many bands of a grid one is read: 1 where all are."""
    cells = sum(int(grid.data[name].size) for name in names)
    return -(-cells // MOST_VALUES)


def bands(grid: Grid, names: Sequence[str]) -> Iterator[Mapping[str, np.ndarray[Any, Any]]]:
    """Yield the values of some variables band by band, each of shape (cells,), or (steps, cells) over time.

    Parameters
    ----------
    grid : Grid
        On any grid, lazily.
    names : sequence of str
        Variables, or `lat` and `lon`, of which every cell knows its own.

    Yields
    ------
    mapping of str to array
        The variables, and `area`: the share of each cell in a common unit of area, as the cosine of its latitude.
    """
    import numpy as np

    data = grid.data[[*names, *PLACES]]
    rows = _rows_of_a_band(grid, names)
    step = step_of(grid, names)
    starts = range(0, data.sizes["lat"], rows)
    for i, start in enumerate(starts):
        if i % step:
            continue
        part = data.isel(lat=slice(start, start + rows)).compute()
        lat, lon = np.meshgrid(part["lat"].to_numpy(), part["lon"].to_numpy(), indexing="ij")
        places = dict(zip(PLACES, (lat, lon), strict=True))
        found = {"area": np.cos(np.radians(lat.astype(float))).ravel()}
        for name in names:
            values = np.asarray(places.get(name, part[name]), dtype=np.float64)
            found[name] = values.reshape(*values.shape[:-2], -1)
        yield found


def _rows_of_a_band(grid: Grid, names: Sequence[str]) -> int:
    """Return rows of the blocks in which the grid is read, so that none is read twice."""
    chunks = [grid.data[name].chunks for name in names]
    sizes = [found[-2][0] for found in chunks if found is not None]
    whole = int(grid.data.sizes["lat"])
    # In many bands a sample lies all over the globe.
    return max(1, min([*map(int, sizes), whole if step_of(grid, names) == 1 else max(1, whole // 256)]))
