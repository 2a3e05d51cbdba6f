"""Support vector machines, networks and boosted trees fitted to the rows of a zone: what these kinds share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits.factors import Factor, from_json, matrix, to_json
from soilql.fits.fitted import FittedModel, no_quantiles
from soilql.fits.fitting import fit_model
from soilql.fits.learner_data import Floats, Model, Training, training_from
from soilql.fits.learner_members import SD_MEMBERS, Refits, apart
from soilql.fits.learner_params import LearnerParams
from soilql.fits.learner_rows import feature_rows, zone_rows
from soilql.fits.tuned import tuned
from soilql.fits.tuning_search import Search
from soilql.fits.tuning_search import from_json as search_from_json
from soilql.fits.zoning import packed, unpacked
from soilql.stats import metrics
from soilql.values import Note, State, quantile_name


@dataclass(frozen=True)
class Learner:
    """What tells one kind of learner from another.

    Attributes
    ----------
    kind : str
        Its name.
    settings : type
        Frozen dataclass of hyperparameters with ``fit(data, like=None) -> Model`` and ``words()``.
    load : callable
        The inverse of ``Model.state``.
    for_mean : callable
        From settings to those that fit the mean alone, for trials and members.
    together : callable
        See :class:`soilql.fits.learner_members.Refits`.
    """

    kind: str
    settings: Any
    load: Callable[[State], Any]
    for_mean: Callable[[Any], Any] = lambda settings: settings
    together: Callable[[Sequence[Any], Sequence[NDArray[Any]], Training], Callable[[Floats], Floats]] = apart


@dataclass(frozen=True, eq=False)
class LearnerFit:
    """A learner fitted to the rows of one zone; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    learner : Learner
        Of which kind.
    factors : tuple of Factor
        Features in the order of the formula; a category has one column for each level.
    drivers : tuple of str
        Columns that the features need.
    settings : Any
        Hyperparameters it was fitted with, the best of a search where there was one.
    model : Model
        The fit.
    data : Training
        Its rows, from which members are made.
    members_from : str
        ``rows`` or ``tuned``.
    search : Search or None
        How the hyperparameters were found.
    """

    learner: Learner
    factors: tuple[Factor, ...]
    drivers: tuple[str, ...]
    settings: Any
    model: Model
    data: Training
    members_from: str
    search: Search | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.data.count

    @property
    def notes(self) -> tuple[str | Note, ...]:
        """Convergence, features without influence, and what the search had to say."""
        constant = [text for text, column in zip(_labels(self.factors), self.data.X.T, strict=True) if _is_one(column)]
        words = f"{', '.join(f'`{text}`' for text in constant)} holds one number in all rows and has no influence"
        flat = (Note("SQ801", words),) if constant else ()
        return (*self.model.notes, *flat, *(() if self.search is None else self.search.notes))

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The trials of the search."""
        return {} if self.search is None else {"tuning": self.search.trials}

    @property
    def member_source(self) -> str:
        """What the members are."""
        if self.members_from == "tuned":
            return "fits with hyperparameters drawn among the candidates"
        return "fits to sites drawn anew" if self.data.sites is not None else "fits to rows drawn anew"

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return f"standard deviation of {SD_MEMBERS} {self.member_source}"

    @cached_property
    def _refits(self) -> Refits:
        settings = [self.settings]
        resampled = self.members_from == "rows"
        if not resampled and self.search is not None:
            settings = [replace(self.settings, **one) for one in self.search.candidates]
        fits = [_refit(self.learner.for_mean(one), self.model if resampled else None) for one in settings]
        return Refits(self.data, fits, resampled, self.learner.together)

    def predict(
        self,
        columns: Mapping[str, NDArray[Any]],
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: np.random.SeedSequence,
    ) -> dict[str, Floats]:
        """Predict; see :meth:`soilql.values.Fitted.predict`.

        Raises
        ------
        SoilqlError
            Quantiles that were not fitted (SQ804).
        """
        n = len(next(iter(columns.values())))
        wide = matrix(self.factors, columns, n)
        known = np.isfinite(wide).all(axis=1)
        X = wide[known]
        found = {"mean": self.model.predict(X), **self._quantiles(X, quantiles)}
        if sd:
            found["sd"] = self._refits.predict(X, SD_MEMBERS, seed).std(axis=0, ddof=1)
        if members:
            found["members"] = self._refits.predict(X, members, seed)
        if known.all():
            return found
        out = {name: np.full((*values.shape[:-1], n), np.nan) for name, values in found.items()}
        for name, values in found.items():
            out[name][..., known] = values
        return out

    def _quantiles(self, X: Floats, levels: Sequence[float]) -> dict[str, Floats]:
        if not len(levels):
            return {}
        model: Any = self.model
        fitted = getattr(model, "levels", None)
        if fitted is None:
            raise no_quantiles(self.learner.kind)
        listed = ", ".join(f"{level:g}" for level in sorted({*fitted, *levels}))
        help = f"give the model `quantiles: [{listed}]`; each is a fit of its own"
        absent = [f"{level:g}" for level in levels if level not in fitted]
        if absent:
            have = ", ".join(f"{level:g}" for level in fitted) or "none"
            message = (
                f"the quantiles {', '.join(absent)} are asked of a `{self.learner.kind}` that was fitted for {have}"
            )
            raise SoilqlError(Diagnostic("SQ804", message, help=help))
        rows = model.quantiles(X, levels)
        return {quantile_name(level): row for level, row in zip(levels, rows, strict=True)}

    def terms(self) -> list[dict[str, Any]]:
        """Return one row for each feature: its importance where there is one, else how it was scaled."""
        owner = np.repeat(np.arange(len(self.factors)), [len(factor.labels()) for factor in self.factors])
        model: Any = self.model
        shares = getattr(model, "importances", None)
        if shares is not None:
            found = np.bincount(owner, weights=shares, minlength=len(self.factors))
            return [{"term": f.text, "importance": float(x)} for f, x in zip(self.factors, found, strict=True)]
        scaling = model.scaling
        return [
            {"term": text, "center": float(center), "scale": float(scale)}
            for text, center, scale in zip(_labels(self.factors), scaling.center, scaling.scale, strict=True)
        ]

    @cached_property
    def _skill(self) -> dict[str, float]:
        predicted = self.model.predict(self.data.X)
        found = {"training RMSE": metrics.rmse(self.data.y, predicted)}
        return {"training R2": metrics.r2(self.data.y, predicted), **found} if np.ptp(self.data.y) > 0 else found

    def scores(self) -> dict[str, float]:
        """Return what describes the fit, its skill on its own training rows, and the inner folds' for the best."""
        return {**self.model.facts(), **self._skill, **({} if self.search is None else self.search.score)}

    def report(self) -> str:
        """Return the summary as text: hyperparameters, skill, features."""
        how = self.settings.words()
        tried = 0 if self.search is None else len(self.search.trials)
        lines = [how + (f" (the best of {tried} candidates)" if tried else "")]
        lines += [f"{name:<28} {value:.4g}" for name, value in self.scores().items()]
        terms = self.terms()
        width = max(len(row["term"]) for row in terms)
        names = [name for name in terms[0] if name != "term"]
        lines += ["", f"{'':<{width}}  {' '.join(f'{name:>12}' for name in names)}"]
        lines += [f"{row['term']:<{width}}  {' '.join(f'{row[name]:>12.4g}' for name in names)}" for row in terms]
        return "\n".join(lines)

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        model = self.model.state()
        meta = {
            "factors": to_json(self.factors),
            "drivers": list(self.drivers),
            "settings": asdict(self.settings),
            "model": dict(model.meta),
            "members_from": self.members_from,
            "search": None if self.search is None else self.search.to_json(),
        }
        return State(meta, {**packed("model", model), **self.data.arrays()})


