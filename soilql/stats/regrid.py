"""From one longitude-latitude grid to another: weights by axis, and their use on fields with gaps.

Both grids are rectilinear, so every weight is a product of one for the row and one for the column, also on the
ellipsoid: the area of a cell is that of its belt times its width. All weights are sparse, and every target cell is
summed in the order of its source cells, so that nothing depends on how the target is cut into blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from soilql.stats.sphere import bilinear_weights, cell_areas, edges_from_centres, nearest_cells

Floats: TypeAlias = NDArray[np.float64]
Matrix: TypeAlias = "sparse.csr_array[Any, Any]"
Method = Literal["nearest", "bilinear", "average", "conservative", "sum", "mode"]

METHODS: tuple[Method, ...] = ("nearest", "bilinear", "average", "conservative", "sum", "mode")
#: Edges closer than this share of a cell are one edge: coordinates of files are rounded.
_SNAP = 1e-6
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a grid.

    Attributes
    ----------
    centres : ndarray, shape (n,)
        Degrees; latitudes from north to south or south to north, longitudes rising.
    edges : ndarray, shape (n + 1,)
        In the order of the centres.
    """

    centres: Floats
    edges: Floats

    @classmethod
    def latitudes(cls, centres: ArrayLike, step: float | None = None) -> Axis:
        """Return the axis of latitudes; `step` is the height of a single row."""
        rows = np.asarray(centres, dtype=np.float64)
        edges = edges_from_centres(rows, limits=(-90.0, 90.0), step=step)
        return cls(rows, edges[::-1] if rows.size == 1 else edges)

    @classmethod
    def longitudes(cls, centres: ArrayLike, step: float | None = None) -> Axis:
        """Return the axis of longitudes; the cells of a global one meet at the seam."""
        columns = np.asarray(centres, dtype=np.float64)
        edges = edges_from_centres(columns, step=step)
        if columns.size > 1 and abs(edges[-1] - edges[0] - 360.0) <= 1e-2 * (edges[1] - edges[0]):
            gap = 0.5 * (360.0 - (columns[-1] - columns[0]))
            edges[0], edges[-1] = columns[0] - gap, columns[-1] + gap
        return cls(columns, edges)


@dataclass(frozen=True, eq=False)
class AxisWeights:
    """What the cells of one axis of the source give to those of the target.

    Attributes
    ----------
    values : sparse array, shape (target, source)
        Weight of each source cell in the value of a target cell.
    shares : sparse array, shape (target, source)
        Share of the target cell that each source cell stands for; rows sum to 1 where the source covers the target.
    """

    values: Matrix
    shares: Matrix

    def rows(self, first: int, last: int) -> AxisWeights:
        """Return the weights of the target cells from `first` up to, not including, `last`."""
        if self.values is self.shares:
            cut = self.values[first:last]
            return AxisWeights(cut, cut)
        return AxisWeights(self.values[first:last], self.shares[first:last])

    def columns(self, chosen: NDArray[np.intp]) -> AxisWeights:
        """Return the weights of some source cells."""
        if self.values is self.shares:
            cut = self.values[:, chosen]
            return AxisWeights(cut, cut)
        return AxisWeights(self.values[:, chosen], self.shares[:, chosen])

    @property
    def sources(self) -> NDArray[np.intp]:
        """The source cells that count at all, in order."""
        return np.unique(self.shares.indices).astype(np.intp)


def axis_weights(source: Axis, target: Axis, axis: Literal["lat", "lon"], method: Method) -> AxisWeights:
    """Return the weights between two axes.

    Parameters
    ----------
    source, target : Axis
    axis : {"lat", "lon"}
        Longitudes go round the globe.
    method : {"nearest", "bilinear", "average", "conservative", "sum", "mode"}
        `nearest`: the cell that the centre of the target lies in. `bilinear`: linear between two centres; between an
        outer centre and the edge of the grid the outer cell alone. All others: by the area in which cells overlap, as
        a share of the target cell; `sum` weighs by it as a share of the source cell.

    Returns
    -------
    AxisWeights

    References
    ----------
    Jones (1999), First- and second-order conservative remapping schemes for grids in spherical coordinates,
    Mon. Weather Rev. 127, 2204, doi:10.1175/1520-0493(1999)127<2204:FASOCR>2.0.CO;2: eq. 4, first order.

    Examples
    --------
    >>> from_, to = Axis.latitudes([45.0, -45.0]), Axis.latitudes([60.0, 0.0, -60.0])
    >>> axis_weights(from_, to, "lat", "average").values.toarray().round(6).tolist()
    [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]
    """
    if method in ("nearest", "bilinear"):
        weights = _points(source, target, axis, method)
        return AxisWeights(weights, weights)
    overlap, source_size, target_size = _overlaps(source, target, axis)
    shares = sparse.csr_array(overlap.multiply(1.0 / target_size[:, None]))
    shares.sort_indices()
    if method != "sum":
        return AxisWeights(shares, shares)
    values = sparse.csr_array(overlap.multiply(1.0 / source_size[None, :]))
    values.sort_indices()
    return AxisWeights(values, shares)


