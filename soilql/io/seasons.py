"""Months as people write them: `all`, `MAM`, `DJF`, `Apr-Sep`, lists of names or numbers. Needs no numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from soilql.errors import did_you_mean

NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
SHORT = tuple(name[:3] for name in NAMES)
ALL = tuple(range(1, 13))
SEASONS = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}
_INITIALS = "".join(name[0] for name in NAMES)
_WHOLE_YEAR = ("all", "annual", "year")


class MonthsError(ValueError):
    """A text that names no months; ``help`` says how they are written."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


@dataclass(frozen=True)
class Months:
    """Months in the order in which they follow each other; one that does not rise begins the next year.

    Attributes
    ----------
    months : tuple of int
        1 to 12, each at most once.
    """

    months: tuple[int, ...]

    @property
    def is_year(self) -> bool:
        """Whether these are all months from January to December."""
        return self.months == ALL

    def years(self, year: int, year_of: str = "end") -> Iterator[tuple[int, int]]:
        """Yield the year and month of each month of the season that belongs to a year.

        Parameters
        ----------
        year : int
        year_of : {"end", "start"}
            Whether a season over New Year belongs to the year in which it ends or begins.

        Examples
        --------
        >>> list(Months((12, 1, 2)).years(2001))
        [(2000, 12), (2001, 1), (2001, 2)]
        >>> list(Months((12, 1, 2)).years(2001, "start"))
        [(2001, 12), (2002, 1), (2002, 2)]
        """
        turns = sum(b <= a for a, b in zip(self.months, self.months[1:], strict=False))
        current = year - turns if year_of == "end" else year
        before = 0
        for month in self.months:
            current += month <= before
            before = month
            yield current, month

    def shifted(self) -> Months:
        """Return the same season of the other hemisphere, six months on; the whole year stays as it is.

        Examples
        --------
        >>> Months((6, 7, 8)).shifted().months, Months((12, 1, 2)).shifted().months
        ((12, 1, 2), (6, 7, 8))
        """
        return self if self.is_year else Months(tuple((month + 5) % 12 + 1 for month in self.months))

    def __str__(self) -> str:
        if self.is_year:
            return "January to December"
        run = all(b == a % 12 + 1 for a, b in zip(self.months, self.months[1:], strict=False))
        if run and len(self.months) > 1:
            return f"{NAMES[self.months[0] - 1]} to {NAMES[self.months[-1] - 1]}"
        return ", ".join(NAMES[month - 1] for month in self.months)


def read_months(words: Sequence[str]) -> Months:
    """Return the months that words or numbers stand for.

    Parameters
    ----------
    words : sequence of str
        `all`; initials of months in a row (`MAM`, `NDJFM`); names or numbers, also from one to another (`Apr-Sep`).
        They are read in order: a month that does not come after the one before it is of the next year.

    Raises
    ------
    MonthsError
        For anything else, and for a month that comes twice.

    Examples
    --------
    >>> read_months(["DJF"]).months, read_months(["Apr-Jun", "9"]).months
    ((12, 1, 2), (4, 5, 6, 9))
    >>> read_months(["all"]).is_year
    True
    """
    months: list[int] = []
    for word in words:
        months += _one(word.strip())
    if not months:
        raise MonthsError("a season has at least one month")
    for month in months:
        if months.count(month) > 1:
            raise MonthsError(f"{NAMES[month - 1]} is there twice")
    return Months(tuple(months))


def _one(word: str) -> tuple[int, ...]:
    if word.lower() in _WHOLE_YEAR:
        return ALL
    first, dash, last = (part.strip() for part in word.replace("–", "-").partition("-"))
    if dash:
        low, high = _month(first, word), _month(last, word)
        return tuple((low - 1 + i) % 12 + 1 for i in range((high - low) % 12 + 1))
    if word.isupper() and 2 <= len(word) <= 12 and word.isalpha() and word not in map(str.upper, SHORT):
        start = (_INITIALS * 2).find(word)
        if start >= 0:
            return tuple((start + i) % 12 + 1 for i in range(len(word)))
    return (_month(word, word),)


