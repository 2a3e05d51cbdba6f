"""Sums over regions as tables: a row for each flux, region and time, the members' totals, means over the times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from soilql.errors import Severity
from soilql.regional.inputs import listed
from soilql.regional.regions import Regions
from soilql.regional.sums import Flux, Sums
from soilql.values import Note, Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

#: Densities are brought to this unit; a total is then in Pg C yr-1.
DENSITY = "g C m-2 yr-1"
TOTAL = "Pg C yr-1"
#: Shares of members below a total between which it counts as in their middle, and the members that it takes to tell.
_MIDDLE = (0.2, 0.8)
_ENOUGH = 40
#: Columns that say what a row is of.
_KEYS = ["of", "kind", "region"]


def rows(
    flux: Flux, regions: Regions, sums: Sequence[Sums], *, level: float, land_known: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row for each region and time of a flux.

    Parameters
    ----------
    flux : Flux
        What was added up.
    regions : Regions
        Over what.
    sums : sequence of dict
        Sums at each of its times.
    level : float
        Probability of the interval of the members' totals.
    land_known : bool
        Whether cells without a value are land, so that their area means something.
    """
    for kind, labels in regions.labels.items():
        for time, at_time in zip(flux.times, sums, strict=True):
            yield from _rows_at(flux, kind, labels, time, at_time, level, land_known)


def _rows_at(
    flux: Flux, kind: str, labels: Sequence[str], time: Any, sums: Sums, level: float, land_known: bool
) -> Iterator[dict[str, Any]]:
    from soilql.stats.totals import PG_PER_G_M2_KM2, ensemble_interval

    to_total = flux.scale * PG_PER_G_M2_KM2
    main = sums[kind, flux.variable]
    total, mean, area, missing = (values[0] for values in (main.total(), main.mean(), main.area(), main.missing_area()))
    quantiles = {name: sums[kind, name].total()[0] for name in flux.quantiles}
    interval = None
    if flux.members is not None:
        interval = ensemble_interval(sums[kind, flux.members].total() * to_total, level)
    # The sea has no value either: only a zone or a land fraction says what is land.
    known = kind == "zone" or land_known
    for z, region in enumerate(labels):
        row = {"of": flux.name, "kind": kind, "region": region} | ({} if time is None else {"time": time})
        row |= {"cells": int(main.counts[0, z]), "area_Mkm2": area[z] / 1e6}
        row["missing_Mkm2"] = missing[z] / 1e6 if known else float("nan")
        row |= {"mean": mean[z] * flux.scale, "total": total[z] * to_total}
        row |= {f"total_{name}": values[z] * to_total for name, values in quantiles.items()}
        if interval is not None:
            row |= {"total_lower": interval[0][z], "total_upper": interval[2][z]}
        row["interval_source"] = "" if interval is None else _source(flux, level)
        yield row


def _source(flux: Flux, level: float) -> str:
    members = flux.grid.data[flux.members]
    what = str(members.attrs.get("source", "Monte Carlo members"))
    return f"{level * 100:.6g} % of the totals of {members.sizes['member']} {what}"


def member_rows(flux: Flux, regions: Regions, sums: Sequence[Sums]) -> Iterator[dict[str, Any]]:
    """Yield the total of each member, region and time of a flux."""
    from soilql.stats.totals import PG_PER_G_M2_KM2

    if flux.members is None:
        return
    labels = flux.grid.data["member"].to_numpy()
    for kind, names in regions.labels.items():
        for time, at_time in zip(flux.times, sums, strict=True):
            totals = at_time[kind, flux.members].total() * flux.scale * PG_PER_G_M2_KM2
            for z, region in enumerate(names):
                head = {"of": flux.name, "kind": kind, "region": region} | ({} if time is None else {"time": time})
                for m, member in enumerate(labels):
                    yield {**head, "member": int(member), "total": totals[m, z]}


