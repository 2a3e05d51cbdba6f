"""How much of a change lies where a driver changed too (Huang et al. 2020), beside what chance alone would give.

References
----------
Huang, N., Wang, L., Song, X.-P., Black, T. A., Jassal, R. S., Myneni, R. B., et al. (2020), Spatial and temporal
variations in global soil respiration and their relationships with climate and land cover, Science Advances 6, eabb8508,
doi:10.1126/sciadv.abb8508.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, fractions, whole_number

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Attribution:
    """Share of the size of a change that lies in flagged pixels, and what chance gives.

    Attributes
    ----------
    share, rest : float
        Between 0 and 1, adding up to 1; NaN without any change.
    null_mean, null_lower, null_upper : float
        Mean and quantiles of the share when the flags are shuffled over the same pixels.
    p : float
        (1 + shuffles with at least this share)/(1 + shuffles).
    area_share : float
        Share of the area that is flagged, which the mean of the null is near to.
    pixels, flagged : int
        Pixels that count, and those of them with the flag.
    """

    share: float
    rest: float
    null_mean: float
    null_lower: float
    null_upper: float
    p: float
    area_share: float
    pixels: int
    flagged: int


def attribution_share(change: ArrayLike, flags: ArrayLike, area: ArrayLike, counted: ArrayLike | None = None) -> float:
    """Return the share of the size of a change that lies in flagged pixels.

    Parameters
    ----------
    change : array_like, shape (...)
        Net change of a flux density, slope x years; NaN where there is none.
    flags : array_like of bool, shape (...)
        Whether any of the drivers, such as land cover, has a significant trend.
    area : array_like, shape (...)
        Area of each pixel.
    counted : array_like of bool, shape (...), optional
        Pixels that count, such as those whose response has a significant trend; all unless given.

    Returns
    -------
    float
        sum over flagged pixels of |change| x area / the same sum over all; NaN without any change.

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for an area that is negative or missing under a change.

    Examples
    --------
    >>> round(attribution_share([10, -4, 3, 1], [1, 0, 1, 0], [1, 1, 2, 1]), 6)
    0.761905
    """
    size, flagged, _ = _counted(change, flags, area, counted)
    total = float(size.sum())
    return float(size[flagged].sum()) / total if total > 0 else float("nan")


def attribution(
    change: ArrayLike,
    flags: ArrayLike,
    area: ArrayLike,
    *,
    counted: ArrayLike | None = None,
    zones: ArrayLike | None = None,
    shuffles: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Attribution:
    """Return the share of a change that lies in flagged pixels, beside the shares under shuffled flags.

    Where half of the land is flagged, about half of any change lies there: alone the share says nothing of the driver.

    Parameters
    ----------
    change, flags, area, counted
        As for `attribution_share`.
    zones : array_like of int, shape (...), optional
        Flags are shuffled within each zone, so that the null keeps how common they are in, say, each climate.
    shuffles : int
        Number of shuffles; with 0 there is no null, and it is NaN.
    level : float
        Probability between the quantiles of the null.
    seed : int
        Of the shuffles. The same seed gives the same null, whatever the order of the pixels.

    Returns
    -------
    Attribution

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for an area that is negative or missing under a change, or options out
        of range.

    Examples
    --------
    >>> found = attribution([10, -4, 3, 1], [1, 0, 1, 0], [1, 1, 2, 1], shuffles=200, seed=1)
    >>> round(found.share, 6), round(found.rest, 6), found.flagged
    (0.761905, 0.238095, 2)
    """
    whole_number(shuffles, "shuffles", 0)
    ends = float(fractions(level, "level", open_ends=True)[0])
    size, flagged, here = _counted(change, flags, area, counted)
    weights = np.asarray(area, dtype=np.float64)[here]
    total, covered = float(size.sum()), float(weights.sum())
    nan = float("nan")
    if not total > 0:
        return Attribution(nan, nan, nan, nan, nan, nan, nan, size.size, int(flagged.sum()))
    share = float(size[flagged].sum()) / total
    codes = np.zeros(size.size, np.intp) if zones is None else _shaped(zones, here.shape, "zones")[here]
    null = _shuffled(size, flagged, codes, shuffles, seed) / total if shuffles else np.array([nan])
    lower, upper = np.quantile(null, [0.5 - 0.5 * ends, 0.5 + 0.5 * ends])
    # Sums in another order differ in the last digits, which must not tell equal shares apart.
    reached = int(np.count_nonzero(null >= share * (1.0 - 1e-12)))
    return Attribution(
        share=share,
        rest=1.0 - share,
        null_mean=float(null.mean()),
        null_lower=float(lower),
        null_upper=float(upper),
        p=(1 + reached) / (1 + shuffles) if shuffles else nan,
        area_share=float(weights[flagged].sum()) / covered,
        pixels=size.size,
        flagged=int(flagged.sum()),
    )


def colocated_proportion(response: ArrayLike, driver: ArrayLike, area: ArrayLike) -> float:
    """Return the share of the area with a significant response in which the driver is significant too.

    Parameters
    ----------
    response, driver : array_like of bool, shape (...)
        Whether each is significant.
    area : array_like, shape (...)
        Area of each pixel.

    Returns
    -------
    float
        area(response and driver)/area(response); NaN where no response is significant.

    Raises
    ------
    SoilqlError
        SQ811 for shapes that do not match, SQ813 for an area that is negative or missing under a response.

    Examples
    --------
    >>> colocated_proportion([True, True, False, True], [True, False, True, True], [1.0, 2.0, 5.0, 1.0])
    0.5
    """
    there = np.asarray(response, dtype=bool)
    weights = _shaped(area, there.shape, "area").astype(np.float64)[there]
    _check_area(weights)
    both = _shaped(driver, there.shape, "driver").astype(bool)[there]
    total = float(weights.sum())
    return float(weights[both].sum()) / total if total > 0 else float("nan")


def _counted(
    change: ArrayLike, flags: ArrayLike, area: ArrayLike, counted: ArrayLike | None
) -> tuple[Floats, Flags, Flags]:
    """Return |change| x area and the flags of the pixels that count, and which these are."""
    changes = np.asarray(change, dtype=np.float64)
    here = ~np.isnan(changes)
    if counted is not None:
        here &= _shaped(counted, changes.shape, "counted").astype(bool)
    weights = _shaped(area, changes.shape, "area").astype(np.float64)[here]
    _check_area(weights)
    return np.abs(changes[here]) * weights, _shaped(flags, changes.shape, "flags").astype(bool)[here], here


def _shaped(values: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.generic]:
    array = np.asarray(values)
    if array.shape != shape:
        fail("SQ811", f"`{name}` has shape {array.shape}, expected {shape}")
    return array


def _check_area(area: Floats) -> None:
    if not np.all(area >= 0) or not np.all(np.isfinite(area)):
        fail("SQ813", "areas must be zero or positive wherever there is a change")


def _shuffled(size: Floats, flagged: Flags, zones: NDArray[np.generic], shuffles: int, seed: int) -> Floats:
    """Return the sums over flagged pixels when flags are shuffled within zones."""
    rng = np.random.default_rng(seed)
    order = np.argsort(zones, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(zones[order])) + 1, order.size)
    parts, first = [], 0
    for last in ends:
        rows = order[first:last]
        number = int(flagged[rows].sum())
        if number:
            # Drawn from sizes in order, the same numbers do not depend on where the pixels stand.
            parts.append((np.sort(size[rows]), number))
        first = last
    sums = np.zeros(shuffles)
    for shuffle in range(shuffles):
        for sizes, number in parts:
            sums[shuffle] += sizes[rng.choice(sizes.size, number, replace=False, shuffle=False)].sum()
    return sums
