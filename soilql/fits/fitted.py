"""A fitted model made of one fit a zone: prediction by zone, summary, storage."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.fits.training import missing
from soilql.fits.zoning import load_zones, packed, unpacked
from soilql.values import MEMBER_SOURCE, SD_MEANING, Note, State, Table, Zones, quantile_name

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray[Any, Any]]


#: What the one zone of a model without zones is called in tables.
WHOLE = "all"
#: Before the name of a zone that others fall back on.
FALLBACK = "fallback: "
#: Tells the random numbers of the fits that are fallen back on from those of the zones, whose codes are smaller.
_FALLBACK = 1 << 31


class ZoneFit(Protocol):
    """What was fitted to the rows of one zone.

    A fit may also offer ``drivers`` (tuple of str), where it needs other variables than the fits of other zones;
    ``rows`` (int), where it uses fewer rows than it was given; and ``tables`` (mapping of str to rows), what belongs
    beside the summary, such as the trials of a search.
    """

    @property
    def notes(self) -> tuple[str | Note, ...]:
        """Convergence in words, and other statuses as notes."""
        ...

    def predict(
        self,
        columns: Columns,
        *,
        quantiles: Sequence[float],
        sd: bool,
        members: int,
        seed: np.random.SeedSequence,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Predict at points without a missing driver; as :meth:`soilql.values.Fitted.predict`."""
        ...

    def terms(self) -> list[dict[str, Any]]:
        """Return one row of the summary for each term, parameter or driver."""
        ...

    def scores(self) -> Mapping[str, Any]:
        """Return what describes the fit as a whole, by name."""
        ...

    def report(self) -> str:
        """Return the summary as text, in R's manner."""
        ...

    def state(self) -> State:
        """Return what has to be stored."""
        ...


