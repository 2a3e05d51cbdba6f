"""Readings of a figure: the degrees of freedom and conventions under which it may have been computed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from soilql.audit.figures import Figure
from soilql.stats.consistency import MAX_DF

STATED = "stated"


@dataclass(frozen=True)
class Reading:
    """One way in which a figure may have been computed.

    Attributes
    ----------
    key : str
        ``stated`` for the one that the table gives, else a word for what differs.
    formula : str
        The degrees of freedom in words, such as ``n - 2``.
    meaning : str
        What they are those of; follows "which is".
    cost : int or None
        nu = n - cost; None where nu does not depend on n.
    df : float or None
        nu itself where there is no cost; infinite for the normal distribution.
    tails : int
        Sides of the test.
    adjusted : bool
        Whether the printed R2 is taken as the adjusted one.
    error : str
        ``se`` or ``half_width`` where the printed error is taken as the other of the two.
    level : float or None
        Another level of the interval than the stated one.
    """

    key: str
    formula: str
    meaning: str
    cost: int | None = None
    df: float | None = None
    tails: int = 2
    adjusted: bool = False
    error: str = ""
    level: float | None = None

    def degrees(self, n: tuple[int, int] | None) -> tuple[int, ...] | tuple[float, ...]:
        """Return each nu that the reading allows, in ascending order."""
        if self.cost is None:
            return () if self.df is None else (self.df,)
        if n is None:
            return ()
        return tuple(range(max(1, n[0] - self.cost), n[1] - self.cost + 1))


def p_readings(figure: Figure) -> tuple[Reading, ...]:
    """Return the readings of a figure that is compared with its p, the stated one first.

    Returns
    -------
    tuple of Reading
        Without a stated one where the table gives neither `n` nor `df`.
    """
    stated = _stated(figure)
    found = [stated] if stated else []
    found += _other_counts(figure)
    base = stated or Reading(STATED, "nu", "", tails=figure.tails)
    statistic = figure.statistic
    if statistic == "R2" and stated:
        found.append(_vary(base, "adjusted", "the printed R2 is the adjusted one", adjusted=True))
    if statistic in ("r", "threshold", "t", "z", "slope", "interval") and stated:
        other = 3 - figure.tails
        sides = "one-sided" if other == 1 else "two-sided"
        found.append(_vary(base, sides, f"the p is {sides}", tails=other))
    if statistic in ("slope", "interval") and stated and figure.lower is None:
        found += _other_error(figure, base)
    if statistic in ("t", "slope", "interval"):
        words = "that of the normal distribution"
        found.append(Reading("normal", "infinite", words, df=math.inf, tails=figure.tails))
    seen: dict[tuple[object, ...], Reading] = {}
    for reading in found:
        seen.setdefault((reading.cost, reading.df, reading.tails, reading.adjusted, reading.error), reading)
    return tuple(seen.values())


def spread_readings(figure: Figure) -> tuple[Reading, ...]:
    """Return the readings of an interval that is compared with its standard error."""
    stated = _stated(figure)
    level = figure.level or 0.95
    found = [stated] if stated else []
    found.append(Reading("normal", "infinite", "that of the normal distribution", df=math.inf))
    # The levels of one and two standard errors of the normal distribution.
    for key, other, words in (
        ("one se", math.erf(1 / math.sqrt(2)), "one standard error to either side (68%)"),
        ("two se", math.erf(2 / math.sqrt(2)), "two standard errors to either side"),
        ("90%", 0.90, "a 90% interval"),
        ("95%", 0.95, "a 95% interval"),
        ("99%", 0.99, "a 99% interval"),
    ):
        if abs(other - level) > 1e-9:
            found.append(Reading(key, "infinite", words, df=math.inf, level=other))
    return tuple(found)


def _stated(figure: Figure) -> Reading | None:
    if figure.statistic == "z":
        return Reading(STATED, "infinite", "", df=math.inf, tails=figure.tails)
    if figure.df is not None:
        return Reading(STATED, "df", "the printed one", df=figure.df, tails=figure.tails)
    if figure.n is None:
        return None
    cost = stated_cost(figure)
    return Reading(STATED, f"n - {cost}", _counted(figure), cost=cost, tails=figure.tails)


def stated_cost(figure: Figure) -> int:
    """Return how many degrees of freedom the stated design takes from the number of values."""
    return _base_cost(figure) + _charged(figure) + figure.detrended


def _base_cost(figure: Figure) -> int:
    return 1 if figure.statistic in ("R2", "adjusted_R2", "F", "interval") else 2


def _charged(figure: Figure) -> int:
    return figure.predictors if figure.statistic in ("R2", "adjusted_R2", "F") else figure.controls


def _counted(figure: Figure) -> str:
    """What the stated degrees of freedom charge."""
    charged = []
    count = _charged(figure)
    if count:
        noun = "predictor" if figure.statistic in ("R2", "adjusted_R2", "F") else "control"
        charged.append(f"{count} {noun}{'s' if count > 1 else ''}")
    if figure.detrended:
        charged.append("the linear trend" if figure.detrended == 1 else f"a trend of {figure.detrended} terms")
    return f"with {' and '.join(charged)} charged" if charged else ""


def _other_counts(figure: Figure) -> list[Reading]:
    """Readings that charge less of the design than the stated one does."""
    if figure.n is None or figure.statistic == "z":
        return []
    base, k, d = _base_cost(figure), _charged(figure), figure.detrended
    found = []

    def add(key: str, cost: int, meaning: str) -> None:
        found.append(Reading(key, f"n - {cost}", meaning, cost=cost, tails=figure.tails))

    n = figure.n
    values = f"{n[0]} values" if n[0] == n[1] else f"up to {n[1]} values"
    if figure.df is not None:
        add("all charged", base + k + d, f"that of the stated design {_counted(figure)}".rstrip())
    if d:
        add("trend not charged", base + k, "that without the charge for detrending")
    if base == 2 and k:
        if d:
            add("controls not charged", base + d, f"that of {values} with the trend charged and the controls not")
        add("simple", base, f"that of a simple correlation with {values}")
    elif d and base == 2:
        add("simple", base, f"that of a simple correlation with {values}")
    if figure.statistic == "interval":
        add("slope", 2 + k + d, f"that of a slope with {values}")
    if figure.statistic == "t":
        add("one sample", 1, f"that of one sample of {values}, or of paired values")
    return found


def _other_error(figure: Figure, base: Reading) -> list[Reading]:
    if figure.se is not None and figure.half_width is None:
        return [_vary(base, "half-width", "the printed error is the half-width of a 95% interval", error="half_width")]
    if figure.half_width is not None and figure.se is None:
        return [_vary(base, "standard error", "the printed half-width is a standard error", error="se")]
    return []


def _vary(
    base: Reading, key: str, meaning: str, *, tails: int | None = None, adjusted: bool = False, error: str = ""
) -> Reading:
    return Reading(key, base.formula, meaning, base.cost, base.df, tails or base.tails, adjusted, error)


def most_degrees(figure: Figure) -> int:
    """Return the most degrees of freedom that the stated number of values can have."""
    return MAX_DF if figure.n is None else figure.n[1] - 1
