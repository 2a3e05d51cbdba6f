"""Field significance of maps of p-values, and categories as attributes of a map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from soilql.errors import Severity
from soilql.values import Note

if TYPE_CHECKING:
    import numpy as np

    from soilql.stats.field_significance import FieldSignificance


def coded(meanings: Mapping[int, str]) -> dict[str, Any]:
    """Return the attributes of a map of codes."""
    return {"categorical": 1, "flag_values": list(meanings), "flag_meanings": list(meanings.values())}


def _found(p: np.ndarray[Any, Any], level: float, fdr: float | None) -> FieldSignificance:
    import numpy as np

    from soilql.stats.field_significance import field_significance

    return field_significance(np.asarray(p).ravel(), level, fdr)


def rejected(p: np.ndarray[Any, Any], level: float, fdr: float | None) -> np.ndarray[Any, Any]:
    """Return 1 where a p-value counts in the field, 0 where it does not, NaN where there is none.

    Parameters
    ----------
    p : array, shape (rows, columns)
        NaN where there is no test.
    level : float
        Of a single test.
    fdr : float or None
        False discovery rate; twice the level by default (Wilks 2016, doi:10.1175/BAMS-D-15-00267.1).
    """
    import numpy as np

    found = _found(p, level, fdr)
    return np.where(np.isfinite(p), found.rejected.reshape(p.shape), np.nan)


def field_note(name: str, p: np.ndarray[Any, Any], level: float, fdr: float | None) -> Note:
    """Return how many cells are significant alone and in the field."""
    import numpy as np

    found = _found(p, level, fdr)
    alone = int(np.sum(p < level))
    words = (
        f"`{name}`: {alone:,} of {found.tests:,} cells have p < {level:g}; {found.count:,} are significant in the "
        f"field at a false discovery rate of {found.alpha_fdr:g}"
    )
    return Note("SQ672", words, Severity.INFO)


def status_note(name: str, codes: np.ndarray[Any, Any], meanings: Mapping[int, str]) -> Iterator[Note]:
    """Say how many cells have a status other than 0, the one of cells that are done."""
    import numpy as np

    counts = {words: int(np.sum(codes == code)) for code, words in meanings.items() if code != 0}
    listed = ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)
    if listed:
        known = int(np.isfinite(codes).sum())
        yield Note("SQ802", f"`{name}`: of {known:,} cells with values {listed}; see the map `status`", Severity.INFO)
