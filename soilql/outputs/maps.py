"""A map as a picture: Equal Earth or plate carrée, colours even to the eye, limits that outliers do not move."""

from __future__ import annotations

import textwrap
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.gridding import edges
from soilql.outputs.figures import INK, MUTED, PALETTE, new_figure, pretty_unit, save
from soilql.values import Grid

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from soilql.outputs.projection import Frame

#: Pixels across the map itself, of a picture 9 inches wide; a much finer grid is averaged
#: to no less.
PIXELS = 1640
_SEA = "#eef1f4"
#: Letters of a line of the title, and its height in inches.
_ACROSS, _LINE = 90, 0.24
#: Pixels between dots.
_APART = 14
#: Of a pixel on the shore: red, green, blue and opacity.
_SHORE = (102, 114, 127, 150)


def write_map(grid: Grid, variable: str, path: Path, name: str) -> None:
    """Draw one variable of a grid.

    Parameters
    ----------
    grid : Grid
        A grid finer than the picture is averaged block by block, never loaded whole.
    variable : str
        What to draw. Of several times or members, the mean is shown, of categories the last time with a value; the
        title says which. Values on both sides of zero get a diverging colour map centred there, temperatures in degC
        excepted; ``attrs["valid_range"]`` fixes the ends. Categories have one colour each and are named by
        ``attrs["flag_values"]`` and ``attrs["flag_meanings"]``, or by ``attrs["labels"]`` in the order of the codes.
        Where the map of significance that ``attrs["ancillary_variables"]`` names (CF conventions 3.4) is neither zero
        nor missing, there are dots.
    path : Path
        The PNG file.
    name : str
        What the map is of, such as ``rs.mean``; stands beside the title, which is the variable's long name.

    Raises
    ------
    SoilqlError
        The file cannot be written (SQ901).
    """
    coarse, shown = _flattened(_coarsened(grid.data[[variable]], variable), variable)
    title = textwrap.fill(_title(grid.data[variable], name) + (f", {shown}" if shown else ""), _ACROSS)
    lat, lon = edges(coarse)
    frame = _frame(lat, lon)
    left, right, bottom, top = frame.limits
    width = 9.0
    height = width * min(1.4, max(0.35, (top - bottom) / (right - left)))
    tall = height + 1.25 + _LINE * title.count("\n")
    figure = new_figure(width, tall)
    axes = figure.add_axes((0.04, 0.98 / tall, 0.92, (height * 0.96) / tall))
    image = _sampled(coarse, variable, frame, lat, lon)
    mappable = _draw(axes, image, frame, coarse[variable])
    _graticule(axes, frame)
    marks = str(grid.data[variable].attrs.get("ancillary_variables", ""))
    if marks in grid.data:
        some = _stipple(axes, _flattened(_coarsened(grid.data[[marks]], marks), marks)[0], marks, frame)
        words = "dots: significant in the field" if some else "nothing significant in the field"
        figure.text(0.04, 0.14 / tall, words, va="bottom", fontsize=9, color=MUTED)
    _colourbar(figure, mappable, coarse[variable], tall)
    axes.set_title(title, color=INK, fontsize=13, pad=10, loc="left")
    figure.text(0.96, 0.14 / tall, name, ha="right", va="bottom", fontsize=9, color=MUTED)
    save(figure, path)


def _title(data: xr.DataArray, name: str) -> str:
    title = str(data.attrs.get("long_name", name))
    # A sentence begins with a capital; an expression keeps its own.
    return title[0].upper() + title[1:] if title.partition(" ")[0].isalpha() else title


def _frame(lat: np.ndarray[Any, Any], lon: np.ndarray[Any, Any]) -> Frame:
    """Return the extent of a map: the whole globe where cells go round it or lie across the date line."""
    from soilql.outputs.projection import Frame

    frame = Frame(float(lon[0]), float(lat[-1]), float(lon[-1]), float(lat[0]))
    if frame.is_global and (frame.west < -180 or frame.east > 180 or _goes_round(lon)):
        return Frame(-180.0, frame.south, 180.0, frame.north)
    return frame


def _goes_round(lon: np.ndarray[Any, Any]) -> bool:
    return bool(lon[-1] - lon[0] > 360 - 0.5 * (lon[1] - lon[0]))


