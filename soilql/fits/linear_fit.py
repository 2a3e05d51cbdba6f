"""A linear model fitted to the rows of a zone: R's design matrix, least squares, and normal-theory predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.stats import t as student

from soilql.errors import Diagnostic, SoilqlError
from soilql.expr.ast import to_text
from soilql.expr.terms import Terms
from soilql.fits.factors import Factor, from_json, learn, to_json
from soilql.fits.regression import BackTransform, Response, coefficient_table, correction
from soilql.values import State, quantile_name

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

#: R's tolerance of lm for columns that depend on the others.
_RANK_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Design:
    """The columns of a linear model, by R's rules for the coding of categories.

    Attributes
    ----------
    factors : tuple of Factor
        Distinct factors of all terms.
    terms : tuple of tuple of int
        Positions of each term's factors.
    contrasts : tuple of tuple of bool
        For each factor of each term, whether a category has its first level as the reference.
    intercept : bool
        Whether there is one.
    """

    factors: tuple[Factor, ...]
    terms: tuple[tuple[int, ...], ...]
    contrasts: tuple[tuple[bool, ...], ...]
    intercept: bool

    @cached_property
    def labels(self) -> list[str]:
        """Names of the columns, as R writes them."""
        names = ["(Intercept)"] if self.intercept else []
        for term, contrasts in zip(self.terms, self.contrasts, strict=True):
            parts = [""]
            for k, own in zip(term, contrasts, strict=True):
                # The first factor runs fastest, as in R.
                parts = [f"{a}:{b}" if a else b for b in self.factors[k].labels(own) for a in parts]
            names += parts
        return names

    def matrix(self, columns: Columns, n: int) -> Floats:
        """Return the design matrix, shape (n, columns); NaN where a factor has no value."""
        blocks = [np.ones((n, 1))] if self.intercept else []
        for term, contrasts in zip(self.terms, self.contrasts, strict=True):
            block = np.ones((n, 1))
            for k, own in zip(term, contrasts, strict=True):
                part = self.factors[k].columns(columns, n, own)
                block = (part[:, :, None] * block[:, None, :]).reshape(n, -1)
            blocks.append(block)
        return np.hstack(blocks) if blocks else np.empty((n, 0))


def design_of(terms: Terms, columns: Columns) -> Design:
    """Return the design of a formula for the categories that occur in some rows.

    A category in a term is coded by contrasts where the term without it is in the model too, and by one column a level
    otherwise; without an intercept the first category has one column a level (Chambers & Hastie 1992, section 2.4.1).

    Parameters
    ----------
    terms : Terms
        The formula.
    columns : mapping of str to array
        Rows without missing values.
    """
    texts = list(dict.fromkeys(to_text(factor) for term in terms.terms for factor in term.factors))
    nodes = {to_text(factor): factor for term in terms.terms for factor in term.factors}
    factors = tuple(learn(nodes[text], columns) for text in texts)
    members = [tuple(texts.index(to_text(factor)) for factor in term.factors) for term in terms.terms]
    present: set[frozenset[int]] = {frozenset(term) for term in members} | {frozenset()}
    contrasts = [[frozenset(term) - {k} in present for k in term] for term in members]
    if not terms.intercept:
        first = next(
            ((i, j) for i, term in enumerate(members) for j, k in enumerate(term) if factors[k].levels is not None),
            None,
        )
        if first is not None:
            contrasts[first[0]][first[1]] = False
    return Design(factors, tuple(members), tuple(map(tuple, contrasts)), terms.intercept)


@dataclass(frozen=True, eq=False)
class LinearZoneFit:
    """A fitted linear model; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    formula : str
        As written.
    response : Response
        The column that is modelled.
    design : Design
        Its columns.
    beta : numpy.ndarray, shape (p,)
        Coefficients.
    unscaled : numpy.ndarray, shape (p, p)
        (X'X)^-1.
    sigma : float
        Residual standard error.
    df : int
        Residual degrees of freedom.
    inference : mapping of str to numpy.ndarray, each of shape (p,)
        ``estimate``, ``se``, ``t``, ``p``, ``lower``, ``upper``.
    level : float
        Level of the intervals.
    fitted_scores : mapping of str to float
        R2, adjusted R2, F and the like; on the log scale where that was fitted.
    factor : float
        Correction of the back-transformation; 1 on the natural scale.
    back_transform : str
        Its name.
    """

    formula: str
    response: Response
    design: Design
    beta: Floats
    unscaled: Floats
    sigma: float
    df: int
    inference: Mapping[str, Floats]
    level: float
    fitted_scores: Mapping[str, float]
    factor: float
    back_transform: BackTransform

    @property
    def notes(self) -> tuple[str, ...]:
        """A linear fit has one solution or none."""
        return ()

    @property
    def member_source(self) -> str:
        """What the members are."""
        return "parameter draws (vcov)"

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return "standard deviation of a new observation"

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

        Quantiles are the ends of normal-theory prediction intervals, mean + t s sqrt(1 + x'(X'X)^-1 x), and ``sd`` is
        s sqrt(1 + x'(X'X)^-1 x): scatter of observations and uncertainty of the fit together. Of a fit on the log
        scale the quantiles are their exponentials and ``sd`` is that of the lognormal distribution. Members draw the
        coefficients from their covariance. A level of a category that the fit did not see gives NaN.
        """
        n = len(next(iter(columns.values())))
        X = self.design.matrix(columns, n)
        centre = _dot(X, self.beta)
        log = self.response.log
        out = {"mean": np.exp(centre) * self.factor if log else centre}
        if len(quantiles) or sd:
            spread = self.sigma * np.sqrt(1.0 + self._leverage(X))
            for level in quantiles:
                ends = centre + float(student.ppf(level, self.df)) * spread
                out[quantile_name(level)] = np.exp(ends) if log else ends
            if sd:
                variance = spread**2
                out["sd"] = np.exp(centre + variance / 2) * np.sqrt(np.expm1(variance)) if log else spread
        if members:
            values = np.stack([_dot(X, draw) for draw in self._draws(members, seed)])
            out["members"] = np.exp(values) * self.factor if log else values
        return out

    def _leverage(self, X: Floats) -> Floats:
        total = np.zeros(len(X))
        for j in range(self.beta.size):
            total += X[:, j] * _dot(X, self.unscaled[j])
        return np.maximum(total, 0.0)  # the maximum keeps NaN

    def _draws(self, members: int, seed: np.random.SeedSequence) -> Floats:
        noise = np.random.default_rng(seed).standard_normal((members, self.beta.size))
        # On the correlation matrix, so that units of the drivers do not decide what is round-off.
        scale = np.sqrt(np.diag(self.unscaled))
        value, basis = np.linalg.eigh(self.unscaled / np.outer(scale, scale))
        return np.asarray(self.beta + self.sigma * scale * (noise @ (basis * np.sqrt(np.maximum(value, 0.0))).T))

    def terms(self) -> list[dict[str, Any]]:
        """Return estimate, standard error, t, p and interval of each coefficient."""
        return [
            {"term": name, **{column: float(values[k]) for column, values in self.inference.items()}}
            for k, name in enumerate(self.design.labels)
        ]

    def scores(self) -> dict[str, float]:
        """Return what describes the fit; on the log scale where that was fitted."""
        scale = " (log scale)" if self.response.log else ""
        return {"df": self.df, **{f"{name}{scale}": value for name, value in self.fitted_scores.items()}}

    def report(self) -> str:
        """Return the summary as text, as R's ``summary(lm)`` prints it."""
        found, scale = self.fitted_scores, " (log scale)" if self.response.log else ""
        names = {"lower": f"lower {self.level:.4g}", "upper": f"upper {self.level:.4g}"}
        inference = {names.get(key, key): values.tolist() for key, values in self.inference.items()}
        lines = [
            f"Formula: {self.formula.strip()}",
            "",
            "Coefficients:",
            coefficient_table(self.design.labels, inference),
            "",
            f"Residual standard error{scale}: {self.sigma:.4g} on {self.df} degrees of freedom",
            f"Multiple R-squared{scale}: {found['R2']:.4f},  Adjusted R-squared: {found['adjusted R2']:.4f}",
        ]
        if "F" in found:
            lines.append(
                f"F-statistic: {found['F']:.4g} on {found['F df']:.0f} and {self.df} DF,  p-value: {found['F p']:.4g}"
            )
        if self.response.log:
            lines.append(f"Back-transformation ({self.back_transform}): factor {self.factor:.6g}")
        return "\n".join(lines)

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        meta = {
            "formula": self.formula,
            "response": [self.response.name, self.response.log],
            "factors": to_json(self.design.factors),
            "terms": self.design.terms,
            "contrasts": self.design.contrasts,
            "intercept": self.design.intercept,
            "df": self.df,
            "level": self.level,
            "scores": list(self.fitted_scores),
            "back_transform": self.back_transform,
        }
        arrays = {
            "beta": self.beta,
            "unscaled": self.unscaled,
            "numbers": np.array([self.sigma, self.factor]),
            "scores": np.array(list(self.fitted_scores.values())),
            "inference": np.stack(list(self.inference.values())),
        }
        return State(meta, arrays)


def _dot(X: Floats, beta: Floats) -> Floats:
    """Return X beta, added up column by column: a matrix product's order depends on the number of rows."""
    total = np.zeros(len(X))
    for j, coefficient in enumerate(beta):
        total += X[:, j] * coefficient
    return total


def fit_zone(
    columns: Columns,
    formula: str,
    response: Response,
    terms: Terms,
    level: float,
    back_transform: BackTransform,
) -> LinearZoneFit:
    """Fit a linear model to the rows of one zone by ordinary least squares.

    Parameters
    ----------
    columns : mapping of str to array, each of shape (n,)
        Response and drivers, complete.
    formula : str
        As written.
    response : Response
        The column that is modelled.
    terms : Terms
        The right side.
    level : float
        Confidence level of the intervals.
    back_transform : str
        From the log scale.

    Raises
    ------
    SoilqlError
        Columns of the design depend on one another, or there are no more rows than coefficients (SQ801).
    """
    from statsmodels.regression import linear_model

    given = np.asarray(columns[response.name], dtype=np.float64)
    y = np.log(given) if response.log else given
    design = design_of(terms, columns)
    X = design.matrix(columns, y.size)
    if y.size <= X.shape[1]:
        message = f"{y.size} rows for {X.shape[1]} coefficients; at least {X.shape[1] + 1} are needed"
        raise SoilqlError(Diagnostic("SQ801", message))
    _check_rank(X, design.labels)
    ols: Any = linear_model.OLS  # without type hints
    found = ols(y, X, hasconst=design.intercept).fit(method="qr")
    interval = found.conf_int(alpha=1 - level)
    table = {"estimate": found.params, "se": found.bse, "t": found.tvalues, "p": found.pvalues}
    inference = {**table, "lower": interval[:, 0], "upper": interval[:, 1]}
    sigma = float(np.sqrt(found.mse_resid))
    return LinearZoneFit(
        formula=formula,
        response=response,
        design=design,
        beta=np.asarray(found.params),
        unscaled=np.asarray(found.normalized_cov_params),
        sigma=sigma,
        df=int(found.df_resid),
        inference={name: np.asarray(values, dtype=np.float64) for name, values in inference.items()},
        level=level,
        fitted_scores=_scores(found, sigma),
        factor=correction(back_transform, response, found.resid, sigma),
        back_transform=back_transform,
    )


def _scores(found: Any, sigma: float) -> dict[str, float]:
    if found.k_constant and np.ptp(found.model.endog) == 0:  # nothing varies that could be explained
        nan, tested = float("nan"), found.df_model > 0
        scores = {"sigma": sigma, "R2": nan, "adjusted R2": nan}
        return scores | ({"F": nan, "F df": float(found.df_model), "F p": nan} if tested else {})
    scores = {"sigma": sigma, "R2": float(found.rsquared), "adjusted R2": float(found.rsquared_adj)}
    if found.df_model > 0:
        scores |= {"F": float(found.fvalue), "F df": float(found.df_model), "F p": float(found.f_pvalue)}
    return scores


def _check_rank(X: Floats, labels: Sequence[str]) -> None:
    """Raise where columns depend on others, naming them; lengths of columns, and so units, do not matter."""
    length = np.linalg.norm(X, axis=0)
    zero = [name for name, size in zip(labels, length, strict=True) if size == 0]
    if zero:
        message = f"{_listed(zero)} is zero in all rows"
        raise SoilqlError(Diagnostic("SQ801", message, help="leave the term out, or merge its categories"))
    r, pivots = qr(X / length, mode="r", pivoting=True)
    diagonal = np.abs(np.diag(r))
    rank = int(np.count_nonzero(diagonal > _RANK_TOLERANCE * diagonal[0])) if diagonal.size else 0
    if rank == len(labels):
        return
    basis, rest = r[:rank, :rank], r[:rank, rank:]
    shares = np.abs(np.linalg.solve(basis, rest)) > 1e-6
    involved = {int(pivots[k]) for k in range(rank) if shares[k].any()} | {int(k) for k in pivots[rank:]}
    message = f"{_listed([labels[k] for k in sorted(involved)])} cannot be told apart: their columns are collinear"
    raise SoilqlError(Diagnostic("SQ801", message, help="leave one of them out"))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def load_fit(state: State) -> LinearZoneFit:
    """Return the fit whose :meth:`LinearZoneFit.state` was stored."""
    meta, arrays = state.meta, state.arrays
    design = Design(
        from_json(meta["factors"]),
        tuple(tuple(term) for term in meta["terms"]),
        tuple(tuple(own) for own in meta["contrasts"]),
        meta["intercept"],
    )
    sigma, factor = arrays["numbers"].tolist()
    names = ("estimate", "se", "t", "p", "lower", "upper")
    return LinearZoneFit(
        meta["formula"],
        Response(*meta["response"]),
        design,
        arrays["beta"],
        arrays["unscaled"],
        sigma,
        meta["df"],
        dict(zip(names, arrays["inference"], strict=True)),
        meta["level"],
        dict(zip(meta["scores"], arrays["scores"].tolist(), strict=True)),
        factor,
        meta["back_transform"],
    )
