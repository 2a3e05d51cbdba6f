"""Dates in names of files and columns, by patterns that cannot run away, and dates and periods as people write them."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CODES = {
    "%Y": ("year", r"\d{4}"),
    "%m": ("month", r"0[1-9]|1[0-2]|[1-9]"),
    "%d": ("day", r"0[1-9]|[12]\d|3[01]|[1-9]"),
    "%j": ("doy", r"\d{3}"),
    "%b": ("month_name", r"[A-Za-z]{3}"),
    "{name}": ("name", r".+?"),
    "*": ("", r".*?"),
    "%%": ("", "%"),
}
_GROUP = re.compile(r"\(\?P<(year|month|day|doy|name)>(\\d(?:\{\d{1,2}(?:,\d{1,2})?\}|\+)?|\.\+\??)\)")
_TOKEN = re.compile(r"%.|\{name\}|\*|\(\?P<[^)]*\)")
_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name}
# Each makes the search slower by a factor of the length of a name.
_MOST_WILD = 2
_LONGEST = 200

Parts = Mapping[str, str]


@dataclass(frozen=True)
class Pattern:
    """A pattern of names with dates in them.

    ``%Y`` is a year of four digits, ``%m`` a month, ``%b`` its English abbreviation, ``%d`` a day, ``%j`` a day of the
    year, ``{name}`` the name of a layer or variable, ``*`` any characters; ``(?P<year>\\d{4})`` is understood too
    (year, month, day, doy, name). All else stands for itself.

    Attributes
    ----------
    text : str
        As written.
    expression : re.Pattern
        Searched for anywhere in a name.
    slashes : int
        Folders that the pattern looks at, besides the name of the file.
    """

    text: str
    expression: re.Pattern[str]
    slashes: int

    def match(self, name: str) -> Match | None:
        """Return what a name says; None where it does not fit.

        Examples
        --------
        >>> compile_pattern("A%Y%j").match("MOD11A2.A2000049.h10v05.tif").start
        datetime.date(2000, 2, 18)
        >>> compile_pattern("_{name}_doy%Y%j").match("MOD11A2.061_LST_Day_1km_doy2000049_aid0001.tif").name
        'LST_Day_1km'
        """
        found = self.expression.search(name)
        if found is None:
            return None
        parts = {key: value for key, value in found.groupdict().items() if value is not None}
        try:
            start = start_of(parts)
        except ValueError:
            return None
        dated = [found.start(key) for key in parts if key != "name"]
        before = name[: found.start()].rpartition("/")[2] or name[found.start() : min(dated, default=found.end())]
        return Match(parts, start, _stripped(before), _stripped(name[found.end() :].rpartition(".")[0]))


@dataclass(frozen=True)
class Match:
    """What a name says.

    Attributes
    ----------
    parts : mapping of str to str
        ``year``, ``month``, ``day``, ``doy``, ``month_name`` and ``name``, as far as the pattern has them.
    start : date or None
        First day of the year, month or day that the name tells; None where it tells no year.
    before, after : str
        The rest of the name without its ending.
    """

    parts: Parts
    start: datetime.date | None
    before: str
    after: str

    @property
    def name(self) -> str:
        """Name of the layer: as the pattern picks it, else what stands before the date, else what stands after it."""
        return _stripped(self.parts.get("name", "")) or self.before or self.after

    @property
    def precision(self) -> str | None:
        """Finest part of the date: ``year``, ``month`` or ``day``; None without a date."""
        return precision_of(self.parts)


def _stripped(text: str) -> str:
    return text.strip("._- ")


@cache
def compile_pattern(text: str) -> Pattern:
    """Return a pattern.

    Raises
    ------
    ValueError
        It is not understood; the message says where.

    Examples
    --------
    >>> compile_pattern("%Y_%q")
    Traceback (most recent call last):
        ...
    ValueError: `%q` means nothing in a pattern; there are %Y, %m, %b, %d and %j
    """
    if len(text) > _LONGEST:
        raise ValueError(f"a pattern has at most {_LONGEST} characters")
    pieces = list(_pieces(text))
    groups = [name for name, _ in pieces if name]
    twice = next((name for name in groups if groups.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the pattern has the {twice} twice")
    if sum(expression in (r".+?", r".*?", r".+") for _, expression in pieces) > _MOST_WILD:
        raise ValueError(f"a pattern has at most {_MOST_WILD} of `*` and `{{name}}`")
    if not groups:
        raise ValueError("the pattern has no part of a date, such as %Y, and no {name}")
    whole = "".join(f"(?P<{name}>{expression})" if name else expression for name, expression in pieces)
    # A year is not the middle of a longer number.
    edged = f"(?<!\\d){whole}" if pieces[0][0] else whole
    edged = f"{edged}(?!\\d)" if pieces[-1][0] in ("year", "month", "day", "doy") else edged
    return Pattern(text, re.compile(edged), text.count("/"))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name of the group (empty for none) and the expression of each part of a pattern."""
    at = 0
    for token in _TOKEN.finditer(text):
        if token.start() > at:
            yield "", re.escape(text[at : token.start()])
        at = token.end()
        if token[0] in _CODES:
            yield _CODES[token[0]]
        elif group := _GROUP.fullmatch(token[0]):
            yield group[1], group[2]
        elif token[0].startswith("%"):
            raise ValueError(f"`{token[0]}` means nothing in a pattern; there are %Y, %m, %b, %d and %j")
        else:
            help = r"write (?P<year>\d{4}), with year, month, day, doy or name, or %Y"
            raise ValueError(f"`{token[0]}` is no part of a date: {help}")
    if at < len(text):
        yield "", re.escape(text[at:])


