"""Gradient boosting of regression trees (Friedman 2001), fitted to all rows or apart in each zone.

In R: `gbm`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.fits import feature_params, fitted, learner_params
from soilql.kinds import Block, Scope
from soilql.params import Problem, param
from soilql.values import State, ValueType

if TYPE_CHECKING:
    from soilql.fits.learner_fit import Learner

VERSION = 2
PRODUCES = ValueType.MODEL


@dataclass(frozen=True, kw_only=True)
class Params(learner_params.LearnerParams):
    """What is modelled, and how the trees follow one another."""

    TUNABLE: ClassVar[tuple[str, ...]] = (
        "trees", "learning_rate", "depth", "min_leaf", "subsample", "max_features", "loss", "early_stopping", "held_out"
    )  # fmt: skip

    trees: int = param(
        100, ge=1, le=100_000, doc="Number of trees, or the most of them with `early_stopping` (`n.trees` in gbm)."
    )
    learning_rate: float = param(
        0.1, gt=0, le=1, doc="Share of each tree's correction that is taken (`shrinkage` in gbm, LearnRate in MATLAB)."
    )
    depth: int = param(3, ge=1, le=32, doc="Levels of a tree, the order of interactions (`interaction.depth` in gbm).")
    min_leaf: int = param(5, ge=1, doc="Fewest rows of a leaf (`n.minobsinnode` in gbm).")
    subsample: float = param(
        1.0, gt=0, le=1, doc="Share of the rows, drawn without replacement, that a tree sees (`bag.fraction` in gbm)."
    )
    max_features: int | float | Literal["sqrt", "third", "all"] = param(
        "all",
        gt=0,
        doc="Features tried at each split: a whole number, a share such as 0.5, `sqrt`, `third` or `all` of them. The "
        "levels of a category count as features.",
    )
    loss: Literal["squared", "absolute", "huber"] = param(
        "squared",
        doc="What the trees reduce: `squared` errors (the mean), `absolute` errors (the median), or `huber`, squared "
        "ones up to the 90 % quantile of residuals and absolute ones beyond.",
    )
    early_stopping: int | None = param(
        None,
        ge=1,
        doc="Trees without a better prediction of rows held out after which no more are grown; then as many as were "
        "best are grown on all rows.",
    )
    held_out: float = param(
        0.2, gt=0, le=0.5, doc="Share of the rows held out for `early_stopping`, whole sites at a time."
    )
    quantiles: list[float] = param(
        [],
        gt=0,
        lt=1,
        doc="Quantile levels that are boosted beside the mean, each by its own loss; no others can be asked.",
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.max_features, float) and self.max_features > 1:
            yield "`max_features` as a share is at most 1", "max_features"
        if len(set(self.quantiles)) < len(self.quantiles):
            yield "`quantiles` lists a level twice", "quantiles"


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.fits.learner_fit import fit_learner

    return fit_learner(params, ctx, _learner())


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    return feature_params.check(block, scope)


def load(state: State, params: Params) -> fitted.FittedModel:
    """Return the model whose state was stored."""
    from soilql.fits.learner_fit import load_fit

    return fitted.load_model(state, lambda own: load_fit(own, _learner()))


def describe(params: Params) -> str:
    return f"{params.trees} boosted trees: {params.words()}"


def _learner() -> Learner:
    from soilql.fits import boosting_fit
    from soilql.fits.learner_fit import Learner

    return Learner(
        "gradient_boosting",
        boosting_fit.BoostingSettings,
        boosting_fit.load_model,
        for_mean=boosting_fit.without_quantiles,
    )
