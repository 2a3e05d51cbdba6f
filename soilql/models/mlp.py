"""Artificial neural network: a multilayer perceptron, fitted to all rows or apart in each zone.

In R: `nnet`.
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
    """What is modelled, the shape of the network, and how it is trained."""

    TUNABLE: ClassVar[tuple[str, ...]] = (
        "hidden", "activation", "training", "decay", "learning_rate", "batch", "max_iterations", "tolerance",
        "networks", "standardize",
    )  # fmt: skip

    hidden: int | list[int] = param(
        10,
        ge=1,
        le=10_000,
        doc="Neurons of the hidden layer, or of each: [10, 5] (`size` in nnet, hiddenSizes in MATLAB).",
    )
    activation: Literal["tanh", "relu", "logistic"] = param(
        "tanh", doc="Function of a hidden neuron: `tanh` (MATLAB's tansig), `relu`, `logistic` (nnet; MATLAB's logsig)."
    )
    training: Literal["lbfgs", "adam", "sgd"] = param(
        "lbfgs",
        doc="Algorithm (trainFcn in MATLAB): `lbfgs`, quasi-Newton on all rows at once, as nnet's BFGS and MATLAB's "
        "trainbfg, best below some thousand rows; `adam` or `sgd`, gradient descent in batches.",
    )
    decay: float = param(
        0.01,
        ge=0,
        doc="Weight decay: the sum of squared residuals (in standard deviations of the response) has this times the "
        "sum of squared weights added (nnet's `decay`, scikit-learn's `alpha`; biases are free).",
    )
    learning_rate: float = param(0.001, gt=0, doc="First step length of `adam` and `sgd`.")
    batch: int = param(200, ge=1, doc="Rows of a batch of `adam` and `sgd`; at most all.")
    max_iterations: int = param(
        1000, ge=1, doc="Most iterations, or passes over the rows for `adam` and `sgd`; a fit that needs more is noted."
    )
    tolerance: float = param(
        1e-4, gt=0, doc="Gradient (`lbfgs`) or decrease of the loss (`adam`, `sgd`) at which training ends."
    )
    networks: int = param(
        1, ge=1, le=1000, doc="Networks trained from different first weights, whose mean predicts (avNNet in caret)."
    )
    standardize: bool = param(
        True,
        doc="Whether numeric features are centred and divided by their standard deviation; the columns of categories "
        "stay 0 and 1. The response always is. Both are learnt from the training rows alone.",
    )

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.hidden == []:
            yield "`hidden` lists no layer", "hidden"


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
    layers = [params.hidden] if isinstance(params.hidden, int) else params.hidden
    return f"neural network of {'-'.join(map(str, layers))} hidden neurons: {params.words()}"


def _learner() -> Learner:
    from soilql.fits import mlp_fit
    from soilql.fits.learner_fit import Learner

    return Learner("mlp", mlp_fit.MlpSettings, mlp_fit.load_model)
