"""Geometry of longitude-latitude grids: cell areas on WGS84, distances, and the cells around a site."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, vector

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

WGS84_A = 6378.137
"""Equatorial radius of WGS84 (km)."""
WGS84_F = 1.0 / 298.257223563
"""Flattening of WGS84."""
MEAN_RADIUS = 6371.0087714
"""Mean radius (2a + b)/3 of WGS84 (km)."""


def cell_areas(lat_edges: ArrayLike, lon_edges: ArrayLike) -> Floats:
    """Return the areas of the cells of a rectilinear grid on the WGS84 ellipsoid.

    Between the parallels: dlambda b^2/2 [sin phi/(1 - e^2 sin^2 phi) + ln((1 + e sin phi)/(1 - e sin phi))/(2e)].

    Parameters
    ----------
    lat_edges : array_like, shape (ny + 1,)
        Edges of the rows (degrees north), increasing or decreasing, within [-90, 90].
    lon_edges : array_like, shape (nx + 1,)
        Edges of the columns (degrees east), increasing or decreasing, spanning at most 360.

    Returns
    -------
    ndarray, shape (ny, nx)
        Areas (km2).

    Raises
    ------
    SoilqlError
        SQ812 or SQ813 for edges that are not monotonic or not on the globe.

    References
    ----------
    Snyder (1987), Map Projections: A Working Manual, eq. 3-12, doi:10.3133/pp1395.

    Examples
    --------
    >>> cell_areas([0.0, 0.5], [0.0, 0.5]).round(6)
    array([[3077.230008]])
    """
    lat, lon = _monotonic(lat_edges, "lat_edges"), _monotonic(lon_edges, "lon_edges")
    if np.abs(lat).max() > 90.0:
        fail("SQ813", f"`lat_edges` reach {np.abs(lat).max():g} degrees; latitudes end at 90")
    if abs(lon[-1] - lon[0]) > 360.0 * (1 + 1e-12):
        fail("SQ813", f"`lon_edges` span {abs(lon[-1] - lon[0]):g} degrees, more than the globe")
    b = WGS84_A * (1.0 - WGS84_F)
    e = np.sqrt(WGS84_F * (2.0 - WGS84_F))
    s = np.sin(np.radians(lat))
    belt = 0.5 * b**2 * (s / (1.0 - (e * s) ** 2) + np.arctanh(e * s) / e)
    return np.asarray(np.abs(np.diff(belt))[:, None] * np.abs(np.diff(np.radians(lon))))


def edges_from_centres(
    centres: ArrayLike, *, limits: tuple[float, float] | None = None, step: float | None = None
) -> Floats:
    """Return cell edges half-way between the centres of one axis.

    Regular axes (within the rounding of coordinates stored as float32) get edges at equal steps; others
    mid-points, with the outer cells as wide beyond their centre as within.

    Parameters
    ----------
    centres : array_like, shape (n,)
        Cell centres (degrees), increasing or decreasing.
    limits : (float, float), optional
        Edges beyond are clipped: (-90, 90) for latitudes.
    step : float, optional
        Width of the cell of an axis with one centre only.

    Returns
    -------
    ndarray, shape (n + 1,)
        Edges in the order of the centres.

    Raises
    ------
    SoilqlError
        SQ813 for centres that are not monotonic, or one centre without a step.

    Examples
    --------
    >>> edges_from_centres([89.5, 88.5, 87.5])
    array([90., 89., 88., 87.])
    >>> edges_from_centres([-90.0, -89.0, -88.0], limits=(-90, 90))
    array([-90. , -89.5, -88.5, -87.5])
    """
    c = _monotonic(centres, "centres")
    if c.size == 1:
        if step is None or not step > 0:
            help = "take a grid of two or more rows or columns: one cell does not tell how large it is"
            fail("SQ813", "one cell centre gives no width", help=help)
        edges = np.array([c[0] - step / 2, c[0] + step / 2])
    else:
        width = (c[-1] - c[0]) / (c.size - 1)
        regular = c[0] + width * np.arange(c.size)
        if np.abs(c - regular).max() <= max(1e-4 * abs(width), 2e-5):
            edges = c[0] + width * (np.arange(c.size + 1) - 0.5)
        else:
            inner = 0.5 * (c[:-1] + c[1:])
            edges = np.concatenate([[2 * c[0] - inner[0]], inner, [2 * c[-1] - inner[-1]]])
    if limits is None:
        return edges
    # An edge that misses a limit by the rounding of the centres is meant to be the limit.
    for limit in limits:
        edges = np.where(np.abs(edges - limit) <= 2e-5, limit, edges)
    return np.asarray(np.clip(edges, min(limits), max(limits)))


def great_circle_distance(lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """Return great-circle distances on the sphere of WGS84's mean radius, by the haversine formula.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array_like
        Degrees; broadcast against each other.

    Returns
    -------
    ndarray
        Distances (km); within 0.6 % of those on the ellipsoid.

    References
    ----------
    Sinnott (1984), Virtues of the haversine, Sky and Telescope 68, 159.

    Examples
    --------
    >>> float(great_circle_distance(0.0, 179.5, 0.0, -179.5).round(4))
    111.1951
    """
    phi1, lam1, phi2, lam2 = (np.radians(np.asarray(v, dtype=np.float64)) for v in (lat1, lon1, lat2, lon2))
    h = np.sin((phi2 - phi1) / 2) ** 2 + np.cos(phi1) * np.cos(phi2) * np.sin((lam2 - lam1) / 2) ** 2
    return np.asarray(2.0 * MEAN_RADIUS * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0))))


@dataclass(frozen=True)
class NearestCells:
    """The cell of a grid that each site belongs to.

    Attributes
    ----------
    rows, columns : ndarray of intp, shape (n,)
        Indices; for a site outside the grid those of the cell nearest along each axis.
    distance : ndarray, shape (n,)
        Great-circle distance from the site to the centre of that cell (km).
    inside : ndarray of bool, shape (n,)
        Whether the site lies within the edges of the grid.
    """

    rows: Ints
    columns: Ints
    distance: Floats
    inside: NDArray[np.bool_]


def nearest_cells(
    site_lat: ArrayLike, site_lon: ArrayLike, lat_centres: ArrayLike, lon_centres: ArrayLike
) -> NearestCells:
    """Return the cell that contains each site.

    Cells reach half-way to the next centre along each axis, so the containing cell is the nearest by row and by
    column (near a pole, where meridians meet, another centre may be nearer on the sphere). A site half-way
    between two centres belongs to the one of the higher latitude or longitude.

    Parameters
    ----------
    site_lat, site_lon : array_like, shape (n,)
        Sites (degrees); longitudes in any convention.
    lat_centres : array_like, shape (ny,)
        Row centres, north to south or south to north.
    lon_centres : array_like, shape (nx,)
        Column centres, in any convention; monotonic, a jump at the date line apart.

    Returns
    -------
    NearestCells

    Raises
    ------
    SoilqlError
        SQ811, SQ812 for missing coordinates, SQ813 for impossible ones.

    Examples
    --------
    >>> cells = nearest_cells([60.2, 10.0], [-0.4, 0.0], [60.5, 59.5], [358.5, 359.5, 0.5])
    >>> cells.rows, cells.columns, cells.inside
    (array([0, 1]), array([1, 2]), array([ True, False]))
    """
    lat, lon = _sites(site_lat, site_lon)
    lat_axis, lon_axis = _axes(lat_centres, lon_centres)
    rows, inside_lat = lat_axis.cell(lat)
    columns, inside_lon = lon_axis.cell(lon)
    distance = great_circle_distance(lat, lon, lat_axis.centre(rows), lon_axis.centre(columns))
    return NearestCells(rows, columns, distance, inside_lat & inside_lon)


@dataclass(frozen=True)
class BilinearWeights:
    """Four cells around each site and what each of them weighs.

    Attributes
    ----------
    rows, columns : ndarray of intp, shape (n, 4)
        Indices of the cells.
    weights : ndarray, shape (n, 4)
        Sum to 1; NaN for a site outside the grid.
    inside : ndarray of bool, shape (n,)
        Whether the site lies within the edges of the grid.
    """

    rows: Ints
    columns: Ints
    weights: Floats
    inside: NDArray[np.bool_]

    def apply(self, field: ArrayLike) -> Floats:
        """Return the field interpolated at the sites.

        Weights are not shared out anew where data are missing, since that would move the site without a word: a
        site is NaN as soon as one cell with a weight above zero is.

        Parameters
        ----------
        field : array_like, shape (..., ny, nx)
            Values at the cell centres.

        Returns
        -------
        ndarray, shape (..., n)
        """
        corners = np.asarray(field, dtype=np.float64)[..., self.rows, self.columns]
        return np.asarray(np.where(self.weights == 0.0, 0.0, corners * self.weights).sum(axis=-1))


def bilinear_weights(
    site_lat: ArrayLike, site_lon: ArrayLike, lat_centres: ArrayLike, lon_centres: ArrayLike
) -> BilinearWeights:
    """Return the weights of the four cell centres around each site, linear in longitude and latitude.

    A global axis wraps around; between an outer centre and the outer edge of the grid (the half cell at a pole, the
    rim of a regional grid) the outer row or column is used alone.

    Parameters
    ----------
    site_lat, site_lon : array_like, shape (n,)
        Sites (degrees); longitudes in any convention.
    lat_centres : array_like, shape (ny,)
        Row centres, north to south or south to north.
    lon_centres : array_like, shape (nx,)
        Column centres, in any convention; monotonic, a jump at the date line apart.

    Returns
    -------
    BilinearWeights

    Raises
    ------
    SoilqlError
        SQ811, SQ812 for missing coordinates, SQ813 for impossible ones.

    Examples
    --------
    >>> weights = bilinear_weights([0.25], [0.0], [0.5, -0.5], [-179.5, -0.5, 0.5, 179.5])
    >>> weights.apply([[0, 1, 3, 0], [0, 5, 7, 0]])
    array([3.])
    """
    lat, lon = _sites(site_lat, site_lon)
    lat_axis, lon_axis = _axes(lat_centres, lon_centres)
    row0, row1, up, inside_lat = lat_axis.between(lat)
    col0, col1, right, inside_lon = lon_axis.between(lon)
    rows = np.stack([row0, row0, row1, row1], axis=-1)
    columns = np.stack([col0, col1, col0, col1], axis=-1)
    weights = np.stack([(1 - up) * (1 - right), (1 - up) * right, up * (1 - right), up * right], axis=-1)
    inside = inside_lat & inside_lon
    weights[~inside] = np.nan
    return BilinearWeights(rows, columns, weights, inside)


@dataclass(frozen=True)
class _Axis:
    """One axis of a grid with increasing centres and edges."""

    centres: Floats
    edges: Floats
    flipped: bool
    circular: bool
    wraps: bool

    def centre(self, index: Ints) -> Floats:
        return self.centres[self._given(index)]

    def _given(self, index: Ints) -> Ints:
        # Its own inverse: from increasing to given order and back.
        return self.centres.size - 1 - index if self.flipped else index

    def _shift(self, x: Floats) -> Floats:
        return self.edges[0] + np.mod(x - self.edges[0], 360.0) if self.circular else x

    def _inside(self, x: Floats) -> NDArray[np.bool_]:
        return np.asarray(self.wraps | ((x >= self.edges[0]) & (x <= self.edges[-1])))

    def cell(self, values: Floats) -> tuple[Ints, NDArray[np.bool_]]:
        x = self._shift(values)
        index = np.searchsorted(self.edges[1:-1], x, side="right")
        if self.circular and not self.wraps:
            # East of a regional grid, the western rim may be nearer the other way round.
            beyond = x - self.edges[-1] > self.edges[0] + 360.0 - x
            index = np.where(beyond, 0, index)
        return self._given(index), self._inside(x)

    def between(self, values: Floats) -> tuple[Ints, Ints, Floats, NDArray[np.bool_]]:
        x = self._shift(values)
        inside = self._inside(x)
        centres = self.centres
        if self.wraps:
            x = np.where(x < centres[0], x + 360.0, x)
            centres = np.append(centres, centres[0] + 360.0)
        if centres.size == 1:
            first = np.zeros(x.shape, dtype=np.intp)
            return first, first, np.zeros(x.shape), inside
        x = np.clip(x, centres[0], centres[-1])
        low = np.clip(np.searchsorted(centres, x, side="right") - 1, 0, centres.size - 2)
        share = (x - centres[low]) / (centres[low + 1] - centres[low])
        high = np.mod(low + 1, self.centres.size)
        return self._given(low), self._given(high), share, inside


def _axes(lat_centres: ArrayLike, lon_centres: ArrayLike) -> tuple[_Axis, _Axis]:
    """Return both axes; a single row or column is taken to be as wide as the cells of the other axis."""
    lat = _monotonic(lat_centres, "lat_centres")
    # A jump at the date line (179.5, -179.5) is no break in the order.
    lon = _monotonic(np.unwrap(vector(lon_centres, "lon_centres"), period=360.0), "lon_centres")
    return _latitude_axis(lat, mean_step(lon)), _longitude_axis(lon, mean_step(lat))


def mean_step(centres: Floats) -> float | None:
    """Return the mean distance between the centres of cells; None for one cell."""
    return abs(float(centres[-1] - centres[0])) / (centres.size - 1) if centres.size > 1 else None


def _latitude_axis(c: Floats, step: float | None) -> _Axis:
    if np.abs(c).max() > 90.0:
        fail("SQ813", f"`lat_centres` reach {np.abs(c).max():g} degrees; latitudes end at 90")
    edges = edges_from_centres(c, limits=(-90.0, 90.0), step=step)
    flipped = c.size > 1 and c[0] > c[-1]
    return _Axis(np.sort(c), np.sort(edges), bool(flipped), circular=False, wraps=False)


def _longitude_axis(c: Floats, step: float | None) -> _Axis:
    flipped = c.size > 1 and c[0] > c[-1]
    edges = np.sort(edges_from_centres(c, step=step))
    c = np.sort(c)
    gap = 360.0 - (c[-1] - c[0])
    if gap <= 0.0:
        fail("SQ813", f"`lon_centres` span {c[-1] - c[0]:g} degrees; a column would come twice")
    wraps = edges[-1] - edges[0] >= 360.0 - 1e-2 * (edges[1] - edges[0])
    if wraps:
        # The cells beside the seam meet half-way, whatever the rounding or the spacing of the centres.
        edges[0], edges[-1] = c[0] - 0.5 * gap, c[-1] + 0.5 * gap
    return _Axis(c, edges, bool(flipped), circular=True, wraps=bool(wraps))


def _sites(lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
    y = vector(lat, "site_lat")
    x = vector(lon, "site_lon", y.size)
    if y.size and np.abs(y).max() > 90.0:
        fail("SQ813", f"a site has latitude {y[np.argmax(np.abs(y))]:g}; latitudes end at 90")
    return y, x


def _monotonic(values: ArrayLike, name: str) -> Floats:
    array = vector(values, name)
    steps = np.diff(array)
    if not array.size or (steps.size and not (np.all(steps > 0) or np.all(steps < 0))):
        fail("SQ813", f"`{name}` must be strictly increasing or strictly decreasing")
    return array