@dataclass(frozen=True)
class Status:
    """What became of one zone."""

    zone: str
    rows: int
    needed: int
    status: str = "fitted"


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model of any kind, fitted to all rows or apart in each zone.

    Attributes
    ----------
    response, unit, variables, notes
        As :class:`soilql.values.Fitted` says; `variables` includes those of the zones.
    drivers : tuple of str
        The variables that the fits themselves need.
    statuses : tuple of Status
        One for each zone, in the order of the partition.
    fits : mapping of int to ZoneFit
        Fits by the code of their zone; a zone without one predicts NaN, or by `fallback`.
    zones : Zones or None
        The partition; None for one fit to all rows (code 0).
    kind : str
        Kind of the model.
    fallback : FittedModel or None
        What predicts in a zone without a fit of its own: one fit to all rows, or fits by a coarser partition.
    tables : mapping of str to tuple of mapping
        Rows of further tables of the summary, each with its zone.
    """

    response: str
    unit: str | None
    variables: tuple[str, ...]
    notes: tuple[Note, ...]
    drivers: tuple[str, ...]
    statuses: tuple[Status, ...]
    fits: Mapping[int, ZoneFit]
    zones: Zones | None = None
    kind: str = ""
    fallback: FittedModel | None = None
    tables: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)

    @property
    def member_source(self) -> str:
        """What the members are, such as ``single trees``."""
        return self._said("member_source", MEMBER_SOURCE)

    @property
    def sd_meaning(self) -> str:
        """What `sd` is, such as ``standard error of the mean``."""
        return self._said("sd_meaning", SD_MEANING)

    def _said(self, attribute: str, default: str) -> str:
        # All fits are of one kind with the same settings.
        others = () if self.fallback is None else self.fallback.fits.values()
        return str(getattr(next(iter((*self.fits.values(), *others)), None), attribute, default))

    @property
    def selected(self) -> dict[str, tuple[str, ...]]:
        """Drivers of the fit by which each zone is predicted; a zone without one is left out.

        Those of the fits that zones fall back on are named as in the summary.
        """
        found = {}
        for code, status in enumerate(self.statuses):
            fit = self.fits.get(code)
            if fit is not None:
                found[status.zone] = self._drivers(fit)
            elif self.fallback is not None and self.fallback.zones is None:
                found[status.zone] = self.fallback.selected[WHOLE]
        others = {} if self.fallback is None else self.fallback.selected
        return found | {f"{FALLBACK}{zone}": drivers for zone, drivers in others.items()}

    def predict(
        self,
        columns: Columns,
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: int = 0,
    ) -> dict[str, np.ndarray[Any, Any]]:
        """Predict at n points, each by the fit of its zone; see :meth:`soilql.values.Fitted.predict`.

        Parameters
        ----------
        columns : mapping of str to array, each of shape (n,)
            At least :attr:`variables`, and ``lat`` and ``lon`` where the zones are a map.
        quantiles, sd, members, seed
            As :meth:`soilql.values.Fitted.predict` says. Members of different zones are drawn independently, those of
            zones that share a fit together.

        Returns
        -------
        dict
            NaN at points with a missing driver, outside every zone, or in a zone without a fit.

        Raises
        ------
        SoilqlError
            A variable is not among the columns (SQ704), or the model has no quantiles (SQ804).
        """
        _require(columns, self.variables)
        n = length(columns)
        out = blank(n, quantiles, sd, members)
        ask = {"quantiles": quantiles, "sd": sd, "members": members}
        self._fill(out, columns, n, ask, (seed,))
        return out

    def _fill(
        self,
        out: dict[str, np.ndarray[Any, Any]],
        columns: Columns,
        n: int,
        ask: Mapping[str, Any],
        entropy: tuple[int, ...],
    ) -> None:
        """Write the predictions at n points into arrays."""
        import numpy as np

        codes = self._codes(columns, n)
        for code, fit in self.fits.items():
            drivers = self._drivers(fit)
            at = np.flatnonzero((codes == code) & _known(columns, drivers, n))
            if at.size == 0:
                continue
            part = {name: columns[name] if at.size == n else columns[name][at] for name in drivers}
            part = part or {"": np.empty(at.size)}  # a model without drivers still needs to know how many points
            found = fit.predict(part, **ask, seed=np.random.SeedSequence([*entropy, code]))
            for name, values in found.items():
                out[name][..., at] = values
        if self.fallback is not None:
            at = np.flatnonzero(self._without_fit(codes))
            part = {name: values[at] for name, values in columns.items()}
            found = {name: values[..., at] for name, values in out.items()}
            self.fallback._fill(found, part, at.size, ask, (*entropy, _FALLBACK))
            for name, values in found.items():
                out[name][..., at] = values

    def complete(self, columns: Columns) -> np.ndarray[Any, Any]:
        """Return the points that have all variables which the fit of their zone needs.

        A zone that is fitted without a driver of other zones is not lost where that driver is missing. A point that
        belongs to no zone, or to one that is not predicted, needs all variables of the model.

        Parameters
        ----------
        columns : mapping of str to array, each of shape (n,)
            At least :attr:`variables`, and ``lat`` and ``lon`` where the zones are a map.

        Returns
        -------
        numpy.ndarray of bool, shape (n,)
        """
        n = length(columns)
        codes = self._codes(columns, n)
        whole = _known(columns, self.variables, n)
        for code, fit in self.fits.items():
            inside = codes == code
            whole[inside] = _known(columns, self._drivers(fit), n)[inside]
        if self.fallback is not None:
            inside = self._without_fit(codes)
            whole[inside] = self.fallback.complete(columns)[inside]
        return whole

    def _codes(self, columns: Columns, n: int) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.zeros(n, np.int16) if self.zones is None else np.asarray(self.zones.codes(columns))

    def _without_fit(self, codes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.isin(codes, [code for code in range(len(self.statuses)) if code not in self.fits])

    def _drivers(self, fit: ZoneFit) -> tuple[str, ...]:
        own: tuple[str, ...] = getattr(fit, "drivers", self.drivers)
        return own

    def summary(self) -> Table:
        """Return one row for each term of each zone; scores of the zones are in ``extras["zones"]``.

        The fits that zones fall back on follow those of the zones, as zone ``fallback: all`` or ``fallback: NAME``.
        """
        import pandas as pd

        rows, zones = self._summary_rows()
        if self.fallback is not None:
            for mine, other in zip((rows, zones), self.fallback._summary_rows(), strict=True):
                mine += [{**row, "zone": f"{FALLBACK}{row['zone']}"} for row in other]
        extras = {"zones": Table(pd.DataFrame(zones))}
        extras |= {name: Table(pd.DataFrame(list(found))) for name, found in self.tables.items()}
        frame = pd.DataFrame(rows)
        return Table(frame[[*(c for c in frame.columns if c != "status"), "status"]], notes=self.notes, extras=extras)

    def _summary_rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        zones: list[dict[str, Any]] = []
        for code, status in enumerate(self.statuses):
            head = {"zone": status.zone, "n": status.rows}
            fit = self.fits.get(code)
            terms = [{}] if fit is None else fit.terms()
            rows += [{**head, **term, "status": status.status} for term in terms]
            scores = {} if fit is None else fit.scores()
            zones.append({**head, "needed": status.needed, "status": status.status, **scores})
        return rows, zones

    def report(self) -> str:
        """Return the summary as text, in R's manner, zone by zone."""
        parts = self._reports("Zone ")
        if self.fallback is not None:
            parts += self.fallback._reports("Fallback of zones without a fit: ")
        notes = [f"{note.code} {note.message}" for note in self.notes]
        return "\n\n".join([*parts, "\n".join(notes)] if notes else parts) + "\n"

    def _reports(self, head: str) -> list[str]:
        parts = []
        absent = "Not fitted" if self.fallback is None else "No fit of its own"
        for code, status in enumerate(self.statuses):
            fit = self.fits.get(code)
            body = f"{absent}: {status.status}" if fit is None else fit.report()
            alone = self.zones is None and head == "Zone "
            parts.append(body if alone else f"{head}{status.zone}\n\n{body}")
        return parts

    def state(self) -> State:
        """Return the model as JSON and arrays; the inverse is :func:`load_model`."""
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        fits: dict[str, Any] = {}
        for code, fit in self.fits.items():
            state = fit.state()
            fits[str(code)] = dict(state.meta)
            arrays |= packed(f"fit{code}", state)
        parts: dict[str, Any] = {}
        for name, part in (("zones", self.zones), ("fallback", self.fallback)):
            stored = None if part is None else part.state()
            parts[name] = None if stored is None else dict(stored.meta)
            arrays |= {} if stored is None else packed(name, stored)
        meta = {
            "kind": self.kind,
            "response": self.response,
            "unit": self.unit,
            "variables": list(self.variables),
            "drivers": list(self.drivers),
            "notes": [[note.code, note.message, note.severity.value] for note in self.notes],
            "statuses": [[s.zone, s.rows, s.needed, s.status] for s in self.statuses],
            "fits": fits,
            "tables": {name: [_plain(row) for row in rows] for name, rows in self.tables.items()},
            **parts,
        }
        return State(meta, arrays)


