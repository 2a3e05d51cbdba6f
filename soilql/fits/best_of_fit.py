"""A model that predicts in each zone by the best of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from soilql import kinds
from soilql.errors import Severity
from soilql.fits.best_of_scores import ERRORS, HeldOut
from soilql.fits.fitted import WHOLE, blank, length
from soilql.fits.training import missing
from soilql.fits.zoning import load_zones, packed, unpacked
from soilql.values import MEMBER_SOURCE, SD_MEANING, Fitted, Note, State, Table, Zones

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

_SHOWN = ("RMSE", "R2", "r2", "MAE")


@dataclass(frozen=True, eq=False)
class BestOf:
    """A model that predicts in each zone by the best of several; a :class:`soilql.values.Fitted`.

    Attributes
    ----------
    response, unit, notes
        As :class:`soilql.values.Fitted` says.
    zones : Zones or None
        The partition; None for one choice for all.
    choice : tuple of str or None
        Name of the chosen model of each zone.
    models : mapping of str to Fitted
        The chosen models, fitted to all rows.
    candidates : pandas.DataFrame
        As :func:`soilql.fits.best_of_scores.compare` returns it.
    held : HeldOut
        Predictions of rows held out.
    words : str
        How the choice was made.
    average : str
        ``pooled`` or ``folds``: the form of the measures that the report shows.
    """

    response: str
    unit: str | None
    notes: tuple[Note, ...]
    zones: Zones | None
    choice: tuple[str | None, ...]
    models: Mapping[str, Any]
    candidates: pd.DataFrame
    held: HeldOut
    words: str
    average: str
    kind: str = field(default="best_of", init=False)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """What the chosen models and the zones look at."""
        own = () if self.zones is None else self.zones.variables
        return tuple(dict.fromkeys([*(name for model in self.models.values() for name in model.variables), *own]))

    @property
    def labels(self) -> tuple[str, ...]:
        """The zones."""
        return (WHOLE,) if self.zones is None else self.zones.labels

    @property
    def member_source(self) -> str:
        """What the members are."""
        return self._said("member_source", MEMBER_SOURCE)

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return self._said("sd_meaning", SD_MEANING)

    def _said(self, attribute: str, default: str) -> str:
        return " or ".join(dict.fromkeys(str(getattr(m, attribute, default)) for m in self.models.values()))

    @property
    def selected(self) -> dict[str, tuple[str, ...]]:
        """Drivers of the chosen fit of each zone."""
        found = {}
        for label, name in zip(self.labels, self.choice, strict=True):
            if name is not None:
                model = self.models[name]
                own: Mapping[str, tuple[str, ...]] = getattr(model, "selected", {})
                found[label] = own.get(label) or own.get(WHOLE) or tuple(model.variables)
        return found

    def predict(
        self,
        columns: Columns,
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: int = 0,
    ) -> dict[str, Floats]:
        """Predict at n points, each by the chosen model of its zone; see :meth:`soilql.values.Fitted.predict`.

        Members are those of the chosen models, each drawn by itself.

        Raises
        ------
        SoilqlError
            A variable is not among the columns (SQ704), or a chosen model has no quantiles (SQ804).
        """
        out = blank(length(columns), quantiles, sd, members)
        for k, (name, at) in enumerate(self._shares(columns)):
            part = {key: values[at] for key, values in columns.items()}
            own = int(np.random.SeedSequence([seed, k]).generate_state(1)[0])
            found = self.models[name].predict(part, quantiles=quantiles, sd=sd, members=members, seed=own)
            for key, values in found.items():
                out[key][..., at] = values
        return out

    def complete(self, columns: Columns) -> NDArray[np.bool_]:
        """Return the points that have all variables which the chosen model of their zone needs, shape (n,)."""
        whole: NDArray[np.bool_] = ~np.logical_or.reduce([missing(columns[name]) for name in self.variables])
        for name, at in self._shares(columns):
            part, model = {key: values[at] for key, values in columns.items()}, self.models[name]
            own = getattr(model, "complete", None)
            gaps = [missing(part[key]) for key in model.variables]
            whole[at] = own(part) if own is not None else ~np.logical_or.reduce(gaps)
        return whole

    def _shares(self, columns: Columns) -> list[tuple[str, NDArray[np.intp]]]:
        """Return the points of each chosen model."""
        n = length(columns)
        codes = np.zeros(n, np.int16) if self.zones is None else np.asarray(self.zones.codes(columns))
        chosen = {name: [k for k, one in enumerate(self.choice) if one == name] for name in self.models}
        return [(name, np.flatnonzero(np.isin(codes, zones))) for name, zones in chosen.items()]

    def summary(self) -> Table:
        """Return the choice of each zone with its scores.

        ``extras["candidates"]`` has the scores of all candidates, ``extras["predictions"]`` what they predict of the
        rows held out.
        """
        chosen = self.candidates[self.candidates["chosen"]].set_index("zone")
        rows = []
        for label, name in zip(self.labels, self.choice, strict=True):
            scored = label in chosen.index
            own = chosen.loc[label].drop(["model", "chosen", "status"]).to_dict() if scored else {}
            status = "no candidate could be chosen" if name is None else "chosen" if scored else "best of all rows used"
            rows.append({"zone": label, "model": name, **own, "status": status})
        frame = pd.DataFrame(rows)
        names = np.array([*self.labels, None], dtype=object)
        held = self.held
        predictions = pd.DataFrame({"fold": held.fold, "zone": names[held.codes], "observed": held.observed})
        predictions = predictions.assign(**held.predicted)
        units = {} if self.unit is None else dict.fromkeys(["observed", *held.predicted], self.unit)
        errors = [name for name in frame.columns if str(name).startswith((*ERRORS, "bias"))]
        in_unit = {} if self.unit is None else dict.fromkeys(map(str, errors), self.unit)
        roles = {name: self._column(name) for name in _SHOWN}
        extras = {"candidates": Table(self.candidates, in_unit, roles), "predictions": Table(predictions, units)}
        return Table(frame, in_unit, notes=self.notes, extras=extras)

    def _column(self, measure: str) -> str:
        """Return the column of the comparison by which the choice was made."""
        return measure if self.average == "pooled" else f"{measure}_fold_mean"

    def report(self) -> str:
        """Return the comparison and the summaries of the chosen models as text."""
        columns = {"n": "n", **{name: self._column(name) for name in _SHOWN}}
        width = max(map(len, self.held.predicted))
        lines = [f"Best of {len(self.held.predicted)} models by {self.words}", ""]
        for label, rows in self.candidates.groupby("zone", sort=False):
            lines += [f"{label}", f"  {'':<{width}}  " + " ".join(f"{name:>9}" for name in columns)]
            for row in rows.to_dict("records"):
                values = [row[name] for name in columns.values()]
                cells = " ".join(f"{value:>9.4g}" if value == value else f"{'NA':>9}" for value in values)
                mark = "*" if row["chosen"] else " "
                status = "" if row["status"] in ("chosen", "scored") else f"  {row['status']}"
                lines.append(f"{mark} {row['model']:<{width}}  {cells}{status}")
            lines.append("")
        lines.append("* chosen")
        for name, model in self.models.items():
            lines += ["", f"--- {name}", "", model.report().rstrip()]
        own = [f"{note.code} {note.message}" for note in self.notes]
        return "\n".join([*lines, *([""] if own else []), *own]) + "\n"

    def state(self) -> State:
        """Return the model as JSON and arrays; the inverse is :func:`load_best`."""
        held = self.held
        arrays: dict[str, NDArray[Any]] = {"fold": held.fold, "codes": held.codes, "observed": held.observed}
        arrays |= {f"predicted.{name}": values for name, values in held.predicted.items()}
        numbers = [name for name in self.candidates.columns if self.candidates[name].dtype.kind == "f"]
        arrays |= {f"scores.{name}": self.candidates[name].to_numpy() for name in numbers}
        models = {}
        for name, model in self.models.items():
            state = model.state()
            models[name] = {"kind": model.kind, "state": dict(state.meta)}
            arrays |= packed(f"model.{name}", state)
        zones = None if self.zones is None else self.zones.state()
        arrays |= {} if zones is None else packed("zones", zones)
        meta = {
            "response": self.response,
            "unit": self.unit,
            "notes": [[note.code, note.message, note.severity.value] for note in self.notes],
            "choice": list(self.choice),
            "columns": list(self.candidates.columns),
            "candidates": self.candidates.drop(columns=numbers).to_dict("list"),
            "failures": {name: {str(k): v for k, v in found.items()} for name, found in held.failures.items()},
            "predicted": list(held.predicted),
            "models": models,
            "zones": None if zones is None else dict(zones.meta),
            "words": self.words,
            "average": self.average,
        }
        return State(meta, arrays)


def load_best(state: State) -> BestOf:
    """Return the model whose :meth:`BestOf.state` was stored."""
    meta, arrays = state.meta, state.arrays
    scores = {name: arrays[f"scores.{name}"] for name in meta["columns"] if f"scores.{name}" in arrays}
    held = HeldOut(
        arrays["fold"],
        arrays["codes"],
        arrays["observed"],
        {name: arrays[f"predicted.{name}"] for name in meta["predicted"]},
        {name: {int(k): v for k, v in found.items()} for name, found in meta["failures"].items()},
    )
    return BestOf(
        meta["response"],
        meta["unit"],
        tuple(Note(code, message, Severity(severity)) for code, message, severity in meta["notes"]),
        None if meta["zones"] is None else load_zones(unpacked("zones", meta["zones"], arrays)),
        tuple(meta["choice"]),
        {name: _loaded(name, own, arrays) for name, own in meta["models"].items()},
        pd.DataFrame({**meta["candidates"], **scores})[meta["columns"]],
        held,
        meta["words"],
        meta["average"],
    )


def _loaded(name: str, stored: Mapping[str, Any], arrays: Columns) -> Fitted:
    kind = kinds.find("models", stored["kind"])
    assert kind is not None
    found: Any = kind.load(unpacked(f"model.{name}", stored["state"], arrays), None)
    model: Fitted = found
    return model
