"""Variables of grids at the times that they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from soilql.context import Context
from soilql.errors import Severity, did_you_mean
from soilql.values import Grid, Note

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr


def single(ctx: Context, name: str, grid: Grid, variable: str | None, *path: str | int) -> xr.DataArray:
    """Return the variable that a reference names: the one it picks, its only one, or the `mean` of a prediction.

    Raises
    ------
    SoilqlError
        It has several variables (SQ714) or no variable of that name (SQ704).
    """
    names = list(map(str, grid.data.data_vars))
    if variable is not None and variable not in names:
        help = did_you_mean(variable, names) or f"it has {', '.join(f'`{one}`' for one in names)}"
        raise ctx.error("SQ704", f"`{name}` has no variable `{variable}`", *path, help=help)
    wanted = variable or ("mean" if "mean" in names else names[0])
    if variable is None and len(names) > 1 and wanted != "mean":
        help = f"pick one of {', '.join(f'`{name}.{one}`' for one in names)}"
        raise ctx.error("SQ714", f"`{name}` has several variables", *path, help=help)
    return grid.data[wanted]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Variables at the times that all of them have.

    Attributes
    ----------
    variables : dict of str to xarray.DataArray
        Dims ``(time, lat, lon)``, all with the same times.
    times : ndarray of float, shape (time,)
        Decimal years.
    labels : ndarray, shape (time,)
        As they are written out: years, or dates.
    notes : tuple of Note
        Times that not all of them have.
    """

    variables: dict[str, xr.DataArray]
    times: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    notes: tuple[Note, ...]


def aligned(
    ctx: Context,
    variables: Mapping[str, xr.DataArray],
    period: tuple[float, float] | None,
    paths: Mapping[str, tuple[str | int, ...]],
    called: Mapping[str, str] | None = None,
) -> Aligned:
    """Bring variables to the times they share.

    Parameters
    ----------
    ctx : Context
        For diagnostics.
    variables : mapping of str to xarray.DataArray
        Series by name.
    period : (float, float), optional
        First and last year that count.
    paths : mapping of str to tuple
        Where the block names each of them.
    called : mapping of str to str, optional
        What diagnostics call each of them: the reference that the block has. Default: its name.

    Raises
    ------
    SoilqlError
        A variable has no times or has members (SQ714), one has several times a year and others do not have the same
        (SQ708), or they share none (SQ706).
    """
    import numpy as np

    from soilql.io.years import decimal_years, is_yearly, years_of

    called = called or {name: name for name in variables}
    for name, one in variables.items():
        if "member" in one.dims:
            help = "take its mean, or a series of its totals"
            raise ctx.error(
                "SQ714", f"`{called[name]}` has members, of which a series needs one", *paths[name], help=help
            )
        if "time" not in one.dims:
            help = "give a grid with a value for each year"
            raise ctx.error("SQ714", f"`{called[name]}` is one map and has no times", *paths[name], help=help)
    labels = {name: one["time"].to_numpy() for name, one in variables.items()}
    first = next(iter(labels.values()))
    same = all(np.array_equal(first, other) for other in labels.values())
    if not same:
        for name, own in labels.items():
            if not is_yearly(own):
                help = "bring them to years by a block of kind `resample`"
                message = f"`{called[name]}` has several times a year, and not all have the same"
                raise ctx.error("SQ708", message, *paths[name], help=help)
        labels = {name: years_of(own) for name, own in labels.items()}
    shared = sorted(set.intersection(*(set(own.tolist()) for own in labels.values())))
    kind = next(iter(labels.values())).dtype
    kept = np.array(shared, dtype=kind)
    decimal = decimal_years(kept) if kept.size else np.empty(0)
    if period is not None:
        inside = (decimal >= period[0]) & (decimal < np.floor(period[1]) + 1)
        kept, decimal = kept[inside], decimal[inside]
    if not kept.size:
        spans = "; ".join(f"`{called[name]}` {_ends(own)}" for name, own in labels.items())
        asked = "" if period is None else f" within {period[0]:g}-{period[1]:g}"
        message = f"there is no time that all have{asked}" if len(labels) > 1 else f"there is no time{asked}"
        raise ctx.error("SQ706", message, "period" if shared else "of", label=spans)
    found = {name: one.isel(time=_positions(labels[name], kept)) for name, one in variables.items()}
    return Aligned(
        found, decimal, kept, tuple(_left_out({called[name]: own for name, own in labels.items()}, kept, period))
    )


def _positions(labels: np.ndarray[Any, Any], kept: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    order = np.argsort(labels, kind="stable")
    return np.asarray(order[np.searchsorted(labels[order], kept)])


def _left_out(
    labels: Mapping[str, np.ndarray[Any, Any]], kept: np.ndarray[Any, Any], period: tuple[float, float] | None
) -> Iterator[Note]:
    """Say which times of a variable others lack; those outside the period were left out on purpose."""
    import numpy as np

    from soilql.io.years import decimal_years

    everything = np.unique(np.concatenate(list(labels.values())))
    decimal = decimal_years(everything)
    inside = np.ones(everything.size, bool)
    if period is not None:
        inside = (decimal >= period[0]) & (decimal < np.floor(period[1]) + 1)
    for name, own in labels.items():
        lacking = [time for time in everything[inside] if time not in own and time not in kept]
        if lacking:
            shown = ", ".join(str(time)[:10] for time in lacking[:6])
            more = f" and {len(lacking) - 6} more" if len(lacking) > 6 else ""
            yield Note("SQ706", f"`{name}` has no value for {shown}{more}, which others have: left out", Severity.INFO)


def _ends(labels: np.ndarray[Any, Any]) -> str:
    ordered = sorted(labels.tolist()) if labels.dtype.kind != "M" else sorted(map(str, labels))
    return f"{str(ordered[0])[:10]} to {str(ordered[-1])[:10]}" if ordered else "none"
