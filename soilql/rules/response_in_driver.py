"""A driver is made from the response.

What is computed from the response knows the response. The skill is then that of a riddle whose answer stands in the
question, and where the model is to be used the driver is not there. The standard deviation and the number of values
that `average` adds (`Rs_sd`, `Rs_n`) are made from the response too.

Kaufman et al. (2012), doi:10.1145/2382577.2382579; Kapoor & Narayanan (2023), doi:10.1016/j.patter.2023.100804.

Bad::

    columns: {Rs: Rs_annual, share: Rh_annual / Rs_annual}
    ...
    formula: Rs ~ MAT + share

Good::

    formula: Rs ~ MAT
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ633"
TITLE = "driver made from the response"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield an error at each driver whose sources include those of the response."""
    for model in design.models(spec):
        response, data, formula = design.response(model), str(model.params.data), model.params.formula
        if response is None:
            continue
        wanted = lineage.origins(spec, data, response)
        for name in design.driver_names(model):
            if wanted and (name == response or wanted <= lineage.origins(spec, data, name)):
                same = name == response or lineage.copies(spec, data, name) is not None
                message = f"`{name}` is {'the response itself' if same else f'made from the response `{response}`'}"
                span = formula.span(design.find_name(formula, name))
                yield Diagnostic(CODE, message, span, help="leave it out of the formula")