def load_model(state: State, load_fit: Callable[[State], ZoneFit]) -> FittedModel:
    """Return the model whose :meth:`FittedModel.state` was stored.

    Parameters
    ----------
    state : State
        As stored.
    load_fit : callable
        The inverse of the kind's own :meth:`ZoneFit.state`.
    """
    meta, arrays = state.meta, state.arrays
    zones, fallback = meta["zones"], meta["fallback"]
    fits = {int(code): load_fit(unpacked(f"fit{code}", own, arrays)) for code, own in meta["fits"].items()}
    return FittedModel(
        meta["response"],
        meta["unit"],
        tuple(meta["variables"]),
        tuple(Note(code, message, Severity(severity)) for code, message, severity in meta["notes"]),
        tuple(meta["drivers"]),
        tuple(Status(*status) for status in meta["statuses"]),
        fits,
        None if zones is None else load_zones(unpacked("zones", zones, arrays)),
        meta["kind"],
        None if fallback is None else load_model(unpacked("fallback", fallback, arrays), load_fit),
        {name: tuple(rows) for name, rows in meta["tables"].items()},
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON, which has no NaN."""
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in row.items()}


def length(columns: Columns) -> int:
    """Return the number of points that columns hold."""
    return len(next(iter(columns.values()))) if columns else 0


def blank(n: int, quantiles: Sequence[float], sd: bool, members: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return the arrays of a prediction at n points, all NaN."""
    import numpy as np

    names = ["mean", *map(quantile_name, quantiles), *(["sd"] if sd else [])]
    out = {name: np.full(n, np.nan) for name in names}
    return {**out, "members": np.full((members, n), np.nan)} if members else out


def _known(columns: Columns, names: Iterable[str], n: int) -> np.ndarray[Any, Any]:
    """Return the points at which no value is missing."""
    import numpy as np

    known: np.ndarray[Any, Any] = ~np.logical_or.reduce(
        [missing(columns[name]) for name in names] or [np.zeros(n, bool)]
    )
    return known


def _require(columns: Columns, variables: Iterable[str]) -> None:
    for name in variables:
        if name not in columns:
            help = did_you_mean(name, columns)
            message = f"the model needs `{name}`, which the data to predict on do not have"
            raise SoilqlError(Diagnostic("SQ704", message, help=help))


def no_quantiles(kind: str, help: str = "fit a model of kind `quantile_forest`") -> SoilqlError:
    """Return the error of a model that is asked for quantiles and has none (SQ804), to be raised."""
    return SoilqlError(Diagnostic("SQ804", f"a model of kind `{kind}` has no quantiles", help=help))
