"""Parameters of gridded data: variables and their quality flags, times of files, reprojection, cells in tables.

Needs no numpy, as the linter reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from soilql.io import dates
from soilql.params import ColumnName, Expr, NewName, Params, Problem, UnitText, param

Step = Literal["year", "month", "16-day", "8-day", "day"]
_MOST_BITS = 31


@dataclass(frozen=True)
class Keep(Params):
    """A bit field of quality flags, and its values that keep a pixel."""

    values: list[int] = param(doc="values of the field that keep a pixel", ge=0)
    bits: list[int] | None = param(
        None,
        doc="[first, last] bit of the field, or the only one, counted from the right from 0; default: all",
        ge=0,
        le=31,
    )

    def problems(self) -> Iterator[Problem]:
        if self.bits is not None and (len(self.bits) not in (1, 2) or self.bits[0] > self.bits[-1]):
            yield "`bits` are the first and the last bit of the field, such as [0, 1], or one bit", "bits"
            return
        worst = max(self.values, default=0)
        if self.bits is not None and worst >= 1 << (self.bits[-1] - self.bits[0] + 1):
            yield f"{self.bits[-1] - self.bits[0] + 1} bits cannot hold {worst}", "values"

    @property
    def field(self) -> tuple[int, int]:
        """First and last bit."""
        return (0, _MOST_BITS) if self.bits is None else (self.bits[0], self.bits[-1])


@dataclass(frozen=True)
class Quality(Params):
    """A layer of quality flags that decides which values count."""

    flag: ColumnName = param(doc="layer of the flags: its name, as with `from`")
    keep: list[Keep] = param(doc="bit fields; all of them have to keep a pixel")


@dataclass(frozen=True)
class GridVariable(Params):
    """A variable of the grid, and which layer of the files it is."""

    SHORTHAND = "from"

    from_: ColumnName | None = param(
        None, doc="layer: its name, the number of its band, or `FILE:NAME` without suffix; default: the variable's name"
    )
    unit: UnitText | None = param(None, doc="unit of the variable; values are converted to it")
    from_unit: UnitText | None = param(
        None, doc="unit in the file; default: as the registry or the file says, else `unit`"
    )
    scale: float | None = param(None, doc="factor on the values of the file, after its own packing; default 1")
    offset: float | None = param(None, doc="added after `scale`, in the file's unit; default 0")
    nodata: list[float] | None = param(None, doc="stored values that mean no value, besides the file's own")
    valid: list[float] | None = param(None, doc="[least, greatest] stored value; others count as missing")
    qc: list[Quality] | None = param(
        None, doc="quality flags that decide which values count; [] for none of those that a product names"
    )
    categorical: bool | None = param(None, doc="whether the numbers stand for classes")

    def problems(self) -> Iterator[Problem]:
        if self.valid is not None and (len(self.valid) != 2 or self.valid[0] > self.valid[1]):
            yield "`valid` is the least and the greatest value, such as [0, 30000]", "valid"


@dataclass(frozen=True)
class Derived(Params):
    """A variable computed from others, cell by cell."""

    SHORTHAND = "expr"

    expr: Expr = param(doc="expression over variables, `lat` and `lon`")
    unit: UnitText | None = param(None, doc="unit of the result")


@dataclass(frozen=True)
class Dims(Params):
    """What the axes of a NetCDF or Zarr are called."""

    lat: str | None = param(None, doc="dimension or variable of latitudes")
    lon: str | None = param(None, doc="dimension or variable of longitudes")
    time: str | None = param(None, doc="dimension of times")


@dataclass(frozen=True)
class Times(Params):
    """Which times the files and their steps belong to, where the files do not say or say it wrongly."""

    SHORTHAND = "pattern"

    pattern: list[str] | None = param(
        None,
        doc="how names of files tell the start: %Y year, %m month, %d day, %j day of the year, {name} layer, * any",
    )
    from_: Literal["name", "file"] | None = param(
        None, doc="whether names or the files themselves tell the time; default: names where there is a `pattern`"
    )
    values: list[str] | None = param(None, doc="years or dates (2000, 2000-02, 2000-02-18), one a step")
    years: str | None = param(None, doc="years such as 2000-2014, one a step")
    start: str | None = param(None, doc="year, month or day on which the first step begins; needs `step`")
    step: Step | None = param(None, doc="length of a step; composites begin anew on 1 January; default: found out")

    def problems(self) -> Iterator[Problem]:
        said = [key for key in ("pattern", "values", "years", "start") if getattr(self, key) is not None]
        if len(said) > 1:
            yield f"`{said[0]}` and `{said[1]}` both say the times: give one of them", said[1]
        if self.from_ == "name" and self.pattern is None:
            yield '`from: name` needs a `pattern`, such as "A%Y%j"', "from"
        if self.from_ == "file" and said:
            yield f"`from: file` and `{said[0]}` both say the times: give one of them", "from"
        if self.start is not None and self.step is None:
            yield "`start` needs `step`, such as month", "start"
        for key in ("pattern", "values", "years", "start"):
            yield from _unreadable(self, key)


def _unreadable(times: Times, key: str) -> Iterator[Problem]:
    value = getattr(times, key)
    readers: dict[str, Callable[[str], object]] = {"pattern": dates.compile_pattern, "years": dates.parse_years}
    read = readers.get(key, dates.parse_date)
    for item in () if value is None else value if isinstance(value, list) else (value,):
        try:
            read(item)
        except ValueError as error:
            yield str(error), key


@dataclass(frozen=True)
class Reproject(Params):
    """How rasters in a projection are brought to longitude and latitude."""

    SHORTHAND = "resolution"

    resolution: float = param(doc="of the cells, whose lattice starts at 180 W and 90 S", gt=0, le=90, unit="deg")
    method: Literal["nearest", "bilinear", "average", "mode"] = param(
        "nearest",
        doc="how a cell is made of those of the file, after missing values and flags; classes: nearest or mode",
    )


@dataclass(frozen=True)
class Long(Params):
    """Columns whose names tell a time, such as 1960_1, turned into rows."""

    SHORTHAND = "columns"

    columns: str = param(doc="pattern of their names: %Y year, %m month, %b Jan, %j day of the year, {name} variable")
    to: NewName | None = param(None, doc="what their values are called; default: the {name} in the pattern")
    time: NewName = param(
        NewName("time"), doc="new column of times: years, or dates; beside it `year` and `month` where there are none"
    )

    def problems(self) -> Iterator[Problem]:
        try:
            pattern = dates.compile_pattern(self.columns)
        except ValueError as error:
            yield str(error), "columns"
            return
        if "name" in pattern.expression.groupindex and self.to is not None:
            yield "the pattern tells the names of the new columns by {name}: leave `to` out", "to"

    @property
    def names_itself(self) -> bool:
        """Whether names of columns tell the names of the variables."""
        return "name" in dates.compile_pattern(self.columns).expression.groupindex


@dataclass(frozen=True)
class Cells(Params):
    """Where a table of cells has their places, times and values."""

    resolution: float = param(doc="size of a cell", gt=0, le=90, unit="deg")
    lat: ColumnName | None = param(None, doc="column of the latitudes of the centres")
    lon: ColumnName | None = param(None, doc="column of their longitudes")
    key: ColumnName | None = param(None, doc="column of both, latitude first, such as `-0.25 102.25`")
    time: ColumnName | None = param(None, doc="column of years or dates")
    long: Long | None = param(None, doc="columns whose names tell a time")
    header: list[str] | None = param(None, doc="names of the columns of a text file without a header row")
    delimiter: str | None = param(
        None, doc="character between fields; a blank means any white space; default: found out"
    )
    decimal: Literal[".", ","] | None = param(None, doc="decimal mark; default: found out")
    comment: str | None = param(None, doc="lines that begin with it are skipped; default `#`")
    encoding: str | None = param(None, doc="such as latin-1; default: UTF-8, else Latin-1 with a note")
    sheet: str | int | None = param(None, doc="sheet of a workbook, by name or position from 1; default: the first")
    missing: list[str] | None = param(None, doc="values that mean missing; default [NA, NaN, nan]")

    def problems(self) -> Iterator[Problem]:
        if (self.key is None) == (self.lat is None and self.lon is None):
            yield "say where the cells are: `lat` and `lon`, or `key` for both in one column", "lat"
        if self.key is None and (self.lat is None or self.lon is None):
            yield "`lat` and `lon` go together", "lat"
        if self.time is not None and self.long is not None:
            yield "the times stand in a column (`time`) or in names of columns (`long`), not in both", "time"


def bounds_problems(bounds: list[float], east: float = 180) -> Iterator[Problem]:
    """Say why the edges of a part of the globe make no sense.

    Parameters
    ----------
    bounds : list of float
        West, south, east, north in degrees.
    east : float
        Easternmost longitude: 360 where longitudes may be counted from 0.

    Examples
    --------
    >>> list(bounds_problems([0, -90, 360, 90], east=360)), list(bounds_problems([0, 1]))
    ([], [('`bounds` are four numbers: west, south, east, north', 'bounds')])
    """
    if len(bounds) != 4:
        yield "`bounds` are four numbers: west, south, east, north", "bounds"
        return
    first, south, last, north = bounds
    if not (-90 <= south < north <= 90 and -180 <= first < last <= east and last - first <= 360):
        where = "within -180..180 and -90..90" if east == 180 else "in degrees"
        yield f"`bounds` must be [west, south, east, north] {where}", "bounds"


def parse_period(period: list[str]) -> tuple[str, str]:
    """Return the first and last part of a period.

    Raises
    ------
    ValueError
        There are not two dates, or the second comes before the first.
    """
    if len(period) != 2:
        raise ValueError("`period` has a first and a last year or date, such as [2000, 2014]", "period")
    try:
        first, last = (dates.parse_date(item) for item in period)
    except ValueError as error:
        raise ValueError(str(error), "period") from None
    if last[1] < first[0]:
        raise ValueError(f"the period ends ({period[1]}) before it begins ({period[0]})", "period")
    return period[0], period[1]
