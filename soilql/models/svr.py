"""Support vector regression with an epsilon-insensitive band, fitted to all rows or apart in each zone.

In R: `svm` of e1071.
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
    """What is modelled, and the machine: libsvm's sequential minimal optimisation on standardised data."""

    TUNABLE: ClassVar[tuple[str, ...]] = (
        "C", "epsilon", "epsilon_in", "kernel", "gamma", "kernel_scale", "degree", "offset", "standardize", "tolerance",
        "max_iterations",
    )  # fmt: skip

    C: float = param(
        1.0,
        gt=0,
        doc="Cost of a residual beyond the band, for a response in standard deviations (`cost` in e1071; MATLAB's "
        "BoxConstraint in the unit of the response, whose default is about one standard deviation).",
    )
    epsilon: float = param(
        0.1,
        ge=0,
        doc="Half width of the band in which residuals cost nothing, in standard deviations of the response, or in its "
        "own unit with `epsilon_in: response` (MATLAB's Epsilon).",
    )
    epsilon_in: Literal["sd", "response"] = param(
        "sd", doc="Scale of `epsilon`: `sd`, standard deviations of the training response, or `response`, its unit."
    )
    kernel: Literal["rbf", "linear", "polynomial", "sigmoid"] = param(
        "rbf",
        doc="How alike two points are (MATLAB's KernelFunction): `rbf` (gaussian), exp(-gamma |a - b|^2); `linear`, "
        "a.b; `polynomial`, (gamma a.b + offset)^degree; `sigmoid`, tanh(gamma a.b + offset).",
    )
    gamma: float | Literal["auto"] = param(
        "auto",
        gt=0,
        doc="Factor inside the kernel; `auto` is 1 / (number of columns x their mean variance), which is 1 / columns "
        "for standardised numbers (e1071, scikit-learn's `scale`).",
    )
    kernel_scale: float | None = param(
        None, gt=0, doc="MATLAB's KernelScale in the place of `gamma`: features are divided by it, gamma = 1 / scale^2."
    )
    degree: int = param(3, ge=1, le=20, doc="Degree of the polynomial kernel (MATLAB's PolynomialOrder).")
    offset: float = param(
        0.0, doc="Constant of the polynomial and sigmoid kernels (`coef0` in e1071 and scikit-learn; 1 in MATLAB)."
    )
    standardize: bool = param(
        True,
        doc="Whether numeric features are centred and divided by their standard deviation (MATLAB's Standardize); the "
        "columns of categories stay 0 and 1. The response always is. Both are learnt from the training rows alone.",
    )
    tolerance: float = param(1e-3, gt=0, doc="Violation of the optimality conditions at which the search ends.")
    max_iterations: int = param(1_000_000, ge=1, doc="Most iterations; a fit that needs more is noted.")

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if self.kernel_scale is not None and self.gamma != "auto":
            yield "`gamma` and `kernel_scale` say the same: give one of them", "kernel_scale"


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
    return f"support vector regression, {params.kernel} kernel: {params.words()}"


def _learner() -> Learner:
    from soilql.fits import svr_fit
    from soilql.fits.learner_fit import Learner

    return Learner("svr", svr_fit.SvrSettings, svr_fit.load_model, together=svr_fit.together)
