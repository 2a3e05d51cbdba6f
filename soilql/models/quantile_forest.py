"""Quantile regression forest (Meinshausen 2006) with exact weights, fitted to all rows or apart in each zone.

In R: `quantregForest`, `ranger(quantreg = TRUE)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from soilql.context import Context
from soilql.errors import Diagnostic
from soilql.fits import feature_params, fitted, forest_params
from soilql.kinds import Block, Scope
from soilql.params import param
from soilql.values import State, ValueType

VERSION = 4
PRODUCES = ValueType.MODEL


@dataclass(frozen=True, kw_only=True)
class Params(forest_params.ForestParams):
    """What is modelled, how the trees are grown, and how quantiles are read off."""

    interpolation: Literal["inverse_cdf", "linear"] = param(
        "inverse_cdf",
        doc="Definition of a quantile: `inverse_cdf`, the smallest training value at which the distribution reaches "
        "the level (Meinshausen), or `linear`, interpolated between training values (R's type 7 for equal weights).",
    )


def run(params: Params, ctx: Context) -> fitted.FittedModel:
    from soilql.fits.forest_fit import fit_forest

    return fit_forest(params, ctx, params.interpolation)


def check(block: Block, scope: Scope) -> Iterable[Diagnostic]:
    return feature_params.check(block, scope)


def load(state: State, params: Params) -> fitted.FittedModel:
    """Return the model whose state was stored."""
    from soilql.fits.forest_fit import load_fit

    return fitted.load_model(state, load_fit)


def describe(params: Params) -> str:
    return f"quantile forest of {params.trees} trees: {params.words()}"
