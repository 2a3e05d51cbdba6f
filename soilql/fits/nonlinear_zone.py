"""A nonlinear model fitted to the rows of a zone: estimates, intervals, predictions and draws of its parameters."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.errors import Diagnostic, SoilqlError
from soilql.fits.fitted import no_quantiles
from soilql.fits.nonlinear_settings import Settings
from soilql.fits.regression import Response, coefficient_table
from soilql.stats.logscale import LogModel
from soilql.stats.nonlinear import FitStatus, NonlinearFit
from soilql.stats.perturb import draw_parameters
from soilql.stats.separable import Problem
from soilql.values import State

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

#: Threads that predict blocks of one map wait for the draws of the first.
_DRAWING = threading.Lock()


@dataclass(frozen=True, eq=False)
class NonlinearZoneFit:
    """A fitted nonlinear model; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    settings : Settings
        What was fitted.
    fit : NonlinearFit
        Estimates and their covariance, on the scale of the response's logarithm where that was fitted.
    lower, upper : numpy.ndarray, shape (p,)
        Ends of the parameters' intervals.
    factor : float
        Correction of the back-transformation; 1 on the natural scale.
    columns : mapping of str to array
        Drivers of the rows, for refits.
    said : tuple of str
        Statuses in words.
    """

    settings: Settings
    fit: NonlinearFit
    lower: Floats
    upper: Floats
    factor: float
    columns: Columns
    said: tuple[str, ...]
    _drawn: dict[tuple[int, int], Floats] = field(default_factory=dict, init=False, repr=False)

    @property
    def drivers(self) -> tuple[str, ...]:
        """Columns of the right side."""
        return self.settings.drivers

    @property
    def notes(self) -> tuple[str, ...]:
        """Active bounds, rival optima and the like."""
        return self.said

    @property
    def member_source(self) -> str:
        """What the members are."""
        return f"parameter draws ({self.settings.uncertainty})"

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return "standard error of the mean"

    def predict(
        self,
        columns: Columns,
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: np.random.SeedSequence,
    ) -> dict[str, Floats]:
        """Predict; see :meth:`soilql.values.Fitted.predict`.

        ``sd`` is the delta-method standard error of the mean, sqrt(g' V g) with g the gradient in the parameters: the
        uncertainty of the fitted curve, without the scatter of observations around it. Points where the model has
        no value are NaN.

        Raises
        ------
        SoilqlError
            Quantiles are asked for (SQ804), or parameters cannot be drawn (SQ803).
        """
        if len(quantiles):
            raise no_quantiles("nonlinear")
        n = len(next(iter(columns.values())))
        at = self.settings.at(columns, n)
        theta = self.fit.estimates
        out = {"mean": finite(at.value(theta) * self.factor)}
        if sd:
            gradient = at.jacobian(theta) * self.factor
            scaled = np.zeros(n)
            for j in range(theta.size):  # term by term: the order of adding must not depend on the number of points
                for k in range(theta.size):
                    scaled += gradient[:, j] * gradient[:, k] * self.fit.covariance[j, k]
            out["sd"] = finite(np.sqrt(np.maximum(scaled, 0.0)))
        if members:
            out["members"] = np.stack([finite(at.value(row) * self.factor) for row in self._draws(members, seed)])
        return out

    def _draws(self, members: int, seed: np.random.SeedSequence) -> Floats:
        """Return the parameters of the members, drawn once for all blocks of a map."""
        number = int(seed.generate_state(1, np.uint64)[0])
        with _DRAWING:
            if (members, number) not in self._drawn:
                self._drawn[members, number] = self._new_draws(members, number)
            return self._drawn[members, number]

    def _new_draws(self, members: int, seed: int) -> Floats:
        draws = draw_parameters(self.fit, self.settings.uncertainty, members, seed)
        lost = int(np.count_nonzero(~np.isfinite(draws).all(axis=1)))
        if lost:
            message = f"{lost} of {members} bootstrap refits of `{self.settings.formula}` found no minimum"
            raise SoilqlError(Diagnostic("SQ803", message, help="draw by `uncertainty: vcov`, or bound the parameters"))
        return draws

    def terms(self) -> list[dict[str, Any]]:
        """Return estimate, standard error, t, p and interval of each parameter."""
        rows = []
        for k, name in enumerate(self.settings.params):
            row: dict[str, Any] = {"term": name}
            row |= {column: float(values[k]) for column, values in self._inference().items()}
            if self.settings.units:
                row["unit"] = self.settings.units.get(name, "")
            if self.settings.truths:
                truth = self.settings.truths.get(name, np.nan)
                row |= {"truth": truth, "covered": bool(self.lower[k] <= truth <= self.upper[k])}
            rows.append(row)
        return rows

    def _inference(self) -> dict[str, Floats]:
        fit = self.fit
        table = {"estimate": fit.estimates, "se": fit.se, "t": fit.t_values, "p": fit.p_values}
        return {**table, "lower": self.lower, "upper": self.upper}

    def scores(self) -> dict[str, float]:
        """Return what describes the fit; on the log scale where that was fitted."""
        fit = self.fit
        scale = " (log scale)" if self.settings.response.log else ""
        found = {"sigma": fit.sigma, "RSS": fit.rss, "R2": fit.r2, "AIC": fit.aic, "BIC": fit.bic}
        return {"df": fit.df, **{f"{name}{scale}": float(value) for name, value in found.items()}}

    def report(self) -> str:
        """Return the summary as text, as R's ``summary(nls)`` prints it."""
        fit, scale = self.fit, " (log scale)" if self.settings.response.log else ""
        names = {"lower": f"lower {self.settings.level:.4g}", "upper": f"upper {self.settings.level:.4g}"}
        inference = {names.get(key, key): values.tolist() for key, values in self._inference().items()}
        lines = [
            f"Formula: {self.settings.formula.strip()}",
            "",
            f"Parameters ({self.settings.interval} intervals):",
            coefficient_table(self.settings.params, inference),
            "",
            f"Residual standard error{scale}: {fit.sigma:.4g} on {fit.df} degrees of freedom",
            f"R2{scale}: {fit.r2:.4f},  AIC: {fit.aic:.2f},  BIC: {fit.bic:.2f}",
        ]
        if self.settings.truths:
            found = [(name, self.settings.params.index(name), truth) for name, truth in self.settings.truths.items()]
            inside = [f"{name} {truth:g}" for name, k, truth in found if self.lower[k] <= truth <= self.upper[k]]
            missed = [f"{name} {truth:g}" for name, k, truth in found if not self.lower[k] <= truth <= self.upper[k]]
            lines += [f"True values inside their interval: {', '.join(inside) or 'none'}"]
            lines += [f"True values outside their interval: {', '.join(missed)}"] if missed else []
        if self.settings.response.log:
            lines.append(f"Back-transformation ({self.settings.back_transform}): factor {self.factor:.6g}")
        return "\n".join(lines)

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        fit, problem = self.fit, self.fit.problem
        assert problem is not None
        # Bounds may be infinite, which JSON cannot say; they are kept as an array.
        names = [field.name for field in fields(Settings) if field.name != "bounds"]
        kept = {name: getattr(self.settings, name) for name in names}
        kept["response"] = [self.settings.response.name, self.settings.response.log]
        meta = {
            "settings": kept,
            "status": fit.status.value,
            "message": fit.message,
            "n": fit.n,
            "df": fit.df,
            "rank": fit.rank,
            "linear": list(problem.linear),
            "said": list(self.said),
        }
        numbers = [fit.rss, fit.sigma, fit.r2, fit.log_likelihood, problem.scale, self.factor]
        arrays = {
            "numbers": np.array(numbers),
            "estimates": fit.estimates,
            "se": fit.se,
            "covariance": fit.covariance,
            "fitted": fit.fitted,
            "residuals": fit.residuals,
            "y": problem.y,
            "bounds": np.stack([problem.lower, problem.upper]),
            "intervals": np.stack([self.lower, self.upper]),
        }
        return State(meta, {**arrays, **{f"column.{name}": self.columns[name] for name in self.settings.drivers}})


def finite(values: Floats) -> Floats:
    """Return values with NaN where a model has none or overflows."""
    return np.where(np.isfinite(values), values, np.nan)


def load_fit(state: State) -> NonlinearZoneFit:
    """Return the fit whose :meth:`NonlinearZoneFit.state` was stored."""
    meta, arrays = state.meta, state.arrays
    kept = dict(meta["settings"])
    kept["response"] = Response(*kept["response"])
    kept |= {name: tuple(kept[name]) for name in ("params", "drivers")}
    limits = zip(kept["params"], *arrays["bounds"].tolist(), strict=True)
    kept["bounds"] = {name: (low, high) for name, low, high in limits}
    settings = Settings(**kept)
    rss, sigma, r2, log_likelihood, scale, factor = arrays["numbers"].tolist()
    y = arrays["y"]
    columns = {name: arrays[f"column.{name}"] for name in settings.drivers}
    at = settings.at(columns, y.size)
    problem = Problem(
        model=LogModel(at) if settings.response.log else at,
        rows=np.arange(y.size),
        y=y,
        root_weights=np.ones(y.size),
        lower=arrays["bounds"][0],
        upper=arrays["bounds"][1],
        linear=tuple(meta["linear"]),
        scale=scale,
    )
    fit = NonlinearFit(
        names=settings.params,
        estimates=arrays["estimates"],
        se=arrays["se"],
        covariance=arrays["covariance"],
        rss=rss,
        sigma=sigma,
        n=meta["n"],
        df=meta["df"],
        rank=meta["rank"],
        r2=r2,
        log_likelihood=log_likelihood,
        fitted=arrays["fitted"],
        residuals=arrays["residuals"],
        status=FitStatus(meta["status"]),
        message=meta["message"],
        problem=problem,
    )
    lower, upper = arrays["intervals"]
    return NonlinearZoneFit(settings, fit, lower, upper, factor, columns, tuple(meta["said"]))