def match_name(path: Path, patterns: Iterable[Pattern]) -> Match | None:
    """Return what the name of a file says by the first pattern that fits, with as many folders as that looks at.

    Examples
    --------
    >>> match_name(Path("/data/2001/tas.nc"), [compile_pattern("%Y/{name}.nc")]).name
    'tas'
    """
    for pattern in patterns:
        found = pattern.match("/".join(path.parts[-1 - pattern.slashes :]))
        if found is not None:
            return found
    return None


def start_of(parts: Parts) -> datetime.date | None:
    """Return the first day of what the parts of a date tell; None where they tell no year.

    Raises
    ------
    ValueError
        There is no such day.

    Examples
    --------
    >>> start_of({"year": "2000", "doy": "366"}), start_of({"year": "2001", "month_name": "Feb"})
    (datetime.date(2000, 12, 31), datetime.date(2001, 2, 1))
    """
    if "month_name" in parts and parts["month_name"].lower() not in _MONTHS:
        raise ValueError(f"`{parts['month_name']}` is no month")
    if "year" not in parts:
        return None
    year = int(parts["year"])
    if "doy" in parts:
        found = datetime.date(year, 1, 1) + datetime.timedelta(days=int(parts["doy"]) - 1)
        if found.year != year:
            raise ValueError(f"{year} has no day {parts['doy']}")
        return found
    month = _MONTHS[parts["month_name"].lower()] if "month_name" in parts else int(parts.get("month", 1))
    return datetime.date(year, month, int(parts.get("day", 1)))


def precision_of(parts: Parts) -> str | None:
    """Return the finest part of a date: ``day``, ``month`` or ``year``; None without a date."""
    for precision, keys in (("day", ("day", "doy")), ("month", ("month", "month_name")), ("year", ("year",))):
        if any(key in parts for key in keys):
            return precision
    return None


_ISO = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")


def parse_date(text: str) -> tuple[datetime.date, datetime.date]:
    """Return the first and the last day of a year, month or day.

    Raises
    ------
    ValueError
        The text is none of these.

    Examples
    --------
    >>> parse_date("2000-02")
    (datetime.date(2000, 2, 1), datetime.date(2000, 2, 29))
    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text}` is no date: write 2000, 2000-02 or 2000-02-18")
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert year is not None
    try:
        first = datetime.date(year, month or 1, day or 1)
    except ValueError:
        raise ValueError(f"there is no day {text}") from None
    if day is not None:
        return first, first
    last_month = month or 12
    return first, datetime.date(year, last_month, calendar.monthrange(year, last_month)[1])


def parse_years(text: str) -> list[int]:
    """Return the years of a range.

    Raises
    ------
    ValueError
        The text is no range of years.

    Examples
    --------
    >>> parse_years("2000-2003"), parse_years("2001")
    ([2000, 2001, 2002, 2003], [2001])
    """
    found = re.fullmatch(r"(\d{4})(?:\s*-\s*(\d{4}))?", text.strip())
    if found is None or int(found[2] or found[1]) < int(found[1]):
        raise ValueError(f"`{text}` is no range of years: write 2000-2014")
    return list(range(int(found[1]), int(found[2] or found[1]) + 1))
