"""What learners are fitted to: features with their response and sites, and how columns are standardised."""

from __future__ import annotations

import importlib
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from soilql.values import State

Floats = NDArray[np.float64]

#: A spread below this share of the values is rounding.
_ROUNDING = 1e-12
#: Decimals of numbers in standard units that an iterative fit sees.
_DECIMALS = 8
_ONE_FIT_AT_A_TIME = threading.RLock()


@dataclass(frozen=True, eq=False)
class Training:
    """The rows of one zone as a learner sees them.

    Attributes
    ----------
    X : numpy.ndarray, shape (n, columns)
        Features; a category has one column of 0 and 1 for each level.
    y : numpy.ndarray, shape (n,)
        Response, in its unit.
    numeric : numpy.ndarray of bool, shape (columns,)
        Which columns are numbers and not levels of a category.
    sites : numpy.ndarray of int64, shape (n,), or None
        Rows of one number are of one site, and are drawn for members together.
    groups : numpy.ndarray of int64, shape (n,), or None
        Rows of one number are in one fold of a search.
    """

    X: Floats
    y: Floats
    numeric: NDArray[np.bool_]
    sites: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.y.size)

    def rows(self, index: NDArray[Any]) -> Training:
        """Return some rows, perhaps several times."""
        sites, groups = (None if labels is None else labels[index] for labels in (self.sites, self.groups))
        return Training(self.X[index], self.y[index], self.numeric, sites, groups)

    def in_order(self) -> Training:
        """Return the rows in an order that does not depend on that of the table.

        Iterative fits, drawn rows and folds depend in their last digits or altogether on the order of the rows.
        """
        labels = [one for one in (self.groups, self.sites) if one is not None]
        return self.rows(np.lexsort([*labels, self.y, *self.X.T[::-1]]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what members are made from as arrays to be stored; the inverse is :func:`training_from`."""
        own: dict[str, NDArray[Any]] = {"train_X": self.X, "train_y": self.y, "numeric": self.numeric}
        return own if self.sites is None else {**own, "sites": self.sites}


def training_from(arrays: Mapping[str, NDArray[Any]]) -> Training:
    """Return the rows whose :meth:`Training.arrays` were stored."""
    return Training(arrays["train_X"], arrays["train_y"], arrays["numeric"], arrays.get("sites"))


@dataclass(frozen=True, eq=False)
class Scaling:
    """Centre and spread of each column of a matrix.

    Attributes
    ----------
    center, scale : numpy.ndarray, shape (columns,)
        Mean and standard deviation (no ddof); a column of one number has an infinite spread and becomes zero
        everywhere, so that it has no influence.
    """

    center: Floats
    scale: Floats

    def apply(self, X: Floats) -> Floats:
        """Return a matrix, shape (n, columns), in standard units."""
        return np.asarray((X - self.center) / self.scale)

    def apply_steadily(self, X: Floats) -> Floats:
        """Return the rows of a fit in standard units; see :func:`steady`. What is not scaled stays as it is."""
        scaled = (self.center != 0) | (self.scale != 1)
        return np.where(scaled, steady(self.apply(X)), X)


def scaling_of(data: Training, standardize: bool) -> Scaling:
    """Return the scaling that some rows ask for; levels of categories stay 0 and 1.

    Examples
    --------
    >>> data = Training(np.array([[1.0, 5.0], [3.0, 5.0]]), np.zeros(2), np.array([True, True]))
    >>> scaling_of(data, True).apply(np.array([[5.0, 9.0]]))
    array([[3., 0.]])
    """
    center, scale = data.X.mean(axis=0), data.X.std(axis=0)
    constant = scale <= _ROUNDING * np.abs(data.X).max(axis=0, initial=0)
    kept = ~data.numeric | (not standardize)
    center, scale = np.where(kept, 0.0, center), np.where(kept, 1.0, scale)
    return Scaling(center, np.where(constant & data.numeric, np.inf, scale))


def steady(values: Floats) -> Floats:
    """Round numbers in standard units to the eighth decimal, for an iterative fit.

    Data in another unit differ in their last digit once they are standardised, and an iteration makes of that another
    result. Far below what is measured and far above what is rounded, this leaves the fit no unit to depend on.

    Examples
    --------
    >>> print(steady(np.array([0.1 + 0.2, -1e-17])))
    [0.3 0. ]
    """
    return np.round(values, _DECIMALS) + 0.0  # no negative zeros


def spread_of(y: Floats) -> tuple[float, float]:
    """Return mean and standard deviation (no ddof) of a response; a spread of 1 where there is none."""
    center, scale = float(y.mean()), float(y.std())
    return center, scale if scale > _ROUNDING * float(np.abs(y).max(initial=0)) else 1.0


class Model(Protocol):
    """A learner fitted to some rows: predicts from plain arrays."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Convergence, in words."""
        ...

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,), at features, shape (n, columns), without missing values."""
        ...

    def facts(self) -> dict[str, float]:
        """Return what describes the fit: support vectors, trees, iterations."""
        ...

    def state(self) -> State:
        """Return what has to be stored."""
        ...


@contextmanager
def steadily() -> Iterator[list[str]]:
    """Fit one learner at a time with one thread of the linear algebra, and collect the warnings.

    Sums are added up in an order that depends on the number of threads, and an iteration makes the last digit of a
    sum the first of its result.

    Yields
    ------
    list of str
        Empty; filled with the messages of the warnings when the block ends.
    """
    from sklearn.exceptions import ConvergenceWarning

    said: list[str] = []
    with _ONE_FIT_AT_A_TIME, _controller().limit(limits=1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", ConvergenceWarning)
        yield said
    said += [str(warning.message) for warning in caught]


@cache
def _controller() -> Any:
    for name in ("scipy.linalg", "sklearn.base"):  # the controller knows the libraries that have been loaded
        importlib.import_module(name)
    return importlib.import_module("threadpoolctl").ThreadpoolController()
