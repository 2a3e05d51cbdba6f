"""Heterotrophic from total soil respiration, both annual sums of carbon (g C m-2 yr-1).

All functions are made of elementwise operations and take numpy and dask arrays alike. The relations are not
linear: apply them before averaging in space or time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from soilql.stats.checks import choice

_RELATIONS: dict[str, Callable[[Any], Any]] = {
    "bond-lamberty-2004": lambda rs: np.exp(1.22 + 0.73 * np.log(rs)),
    "subke-2006": lambda rs: rs * (1.482 - 0.138 * np.log(rs)),
}
EQUATIONS = tuple(_RELATIONS)


def rh_from_rs(rs: Any, equation: str) -> Any:
    """Return annual heterotrophic respiration estimated from total soil respiration.

    ``bond-lamberty-2004``: ln Rh = 1.22 + 0.73 ln Rs [1]_, which exceeds Rs below 91.70.
    ``subke-2006``: Rh/Rs = 1.482 - 0.138 ln Rs, after [2]_ but taken from a secondary source, not from the paper
    itself; it exceeds Rs below 32.88 and turns negative above about 46,000. Rh is clipped to [0, Rs];
    `count_clipped` says how often.

    Parameters
    ----------
    rs : array of float, any shape
        Annual soil respiration (g C m-2 yr-1); numpy or dask.
    equation : {"bond-lamberty-2004", "subke-2006"}
        Which relation.

    Returns
    -------
    array of float, shape of `rs`
        Annual heterotrophic respiration (g C m-2 yr-1): 0 where Rs is 0, NaN where Rs is NaN or negative.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown equation.

    References
    ----------
    .. [1] Bond-Lamberty, Wang and Gower (2004), Global Change Biology 10, 1756-1766,
       doi:10.1111/j.1365-2486.2004.00816.x.
    .. [2] Subke, Inglima and Cotrufo (2006), Global Change Biology 12, 921-943,
       doi:10.1111/j.1365-2486.2006.01117.x.

    Examples
    --------
    >>> import numpy as np
    >>> np.round(rh_from_rs(np.array([50.0, 500.0]), "bond-lamberty-2004"), 3)
    array([ 50.   , 316.291])
    """
    raw = _unclipped(rs, equation)
    return np.minimum(np.maximum(raw, 0.0), rs)


def clipped_mask(rs: Any, equation: str) -> Any:
    """Return where `rh_from_rs` had to clip the relation to [0, Rs].

    Parameters
    ----------
    rs : array of float, any shape
        Annual soil respiration (g C m-2 yr-1).
    equation : {"bond-lamberty-2004", "subke-2006"}
        Which relation.

    Returns
    -------
    array of bool, shape of `rs`
        False where Rs is NaN, negative or 0.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown equation.

    Examples
    --------
    >>> import numpy as np
    >>> clipped_mask(np.array([91.6, 91.8, np.nan]), "bond-lamberty-2004")
    array([ True, False, False])
    """
    raw = _unclipped(rs, equation)
    return (raw > rs) | (raw < 0.0)


def count_clipped(rs: Any, equation: str) -> Any:
    """Return how many values `rh_from_rs` had to clip.

    Parameters
    ----------
    rs : array of float, any shape
        Annual soil respiration (g C m-2 yr-1).
    equation : {"bond-lamberty-2004", "subke-2006"}
        Which relation.

    Returns
    -------
    int or 0-dimensional dask array
        The number; lazy when `rs` is.

    Raises
    ------
    SoilqlError
        SQ813 for an unknown equation.

    Examples
    --------
    >>> import numpy as np
    >>> int(count_clipped(np.array([30.0, 32.0, 500.0]), "subke-2006"))
    2
    """
    return clipped_mask(rs, equation).sum()


def rh_from_root_fraction(rs: Any, rc: Any) -> Any:
    """Return heterotrophic respiration as the share of Rs that roots do not contribute, (1 - RC) Rs.

    Parameters
    ----------
    rs : array of float, any shape
        Soil respiration, any unit.
    rc : array of float, broadcastable with `rs`
        Root contribution to soil respiration, a fraction between 0 and 1.

    Returns
    -------
    array of float
        Heterotrophic respiration in the unit of `rs`; NaN where either is NaN or RC is not a fraction.

    Examples
    --------
    >>> import numpy as np
    >>> rh_from_root_fraction(np.array([500.0, 500.0]), np.array([0.4, 40.0]))
    array([300.,  nan])
    """
    return np.where((rc >= 0.0) & (rc <= 1.0), (1.0 - rc) * rs, np.nan)


def rh_from_root_fraction_sd(rs: Any, rc: Any, rs_sd: Any, rc_sd: Any) -> Any:
    """Return the standard deviation of (1 - RC) Rs for independent errors of Rs and RC.

    The variance of a product of independent variables is exact:
    (1 - RC)^2 s_Rs^2 + Rs^2 s_RC^2 + s_Rs^2 s_RC^2 (Goodman 1960, doi:10.1080/01621459.1960.10483369).

    Parameters
    ----------
    rs, rc : array of float
        Soil respiration and root contribution (fraction), broadcastable.
    rs_sd, rc_sd : array of float
        Their standard deviations.

    Returns
    -------
    array of float
        In the unit of `rs`.

    Examples
    --------
    >>> import numpy as np
    >>> rh_from_root_fraction_sd(np.array([500.0]), 0.4, 0.0, 0.1)
    array([50.])
    """
    keep = 1.0 - rc
    return np.sqrt((keep * rs_sd) ** 2 + (rs * rc_sd) ** 2 + (rs_sd * rc_sd) ** 2)


def _unclipped(rs: Any, equation: str) -> Any:
    choice(equation, EQUATIONS, "equation")
    # Logarithms are taken of positive values only, so that no block warns about a zero or a fill value.
    positive = np.where(rs > 0.0, rs, np.ones_like(rs))
    rh = _RELATIONS[equation](positive)
    return np.where(rs > 0.0, rh, np.where(rs == 0.0, rs, rs * np.nan))
