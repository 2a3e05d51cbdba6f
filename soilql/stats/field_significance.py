"""Field significance: which of many tests still count, given that there are many.

References
----------
Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57, 289-300,
doi:10.1111/j.2517-6161.1995.tb02031.x. Wilks (2016), Bulletin of the American Meteorological Society 97, 2263-2273,
doi:10.1175/BAMS-D-15-00267.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, fractions


@dataclass(frozen=True)
class FieldSignificance:
    """The outcome of a false discovery rate.

    Attributes
    ----------
    rejected : ndarray of bool
        Tests that count, in the shape of the p-values; False for tests without p.
    threshold : float
        The largest p that counts; 0 when none does. `rejected` is ``p <= threshold`` where any counts.
    tests, count : int
        Tests with a p-value, and those that count.
    alpha_fdr : float
        Accepted share of false discoveries.
    """

    rejected: NDArray[np.bool_]
    threshold: float
    tests: int
    count: int
    alpha_fdr: float


def field_significance(p: ArrayLike, level: float = 0.05, alpha_fdr: float | None = None) -> FieldSignificance:
    """Return which p-values count under the false discovery rate of Benjamini and Hochberg.

    Parameters
    ----------
    p : array_like, shape (...)
        p-values of all tests of a map; NaN where there is no test.
    level : float
        Global level. For fields as correlated as those of the climate Wilks (2016) recommends a false discovery rate of
        twice this.
    alpha_fdr : float, optional
        The false discovery rate itself; twice the level, and at most 1, unless given.

    Returns
    -------
    FieldSignificance
        The tests with p <= p(k), where k is the largest with p(k) <= alpha_fdr k / tests (Wilks 2016, eq. 3).

    Raises
    ------
    SoilqlError
        SQ813 for a level, a rate or a p-value outside its range.

    Examples
    --------
    >>> p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
    >>> field_significance(p, alpha_fdr=0.05).count, field_significance(p, level=0.05).count
    (2, 6)
    """
    share = float(fractions(level, "level", open_ends=True)[0])
    rate = min(1.0, 2.0 * share) if alpha_fdr is None else float(fractions(alpha_fdr, "alpha_fdr")[0])
    values = np.asarray(p, dtype=np.float64)
    known = values[~np.isnan(values)]
    if known.size and (known.min() < 0 or known.max() > 1):
        fail("SQ813", "p-values must lie between 0 and 1")
    ordered = np.sort(known, kind="stable")
    passing = np.flatnonzero(ordered <= rate * np.arange(1, ordered.size + 1) / max(ordered.size, 1))
    if not passing.size:
        return FieldSignificance(np.zeros(values.shape, dtype=bool), 0.0, known.size, 0, rate)
    threshold = float(ordered[passing[-1]])
    rejected = values <= threshold
    return FieldSignificance(rejected, threshold, known.size, int(np.count_nonzero(rejected)), rate)
