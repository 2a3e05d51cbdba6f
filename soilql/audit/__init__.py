"""Do the printed figures of a paper fit together: r, R2, p, thresholds, intervals, trends, totals and shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from soilql.audit.cells import read_rows, read_text
from soilql.audit.figures import read_figures
from soilql.audit.judge import FigureSet, Verdict, judge
from soilql.audit.view import as_json, text_lines
from soilql.errors import Source

__all__ = ["Audit", "FigureSet", "Verdict", "audit_file", "audit_source"]


@dataclass(frozen=True)
class Audit:
    """What is said of the figures of one table.

    Attributes
    ----------
    name : str
        What the table is shown as.
    sets : tuple of FigureSet
        Each with its verdict.
    """

    name: str
    sets: tuple[FigureSet, ...]

    @property
    def clean(self) -> bool:
        """Whether every set fits as stated, or can fit where the table does not say enough."""
        return all(one.verdict in (Verdict.FITS, Verdict.OPEN) for one in self.sets)

    def text(self) -> str:
        """Return the audit for people."""
        return "\n".join(text_lines(self.name, self.sets)) + "\n"

    def json(self) -> str:
        """Return the audit as JSON."""
        return as_json(self.name, self.sets)


def audit_file(path: Path, name: str | None = None) -> Audit:
    """Audit a table of printed figures, CSV or YAML by the name of the file.

    Parameters
    ----------
    path : Path
        The table: one figure a row, with at least the columns `id` and `statistic`.
    name : str, optional
        What it is shown as; by default its path.

    Returns
    -------
    Audit

    Raises
    ------
    SoilqlError
        The table cannot be read, or does not make sense; with every diagnostic, at its place.
    """
    return audit_source(read_text(path, name))


def audit_source(source: Source) -> Audit:
    """Audit a table that is already in memory.

    Parameters
    ----------
    source : Source
        The text; YAML if its name ends in .yaml or .yml, else CSV.

    Returns
    -------
    Audit

    Raises
    ------
    SoilqlError
        The table does not make sense.

    Examples
    --------
    >>> table = "id,statistic,value,p,n,controls,detrended\\nwarm,r,0.67,<0.05,15,5,yes\\n"
    >>> print(audit_source(Source("paper.csv", table)).text())
    warm: fits together
      ok warm  r = 0.67, p < 0.05: nu = 7 gives p = 0.0461 to 0.0507
    <BLANKLINE>
    paper.csv: 1 figure in 1 set: 1 fit
    <BLANKLINE>
    """
    return Audit(source.name, judge(read_figures(read_rows(source))))
