"""Claims of a figure: what a reading predicts, over all degrees of freedom, and what is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from soilql.audit.figures import Figure
from soilql.audit.readings import Reading, p_readings, spread_readings
from soilql.stats.consistency import (
    Bounds,
    Floats,
    adjust_r2,
    critical_r,
    critical_t,
    p_of_f,
    p_range_r2,
    p_range_t,
)
from soilql.stats.printed import Interval


@dataclass(frozen=True)
class Claim:
    """Something printed that follows from the figure and its degrees of freedom.

    Attributes
    ----------
    quantity : str
        What follows: ``p``, ``|r|``, ``adjusted R2`` or ``half-width``.
    shown : str
        The figure and the claim as printed.
    target : Interval
        What the printed claim can stand for.
    predict : callable
        From degrees of freedom and a reading to the range that follows.
    readings : tuple of Reading
        Those to be tried, the stated one first if there is one.
    searched : bool
        Whether other degrees of freedom are worth a search.
    """

    quantity: str
    shown: str
    target: Interval
    predict: Callable[[Floats, Reading], Bounds]
    readings: tuple[Reading, ...]
    searched: bool = True


def claims(figure: Figure) -> list[Claim]:
    """Return what can be checked of a figure against degrees of freedom, in the order in which it is reported."""
    found = []
    if figure.p is not None and figure.statistic != "mann_kendall":
        found.append(_p_claim(figure))
    if figure.adjusted is not None and figure.value is not None:
        found.append(_adjusted_claim(figure))
    if figure.se is not None and _half_width(figure) is not None and figure.level is not None:
        found.append(_spread_claim(figure))
    return found


def _p_claim(figure: Figure) -> Claim:
    value, p = figure.value, figure.p
    assert value is not None and p is not None  # the reader of the table has seen to it
    readings = p_readings(figure)
    if figure.statistic == "threshold":
        shown = f"|r| = {value.text} at p = {figure.text('p')}"
        return Claim("|r|", shown, abs(value.interval), lambda nu, how: _threshold(p.value, nu, how), readings)
    name = {"adjusted_R2": "adjusted R2", "interval": "estimate"}.get(figure.statistic, figure.statistic)
    shown = f"{name} = {value.text}{_error_shown(figure)}, {p.text}"
    searched = figure.statistic != "z"
    return Claim("p", shown, p.interval, _predictor(figure, value.interval), readings, searched)


def _predictor(figure: Figure, value: Interval) -> Callable[[Floats, Reading], Bounds]:
    df1, size = float(figure.predictors), abs(value)
    if figure.statistic == "r":
        return lambda nu, how: _correlation(size, nu, how)
    if figure.statistic in ("R2", "adjusted_R2"):
        always = figure.statistic == "adjusted_R2"
        return lambda nu, how: p_range_r2(value, df1, nu, adjusted=always or how.adjusted)
    if figure.statistic == "F":
        return lambda nu, how: (p_of_f(value.upper, df1, nu), p_of_f(value.lower, df1, nu))
    if figure.statistic in ("t", "z"):
        return lambda nu, how: p_range_t(size.lower, size.upper, nu, how.tails)
    return lambda nu, how: _from_error(figure, size, nu, how)


def _threshold(p: float, nu: Floats, how: Reading) -> Bounds:
    level = min(1.0, p * (2 / how.tails))
    r = critical_r(level, nu)
    return r, r


def _correlation(size: Interval, nu: Floats, how: Reading) -> Bounds:
    squared = Interval(size.lower, min(size.upper, 1.0)).power(2)
    low, high = p_range_r2(squared, 1.0, nu)
    return low * (how.tails / 2), high * (how.tails / 2)


def _from_error(figure: Figure, size: Interval, nu: Floats, how: Reading) -> Bounds:
    """The test of zero, from an estimate and its standard error or interval."""
    level = figure.level or 0.95
    spread = _half_width(figure)
    wide = spread is not None
    if figure.se is not None:
        spread, wide = figure.se.interval, False
    assert spread is not None  # the reader of the table has seen to it
    if how.error:
        wide = how.error == "half_width"
    units = critical_t(level, nu) if wide else np.ones(nu.shape)
    spread = Interval(max(spread.lower, 0.0), spread.upper)
    low = size.lower / spread.upper * units
    high = (size.upper / spread.lower if spread.lower > 0 else np.inf) * units
    return p_range_t(low, high, nu, how.tails)


def _half_width(figure: Figure) -> Interval | None:
    if figure.half_width is not None:
        return figure.half_width.interval
    if figure.lower is not None and figure.upper is not None:
        return (figure.upper.interval - figure.lower.interval) * Interval(0.5, 0.5)
    return None


def _error_shown(figure: Figure) -> str:
    if figure.lower is not None and figure.upper is not None:
        return f" [{figure.lower.text}, {figure.upper.text}]"
    if figure.half_width is not None:
        return f" ± {figure.half_width.text}"
    return f" (SE {figure.se.text})" if figure.se is not None else ""


def _adjusted_claim(figure: Figure) -> Claim:
    value, adjusted = figure.value, figure.adjusted
    assert value is not None and adjusted is not None  # the caller has seen to it
    ends, df1 = value.interval, float(figure.predictors)

    def predict(nu: Floats, _how: Reading) -> Bounds:
        return adjust_r2(ends.lower, df1, nu), adjust_r2(min(ends.upper, 1.0), df1, nu)

    readings = tuple(how for how in p_readings(figure) if not how.adjusted)
    shown = f"R2 = {value.text}, adjusted R2 = {adjusted.text}"
    return Claim("adjusted R2", shown, adjusted.interval, predict, readings)


def _spread_claim(figure: Figure) -> Claim:
    se, half_width, level = figure.se, _half_width(figure), figure.level
    assert se is not None and half_width is not None and level is not None  # the caller has seen to it

    def predict(nu: Floats, how: Reading) -> Bounds:
        units = critical_t(how.level or level, nu)
        return units * max(se.interval.lower, 0.0), units * se.interval.upper

    shown = f"SE {se.text},{_error_shown(figure)} as a {figure.text('level')} interval"
    return Claim("half-width", shown, half_width, predict, spread_readings(figure))
