"""Random and quantile forests fitted to the rows of a zone: what the kinds of forests share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.context import Context
from soilql.errors import Diagnostic, SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS
from soilql.expr.terms import features
from soilql.fits.factors import Factor, from_json, is_category, learn, matrix, to_json
from soilql.fits.fitted import FittedModel, no_quantiles
from soilql.fits.fitting import fit_model
from soilql.fits.forest_params import ForestParams, formula_problems, text_feature
from soilql.fits.forests import BLOCK, Forest, Grown, Settings, blocks, from_arrays, grow, out_of_bag
from soilql.fits.training import complete_rows, defined_rows
from soilql.stats.forest import Distribution, LeafTable
from soilql.values import State, quantile_name

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ForestFit:
    """A random forest fitted to the rows of one zone; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    factors : tuple of Factor
        Features in the order of the formula; a category has one column for each level.
    forest : Forest
        The trees.
    settings : Settings
        How it was grown.
    importances : tuple of float
        One for each feature.
    fitted_scores : mapping of str to float
        Out-of-bag scores.
    members_from : str
        ``trees`` or ``resample``.
    conditional : Conditional or None
        What a quantile forest keeps of its training rows.
    """

    factors: tuple[Factor, ...]
    forest: Forest
    settings: Settings
    importances: tuple[float, ...]
    fitted_scores: Mapping[str, float]
    members_from: str
    conditional: Conditional | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """A forest always comes to an end."""
        return ()

    @property
    def member_source(self) -> str:
        """What the members are."""
        return "single trees" if self.members_from == "trees" else "forests of trees drawn anew"

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
            found["members"] = self._members(X, members, seed)
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

    def _members(self, X: NDArray[np.float32], members: int, seed: np.random.SeedSequence) -> Floats:
        rng = np.random.default_rng(seed)
        trees = self.forest.count
        if self.members_from == "resample":
            return self.forest.resampled(X, rng.multinomial(trees, np.full(trees, 1 / trees), size=members))
        if members > trees:
            message = f"{members} members asked of a forest of {trees} trees"
            help = "grow more trees, or set `members_from: resample` in the model"
            raise SoilqlError(Diagnostic("SQ805", message, help=help))
        return self.forest.of_trees(X, rng.permutation(trees)[:members])

    def terms(self) -> list[dict[str, Any]]:
        """Return the importance of each feature."""
        pairs = zip(self.factors, self.importances, strict=True)
        return [{"term": factor.text, "importance": value} for factor, value in pairs]

    def scores(self) -> dict[str, float]:
        """Return the number of trees and the out-of-bag scores."""
        return {"trees": self.forest.count, **self.fitted_scores}

    def report(self) -> str:
        """Return the summary as text, as R's randomForest prints it."""
        tried = self.settings.features(self.forest.n_features)
        lines = [
            f"{self.forest.count} trees, {tried} of {self.forest.n_features} features tried at each split,"
            f" at least {self.settings.min_leaf} rows a leaf"
        ]
        lines += [f"{name:<28} {value:.4g}" for name, value in self.fitted_scores.items()]
        width = max(len(factor.text) for factor in self.factors)
        lines += ["", "Importance (share of the decrease of the squared error at splits):"]
        ranked = sorted(self.terms(), key=lambda row: -row["importance"])
        return "\n".join([*lines, *(f"  {row['term']:<{width}}  {row['importance']:.4f}" for row in ranked)])

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        meta = {
            "factors": to_json(self.factors),
            "settings": asdict(self.settings),
            "scores": dict(self.fitted_scores),
            "members_from": self.members_from,
            "interpolation": None if self.conditional is None else self.conditional.interpolation,
        }
        arrays = {**self.forest.arrays(), "importances": np.array(self.importances)}
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
    formula = params.formula
    problems = tuple(formula_problems(formula))
    if problems:
        raise SoilqlError(problems)
    nodes = features(formula)
    response = ast.names(formula.formula.response)[0]
    drivers = tuple(dict.fromkeys(name for node in nodes for name in ast.names(node) if name not in CONSTANTS))
    rows = complete_rows(ctx, params.data, (response, *drivers), formula)
    for node in nodes if rows.count else ():
        if not is_category(node) and learn(node, rows.columns).levels is not None:
            raise SoilqlError(text_feature(formula, node))
    rows = defined_rows(rows, nodes)
    if isinstance(params.max_features, int) and params.max_features > len(nodes) and not any(map(is_category, nodes)):
        message = f"`max_features` is {params.max_features}, but the formula has {len(nodes)} features"
        raise ctx.error("SQ123", message, "max_features")
    settings = Settings(
        params.trees, params.min_leaf, params.max_features, params.max_depth, params.bootstrap, params.seed
    )

    def fit(columns: Mapping[str, NDArray[Any]]) -> ForestFit:
        return _fit_zone(columns, response, nodes, settings, ctx.resources.workers, params.members_from, interpolation)

    return fit_model(ctx, rows, fit, response=response, drivers=drivers, needed=params.needed)


def _fit_zone(
    columns: Mapping[str, NDArray[Any]],
    response: str,
    nodes: Sequence[Node],
    settings: Settings,
    workers: int,
    members_from: str,
    interpolation: str | None,
) -> ForestFit:
    y = np.asarray(columns[response], dtype=np.float64)
    factors = tuple(learn(node, columns) for node in nodes)
    grown = grow(matrix(factors, columns, y.size), y, settings, workers)
    owner = np.repeat(np.arange(len(factors)), [len(factor.labels()) for factor in factors])
    importances = np.bincount(owner, weights=grown.importances, minlength=len(factors))
    scores: dict[str, float] = _scores(grown, y) if settings.bootstrap else {}
    conditional = None
    if interpolation is not None:
        drawn = grown.drawn.astype(np.uint16)
        conditional = Conditional(y, drawn, np.ascontiguousarray(grown.leaves.T), interpolation)
        scores |= conditional.coverage() if settings.bootstrap else {}
    shares = tuple(float(value) for value in importances)
    return ForestFit(factors, grown.forest, settings, shares, scores, members_from, conditional)


def _scores(grown: Grown, y: Floats) -> dict[str, float]:
    predicted = out_of_bag(grown)
    seen = np.isfinite(predicted)
    squares = float(np.sum((y[seen] - predicted[seen]) ** 2))
    total = float(np.sum((y[seen] - y[seen].mean()) ** 2))
    scores = {"OOB RMSE": float(np.sqrt(squares / seen.sum()))}
    return {"OOB R2": 1 - squares / total, **scores} if total > 0 else scores


def load_fit(state: State) -> ForestFit:
    """Return the fit whose :meth:`ForestFit.state` was stored."""
    meta, arrays = state.meta, state.arrays
    conditional = None
    if meta["interpolation"] is not None:
        conditional = Conditional(arrays["y"], arrays["drawn"], arrays["leaves"], meta["interpolation"])
    return ForestFit(
        from_json(meta["factors"]),
        from_arrays(arrays),
        Settings(**meta["settings"]),
        tuple(arrays["importances"].tolist()),
        meta["scores"],
        meta["members_from"],
        conditional,
    )