def notes(flux: Flux, regions: Regions, sums: Sequence[Sums], applied: str) -> Iterator[Note]:
    """Yield what a reader of the totals has to know: cells, times and zones without a value, and what counts."""
    counts = [at_time["global", flux.variable].counts.sum() for at_time in sums]
    if not any(counts):
        yield Note("SQ706", f"`{flux.name}` has no value in any cell: its totals are missing")
    elif empty := [time for time, count in zip(flux.times, counts, strict=True) if not count]:
        words = (
            f"`{flux.name}` has no value in {listed(empty)}: these totals are missing, and the mean is of the others"
        )
        yield Note("SQ706", words)
    if applied == "not applied":
        words = f"`{flux.name}`: no land fraction, every cell with a value counts in full, coasts included"
        yield Note("SQ611", words, Severity.INFO)
    if "zone" not in regions.labels:
        return
    whole, zoned = sums[0]["global", flux.variable], sums[0]["zone", flux.variable]
    for z, label in enumerate(regions.labels["zone"]):
        if not any(at_time["zone", flux.variable].counts[0, z] for at_time in sums):
            yield Note("SQ802", f"`{flux.name}`: zone `{label}` has no cell with a value")
    outside = float(whole.area()[0, 0] - zoned.area()[0].sum())
    if (whole.counts.sum() - zoned.counts.sum()) > 0:
        share = outside / float(whole.area()[0, 0]) if whole.area()[0, 0] else 0.0
        yield Note("SQ809", f"`{flux.name}`: {outside / 1e6:.4g} million km2 with a value ({share:.1%}) lie in no zone")


def member_notes(frame: pd.DataFrame, members: pd.DataFrame) -> Iterator[Note]:
    """Yield the fluxes whose totals, in the mean over their times, lie off the middle of their members.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of :func:`rows`.
    members : pandas.DataFrame
        Rows of :func:`member_rows`.
    """
    import numpy as np

    totals = frame.groupby(_KEYS, sort=False)["total"].mean().to_dict()
    found: dict[str, list[str]] = {}
    for key, means in _member_means(members).items():
        own = means[np.isfinite(means)]
        if own.size < _ENOUGH:
            continue
        below = float((own < totals[key]).mean())
        if not _MIDDLE[0] <= below <= _MIDDLE[1]:
            flux, _, region = key
            found.setdefault(flux, []).append(f"{region} {below:.0%}")
    for flux, shares in found.items():
        words = f"`{flux}` lies off the middle of its members, and its interval to one side"
        yield Note("SQ677", f"{words}; share of members below it: {', '.join(shares)}")


def _member_means(members: pd.DataFrame) -> dict[tuple[str, str, str], np.ndarray[Any, Any]]:
    """Return the mean over the times of each member's totals, by flux, kind of region and region."""
    means = members.groupby([*_KEYS, "member"], sort=False)["total"].mean()
    groups: Any = means.groupby(level=_KEYS, sort=False)
    return {key: own.to_numpy() for key, own in groups}


def times(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Return labels of times as years where they are years; a flux without times among others has none."""
    import pandas as pd

    whole = pd.api.types.is_integer_dtype(labels.dropna().infer_objects().dtype)
    return labels.astype("Int64" if labels.isna().any() else "int64") if whole else labels


def period(frame: pd.DataFrame, members: Table | None, level: float) -> Table:
    """Return the mean of the totals over the times that have one, with the interval of the members' means.

    Returns
    -------
    Table
        One row a flux and region: ``first`` and ``last`` of these times, ``times`` their number, ``mean_total``,
        ``lower`` and ``upper``. Where no time has a total, ``first`` and ``last`` are those of the series.
    """
    import pandas as pd

    from soilql.stats.totals import ensemble_interval

    draws = {} if members is None else _member_means(members.frame)
    rows = []
    groups: Any = frame[frame["time"].notna()].groupby(_KEYS, sort=False)
    for key, part in groups:
        row = dict(zip(_KEYS, key, strict=True))
        known = part["total"].notna()
        of = part.loc[known, "time"] if known.any() else part["time"]
        row |= {"first": of.min(), "last": of.max(), "times": int(known.sum())}
        row |= {"mean_total": part["total"].mean(), "lower": float("nan"), "upper": float("nan")}
        means = draws.get(key)
        if means is not None and means.size > 1:
            lower, _, upper = ensemble_interval(means, level)
            row |= {"lower": float(lower), "upper": float(upper)}
        rows.append(row)
    return Table(pd.DataFrame(rows), dict.fromkeys(("mean_total", "lower", "upper"), TOTAL))
