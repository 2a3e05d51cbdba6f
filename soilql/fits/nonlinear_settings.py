"""What a nonlinear model is and how it is fitted, and the model at the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.expr.derivative import BoundModel, CompiledModel, compile_model
from soilql.expr.parse import Expression, parse_formula
from soilql.fits.nonlinear_params import Parameter
from soilql.fits.regression import BackTransform, Response

Floats = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Settings:
    """How a nonlinear model is fitted.

    Attributes
    ----------
    formula : str
        Response and right side.
    params : tuple of str
        Parameters in order.
    constants : mapping of str to float
        Names with fixed values.
    response : Response
        The column that is modelled.
    drivers : tuple of str
        Columns of the right side.
    starts : mapping of str to float
        Starting values that were given.
    bounds : mapping of str to (float, float)
        Bounds that were given.
    units : mapping of str to str
        Units of parameters that were given.
    truths : mapping of str to float
        True values of parameters, where the data are simulated.
    interval : str
        ``wald`` or ``profile``.
    level : float
        Level of the intervals.
    n_starts, seed : int
        Screened starts and their seed.
    uncertainty : str
        How members draw parameters: ``vcov``, ``profile``, ``bootstrap`` or ``cv10``.
    back_transform : str
        From the log scale.
    """

    formula: str
    params: tuple[str, ...]
    constants: Mapping[str, float]
    response: Response
    drivers: tuple[str, ...]
    starts: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]
    units: Mapping[str, str]
    truths: Mapping[str, float]
    interval: str
    level: float
    n_starts: int
    seed: int
    uncertainty: str
    back_transform: BackTransform

    @cached_property
    def expression(self) -> Expression:
        """The formula as a tree."""
        return parse_formula(self.formula)

    @cached_property
    def model(self) -> CompiledModel:
        """The right side with its derivatives."""
        return compile_model(self.expression, self.params)

    def at(self, columns: Columns, n: int) -> AtRows:
        """Return the right side as a function of its parameters alone."""
        env = {**self.constants, **{name: columns[name] for name in self.drivers}}
        return AtRows(self.model, env, n)


@dataclass(frozen=True)
class AtRows:
    """A model at n rows of drivers; the ``Model`` of :mod:`soilql.stats.separable`."""

    model: CompiledModel
    env: Mapping[str, Any]
    n: int

    @cached_property
    def _bound(self) -> BoundModel:
        return self.model.bind(self.env, self.n)

    def value(self, theta: Floats) -> Floats:
        """Return the values, shape (n,)."""
        return self._bound.value(theta.tolist())

    def jacobian(self, theta: Floats) -> Floats:
        """Return the derivatives, shape (n, p)."""
        return self._bound.value_and_jacobian(theta.tolist())[1]


def of_parameters(known: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the settings that follow from what is known of the parameters."""
    return {
        "params": tuple(known),
        "starts": {name: one.start for name, one in known.items() if one.start is not None},
        "bounds": {name: (one.bounds[0], one.bounds[1]) for name, one in known.items() if one.bounds is not None},
        "units": {name: str(one.unit) for name, one in known.items() if one.unit is not None},
        "truths": {name: one.truth for name, one in known.items() if one.truth is not None},
    }
