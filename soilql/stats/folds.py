"""Assign rows to folds: by row, by group, or one group at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soilql.stats.checks import fail, whole_number

Codes = NDArray[np.intp]


def kfold(n: int, k: int, seed: int) -> Codes:
    """Assign rows to k folds at random, sizes differing by at most one.

    The assignment belongs to row numbers: reordering the rows changes who shares a fold.

    Parameters
    ----------
    n : int
        Number of rows.
    k : int
        Number of folds, at least 2.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    ndarray of intp, shape (n,)
        Fold of each row, 0 to k - 1.

    Raises
    ------
    SoilqlError
        SQ606 for more folds than rows, SQ813 for fewer than two folds.

    Examples
    --------
    >>> import numpy as np
    >>> np.bincount(kfold(11, 3, seed=1)).tolist()
    [4, 4, 3]
    """
    k = whole_number(k, "folds", 2)
    if k > n:
        fail("SQ606", f"{k} folds asked of {n} rows", help=f"ask for at most {n} folds")
    codes = np.arange(n, dtype=np.intp) % k
    return np.random.default_rng(seed).permutation(codes)


def grouped_kfold(groups: ArrayLike, k: int, seed: int) -> Codes:
    """Assign whole groups to k folds of nearly equal numbers of rows.

    Groups are taken from the largest to the smallest, equal ones in a random order, each into the fold that has
    the fewest rows so far. The result depends on labels and their counts alone, never on the order of rows.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Label of the group of each row (numbers or text).
    k : int
        Number of folds, at least 2.
    seed : int
        Seed of the order among groups of one size.

    Returns
    -------
    ndarray of intp, shape (n,)
        Fold of each row, 0 to k - 1; no group is in two folds.

    Raises
    ------
    SoilqlError
        SQ606 for more folds than groups, SQ812 for missing labels, SQ813 for fewer than two folds.

    Examples
    --------
    >>> folds = grouped_kfold(["a", "b", "a", "c", "c", "d"], 2, seed=0)
    >>> folds[0] == folds[2], folds[3] == folds[4]
    (np.True_, np.True_)
    """
    k = whole_number(k, "folds", 2)
    labels, codes, counts = _groups(groups)
    if k > labels.size:
        fail(
            "SQ606",
            f"{k} folds asked of {labels.size} groups",
            help=f"ask for at most {labels.size} folds, or group by something finer",
        )
    shuffled = np.random.default_rng(seed).permutation(labels.size)
    order = shuffled[np.argsort(-counts[shuffled], kind="stable")]
    sizes = np.zeros(k, dtype=np.int64)
    fold_of_group = np.empty(labels.size, dtype=np.intp)
    for group in order:
        fold = int(np.argmin(sizes))
        fold_of_group[group] = fold
        sizes[fold] += counts[group]
    return fold_of_group[codes]


def leave_one_group_out(groups: ArrayLike) -> Codes:
    """Make each group a fold of its own, in the sorted order of labels.

    Parameters
    ----------
    groups : array_like, shape (n,)
        Label of the group of each row (numbers or text).

    Returns
    -------
    ndarray of intp, shape (n,)
        Fold of each row.

    Raises
    ------
    SoilqlError
        SQ606 for fewer than two groups, SQ812 for missing labels.

    Examples
    --------
    >>> leave_one_group_out([2004, 2003, 2004]).tolist()
    [1, 0, 1]
    """
    labels, codes, _ = _groups(groups)
    if labels.size < 2:
        fail("SQ606", f"leaving one group out needs at least 2 groups, got {labels.size}")
    return codes


def _groups(groups: ArrayLike) -> tuple[NDArray[Any], Codes, NDArray[np.intp]]:
    array = np.asarray(groups)
    if array.ndim != 1:
        fail("SQ811", f"`groups` has shape {array.shape}, expected (n,)")
    # A label that differs from itself is NaN or NaT; None is how tables of text mark a gap.
    gaps = np.array([label is None or bool(label != label) for label in array.tolist()], dtype=bool)
    if array.dtype.kind == "M":
        gaps = np.isnat(array)
    if gaps.any():
        fail(
            "SQ812",
            f"{int(gaps.sum())} of {array.size} rows have no group label",
            help="give these rows a label or drop them before the folds are made",
        )
    if array.dtype == object and len({type(label) for label in array.tolist()}) > 1:
        fail("SQ811", "group labels mix text and numbers", help="turn all labels into text")
    labels, codes, counts = np.unique(array, return_inverse=True, return_counts=True)
    return labels, np.asarray(codes, dtype=np.intp).reshape(array.shape), counts
