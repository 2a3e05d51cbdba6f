"""What linear and nonlinear regression share: a response that may be logarithmic, and tables in R's manner."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from soilql.errors import Diagnostic, Severity, SoilqlError

if TYPE_CHECKING:
    import numpy as np

    from soilql.expr.parse import Expression
    from soilql.fits.training import Rows

BackTransform = Literal["none", "duan", "normal"]

BACK_TRANSFORM_DOC = (
    "For a response `log(y)`, how predictions return to y: `none` takes exp() alone, which estimates the median; "
    "`duan` multiplies it with Duan's smearing factor, `normal` with exp(s^2/2), which estimate the mean."
)


@dataclass(frozen=True)
class Response:
    """The left side of a regression: a column, or its logarithm."""

    name: str
    log: bool = False


def response_of(formula: Expression) -> Response:
    """Return the response of a formula.

    Raises
    ------
    SoilqlError
        It is neither a column nor the logarithm of one (SQ113).

    Examples
    --------
    >>> from soilql.expr.parse import parse_formula
    >>> response_of(parse_formula("log(Rs) ~ a + b*T"))
    Response(name='Rs', log=True)
    """
    from soilql.expr import ast

    match formula.formula.response:
        case ast.Name(name):
            return Response(name)
        case ast.Call("log", (ast.Name(name),)):
            return Response(name, log=True)
        case other:
            message = "the response is a column, or `log()` of a column"
            help = "make a column of it under `columns` of the table, and name that"
            raise SoilqlError(Diagnostic("SQ113", message, formula.span(other), help=help))


def response_problems(formula: Expression) -> Iterator[Diagnostic]:
    """Say what is wrong with the response of a formula."""
    try:
        response_of(formula)
    except SoilqlError as error:
        yield from error.diagnostics


def positive_rows(rows: Rows, response: Response) -> Rows:
    """Return the rows whose response has a logarithm, where one is taken; the others are noted."""
    from soilql.fits.training import drop

    if not response.log:
        return rows
    return drop(rows, rows.columns[response.name] <= 0, f"`log({response.name})` has no value")


def with_median_note(rows: Rows, how: BackTransform, response: Response) -> Rows:
    """Return the rows with a note where predictions will be medians, which do not add up to a total."""
    from soilql.values import Note

    if not response.log or how != "none":
        return rows
    words = (
        f"predictions are exp() of the fitted log({response.name}): medians, below the mean; "
        "see `back_transform` for estimates of the mean"
    )
    return replace(rows, notes=(*rows.notes, Note("SQ806", words, Severity.INFO)))


def correction(how: BackTransform, response: Response, residuals: np.ndarray[Any, Any], sigma: float) -> float:
    """Return the factor that takes exp() of a log-scale fit to the response; 1 on the natural scale."""
    from soilql.stats.logscale import duan_smearing, lognormal_factor

    if not response.log or how == "none":
        return 1.0
    return duan_smearing(residuals) if how == "duan" else lognormal_factor(sigma)


def coefficient_table(names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> str:
    """Return estimates with their inference as R's ``summary`` prints them, with signs of significance.

    Parameters
    ----------
    names : sequence of str
        Of the rows.
    columns : mapping of str to sequence of float
        ``estimate``, ``se``, ``t``, ``p`` and perhaps ``lower``, ``upper``.

    Examples
    --------
    >>> columns = {"estimate": [422.92272], "se": [41.37651], "t": [10.22], "p": [2e-8]}
    >>> print("\\n".join(coefficient_table(["a"], columns).splitlines()[:2]))
      Estimate Std. Error t value Pr(>|t|)
    a    422.9      41.38   10.22    2e-08 ***
    """
    heads = {"estimate": "Estimate", "se": "Std. Error", "t": "t value", "p": "Pr(>|t|)"}
    cells = [["", *(heads.get(name, name) for name in columns), ""]]
    for i, name in enumerate(names):
        row = [_p_text(values[i]) if key == "p" else _number(values[i]) for key, values in columns.items()]
        cells.append([name, *row, _stars(columns["p"][i])])
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    lines = [
        " ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:-1], widths[1:-1], strict=True)), row[-1]]
        )
        for row in cells
    ]
    legend = "Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1"
    return "\n".join([*(line.rstrip() for line in lines), "---", legend])


def _number(value: float) -> str:
    return "NA" if math.isnan(value) else f"{value:.4g}"


def _p_text(p: float) -> str:
    if math.isnan(p):
        return "NA"
    return "<2e-16" if p < 2e-16 else f"{p:.3g}"


def _stars(p: float) -> str:
    return next((mark for limit, mark in ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, ".")) if p < limit), "")