def _points(source: Axis, target: Axis, axis: str, method: str) -> Matrix:
    """Return the weights of cells whose values are taken at the centres of the target."""
    at, centres = target.centres, source.centres
    single = np.zeros(at.size)
    # The other axis is a single place in a grid of its own.
    places = (at, single, centres, [0.0, 1.0]) if axis == "lat" else (single, at, [0.0, 1.0], centres)
    if centres.size == 1:
        inside = (at - min(source.edges)) * (at - max(source.edges)) <= 0
        index, weights = np.zeros((at.size, 1), np.intp), np.where(inside, 1.0, np.nan)[:, None]
    elif method == "nearest":
        cells = nearest_cells(*places)
        index = (cells.rows if axis == "lat" else cells.columns)[:, None]
        weights = np.where(cells.inside, 1.0, np.nan)[:, None]
    else:
        four = bilinear_weights(*places)
        index = (four.rows if axis == "lat" else four.columns)[:, [0, 3]]
        weights = four.weights.reshape(-1, 2, 2).sum(axis=2 if axis == "lat" else 1)
    rows = np.broadcast_to(np.arange(at.size)[:, None], index.shape)
    kept = weights > 0
    found = sparse.coo_array((weights[kept], (rows[kept], index[kept])), shape=(at.size, centres.size))
    return _sorted(found)


def _sorted(found: Any) -> Matrix:
    matrix = sparse.csr_array(found)
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def _overlaps(source: Axis, target: Axis, axis: str) -> tuple[Matrix, Floats, Floats]:
    """Return the size in which cells of two axes overlap, and those of the cells: areas of belts, or degrees."""
    turns = (0.0,) if axis == "lat" else (-360.0, 0.0, 360.0)
    old, new = np.sort(source.edges), _snapped(np.sort(target.edges), np.sort(source.edges), turns)
    pieces: list[tuple[NDArray[np.intp], NDArray[np.intp], Floats]] = []
    for turn in turns:
        cuts = np.unique(np.concatenate([old + turn, new]))
        middle = 0.5 * (cuts[:-1] + cuts[1:])
        to, from_ = np.searchsorted(new, middle) - 1, np.searchsorted(old + turn, middle) - 1
        both = (to >= 0) & (to < new.size - 1) & (from_ >= 0) & (from_ < old.size - 1)
        pieces.append((to[both], from_[both], _sizes(cuts, axis)[both]))
    to, from_, size = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    to = new.size - 2 - to if target.edges[0] > target.edges[-1] else to
    from_ = old.size - 2 - from_ if source.edges[0] > source.edges[-1] else from_
    shape = (target.centres.size, source.centres.size)
    found = _sorted(sparse.coo_array((size, (to, from_)), shape=shape))
    target_edges = new if target.edges[0] < target.edges[-1] else new[::-1]
    return found, _sizes(source.edges, axis), _sizes(target_edges, axis)


def _sizes(edges: Floats, axis: str) -> Floats:
    """Return the area of the belts between parallels (of one degree of longitude), or the degrees between meridians."""
    return cell_areas(edges, [0.0, 1.0])[:, 0] if axis == "lat" else np.abs(np.diff(edges))


def _snapped(edges: Floats, onto: Floats, turns: tuple[float, ...]) -> Floats:
    """Return edges, each moved onto the nearest other edge where it differs from that by no more than rounding."""
    known = np.unique(np.concatenate([onto + turn for turn in turns]))
    right = np.clip(np.searchsorted(known, edges), 1, known.size - 1)
    nearest = np.where(edges - known[right - 1] < known[right] - edges, known[right - 1], known[right])
    reach = _SNAP * min(float(np.diff(edges).min()), float(np.diff(onto).min()))
    return np.where(np.abs(nearest - edges) <= reach, nearest, edges)


