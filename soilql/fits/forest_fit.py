"""Random and quantile forests fitted to the rows of a zone: what the kinds of forests share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.fits.factors import Factor, from_json, is_category, matrix, to_json
from soilql.fits.fitted import FittedModel, no_quantiles
from soilql.fits.fitting import fit_model
from soilql.fits.forest_growth import Grown, grow, grow_mean, out_of_bag
from soilql.fits.forest_params import ForestParams
from soilql.fits.forests import BLOCK, Forest, Settings, blocks, from_arrays
from soilql.fits.learner_data import Training, training_from
from soilql.fits.learner_members import Refits, apart
from soilql.fits.learner_rows import ZoneRows, feature_rows, zone_rows
from soilql.fits.tuned import tuned
from soilql.fits.tuning_search import Search
from soilql.fits.tuning_search import from_json as search_from_json
from soilql.stats.forest import Distribution, LeafTable
from soilql.values import Note, State, quantile_name

Floats = NDArray[np.float64]

_SOURCES = {
    "trees": "single trees",
    "resample": "forests of trees drawn anew",
    "rows": "forests grown on sites drawn anew",
    "tuned": "forests with settings drawn among the candidates",
}


@dataclass(frozen=True, eq=False)
class ForestFit:
    """A random forest fitted to the rows of one zone; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    factors : tuple of Factor
        Features in the order of the formula; a category has one column for each level.
    drivers : tuple of str
        Columns that the features need.
    rows : int
        Number of training rows.
    forest : Forest
        The trees.
    settings : Settings
        How it was grown.
    importances : tuple of float
        One for each feature.
    out_of_bag : callable
        Returns the out-of-bag scores, mapping of str to float. Refits of a test by folds are never asked for them.
    members_from : str
        ``trees``, ``resample``, ``rows`` or ``tuned``.
    conditional : Conditional or None
        What a quantile forest keeps of its training rows.
    data : Training or None
        The training rows, where members are forests grown anew.
    search : Search or None
        How the settings were found.
    member_trees : int
        Trees of a member that is grown on rows drawn anew.
    """

    factors: tuple[Factor, ...]
    drivers: tuple[str, ...]
    rows: int
    forest: Forest
    settings: Settings
    importances: tuple[float, ...]
    out_of_bag: Callable[[], Mapping[str, float]]
    members_from: str
    conditional: Conditional | None = None
    data: Training | None = None
    search: Search | None = None
    member_trees: int = 100

    @cached_property
    def fitted_scores(self) -> Mapping[str, float]:
        """The out-of-bag scores."""
        return self.out_of_bag()

    @property
    def notes(self) -> tuple[Note, ...]:
        """What the search had to say; a forest itself always comes to an end."""
        return () if self.search is None else self.search.notes

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The trials of the search."""
        return {} if self.search is None else {"tuning": self.search.trials}

    @property
    def member_source(self) -> str:
        """What the members are."""
        return _SOURCES[self.members_from]

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return "standard deviation of the conditional distribution"

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
            Quantiles of a forest that has none (SQ804), or more members than trees (SQ805).
        """
        if len(quantiles) and self.conditional is None:
            raise no_quantiles("random_forest")
        n = len(next(iter(columns.values())))
        wide = matrix(self.factors, columns, n)
        known = np.isfinite(wide).all(axis=1)
        X = self.forest.prepared(wide[known])
        found = self._moments(X, quantiles, sd)
        if members:
            found["members"] = self._members(wide[known], X, members, seed)
        if known.all():
            return found
        out = {name: np.full((*values.shape[:-1], n), np.nan) for name, values in found.items()}
        for name, values in found.items():
            out[name][..., known] = values
        return out

    def _moments(self, X: NDArray[np.float32], quantiles: Sequence[float], sd: bool) -> dict[str, Floats]:
        if not len(quantiles) and not sd:
            return {"mean": self.forest.means(X)}
        names = ["mean", *map(quantile_name, quantiles), *(["sd"] if sd else [])]
        out = {name: np.empty(len(X)) for name in names}
        size = BLOCK if self.conditional is None else self.conditional.block
        for rows in blocks(len(X), size):
            leaves = self.forest.leaves(X[rows])
            out["mean"][rows], deviation = self.forest.moments(leaves)
            if sd:
                out["sd"][rows] = deviation
            if len(quantiles):
                assert self.conditional is not None
                found = self.conditional.quantiles(leaves.T, quantiles)
                for k, level in enumerate(quantiles):
                    out[quantile_name(level)][rows] = found[:, k]
        return out

    def _members(self, features: Floats, X: NDArray[np.float32], members: int, seed: np.random.SeedSequence) -> Floats:
        if self.members_from in ("rows", "tuned"):
            return self._refits.predict(features, members, seed)
        rng = np.random.default_rng(seed)
        trees = self.forest.count
        if self.members_from == "resample":
            return self.forest.resampled(X, rng.multinomial(trees, np.full(trees, 1 / trees), size=members))
        if members > trees:
            message = f"{members} members asked of a forest of {trees} trees"
            help = "grow more trees, or set `members_from: resample` in the model"
            raise SoilqlError(Diagnostic("SQ805", message, help=help))
        return self.forest.of_trees(X, rng.permutation(trees)[:members])

    @cached_property
    def _refits(self) -> Refits:
        assert self.data is not None
        resampled = self.members_from == "rows"
        settings = [replace(self.settings, trees=self.member_trees)]
        if not resampled and self.search is not None:
            settings = [replace(self.settings, **one) for one in self.search.candidates]
        return Refits(self.data, [_regrown(one) for one in settings], resampled, apart)

    def terms(self) -> list[dict[str, Any]]:
        """Return the importance of each feature."""
        pairs = zip(self.factors, self.importances, strict=True)
        return [{"term": factor.text, "importance": value} for factor, value in pairs]

    def scores(self) -> dict[str, float]:
        """Return the number of trees, the out-of-bag scores, and those of the search for the best."""
        tuned_scores = {} if self.search is None else self.search.score
        return {"trees": self.forest.count, **self.fitted_scores, **tuned_scores}

    def report(self) -> str:
        """Return the summary as text, as R's randomForest prints it."""
        tried = self.settings.features(self.forest.n_features)
        lines = [
            f"{self.forest.count} trees, {tried} of {self.forest.n_features} features tried at each split,"
            f" at least {self.settings.min_leaf} rows a leaf"
        ]
        if self.search is not None and self.search.chosen:
            best = ", ".join(f"{name} {value}" for name, value in self.search.chosen.items())
            lines.append(f"{best}: the best of {len(self.search.trials)} candidates")
        shown = {name: value for name, value in self.scores().items() if name != "trees"}
        lines += [f"{name:<28} {value:.4g}" for name, value in shown.items()]
        width = max(len(factor.text) for factor in self.factors)
        lines += ["", "Importance (share of the decrease of the squared error at splits):"]
        ranked = sorted(self.terms(), key=lambda row: -row["importance"])
        return "\n".join([*lines, *(f"  {row['term']:<{width}}  {row['importance']:.4f}" for row in ranked)])

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        meta = {
            "factors": to_json(self.factors),
            "drivers": list(self.drivers),
            "rows": self.rows,
            "settings": asdict(self.settings),
            "scores": dict(self.fitted_scores),
            "members_from": self.members_from,
            "interpolation": None if self.conditional is None else self.conditional.interpolation,
            "search": None if self.search is None else self.search.to_json(),
            "kept": self.data is not None,
            "member_trees": self.member_trees,
        }
        arrays = {**self.forest.arrays(), "importances": np.array(self.importances)}
        arrays |= {} if self.data is None else self.data.arrays()
        if self.conditional is not None:
            arrays |= {"y": self.conditional.y, "drawn": self.conditional.drawn, "leaves": self.conditional.leaves}
        return State(meta, arrays)


