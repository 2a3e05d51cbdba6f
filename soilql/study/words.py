"""How findings about data put numbers into words."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, what: str) -> str:
    """Return a number with what is counted.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names in backquotes, of many the first.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b"]), listed(list("abcdef"))
    ('`a`', '`a` and `b`', '`a`, `b`, `c`, `d` and 2 more')
    """
    quoted = [f"`{name}`" for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(quoted)} and {len(names) - most} more"
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def share(part: int | float, whole: int | float) -> str:
    """Return a share in percent, never rounded to nothing or to all.

    Examples
    --------
    >>> share(1, 3), share(1, 10_000), share(9_999, 10_000), share(2, 2)
    ('33 %', '0.01 %', '99.99 %', '100 %')
    """
    percent = 100 * part / whole if whole else 0.0
    for digits in range(5):
        text = f"{percent:.{digits}f}"
        if (float(text) > 0 or percent == 0) and (float(text) < 100 or percent == 100):
            return f"{text} %"
    return f"{percent:.3g} %"


def extent(low: float, high: float, unit: str | None = None) -> str:
    """Return the ends of a range in words.

    Examples
    --------
    >>> extent(268.15, 301.2, "K")
    '268.1 to 301.2 K'
    """
    return f"{_number(low)} to {_number(high)}" + (f" {unit}" if unit and unit != "1" else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
