"""A selection of drivers in stages: what each stage fits, how candidates are scored, and the chosen model of a zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.expr import ast
from soilql.expr.parse import Expression
from soilql.fits.nonlinear_params import Parameter, drivers
from soilql.fits.nonlinear_settings import Settings, of_parameters
from soilql.fits.nonlinear_zone import NonlinearZoneFit
from soilql.fits.nonlinear_zone import load_fit as load_nonlinear
from soilql.fits.regression import Response
from soilql.values import Note, State

#: Column of the groups that rows belong to, among those of the table.
GROUP = "(group)"


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage of a selection.

    Attributes
    ----------
    name : str
        Of the stage.
    formula : Expression
        With placeholders for the variables that are selected.
    known : mapping of str to Parameter
        Its parameters.
    constants : mapping of str to float
        Names with fixed values.
    variable : str
        The placeholder of this stage.
    candidates : tuple of str
        Columns that may stand for it.
    freeze : bool
        Whether parameters that an earlier stage has keep their estimates.
    """

    name: str
    formula: Expression
    known: Mapping[str, Parameter]
    constants: Mapping[str, float]
    variable: str
    candidates: tuple[str, ...]
    freeze: bool

    @property
    def drivers(self) -> tuple[str, ...]:
        """Placeholders and columns on the right side."""
        return drivers(self.formula, [*self.known, *self.constants])

    def held(self, estimates: Mapping[str, float]) -> dict[str, float]:
        """Return the parameters that keep the estimates of an earlier stage."""
        return {name: value for name, value in estimates.items() if self.freeze and name in self.known}

    def text(self, columns: Mapping[str, str]) -> str:
        """Return the formula with columns in the place of placeholders."""
        return ast.to_text(ast.substitute(self.formula.root, {name: ast.Name(c) for name, c in columns.items()}))


@dataclass(frozen=True, eq=False)
class Selection:
    """How a zone's drivers are selected and its model is fitted.

    Attributes
    ----------
    stages : tuple of Stage
        In order.
    response : Response
        The column that is modelled.
    metric : str
        ``phi``, ``RMSE``, ``R2`` or ``AICc``.
    weights : tuple of float
        Of phi.
    common : bool
        Whether the candidates of a stage are compared on the rows that all of them have.
    folds : int
        Number of folds by which candidates are scored; 0 for scores on the rows they are fitted to.
    min_rows : int
        Fewest rows of a fit.
    seed : int
        Of folds and starts.
    options : mapping of str to Any
        Settings of the nonlinear fits: ``interval``, ``level``, ``n_starts``, ``uncertainty``, ``back_transform``.
    keep : callable or None
        Where the selection is not made anew: gives the chosen columns by stage of a zone, None where it has none.
    """

    stages: tuple[Stage, ...]
    response: Response
    metric: str
    weights: tuple[float, ...]
    common: bool
    folds: int
    min_rows: int
    seed: int
    options: Mapping[str, Any]
    keep: Callable[[str], Mapping[str, str] | None] | None = None

    def settings(
        self, stage: Stage, estimates: Mapping[str, float], columns: Mapping[str, str] | None = None
    ) -> Settings:
        """Return how the model of a stage is fitted.

        Parameters
        ----------
        stage : Stage
            The stage.
        estimates : mapping of str to float
            Of the parameters of earlier stages.
        columns : mapping of str to str, optional
            Columns that stand for placeholders; without it the model is one of its placeholders, and intervals are
            the simple ones.
        """
        held = stage.held(estimates)
        free = {name: one for name, one in stage.known.items() if name not in held}
        named = columns or {}
        return Settings(
            formula=stage.text(named),
            constants={**stage.constants, **held},
            response=self.response,
            drivers=tuple(dict.fromkeys(named.get(name, name) for name in stage.drivers)),
            **of_parameters(free),
            seed=self.seed,
            **(self.options if columns is not None else {**self.options, "interval": "wald"}),
        )

    def needed(self, stage: Stage) -> int:
        """Return the fewest rows of a fit of a stage."""
        return max(self.min_rows, len(stage.known) + 1)


@dataclass(frozen=True, eq=False)
class SelectedFit:
    """The model of the last stage that could be fitted in a zone; a :class:`soilql.fits.fitted.ZoneFit`.

    Attributes
    ----------
    model : NonlinearZoneFit
        The fitted model.
    chosen : mapping of str to str
        Column selected in each stage that selected one.
    stage : str
        The stage whose formula was fitted.
    path : tuple of str
        The selection in lines of text.
    said : tuple of Note
        Ties, and stages without a selection.
    tables : mapping of str to rows
        ``path``: every candidate of every stage with its scores. Kept by the model that the fit is part of.
    """

    model: NonlinearZoneFit
    chosen: Mapping[str, str]
    stage: str
    path: tuple[str, ...]
    said: tuple[Note, ...] = ()
    tables: Mapping[str, Sequence[Mapping[str, Any]]] | None = None

    @property
    def notes(self) -> tuple[str | Note, ...]:
        """Statuses of the selection and of the fit."""
        return (*self.said, *self.model.notes)

    @property
    def drivers(self) -> tuple[str, ...]:
        """Columns that a prediction needs."""
        return self.model.drivers

    @property
    def rows(self) -> int:
        """Rows that were fitted: those that have all selected columns."""
        return self.model.fit.n

    @property
    def member_source(self) -> str:
        """What the members are."""
        return self.model.member_source

    @property
    def sd_meaning(self) -> str:
        """What `sd` is."""
        return self.model.sd_meaning

    def predict(
        self,
        columns: Mapping[str, NDArray[Any]],
        *,
        quantiles: Sequence[float] = (),
        sd: bool = False,
        members: int = 0,
        seed: np.random.SeedSequence,
    ) -> dict[str, NDArray[np.float64]]:
        """Predict; see :meth:`soilql.fits.nonlinear_zone.NonlinearZoneFit.predict`."""
        return self.model.predict(columns, quantiles=quantiles, sd=sd, members=members, seed=seed)

    def terms(self) -> list[dict[str, Any]]:
        """Return the parameters of the chosen model, with the columns of its formula."""
        return [{"stage": self.stage, **row} for row in self.model.terms()]

    def scores(self) -> dict[str, Any]:
        """Return what was selected and what describes the fit."""
        return {"stage": self.stage, **self.chosen, **self.model.scores()}

    def report(self) -> str:
        """Return the selection and the summary of the fit as text."""
        return "\n".join([*self.path, "", self.model.report()])

    def state(self) -> State:
        """Return what has to be stored; the inverse is :func:`load_fit`."""
        state = self.model.state()
        said = [[note.code, note.message, note.severity.value] for note in self.said]
        own = {"chosen": dict(self.chosen), "stage": self.stage, "path": list(self.path), "said": said}
        return State({**own, "model": dict(state.meta)}, state.arrays)


def load_fit(state: State) -> SelectedFit:
    """Return the fit whose :meth:`SelectedFit.state` was stored."""
    from soilql.errors import Severity

    meta = state.meta
    said = tuple(Note(code, message, Severity(severity)) for code, message, severity in meta["said"])
    model = load_nonlinear(State(meta["model"], state.arrays))
    return SelectedFit(model, meta["chosen"], meta["stage"], tuple(meta["path"]), said)
