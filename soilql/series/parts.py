"""Drivers that sum to a constant, such as covers of 100 %: found, named, and resolved as the spec says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import Severity
from soilql.values import Note

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Drivers:
    """The drivers that are correlated, made from those of the spec.

    Attributes
    ----------
    given, names : tuple of str
        Before and after parts are dropped or replaced.
    replaced : tuple of int
        Positions of the parts that log-ratios replace, the one they refer to last; empty without them.
    kept : tuple of int
        Positions of the drivers that stay as they are.
    floor : float
        Smaller parts are raised to this.
    notes : tuple of Note
        What was done.
    """

    given: tuple[str, ...]
    names: tuple[str, ...]
    kept: tuple[int, ...]
    replaced: tuple[int, ...] = ()
    floor: float = 0.0
    notes: tuple[Note, ...] = ()

    def of(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the drivers, shape (drivers, time, ...), from those of the spec."""
        import numpy as np

        from soilql.stats.partial_correlation import log_ratios

        kept = values[list(self.kept)]
        if not self.replaced:
            return kept
        return np.concatenate([kept, log_ratios(values[list(self.replaced)], self.floor)])


def resolve(ctx: Context, names: Sequence[str], sample: np.ndarray[Any, Any]) -> Drivers:
    """Look for parts of a whole among drivers, and do with them what the spec says.

    Parameters
    ----------
    ctx : Context
        Of the step, whose parameters have ``parts``, ``floor`` and ``path``.
    names : sequence of str
        The drivers.
    sample : array, shape (drivers, time, ...)
        Some of their series.

    Raises
    ------
    SoilqlError
        Drivers sum to a constant and the spec does not say what to do (SQ632).
    """
    from soilql.stats.partial_correlation import constant_sums

    params = ctx.block.params
    groups = constant_sums(sample, names)
    whole = Drivers(tuple(names), tuple(names), tuple(range(len(names))))
    if not groups:
        return whole
    listed = " and ".join(" + ".join(group) for group in groups)
    if params.parts == "error":
        message = f"{listed} is constant: what one of them gains the others lose, and none can be held fixed"
        help = f"leave `{groups[0][-1]}` out, or say `parts: drop` or `parts: log_ratio`"
        raise ctx.error("SQ632", message, *params.path(groups[0][-1]), help=help)
    position = {name: i for i, name in enumerate(names)}
    if params.parts == "drop":
        last = [group[-1] for group in groups]
        kept = tuple(i for i, name in enumerate(names) if name not in last)
        note = Note("SQ632", f"{listed} is constant: {', '.join(f'`{name}`' for name in last)} left out", Severity.INFO)
        return Drivers(tuple(names), tuple(names[i] for i in kept), kept, notes=(note,))
    group = groups[0]
    kept = tuple(i for i, name in enumerate(names) if name not in group)
    ratios = tuple(f"log_{name}_{group[-1]}" for name in group[:-1])
    words = f"{listed} is constant: log-ratios to `{group[-1]}` instead, of parts raised to {params.floor:g} at least"
    return Drivers(
        tuple(names),
        (*(names[i] for i in kept), *ratios),
        kept,
        tuple(position[name] for name in group),
        params.floor,
        (Note("SQ632", words, Severity.INFO),),
    )
