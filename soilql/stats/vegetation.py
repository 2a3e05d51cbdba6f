"""Indices of vegetation and water from surface reflectances (0 to 1, not scaled by 10000)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]


def ndvi(nir: ArrayLike, red: ArrayLike) -> Floats:
    """Return the normalised difference vegetation index, ``(nir - red) / (nir + red)``.

    Parameters
    ----------
    nir, red : array_like
        Reflectances in the near infrared and the red; broadcast against each other.

    Returns
    -------
    ndarray
        Between -1 and 1; NaN where both are zero.

    References
    ----------
    Tucker (1979), Red and photographic infrared linear combinations for monitoring vegetation, Remote Sens. Environ.
    8, 127, doi:10.1016/0034-4257(79)90013-0.

    Examples
    --------
    >>> float(ndvi(0.5, 0.1).round(6))
    0.666667
    """
    a, b = np.asarray(nir, dtype=np.float64), np.asarray(red, dtype=np.float64)
    return _ratio(a - b, a + b)


def evi(nir: ArrayLike, red: ArrayLike, blue: ArrayLike) -> Floats:
    """Return the enhanced vegetation index, ``2.5 (nir - red) / (nir + 6 red - 7.5 blue + 1)``.

    Parameters
    ----------
    nir, red, blue : array_like
        Reflectances; their scale matters, as the denominator has a constant.

    Returns
    -------
    ndarray
        NaN where the denominator is zero.

    References
    ----------
    Huete et al. (2002), Overview of the radiometric and biophysical performance of the MODIS vegetation indices, Remote
    Sens. Environ. 83, 195, doi:10.1016/S0034-4257(02)00096-2 (G = 2.5, C1 = 6, C2 = 7.5, L = 1).

    Examples
    --------
    >>> float(evi(0.5, 0.1, 0.05).round(6))
    0.57971
    """
    n, r, b = (np.asarray(v, dtype=np.float64) for v in (nir, red, blue))
    return _ratio(2.5 * (n - r), n + 6.0 * r - 7.5 * b + 1.0)


def lswi(nir: ArrayLike, swir: ArrayLike) -> Floats:
    """Return the land surface water index, ``(nir - swir) / (nir + swir)``.

    Parameters
    ----------
    nir, swir : array_like
        Reflectances in the near infrared and the short-wave infrared (about 1.6 micrometres).

    Returns
    -------
    ndarray
        Between -1 and 1; NaN where both are zero.

    References
    ----------
    Xiao et al. (2004), Modeling gross primary production of temperate deciduous broadleaf forest using satellite images
    and climate data, Remote Sens. Environ. 91, 256, doi:10.1016/j.rse.2004.03.010.

    Examples
    --------
    >>> float(lswi(0.3, 0.1).round(6))
    0.5
    """
    return ndvi(nir, swir)


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(below == 0.0, np.nan, above / below))
