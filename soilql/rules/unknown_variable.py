"""A name that is needed is not among the columns of a table, the variables of a grid, or the roles that they play.

`block.variable` picks one variable of a grid or one column of a table. Which ones there are is known before anything
runs for the public data sets and for what models and analyses make; of your own files it is known when they are read.
Names are case-sensitive. `soilql data list NAME` shows the columns of a public data set.

Bad::

    analyses:
      budget: {kind: total, of: rs.Mean}

Good::

    analyses:
      budget: {kind: total, of: rs.mean}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.edits import respelled
from soilql.errors import Diagnostic, Span, did_you_mean
from soilql.spec import Spec

CODE = "SQ704"
TITLE = "no such column or variable"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each variable that its block is known not to have; expressions are checked by their kind."""
    for references in spec.references.values():
        for reference in references:
            ref, known = reference.ref, spec.schema(reference.ref.block)
            if ref.variable is None or known is None or known.open or ref.variable in known.variables:
                continue
            if reference.in_expression or spec.misleads(reference):
                continue
            help = did_you_mean(ref.variable, known.variables)
            span = reference.span
            place = Span(span.source, max(span.start, span.end - len(ref.variable)), span.end)
            fixes = respelled(place, ref.variable, known.variables, safe=False)
            yield Diagnostic(CODE, f"`{ref.block}` has no variable `{ref.variable}`", span, help=help, fixes=fixes)
