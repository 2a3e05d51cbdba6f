"""Values of a model's parameters to look at it at, without fitting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from soilql.formula.model import FormulaModel

if TYPE_CHECKING:
    import numpy as np


def starting_values(model: FormulaModel, columns: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, float] | None:
    """Return the starts that are given, and for the others the least squares of the logarithms.

    Parameters
    ----------
    model : FormulaModel
        With declared parameters.
    columns : mapping of str to array, each of shape (n,)
        Complete rows of the response and the drivers.

    Returns
    -------
    dict of str to float or None
        None where a parameter has no start and the model is not linear in its logarithm.
    """
    import numpy as np

    from soilql.expr import ast
    from soilql.expr.evaluate import evaluate
    from soilql.expr.linearity import log_linear
    from soilql.stats.starts import LogLinearDesign

    given = {name: one.start for name, one in model.parameters.items() if one.start is not None}
    if len(given) == len(model.parameters):
        return given
    names = ast.names(model.response)
    if len(names) != 1:
        return None
    y = np.asarray(columns[names[0]], dtype=np.float64)
    form = log_linear(model.right, tuple(model.parameters))
    if form is None or set(form.regressors) != set(model.parameters):
        return None
    env = {**model.constants, **{name: columns[name] for name in model.drivers}}
    regressors = [form.regressors[name] for name in model.parameters]
    parts = [np.broadcast_to(evaluate(one.expression, env), y.shape) for one in regressors]
    offset = np.array(np.broadcast_to(evaluate(form.offset, env), y.shape), dtype=np.float64)
    logs = tuple(k for k, one in enumerate(regressors) if one.scale == "log")
    found = LogLinearDesign(np.stack(parts, axis=1).astype(float), logs, offset).start(y)
    if not np.isfinite(found).all():
        return None
    return {name: given.get(name, float(value)) for name, value in zip(model.parameters, found, strict=True)}
