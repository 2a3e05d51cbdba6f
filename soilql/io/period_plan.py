"""Which periods a series is brought to, what each is called, and which steps of the series lie in each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from soilql.io.seasons import ALL, SEASONS, Months, Wanted
from soilql.stats.periods import (
    COMPOSITES,
    Share,
    Span,
    composite_starts,
    infer_step,
    month_starts,
    shares,
    step_bounds,
)

Array: TypeAlias = "np.ndarray[Any, Any]"

#: A step may be longer than a period by no more than this: a leap year, the months of a season.
_SLACK = 1.05


class PlanError(ValueError):
    """A series cannot be brought to the periods; ``key`` is the parameter to blame."""

    def __init__(self, message: str, key: str = "every", help: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.help = help


@dataclass(frozen=True, eq=False)
class Group:
    """One period of every year, or one series of periods.

    Attributes
    ----------
    suffix : str or None
        What follows the name of a variable; None for the name alone.
    north, south : list of Share
        Steps of each period in either hemisphere; the same list where the seasons are the same.
    """

    suffix: str | None
    north: list[Share]
    south: list[Share]


@dataclass(frozen=True, eq=False)
class Plan:
    """All periods of a series.

    Attributes
    ----------
    groups : tuple of Group
    labels : ndarray
        Label of each period of every group: int64 years, or datetime64[ns] of its first day.
    each : str
        Length of a period: ``year``, ``season``, ``month``, ``16-day``, ``8-day``.
    step : str
        Length of the steps of the series.
    notes : tuple of str
        What was left out at the ends.
    """

    groups: tuple[Group, ...]
    labels: Array
    each: str
    step: str
    notes: tuple[str, ...]


def plan(wanted: Wanted, labels: Array, known_step: str | None = None) -> Plan:
    """Return the steps of a series that lie in each period wanted.

    Parameters
    ----------
    wanted : Wanted
    labels : ndarray, shape (n,)
        Of the steps, in order of time: years, or datetime64.
    known_step : str, optional
        Length of a step, where the data say it.

    Raises
    ------
    PlanError
        The length of the steps cannot be told, steps are longer than the periods, or no period is complete.
    """
    step = wanted.step or known_step or infer_step(labels)
    if step is None:
        message = f"the length of the steps cannot be told from their labels: {_some(labels)}"
        raise PlanError(message, "step", "say it: `step: month`")
    if labels.dtype.kind != "M" and step != "year":
        help = "say under `time` of the grid when the steps are"
        raise PlanError(f"the labels are no dates: {_some(labels)}", "step", help)
    starts, ends = step_bounds(labels, step)
    _require_order(starts, ends, labels, step)
    spans, period_labels = _spans(wanted, starts, ends)
    groups = []
    for name, (north, south) in zip(wanted.suffixes, spans, strict=True):
        in_north = shares(starts, ends, north)
        groups.append(Group(name, in_north, in_north if south is north else shares(starts, ends, south)))
    _require_short_steps(wanted, step, groups)
    return _without_ends(wanted, Plan(tuple(groups), period_labels, wanted.every, step, ()), starts, ends)


def _some(labels: Array) -> str:
    shown = ", ".join(_text(label) for label in labels[:3])
    return shown + (", ..." if labels.size > 3 else "")


def _text(label: Any) -> str:
    return str(np.datetime_as_string(label, "D")) if isinstance(label, np.datetime64) else f"{label:g}"


Spans: TypeAlias = "list[list[Span]]"


def _spans(wanted: Wanted, starts: Array, ends: Array) -> tuple[list[tuple[Spans, Spans]], Array]:
    """Return the days of each period of each group in the north and in the south, and the labels of the periods."""
    first, last = _year(starts[0]) - 1, _year(ends[-1] - 1e-6) + 1
    if wanted.years is not None:
        first, last = max(first, wanted.years[0]), min(last, wanted.years[1])
    years = range(first, last + 1)
    if wanted.every == "year" or wanted.climatology:
        found = []
        for months in _of_year(wanted):
            north = [months_of(months, year) for year in years]
            found.append(
                (north, [months_of(_other(wanted, months), year) for year in years] if wanted.shift else north)
            )
        return found, np.array(years, dtype=np.int64)
    series = [span for year in years for span in _series(wanted, year)]
    spans = [[span] for span in series]
    days = np.array([low for low, _ in series]).astype("datetime64[D]").astype("datetime64[ns]")
    return [(spans, spans)], days


def _year_of(label: Any) -> int:
    return int(label.astype("datetime64[Y]").astype(int)) + 1970 if isinstance(label, np.datetime64) else int(label)


def _year(day: float) -> int:
    return int(np.datetime64(int(np.floor(day)), "D").astype("datetime64[Y]").astype(int)) + 1970


def _of_year(wanted: Wanted) -> list[Any]:
    """Return what each group holds of a year: months, or the number of a composite."""
    end = wanted.year_of
    if wanted.every == "year":
        return [(months, end) for months in wanted.periods.values()] or [(Months(ALL), end)]
    if wanted.every == "season":
        return [(Months(months), end) for months in SEASONS.values()]
    if wanted.every == "month":
        return [(Months((month,)), end) for month in ALL]
    return [(wanted.every, i) for i in range(-(-366 // COMPOSITES[wanted.every]))]


def _other(wanted: Wanted, part: Any) -> Any:
    months, end = part
    return months.shifted(), end


def months_of(part: Any, year: int) -> list[Span]:
    """Return the days of a part of a year: of months, or of a composite."""
    what, which = part
    if isinstance(what, Months):
        stretches: list[Span] = []
        for y, month in what.years(year, which):
            low, high = map(float, month_starts(y, [month, month + 1]))
            if stretches and stretches[-1][1] == low:
                low = stretches.pop()[0]
            stretches.append((low, high))
        return stretches
    edges = [*composite_starts(year, what), float(month_starts(year, 13))]
    return [(float(edges[which]), float(edges[which + 1]))]


def _series(wanted: Wanted, year: int) -> list[Span]:
    """Return the periods that begin in a year."""
    if wanted.every in COMPOSITES:
        edges = [*composite_starts(year, wanted.every), float(month_starts(year, 13))]
    else:
        first, count = (1, 1) if wanted.every == "month" else (3, 3)
        edges = list(month_starts(year, np.arange(first, first + 13, count)))
    return [(float(low), float(high)) for low, high in itertools.pairwise(edges)]


def _require_short_steps(wanted: Wanted, step: str, groups: Sequence[Group]) -> None:
    for share in (share for both in _both(groups) for share in both if share.complete and share.steps.size):
        longest = float((share.days / share.part).max())
        if longest > share.length * _SLACK:
            message = f"the steps of one {step} are longer than the periods, of which one has {share.length:.0f} days"
            key = "periods" if wanted.periods else "every"
            raise PlanError(message, key, "periods can only be made of shorter steps")


def _require_order(starts: Array, ends: Array, labels: Array, step: str) -> None:
    wrong = np.flatnonzero(starts[1:] < ends[:-1])
    if wrong.size:
        one, other = (_text(labels[wrong[0] + i]) for i in (0, 1))
        message = f"steps of one {step} must follow one another in time, and {one} stands before {other}"
        raise PlanError(message, "step", "is `step` another, or is a time there twice?")


def _without_ends(wanted: Wanted, found: Plan, starts: Array, ends: Array) -> Plan:
    """Return the plan without periods that the series does not hold, and say which."""
    usable = [[_usable(wanted, share) for share in both] for both in _both(found.groups)]
    touched = np.any([[share.steps.size > 0 for share in both] for both in _both(found.groups)], axis=0)
    any_usable = np.any(usable, axis=0)
    if not any_usable.any():
        message = f"no period lies wholly within the series, {_reach(starts, ends)}"
        help = "`incomplete: keep` takes those of which `min_share` of the days is there"
        raise PlanError(message, "years" if wanted.years else "every", help)
    inner = np.flatnonzero(any_usable)
    kept = slice(int(inner[0]), int(inner[-1]) + 1)
    own = range(_year(starts[0]), _year(ends[-1] - 1e-6) + 1)
    # December alone makes no year of its own, though it belongs to the next winter.
    touched &= np.array([label.dtype.kind == "M" or int(label) in own for label in found.labels])
    lost = [_text(label) for label, t, u in zip(found.labels, touched, any_usable, strict=True) if t and not u]
    notes = [f"{', '.join(lost)} left out: the series runs {_reach(starts, ends)}"] if lost else []
    made = {_year_of(label) for label in found.labels[kept]} | {_year_of(label) for label in found.labels[touched]}
    notes += _not_reached(wanted, made, starts, ends)
    missing: dict[str, list[str]] = {}
    groups = []
    for group in found.groups:
        north, said = _blanked(wanted, group.north[kept], found.labels[kept])
        south = north
        if group.south is not group.north:
            south, more = _blanked(wanted, group.south[kept], found.labels[kept])
            said += [text for text in more if text not in said]
        for text in said:
            missing.setdefault(text, []).append(f"`{group.suffix or found.each}`")
        groups.append(Group(group.suffix, north, south))
    for text, names in missing.items():
        notes.append(f"{', '.join(names)} of {text} missing: the series runs {_reach(starts, ends)}")
    return Plan(tuple(groups), found.labels[kept], found.each, found.step, tuple(notes))


def _both(groups: Iterable[Group]) -> Iterable[list[Share]]:
    for group in groups:
        yield group.north
        if group.south is not group.north:
            yield group.south


def _usable(wanted: Wanted, share: Share) -> bool:
    if wanted.keep_incomplete:
        return float(share.days.sum()) >= wanted.min_share * share.length * (1 - 1e-9)
    return share.complete


def _blanked(wanted: Wanted, found: list[Share], labels: Array) -> tuple[list[Share], list[str]]:
    """Return periods, those that may not be used without steps, and the labels of those that have some."""
    lost = [_text(label) for label, s in zip(labels, found, strict=True) if s.steps.size and not _usable(wanted, s)]
    nothing = np.empty(0)
    blank = [
        s if _usable(wanted, s) else Share(nothing.astype(np.intp), nothing, nothing, s.length, False) for s in found
    ]
    return blank, lost


def _reach(starts: Array, ends: Array) -> str:
    first, last = (_day_text(day) for day in (starts[0], ends[-1] - 1e-6))
    return f"from {first} to {last}"


def _day_text(day: float) -> str:
    """Return a day, with the hour where a series begins or ends within it."""
    whole = np.datetime64(int(np.floor(day)), "D")
    minutes = round((day - np.floor(day)) * 1440)
    return str(whole) if minutes in (0, 1440) else str(whole + np.timedelta64(minutes, "m")).replace("T", " ")


def _not_reached(wanted: Wanted, years: set[int], starts: Array, ends: Array) -> list[str]:
    """Return a note on the years asked for that the series does not touch."""
    if wanted.years is None:
        return []
    first, last = wanted.years
    own = range(_year(starts[0]), _year(ends[-1] - 1e-6) + 1)
    beyond = [
        (a, b) for a, b in ((first, own[0] - 1), (own[-1] + 1, last)) if a <= b and not years & {*range(a, b + 1)}
    ]
    if not beyond:
        return []
    words = " and ".join(str(a) if a == b else f"{a} to {b}" for a, b in beyond)
    return [f"{words} asked for, but the series runs {_reach(starts, ends)}"]
