"""Fit a nonlinear model to the rows of a zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from soilql.errors import Diagnostic, SoilqlError
from soilql.expr.evaluate import evaluate
from soilql.expr.linearity import linear_parameters, log_linear
from soilql.fits.nonlinear_settings import Settings
from soilql.fits.nonlinear_zone import NonlinearZoneFit, finite
from soilql.fits.regression import correction
from soilql.stats.logscale import fit_log_scale
from soilql.stats.nonlinear import FitStatus, NonlinearFit, fit_nonlinear
from soilql.stats.profile import profile_intervals
from soilql.stats.starts import LogLinearDesign

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


def fit_zone(columns: Columns, settings: Settings, known: NonlinearFit | None = None) -> NonlinearZoneFit:
    """Fit a nonlinear model to the rows of one zone.

    Parameters
    ----------
    columns : mapping of str to array, each of shape (n,)
        Response and drivers, complete.
    settings : Settings
        The model.
    known : NonlinearFit, optional
        The same model as it was fitted to these rows, where it was.

    Raises
    ------
    SoilqlError
        Parameters cannot be told apart, there are too few rows or no start has a value (SQ801), or the search did not
        converge (SQ803).
    """
    fit = search(columns, settings) if known is None else known
    lower, upper, said = _intervals(fit, settings)
    factor = correction(settings.back_transform, settings.response, fit.residuals, fit.sigma)
    at_bound = (fit.message,) if fit.status is FitStatus.AT_BOUND else ()
    drivers = {name: np.asarray(columns[name]) for name in settings.drivers}
    return NonlinearZoneFit(settings, fit, lower, upper, factor, drivers, (*at_bound, *fit.notes, *said))


def search(columns: Columns, settings: Settings, near: Mapping[str, float] | None = None) -> NonlinearFit:
    """Return the least-squares fit; see :func:`fit_zone`.

    Parameters
    ----------
    near : mapping of str to float, optional
        Where the only search begins, for a fit to nearly the same rows.
    """
    y = np.asarray(columns[settings.response.name], dtype=np.float64)
    at = settings.at(columns, y.size)
    common: dict[str, Any] = {"bounds": settings.bounds, "seed": settings.seed}
    if near is None:
        design = _log_linear_design(settings, columns, y.size)
        common |= {"starts": settings.starts, "log_linear_start": design, "n_starts": settings.n_starts}
    else:
        common |= {"starts": near, "n_starts": 0}
    if settings.response.log:
        fit = fit_log_scale(at, y, settings.params, **common)
    else:
        linear = linear_parameters(settings.expression.formula.predictors, settings.params)
        fit = fit_nonlinear(at, y, settings.params, linear=linear, **common)
    if not fit.status.usable:
        code = "SQ803" if fit.status is FitStatus.NOT_CONVERGED else "SQ801"
        raise SoilqlError(Diagnostic(code, fit.message, help=_HELP.get(fit.status, "")))
    return fit


def predicted(fit: NonlinearFit, settings: Settings, columns: Columns) -> Floats:
    """Return the response that a fit predicts at rows, shape (n,), without making more of the fit."""
    n = len(next(iter(columns.values())))
    factor = correction(settings.back_transform, settings.response, fit.residuals, fit.sigma)
    return finite(settings.at(columns, n).value(fit.estimates) * factor)


_HELP = {
    FitStatus.SINGULAR: "leave one of them out, or fix it under `constants`",
    FitStatus.FAILED: "give `start` values at which the model is defined for every row",
    FitStatus.NOT_CONVERGED: "give `start` or `bounds` of the parameters, or raise `starts`",
}


def _log_linear_design(settings: Settings, columns: Columns, n: int) -> LogLinearDesign | None:
    """Return the model as one linear in logarithms, where it is that; it gives the first start."""
    form = log_linear(settings.expression.formula.predictors, settings.params)
    if form is None or set(form.regressors) != set(settings.params):
        return None
    env = {**settings.constants, **{name: columns[name] for name in settings.drivers}}
    regressors = [form.regressors[name] for name in settings.params]
    matrix = np.stack([np.broadcast_to(evaluate(r.expression, env), (n,)) for r in regressors], axis=1).astype(float)
    offset = np.array(np.broadcast_to(evaluate(form.offset, env), (n,)), dtype=np.float64)
    if not (np.isfinite(matrix).all() and np.isfinite(offset).all()):
        return None
    logs = tuple(k for k, regressor in enumerate(regressors) if regressor.scale == "log")
    return LogLinearDesign(matrix, logs, offset)


def _intervals(fit: NonlinearFit, settings: Settings) -> tuple[Floats, Floats, tuple[str, ...]]:
    if settings.interval == "wald":
        reach = float(student.ppf(0.5 + settings.level / 2, fit.df)) * fit.se
        return fit.estimates - reach, fit.estimates + reach, ()
    found = profile_intervals(fit, settings.level)
    ends = [
        f"profile interval of `{name}`: {side} end {end.value}"
        for side, all_ends in (("lower", found.lower_end), ("upper", found.upper_end))
        for name, end in zip(found.names, all_ends, strict=True)
        if end.name != "REACHED"
    ]
    return found.lower, found.upper, (*found.notes, *ends)