def default_share(method: Method) -> float:
    """Return the share of a target cell that must have values: all for points, half for areas, any for integrals."""
    return {"nearest": 1.0, "bilinear": 1.0, "conservative": 0.0, "sum": 0.0}.get(method, 0.5)


def apply(
    values: Floats, lat: AxisWeights, lon: AxisWeights, method: Method, min_share: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Bring fields with gaps to another grid.

    Parameters
    ----------
    values : ndarray, shape (..., ny, nx)
        On the source grid, NaN where missing.
    lat, lon : AxisWeights
        Shapes (my, ny) and (mx, nx).
    method : {"nearest", "bilinear", "average", "conservative", "sum", "mode"}
        `average`: of the area with values. `conservative`: the integral over the valid area of the source, spread
        over the whole target cell, so that area times value has the same total before and after. `sum`: of amounts
        per cell. `mode`: the class with the largest area, the smaller number where two have the same.
    min_share : float
        Share of a target cell that must have values; the result is NaN below it, and where there is none at all.

    Returns
    -------
    result : ndarray, shape (..., my, mx)
    lacking : ndarray of bool, shape (..., my, mx)
        Where it is missing although a part of the cell has a value.

    Examples
    --------
    >>> from_, to = Axis.longitudes([-90.0, 90.0]), Axis.longitudes([0.0], step=360.0)
    >>> rows = Axis.latitudes([45.0, -45.0])
    >>> lat, lon = (axis_weights(*pair, "average") for pair in ((rows, rows, "lat"), (from_, to, "lon")))
    >>> apply(np.array([[1.0, 3.0], [5.0, np.nan]]), lat, lon, "average", 0.5)[0].tolist()
    [[2.0], [5.0]]
    """
    if method == "mode":
        result, share = _mode(values, lat, lon)
    else:
        valid = np.isfinite(values)
        share = _weighted(valid.astype(np.float64), lat.shares, lon.shares)
        result = _weighted(np.where(valid, values, 0.0), lat.values, lon.values)
        if method not in ("conservative", "sum"):
            with np.errstate(invalid="ignore", divide="ignore"):
                result = result / share
    usable = (share >= min_share - _ROUNDING) & (share > _ROUNDING)
    return np.where(usable, result, np.nan), ~usable & (share > _ROUNDING)


def class_share(values: Floats, lat: AxisWeights, lon: AxisWeights, classes: ArrayLike, min_share: float) -> Floats:
    """Return the share of the area with values that some classes take, shape (..., my, mx); NaN as in :func:`apply`."""
    valid = np.isfinite(values)
    share = _weighted(valid.astype(np.float64), lat.shares, lon.shares)
    own = _weighted(np.isin(values, np.asarray(classes, dtype=np.float64)).astype(np.float64), lat.shares, lon.shares)
    usable = (share >= min_share - _ROUNDING) & (share > _ROUNDING)
    return np.asarray(np.divide(own, share, out=np.full(share.shape, np.nan), where=usable))


def _mode(values: Floats, lat: AxisWeights, lon: AxisWeights) -> tuple[Floats, Floats]:
    shape = (*values.shape[:-2], lat.shares.shape[0], lon.shares.shape[0])
    best, largest, share = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape)
    for code in np.unique(values[np.isfinite(values)]):
        own = _weighted((values == code).astype(np.float64), lat.shares, lon.shares)
        share += own
        # Areas that are equal but for rounding are a tie, which the smaller number wins.
        wins = own > largest + _ROUNDING
        best, largest = np.where(wins, code, best), np.where(wins, own, largest)
    return best, share


def _weighted(values: Floats, lat: Matrix, lon: Matrix) -> Floats:
    """Return ``lat @ values @ lon.T`` of each field."""
    ny, nx = values.shape[-2:]
    planes = values.reshape(-1, ny, nx)
    result = np.empty((planes.shape[0], lat.shape[0], lon.shape[0]))
    for plane, out in zip(planes, result, strict=True):
        out[...] = lat @ np.ascontiguousarray((lon @ plane.T).T)
    shape = (*values.shape[:-2], lat.shape[0], lon.shape[0])
    return np.asarray(result.reshape(shape))
