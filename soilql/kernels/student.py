"""Tails of Student's t for whole degrees of freedom, in closed form.

References
----------
Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 26.7.3 and 26.7.4, and 26.5.4 for the far tail.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.compiling import compiled
from soilql.kernels.lanes import LANES

_EIGHTH = math.sqrt(2.0) - 1.0
"""Tangent of pi/8."""
_OVER = (
    -8.750608600031904122785e-1,
    -1.615753718733365076637e1,
    -7.500855792314704667340e1,
    -1.228866684490136173410e2,
    -6.485021904942025371773e1,
)
_UNDER = (
    2.485846490142306297962e1,
    1.650270098316988542046e2,
    4.328810604912902668951e2,
    4.853903996359136964868e2,
    1.945506571482613964425e2,
)
"""Coefficients of Cephes' arctangent, above and below the fraction."""
_FAR = 1e-4
"""Below this p the closed form loses digits to cancellation."""


@compiled
def two_sided_p(r: float, df: int) -> float:
    """Return the two-sided p of a correlation with so many degrees of freedom.

    Parameters
    ----------
    r : float
        Correlation; t = r sqrt(df/(1 - r^2)).
    df : int
        At least 1.

    Returns
    -------
    float
        To about 1e-11 of itself.

    Examples
    --------
    >>> round(two_sided_p(0.6319, 8), 4), round(two_sided_p(0.6664, 7), 4)
    (0.05, 0.05)
    """
    sine = abs(r)
    cos2 = (1.0 - sine) * (1.0 + sine)
    odd = df % 2
    total, term = 0.0, math.sqrt(cos2) if odd else 1.0
    for k in range(1, (df - odd) // 2 + 1):
        total += term
        term *= cos2 * _ratio(k, odd)
    p = _closed_form(sine, total, odd)
    return _far_tail(cos2, df) if p < _FAR else p


@compiled
def _ratio(k: int, odd: int) -> float:
    """Return the ratio of two neighbouring terms of the sum, but for the squared cosine."""
    return (2.0 * k) / (2.0 * k + 1.0) if odd else (2.0 * k - 1.0) / (2.0 * k)


@compiled
def _closed_form(sine: float, total: float, odd: int) -> float:
    """Return p from |r|, which is the sine of the angle whose tangent is t/sqrt(df), and the sum of terms."""
    if odd:
        return 1.0 - (_angle(sine, math.sqrt((1.0 - sine) * (1.0 + sine))) + sine * total) * (2.0 / math.pi)
    return 1.0 - sine * total


@compiled
def _angle(sine: float, cosine: float) -> float:
    """Return the angle between 0 and pi/2 that has this sine and cosine, without a branch, so that vectors can be made.

    An eighth or a quarter of the circle is taken off, and the rest, at most pi/8, found by the quotient of polynomials
    for the arctangent of Cephes (Moshier 1989, Methods and programs for mathematical functions).
    """
    near, far = sine <= _EIGHTH * cosine, _EIGHTH * sine >= cosine
    above = sine if near else -cosine if far else sine - cosine
    below = cosine if near else sine if far else sine + cosine
    taken = 0.0 if near else 0.5 * math.pi if far else 0.25 * math.pi
    x = above / below
    z = x * x
    over = (((_OVER[0] * z + _OVER[1]) * z + _OVER[2]) * z + _OVER[3]) * z + _OVER[4]
    under = ((((z + _UNDER[0]) * z + _UNDER[1]) * z + _UNDER[2]) * z + _UNDER[3]) * z + _UNDER[4]
    return taken + (x + x * z * over / under)


@compiled
def two_sided_p_lanes(r: NDArray[np.float64], df: NDArray[np.int64], p: NDArray[np.float64]) -> None:
    """Fill in the two-sided p of many correlations, side by side where all have the same degrees of freedom.

    To the last bit what `two_sided_p` returns, so that a pixel's neighbours leave no trace.

    Parameters
    ----------
    r : ndarray, shape (LANES,)
        Correlations.
    df : ndarray of int64, shape (LANES,)
        Degrees of freedom; below 1 for lanes to pass over.
    p : ndarray, shape (LANES,)
        Output; NaN for lanes passed over.
    """
    alike = df[0] >= 1
    for lane in range(1, LANES):
        alike &= df[lane] == df[0]
    if not alike:
        for lane in range(LANES):
            p[lane] = two_sided_p(r[lane], df[lane]) if df[lane] >= 1 else np.nan
        return
    total, term, odd = np.zeros(LANES), np.empty(LANES), df[0] % 2
    for lane in range(LANES):
        cos2 = (1.0 - abs(r[lane])) * (1.0 + abs(r[lane]))
        term[lane] = math.sqrt(cos2) if odd else 1.0
    for k in range(1, (df[0] - odd) // 2 + 1):
        ratio = _ratio(k, odd)
        for lane in range(LANES):
            cos2 = (1.0 - abs(r[lane])) * (1.0 + abs(r[lane]))
            total[lane] += term[lane]
            term[lane] *= cos2 * ratio
    for lane in range(LANES):
        p[lane] = _closed_form(abs(r[lane]), total[lane], odd)
    for lane in range(LANES):
        if p[lane] < _FAR:
            p[lane] = _far_tail((1.0 - abs(r[lane])) * (1.0 + abs(r[lane])), df[lane])


@compiled
def _far_tail(cos2: float, df: int) -> float:
    """Return the incomplete beta function of (df/2, 1/2) at 1 - r^2 by its power series, which has no cancellation."""
    a = 0.5 * df
    total, term, k = 1.0 / a, 1.0, 0
    while k < 10_000:
        k += 1
        term *= cos2 * (k - 0.5) / k
        step = term / (a + k)
        total += step
        if step < 1e-17 * total:
            break
    log_beta = math.lgamma(a) + math.lgamma(0.5) - math.lgamma(a + 0.5)
    return math.exp(a * math.log(cos2) - log_beta) * total if cos2 > 0.0 else 0.0