def _refit(settings: Any, like: Any) -> Callable[[Training, int | None], Any]:
    def fit(data: Training, seed: int | None) -> Any:
        own = settings if seed is None or not hasattr(settings, "seed") else replace(settings, seed=seed)
        return own.fit(data, like)

    return fit


def _labels(factors: Sequence[Factor]) -> list[str]:
    return [label for factor in factors for label in factor.labels()]


def _is_one(column: Floats) -> bool:
    return bool(np.ptp(column) == 0)


def fit_learner(params: LearnerParams, ctx: Context, learner: Learner) -> FittedModel:
    """Fit the learners of a block.

    Raises
    ------
    SoilqlError
        See :func:`soilql.fits.learner_rows.feature_rows`; or nothing could be fitted (SQ801).
    """
    given = {f.name: getattr(params, f.name) for f in fields(learner.settings)}
    base = learner.settings(**{name: tuple(v) if name == "quantiles" else v for name, v in given.items()})
    found = feature_rows(params, ctx, params.needed)

    def fit(columns: Mapping[str, NDArray[Any]], zone: str) -> LearnerFit:
        own = zone_rows(found, columns, zone)
        data = own.data.in_order()

        def attempt(candidate: Mapping[str, Any], rows: Training) -> tuple[Callable[[Floats], Floats], Sequence[str]]:
            model = learner.for_mean(replace(base, **candidate)).fit(rows)
            return model.predict, model.notes

        search = tuned(params, ctx, zone, data, attempt)
        settings = base if search is None else replace(base, **search.chosen)
        model = settings.fit(data)
        return LearnerFit(learner, own.factors, own.drivers, settings, model, data, params.members_from, search)

    return fit_model(
        ctx, found.rows, fit, response=found.response, drivers=found.drivers, needed=params.needed, labelled=True
    )


def load_fit(state: State, learner: Learner) -> LearnerFit:
    """Return the fit whose :meth:`LearnerFit.state` was stored."""
    meta, arrays = state.meta, state.arrays
    return LearnerFit(
        learner,
        from_json(meta["factors"]),
        tuple(meta["drivers"]),
        learner.settings(**meta["settings"]),
        learner.load(unpacked("model", meta["model"], arrays)),
        training_from(arrays),
        meta["members_from"],
        search_from_json(meta["search"]),
    )