@dataclass(frozen=True, eq=False)
class Conditional:
    """The training rows behind the conditional distributions of a quantile forest (Meinshausen 2006).

    Attributes
    ----------
    y : numpy.ndarray, shape (n,)
        Training values.
    drawn : numpy.ndarray of int, shape (n, trees)
        How often each row was drawn for each tree.
    leaves : numpy.ndarray of int, shape (n, trees)
        Leaf of each row in each tree.
    interpolation : str
        ``inverse_cdf`` or ``linear``.
    """

    y: Floats
    drawn: NDArray[Any]
    leaves: NDArray[np.int32]
    interpolation: str

    @cached_property
    def _table(self) -> LeafTable:
        return LeafTable.build(self.leaves, self.drawn)

    @property
    def block(self) -> int:
        """Points whose weights fit into about 64 MB."""
        return max(16, min(BLOCK, (64 << 20) // (48 * max(1, self.y.size))))

    def quantiles(
        self, leaves: NDArray[np.int32], levels: Sequence[float], use: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Return quantiles, shape (n, levels), of points whose leaves, shape (n, trees), are given."""
        weights = self._table.weights(leaves, use)
        return Distribution(weights, self.y).quantiles(levels, self.interpolation)

    def coverage(self) -> dict[str, float]:
        """Return the share of training rows within the 50 and 90 % intervals of the trees they were not drawn for."""
        levels = (0.05, 0.25, 0.75, 0.95)
        out = self.drawn == 0
        rows = np.flatnonzero(out.any(axis=1))
        found = np.empty((rows.size, len(levels)))
        for part in blocks(rows.size, self.block):
            found[part] = self.quantiles(self.leaves[rows[part]], levels, out[rows[part]])
        y = self.y[rows]
        inner = np.mean((found[:, 1] <= y) & (y <= found[:, 2]))
        outer = np.mean((found[:, 0] <= y) & (y <= found[:, 3]))
        return {"OOB coverage of 50 %": float(inner), "OOB coverage of 90 %": float(outer)}


def fit_forest(params: ForestParams, ctx: Context, interpolation: str | None = None) -> FittedModel:
    """Grow the forests of a block.

    Parameters
    ----------
    params : ForestParams
        Of the block.
    ctx : Context
        Its world.
    interpolation : str or None
        For a quantile forest: ``inverse_cdf`` or ``linear``.

    Raises
    ------
    SoilqlError
        The formula is not one for a forest (SQ113), a text column stands bare in it (SQ112), or no forest could be
        grown (SQ801).
    """
    found = feature_rows(params, ctx, params.needed)
    nodes = found.nodes
    few = nodes and isinstance(params.max_features, int) and params.max_features > len(nodes)
    if few and not any(map(is_category, nodes)):
        message = f"`max_features` is {params.max_features}, but the formula has {len(nodes)} features"
        raise ctx.error("SQ123", message, "max_features")
    settings = Settings(**{one.name: getattr(params, one.name) for one in fields(Settings)})
    workers = ctx.resources.workers

    def fit(columns: Mapping[str, NDArray[Any]], zone: str) -> ForestFit:
        own = zone_rows(found, columns, zone)
        ordered = own.data.in_order()

        def attempt(candidate: Mapping[str, Any], rows: Training) -> tuple[Callable[[Floats], Floats], Sequence[str]]:
            return _regrown(replace(settings, **candidate), workers)(rows, None).predict, ()

        search = tuned(params, ctx, zone, ordered, attempt)
        chosen = settings if search is None else replace(settings, **search.chosen)
        grown = _fit_zone(replace(own, data=ordered), chosen, workers, interpolation)
        kept = ordered if params.members_from in ("rows", "tuned") else None
        how, trees = params.members_from, params.member_trees
        return replace(grown, data=kept, search=search, members_from=how, member_trees=trees)

    return fit_model(
        ctx, found.rows, fit, response=found.response, drivers=found.drivers, needed=params.needed, labelled=True
    )


def _fit_zone(own: ZoneRows, settings: Settings, workers: int, interpolation: str | None) -> ForestFit:
    factors, data = own.factors, own.data
    grown = grow(data, settings, workers)
    owner = np.repeat(np.arange(len(factors)), [len(factor.labels()) for factor in factors])
    importances = np.bincount(owner, weights=grown.importances, minlength=len(factors))
    conditional = None
    if interpolation is not None:
        drawn = grown.drawn.astype(np.uint16)
        conditional = Conditional(data.y, drawn, np.ascontiguousarray(grown.leaves.T), interpolation)
    shares = tuple(float(value) for value in importances)
    scores = partial(_scores, grown, data.y, conditional) if settings.bootstrap else dict
    return ForestFit(factors, own.drivers, data.count, grown.forest, settings, shares, scores, "trees", conditional)


@dataclass(frozen=True, eq=False)
class _Mean:
    """A forest of which only the mean is asked."""

    forest: Forest

    def predict(self, X: Floats) -> Floats:
        """Return the response, shape (n,)."""
        return self.forest.means(self.forest.prepared(X))


def _regrown(settings: Settings, workers: int = 1) -> Callable[[Training, int | None], _Mean]:
    def fit(data: Training, seed: int | None) -> _Mean:
        own = settings if seed is None else replace(settings, seed=seed)
        return _Mean(grow_mean(data, own, workers))

    return fit


def _scores(grown: Grown, y: Floats, conditional: Conditional | None) -> dict[str, float]:
    predicted = out_of_bag(grown)
    seen = np.isfinite(predicted)
    squares = float(np.sum((y[seen] - predicted[seen]) ** 2))
    total = float(np.sum((y[seen] - y[seen].mean()) ** 2))
    scores = {"OOB RMSE": float(np.sqrt(squares / seen.sum()))}
    coverage = {} if conditional is None else conditional.coverage()
    return {**({"OOB R2": 1 - squares / total} if total > 0 else {}), **scores, **coverage}


def load_fit(state: State) -> ForestFit:
    """Return the fit whose :meth:`ForestFit.state` was stored."""
    meta, arrays = state.meta, state.arrays
    conditional = None
    if meta["interpolation"] is not None:
        conditional = Conditional(arrays["y"], arrays["drawn"], arrays["leaves"], meta["interpolation"])
    return ForestFit(
        from_json(meta["factors"]),
        tuple(meta["drivers"]),
        meta["rows"],
        from_arrays(arrays),
        Settings(**meta["settings"]),
        tuple(arrays["importances"].tolist()),
        lambda: meta["scores"],
        meta["members_from"],
        conditional,
        training_from(arrays) if meta["kept"] else None,
        search_from_json(meta["search"]),
        meta["member_trees"],
    )
