"""A fitted model made of one fit a zone: prediction by zone, summary, storage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from soilql import kinds
from soilql.errors import Diagnostic, Severity, SoilqlError, did_you_mean
from soilql.values import MEMBER_SOURCE, SD_MEANING, Note, State, Table, Zones, quantile_name

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray[Any, Any]]


#: What the one zone of a model without zones is called in tables.
WHOLE = "all"


class Partition(Zones, Protocol):
    """A partition that a fitted model can take along.

    The kind's module offers ``load(state, params=None)``, the inverse of :meth:`state`, and ``needs(params)``, the
    columns or grid variables it looks at.
    """

    def outside(self, columns: Mapping[str, Any]) -> dict[str, int]:
        """Return what the points outside every zone are (a class, "missing"), with their number."""
        ...

    def state(self) -> State:
        """Return the partition as JSON and arrays; ``meta["kind"]`` is the name of its kind."""
        ...


class ZoneFit(Protocol):
    """What was fitted to the rows of one zone."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Convergence and other statuses, in words."""
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

    def scores(self) -> dict[str, float]:
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
        Fits by the code of their zone; a zone without one predicts NaN.
    zones : Partition or None
        The partition; None for one fit to all rows (code 0).
    """

    response: str
    unit: str | None
    variables: tuple[str, ...]
    notes: tuple[Note, ...]
    drivers: tuple[str, ...]
    statuses: tuple[Status, ...]
    fits: Mapping[int, ZoneFit]
    zones: Partition | None = None

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
        return str(getattr(next(iter(self.fits.values()), None), attribute, default))

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
            As :meth:`soilql.values.Fitted.predict` says. Members of different zones are drawn independently.

        Returns
        -------
        dict
            NaN at points with a missing driver, outside every zone, or in a zone without a fit.

        Raises
        ------
        SoilqlError
            A variable is not among the columns (SQ704), or the model has no quantiles (SQ804).
        """
        import numpy as np

        _require(columns, self.variables)
        n = len(next(iter(columns.values()))) if columns else 0
        codes = np.zeros(n, np.int16) if self.zones is None else np.asarray(self.zones.codes(columns))
        known = ~np.logical_or.reduce([missing(columns[name]) for name in self.drivers] or [np.zeros(n, bool)])
        out = _blank(n, quantiles, sd, members)
        for code, fit in self.fits.items():
            at = np.flatnonzero(known & (codes == code))
            if at.size == 0:
                continue
            part = {name: columns[name] if at.size == n else columns[name][at] for name in self.drivers}
            part = part or {"": np.empty(at.size)}  # a model without drivers still needs to know how many points
            root = np.random.SeedSequence([seed, code])
            found = fit.predict(part, quantiles=quantiles, sd=sd, members=members, seed=root)
            for name, values in found.items():
                out[name][..., at] = values
        return out

    def summary(self) -> Table:
        """Return one row for each term of each zone; scores of the zones are in ``extras["zones"]``."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        zones: list[dict[str, Any]] = []
        for code, status in enumerate(self.statuses):
            head = {"zone": status.zone, "n": status.rows}
            fit = self.fits.get(code)
            terms = [{}] if fit is None else fit.terms()
            rows += [{**head, **term, "status": status.status} for term in terms]
            scores = {} if fit is None else fit.scores()
            zones.append({**head, "needed": status.needed, "status": status.status, **scores})
        by_zone = Table(pd.DataFrame(zones))
        frame = pd.DataFrame(rows)
        return Table(
            frame[[*(c for c in frame.columns if c != "status"), "status"]],
            notes=self.notes,
            extras={"zones": by_zone},
        )

    def report(self) -> str:
        """Return the summary as text, in R's manner, zone by zone."""
        parts = []
        for code, status in enumerate(self.statuses):
            fit = self.fits.get(code)
            body = f"Not fitted: {status.status}" if fit is None else fit.report()
            parts.append(body if self.zones is None else f"Zone {status.zone}\n\n{body}")
        notes = [f"{note.code} {note.message}" for note in self.notes]
        return "\n\n".join([*parts, "\n".join(notes)] if notes else parts) + "\n"

    def state(self) -> State:
        """Return the model as JSON and arrays; the inverse is :func:`load_model`."""
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        fits: dict[str, Any] = {}
        for code, fit in self.fits.items():
            state = fit.state()
            fits[str(code)] = dict(state.meta)
            arrays |= {f"fit{code}.{name}": array for name, array in state.arrays.items()}
        zones = None
        if self.zones is not None:
            state = self.zones.state()
            zones = dict(state.meta)
            arrays |= {f"zones.{name}": array for name, array in state.arrays.items()}
        meta = {
            "response": self.response,
            "unit": self.unit,
            "variables": list(self.variables),
            "drivers": list(self.drivers),
            "notes": [[note.code, note.message, note.severity.value] for note in self.notes],
            "statuses": [[s.zone, s.rows, s.needed, s.status] for s in self.statuses],
            "fits": fits,
            "zones": zones,
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
    meta = state.meta
    zones: Any = None
    if meta["zones"] is not None:
        kind = kinds.find("zones", meta["zones"]["kind"])
        assert kind is not None
        zones = kind.load(State(meta["zones"], _below("zones", state)), None)
    fits = {int(code): load_fit(State(own, _below(f"fit{code}", state))) for code, own in meta["fits"].items()}
    return FittedModel(
        meta["response"],
        meta["unit"],
        tuple(meta["variables"]),
        tuple(Note(code, message, Severity(severity)) for code, message, severity in meta["notes"]),
        tuple(meta["drivers"]),
        tuple(Status(*status) for status in meta["statuses"]),
        fits,
        zones,
    )


def _below(prefix: str, state: State) -> dict[str, np.ndarray[Any, Any]]:
    head = f"{prefix}."
    return {name.removeprefix(head): a for name, a in state.arrays.items() if name.startswith(head)}


def _blank(n: int, quantiles: Sequence[float], sd: bool, members: int) -> dict[str, np.ndarray[Any, Any]]:
    import numpy as np

    names = ["mean", *map(quantile_name, quantiles), *(["sd"] if sd else [])]
    out = {name: np.full(n, np.nan) for name in names}
    return {**out, "members": np.full((members, n), np.nan)} if members else out


def _require(columns: Columns, variables: Iterable[str]) -> None:
    for name in variables:
        if name not in columns:
            help = did_you_mean(name, columns)
            message = f"the model needs `{name}`, which the data to predict on do not have"
            raise SoilqlError(Diagnostic("SQ704", message, help=help))


def no_quantiles(kind: str, help: str = "fit a model of kind `quantile_forest`") -> SoilqlError:
    """Return the error of a model that is asked for quantiles and has none (SQ804), to be raised."""
    return SoilqlError(Diagnostic("SQ804", f"a model of kind `{kind}` has no quantiles", help=help))


def missing(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return where values are missing: NaN or infinite among numbers, None or NaN among text.

    Examples
    --------
    >>> import numpy as np
    >>> missing(np.array(["a", None], dtype=object))
    array([False,  True])
    """
    import numpy as np

    if values.dtype.kind in "fiub":
        finite: np.ndarray[Any, Any] = np.isfinite(values)
        return ~finite
    import pandas as pd

    found: np.ndarray[Any, Any] = np.asarray(pd.isna(values))
    return found
