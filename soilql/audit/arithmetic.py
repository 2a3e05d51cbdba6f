"""Checks that need no degrees of freedom: totals and shares, the form of intervals, Mann-Kendall p values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from soilql.audit.figures import Figure
from soilql.audit.readings import stated_cost
from soilql.stats.consistency import mann_kendall_p
from soilql.stats.printed import Interval

# Beyond this many values neighbouring p values lie closer together than printed digits tell.
_MOST_VALUES = 200
_METHODS = (("exact", "exact"), ("normal", "normal, corrected for continuity"), ("uncorrected", "normal"))


@dataclass(frozen=True)
class Direct:
    """A claim that is judged as it stands.

    Attributes
    ----------
    quantity : str
        What is claimed: ``total``, ``order``, ``symmetry``, ``df`` or ``p``.
    shown : str
        The claim as printed.
    fits : bool
        Whether it holds.
    words : str
        What follows from the other figures.
    otherwise : str
        Under what else it would hold; empty if it holds, or never would.
    predicted : Interval or None
        What follows, as a range, where it is one.
    """

    quantity: str
    shown: str
    fits: bool
    words: str
    otherwise: str = ""
    predicted: Interval | None = None


def direct_checks(figure: Figure, named: dict[str, Figure]) -> Iterator[Direct]:
    """Yield the checks of a figure that need no degrees of freedom."""
    if figure.parts is not None and figure.value is not None:
        yield _total(figure, named)
    if figure.lower is not None and figure.upper is not None and figure.value is not None:
        yield _order(figure)
        if figure.form != "any":
            yield _symmetry(figure)
    if figure.statistic == "mann_kendall":
        yield _mann_kendall(figure)
    if figure.df is not None and figure.n is not None:
        yield _degrees(figure, figure.df, figure.n)


def _total(figure: Figure, named: dict[str, Figure]) -> Direct:
    parts, value = figure.parts, figure.value
    assert parts is not None and value is not None  # the caller has seen to it
    values = {name: other.value.interval for name in parts.names if (other := named[name]).value is not None}
    range_ = parts.evaluate(values)
    fits = value.interval.meets(range_)
    words = f"that works out at {span(range_, percent=value.percent)}"
    return Direct("total", f"{value.text} = {parts.text}", fits, words, predicted=range_)


def _order(figure: Figure) -> Direct:
    value, lower, upper = figure.value, figure.lower, figure.upper
    assert value is not None and lower is not None and upper is not None  # the caller has seen to it
    fits = lower.value < upper.value and lower.value <= value.value <= upper.value
    shown = f"{value.text} in [{lower.text}, {upper.text}]"
    words = "the estimate lies inside its interval" if fits else "the estimate lies outside its interval"
    if lower.value >= upper.value:
        words = "the lower end is not below the upper one"
    return Direct("order", shown, fits, words)


def _symmetry(figure: Figure) -> Direct:
    value, lower, upper = figure.value, figure.lower, figure.upper
    assert value is not None and lower is not None and upper is not None  # the caller has seen to it
    middle = (lower.interval + upper.interval) * Interval(0.5, 0.5)
    plain = middle.meets(value.interval)
    log = lower.interval.lower > 0 and (lower.interval * upper.interval).sqrt().meets(value.interval)
    shown = f"{value.text} [{lower.text}, {upper.text}]"
    below, above = value.value - lower.value, upper.value - value.value
    sides = f"{below:.4g} below and {above:.4g} above the estimate"
    if figure.form == "log":
        otherwise = "" if log else "it is symmetric on the natural scale" if plain else "its ends are percentiles"
        return Direct("symmetry", shown, log, f"on the log scale {'symmetric' if log else 'not symmetric'}", otherwise)
    otherwise = (
        "" if plain else "it was made on the log scale" if log else "its ends are percentiles, as of a bootstrap"
    )
    words = "symmetric about the estimate" if plain else f"not symmetric: {sides}"
    return Direct("symmetry", shown, plain, words, otherwise)


def _degrees(figure: Figure, df: float, n: tuple[int, int]) -> Direct:
    """The printed degrees of freedom against those of the printed number of values."""
    cost = stated_cost(figure)
    low, high = n[0] - cost, n[1] - cost
    words = f"the design gives {span(Interval(low, high))} (n - {cost})"
    otherwise = ""
    if df < low:
        otherwise = "values were left out, or the degrees of freedom are effective ones"
    elif high < df <= n[1] - 1:
        otherwise = "fewer degrees of freedom were charged than the design takes"
    shown = f"df = {figure.text('df')}, n = {_values(n)}"
    return Direct("df", shown, low <= df <= high, words, otherwise, Interval(low, high))


def _mann_kendall(figure: Figure) -> Direct:
    p, n = figure.p, figure.n
    assert p is not None and n is not None  # the reader of the table has seen to it
    shown = f"Mann-Kendall {p.text}" + (f", S = {figure.value.text}" if figure.value else "") + f", n = {_values(n)}"
    if n[1] > _MOST_VALUES:
        return Direct("p", shown, True, f"with more than {_MOST_VALUES} values any printed p can occur")
    candidates = list(_possible(figure, p.value, n))
    if not candidates:
        parity = "odd" if (n[0] * (n[0] - 1) // 2) % 2 else "even"
        return Direct("p", shown, False, f"without ties S is {parity}", "values are tied")
    fitting = [words for _, one_p, words in candidates if p.interval.meets(Interval(one_p, one_p))]
    if fitting:
        return Direct("p", shown, True, fitting[0])
    close = ", ".join(words for _, _, words in sorted(candidates)[:3])
    otherwise = "values are tied, pre-whitened or fewer, or the p is of another test"
    subject = "this S" if figure.value else "no S"
    never = "does not give" if figure.value else "gives"
    return Direct("p", shown, False, f"without ties {subject} {never} this p; the nearest: {close}", otherwise)


def _possible(figure: Figure, p: float, n: tuple[int, int]) -> Iterator[tuple[float, float, str]]:
    """Yield each p that can occur, with its distance from the printed one before it and words after it."""
    for count in range(n[0], n[1] + 1):
        for method, name in _METHODS:
            all_s, all_p = mann_kendall_p(count, method)
            for s, one in zip(all_s.tolist(), all_p.tolist(), strict=True):
                if figure.value is None or abs(s - abs(figure.value.value)) < 0.5:
                    with_n = f" of {count} values" if n[0] != n[1] else ""
                    yield abs(one - p), one, f"|S| = {s}{with_n} has p = {one:.3g} ({name})"


def _values(n: tuple[int, int]) -> str:
    return str(n[0]) if n[0] == n[1] else f"{n[0]} to {n[1]}"


def span(interval: Interval, *, percent: bool = False, digits: int = 4) -> str:
    """Return a range in words.

    Examples
    --------
    >>> span(Interval(0.77777, 0.92), percent=True)
    '77.78% to 92%'
    """
    factor, sign = (100, "%") if percent else (1, "")
    ends = [f"{end * factor:.{digits}g}{sign}" for end in (interval.lower, interval.upper)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