def _month(text: str, word: str) -> int:
    if text.isdigit():
        if 1 <= int(text) <= 12:
            return int(text)
        raise MonthsError(f"months count from 1 to 12, and this is {text}")
    for i, name in enumerate(NAMES, start=1):
        if len(text) >= 3 and name.lower().startswith(text.lower()):
            return i
    known = [*SEASONS, "all", *NAMES]
    help = did_you_mean(word, known) or "write `all`, initials such as `MAM`, `Apr-Sep`, or months by name or number"
    raise MonthsError(f"`{word}` names no months", help)


def read_years(words: Sequence[str]) -> tuple[int, int]:
    """Return the first and last year of `2000-2014`, `[2000, 2014]` or `2005`.

    Raises
    ------
    MonthsError
        For anything else.

    Examples
    --------
    >>> read_years(["2000-2014"]), read_years(["2000", "2014"]), read_years(["2005"])
    ((2000, 2014), (2000, 2014), (2005, 2005))
    """
    parts = [part.strip() for word in words for part in word.replace("–", "-").split("-")]
    if len(parts) not in (1, 2) or not all(part.isdigit() for part in parts):
        raise MonthsError(f"`{', '.join(words)}` is no range of years", "write `2000-2014` or `[2000, 2014]`")
    first, last = int(parts[0]), int(parts[-1])
    if last < first:
        raise MonthsError(f"the years end in {last}, before they begin in {first}", f"write `{last}-{first}`")
    return first, last


def suffixes(every: str, periods: Iterable[str], climatology: bool, plain: bool = False) -> list[str | None]:
    """Return what follows the names of variables for each period; a single None where they keep their own.

    Parameters
    ----------
    every : {"year", "season", "month", "16-day", "8-day"}
    periods : iterable of str
        Names of parts of the year.
    climatology : bool
        Whether periods are averaged over the years, so that each is a variable of its own.
    plain : bool
        Whether a single period needs no name.

    Examples
    --------
    >>> suffixes("year", ["annual", "spring"], False), suffixes("month", [], True)[:2], suffixes("month", [], False)
    (['annual', 'spring'], ['Jan', 'Feb'], [None])
    """
    named: list[str | None] = [*periods]
    if every == "year":
        return [None] if not named or (plain and len(named) == 1) else named
    if not climatology:
        return [None]
    if every in ("season", "month"):
        return [*SEASONS] if every == "season" else [*SHORT]
    return [f"{day:03d}" for day in range(1, 366, int(every.removesuffix("-day")))]


@dataclass(frozen=True)
class Wanted:
    """The periods that a spec asks for.

    Attributes
    ----------
    every : {"year", "season", "month", "16-day", "8-day"}
    periods : mapping of str to Months
        Parts of the year, by name; the whole year under the name of the variable where empty.
    years : (int, int) or None
        First and last year.
    climatology : bool
        Whether each period is averaged over the years.
    shift : bool
        Whether the south has its seasons six months later.
    year_of : {"end", "start"}
        Year that a season over New Year belongs to.
    keep_incomplete : bool
        Whether to keep periods that begin before the series or end after it.
    min_share : float
        Share of the days of a period that must have values.
    step : str or None
        Length of the steps of the series, where its labels do not tell.
    plain : bool
        Whether variables keep their names where there is one period only.
    """

    every: str = "year"
    periods: Mapping[str, Months] = field(default_factory=dict)
    years: tuple[int, int] | None = None
    climatology: bool = False
    shift: bool = False
    year_of: str = "end"
    keep_incomplete: bool = False
    min_share: float = 0.75
    step: str | None = None
    plain: bool = False

    @property
    def suffixes(self) -> list[str | None]:
        """What follows the name of a variable for each period; a single None for the name alone."""
        return suffixes(self.every, self.periods, self.climatology, self.plain)

    def each(self, suffix: str | None) -> str:
        """Return the length of a period in one word: ``year``, ``month``, or ``season`` for all others."""
        if self.every != "year":
            return "month" if self.every == "month" else "season"
        months = self.periods.get(suffix or "") or next(iter(self.periods.values()), None)
        return "year" if months is None or months.is_year else "season"