def _coarsened(data: xr.Dataset, variable: str) -> xr.Dataset:
    """Return a grid no finer than the picture, lazily: means of blocks of cells, of categories the cell amid each."""
    values = data[variable]
    factor = max(1, max(values.sizes["lat"], values.sizes["lon"]) // PIXELS)
    if values.attrs.get("categorical"):
        return data.isel(lat=slice(factor // 2, None, factor), lon=slice(factor // 2, None, factor))
    return data.coarsen(lat=factor, lon=factor, boundary="pad").mean(keep_attrs=True) if factor > 1 else data


def _flattened(data: xr.Dataset, variable: str) -> tuple[xr.Dataset, str]:
    """Return one map of several times or members, and in words which: a mean of codes would be another class.

    Times without a value in any cell are in no mean and not counted.
    """
    import numpy as np

    from soilql.io.time_words import times_in_words

    leading = [str(dim) for dim in data[variable].dims if dim not in ("lat", "lon")]
    if not leading:
        return data.compute(), ""
    (dim,) = leading
    if data[variable].attrs.get("categorical"):
        return _last(data, variable, dim)
    both = data.mean(dim, keep_attrs=True).assign(known=data[variable].notnull().any(("lat", "lon"))).compute()
    known = both["known"].to_numpy()
    labels = data[dim].to_numpy()[known if known.any() else np.ones(known.size, bool)]
    words = times_in_words(labels) if dim == "time" else f"{labels.size} {dim}s"
    return both[[variable]], words if labels.size == 1 and dim == "time" else f"mean of {words}"


def _last(data: xr.Dataset, variable: str, dim: str) -> tuple[xr.Dataset, str]:
    """Return the last map with a value, and which it is in words."""
    from soilql.io.time_words import times_in_words

    count = data.sizes[dim]
    for i in range(count - 1, -1, -1):
        found = data.isel({dim: i}).compute()
        if bool(found[variable].notnull().any()) or not i:
            break
    if dim != "time":
        return found, f"number {i + 1} of {count} {dim}s"
    labels = data[dim].to_numpy()
    shown = times_in_words(labels[[i]])
    if count > 1:
        shown += f", the last {'' if i == count - 1 else 'with values '}of {times_in_words(labels)}"
    return found, shown


def _sampled(
    data: xr.Dataset, variable: str, frame: Frame, lat: np.ndarray[Any, Any], lon: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Return the picture's pixels, each with the value of the cell it falls in, top row first."""
    import numpy as np

    cells = _cells(frame, tuple(lat.tolist()), tuple(lon.tolist()))
    values = data[variable].to_numpy().astype(float).ravel()
    found: np.ndarray[Any, Any] = np.where(cells >= 0, values[cells], np.nan)
    return found


@lru_cache(maxsize=2)
def _cells(frame: Frame, lat: tuple[float, ...], lon: tuple[float, ...]) -> np.ndarray[Any, Any]:
    """Return which cell each pixel of the picture falls in, -1 outside; kept, since maps of a grid come together."""
    import numpy as np

    left, right, bottom, top = frame.limits
    columns = PIXELS
    rows = max(2, round(columns * (top - bottom) / (right - left)))
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = top - (np.arange(rows) + 0.5) * (top - bottom) / rows
    return _located(frame, np.array(lat), np.array(lon), x[None, :], y[:, None])


def _located(
    frame: Frame,
    lat: np.ndarray[Any, Any],
    lon: np.ndarray[Any, Any],
    x: np.ndarray[Any, Any],
    y: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Return the position of the cell that each point of the map falls in, -1 outside."""
    import numpy as np

    lats, lons = frame.locate(x, y)
    # A cell across the date line, or centred on it, is seen on both rims of the map.
    lons = np.where(lons < lon[0], lons + 360.0, np.where(lons >= lon[-1], lons - 360.0, lons))
    i = np.searchsorted(-lat, -np.nan_to_num(lats, nan=-999.0), side="right") - 1
    j = np.searchsorted(lon, np.nan_to_num(lons, nan=-999.0), side="right") - 1
    inside = (i >= 0) & (i < len(lat) - 1) & (j >= 0) & (j < len(lon) - 1)
    return np.where(inside, i * (len(lon) - 1) + j, -1).astype(np.int32)


def _draw(axes: Axes, image: np.ndarray[Any, Any], frame: Frame, data: xr.DataArray) -> Any:
    import numpy as np
    from matplotlib.cm import ScalarMappable
    from matplotlib.patches import Polygon

    colours, norm = _colours(data)
    extent = frame.limits
    axes.set_axis_off()
    axes.set_aspect("equal")
    border = Polygon(
        np.column_stack(frame.outline()), closed=True, facecolor=_SEA, edgecolor=MUTED, linewidth=0.6, zorder=0
    )
    axes.add_patch(border)
    mappable = ScalarMappable(norm, colours)
    # Painted here and not by imshow, which would resample the numbers at several times the cost.
    painted = np.asarray(mappable.to_rgba(np.ma.masked_invalid(image), bytes=True))
    painted[_shore(np.isfinite(image))] = _SHORE
    axes.imshow(painted, extent=extent, interpolation="nearest", zorder=1)
    margin = 0.005 * (extent[1] - extent[0])
    axes.set_xlim(extent[0] - margin, extent[1] + margin)
    axes.set_ylim(extent[2] - margin, extent[3] + margin)
    return mappable


def _stipple(axes: Axes, data: xr.Dataset, marks: str, frame: Frame) -> bool:
    """Put a lattice of dots over the cells that are marked, and return whether there is any."""
    import numpy as np

    lat, lon = edges(data)
    marked = np.nan_to_num(data[marks].to_numpy()).ravel() != 0
    left, right, bottom, top = frame.limits
    step = _APART * (right - left) / PIXELS
    x, y = np.meshgrid(np.arange(left + step / 2, right, step), np.arange(bottom + step / 2, top, step))
    # Every other row is moved by half a step, so that dots do not line up with the cells.
    x[1::2] += step / 2
    cells = _located(frame, lat, lon, x, y)
    shown = (cells >= 0) & marked[cells]
    axes.scatter(x[shown], y[shown], s=3.2, color=INK, edgecolors="white", linewidths=0.3, zorder=2)
    return bool(marked.any())


def _shore(valid: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the pixels without a value that border on one with a value: a line drawn in pixels, whose cost is fixed.

    Contours of a ragged edge take many times the memory of the picture.
    """
    import numpy as np

    near = np.zeros_like(valid)
    near[1:] |= valid[:-1]
    near[:-1] |= valid[1:]
    near[:, 1:] |= valid[:, :-1]
    near[:, :-1] |= valid[:, 1:]
    return np.asarray(near & ~valid)


def _colours(data: xr.DataArray) -> tuple[Any, Any]:
    """Return a colour map and the norm from values to it."""
    import numpy as np
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    values = data.to_numpy()
    values = values[np.isfinite(values)]
    if data.attrs.get("categorical"):
        codes = _codes(data)
        bounds = np.concatenate([codes - 0.5, codes[-1:] + 0.5]) if codes.size else np.array([-0.5, 0.5])
        return ListedColormap(_category_colours(data, codes)), BoundaryNorm(bounds, max(1, bounds.size - 1))
    low, high = data.attrs.get("valid_range") or robust_limits(values)
    # The zero of a temperature in degC is no middle; that of a change or a net flux is.
    if low < 0 < high and data.attrs.get("units") != "degC":
        reach = max(-low, high)
        return colormaps["RdBu_r"], Normalize(-reach, reach)
    return colormaps["viridis"], Normalize(low, high)


def robust_limits(values: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the 2nd and 98th percentile, with 0 as the lower limit of values that begin near it.

    The least and the greatest value, where these are one, as of a count that few cells fall short of.

    Examples
    --------
    >>> import numpy as np
    >>> robust_limits(np.arange(1, 102.0))
    (0.0, 99.0)
    >>> robust_limits(np.array([]))
    (0.0, 1.0)
    """
    import numpy as np

    if not values.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, [2, 98]))
    if not high > low:
        low, high = float(values.min()), float(values.max())
    if 0 < low < 0.25 * high:
        low = 0.0
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _graticule(axes: Axes, frame: Frame) -> None:
    import numpy as np

    step = next(
        (s for s in (1, 2, 5, 10, 15, 30) if max(frame.north - frame.south, frame.east - frame.west) / s <= 8), 30
    )
    lines: dict[str, Any] = {"color": "#5b6570", "linewidth": 0.35, "alpha": 0.45, "zorder": 3}
    across = np.linspace(frame.west, frame.east, 181)
    along = np.linspace(frame.south, frame.north, 181)
    for lat in np.arange(np.ceil(frame.south / step) * step, frame.north + 1e-9, step):
        if abs(lat) >= 90:
            continue
        axes.plot(*frame.project(np.full_like(across, lat), across), **lines)
        x, y = frame.project(lat, frame.west)
        axes.annotate(_degrees(lat, "NS"), (float(x), float(y)), (-4, 0), textcoords="offset points",
                      ha="right", va="center", fontsize=7, color=MUTED, annotation_clip=False)  # fmt: skip
    east_step = 60 if frame.is_global else step
    for lon in np.arange(np.ceil(frame.west / east_step) * east_step, frame.east + 1e-9, east_step):
        axes.plot(*frame.project(along, np.full_like(along, lon)), **lines)
        x, y = frame.project(frame.south, lon)
        axes.annotate(_degrees(lon, "EW"), (float(x), float(y)), (0, -4), textcoords="offset points",
                      ha="center", va="top", fontsize=7, color=MUTED, annotation_clip=False)  # fmt: skip


def _degrees(value: float, letters: str) -> str:
    value = (value + 180) % 360 - 180 if letters == "EW" and abs(value) > 180 else value
    letter = "" if value == 0 or abs(value) == 180 else letters[int(value < 0)]
    return f"{abs(value):g}°{letter}"


def _colourbar(figure: Figure, mappable: Any, data: xr.DataArray, tall: float) -> None:

    place = figure.add_axes((0.25, 0.52 / tall, 0.5, 0.14 / tall))
    if data.attrs.get("categorical"):
        codes = _codes(data)
        bar = figure.colorbar(mappable, cax=place, orientation="horizontal")
        labels = _category_labels(data, codes)
        # Long names side by side would run into one another.
        wide = 60 // max(1, len(labels))
        bar.set_ticks(list(codes), labels=[textwrap.fill(label, max(wide, 8)) for label in labels])
        bar.ax.tick_params(length=0)
    else:
        bar = figure.colorbar(mappable, cax=place, orientation="horizontal", extend=_extend(mappable, data))
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, colors=INK, width=0.5)
    bar.set_label(pretty_unit(str(data.attrs.get("units", ""))), fontsize=9, color=INK)


def _codes(data: xr.DataArray) -> np.ndarray[Any, Any]:
    """Return the codes of categories: all that are named, or those that occur."""
    import numpy as np

    if (named := data.attrs.get("flag_values")) is not None:
        return np.sort(np.asarray(named, dtype=float))
    values = data.to_numpy()
    return np.unique(values[np.isfinite(values)])


def _category_colours(data: xr.DataArray, codes: np.ndarray[Any, Any]) -> list[Any]:
    """Return a colour for each code: two hues away from a grey zero where codes have signs, grey for a zero alone."""
    from matplotlib import colormaps

    if codes.size and codes[0] < 0 < codes[-1]:
        reach = max(-codes[0], codes[-1])
        return [colormaps["RdBu_r"](0.5 + 0.42 * code / reach) if code else "#e4e4e4" for code in codes]
    zero = data.attrs.get("flag_values") is not None and bool(codes.size) and codes[0] == 0
    count = max(1, codes.size)
    palette = PALETTE if count - zero <= len(PALETTE) else [colormaps["tab20"](k) for k in range(20)]
    colours = [palette[(i - zero) % len(palette)] for i in range(count)]
    return ["#dcdcdc", *colours[1:]] if zero else colours


def _category_labels(data: xr.DataArray, codes: np.ndarray[Any, Any]) -> list[str]:
    meanings = data.attrs.get("flag_meanings")
    if meanings is not None:
        named = dict(zip(data.attrs["flag_values"], meanings, strict=True))
        return [str(named.get(int(code), f"{code:g}")) for code in codes]
    labels = data.attrs.get("labels")
    names = list(labels) if isinstance(labels, list | tuple) else []
    return [str(names[int(code)]) if 0 <= code < len(names) else f"{code:g}" for code in codes]


def _extend(mappable: Any, data: xr.DataArray) -> Any:
    """Say by arrows which ends of the colour bar some values lie beyond."""
    import numpy as np

    values = data.to_numpy()
    below = bool(np.nanmin(values, initial=np.inf) < mappable.norm.vmin)
    above = bool(np.nanmax(values, initial=-np.inf) > mappable.norm.vmax)
    return {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[below, above]
