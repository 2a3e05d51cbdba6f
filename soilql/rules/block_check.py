"""What each kind says about its own parameters, above all the names in its expressions.

A name in a formula, filter or derived column must be a column of the data, a declared parameter, a constant or a
function. A misspelt column is an error and never silently becomes a new parameter.

Bad::

    formula: Rs ~ exp(a*T + c*Mo)     # the column is M

Good::

    formula: Rs ~ exp(a*T + c*M)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ201"
TITLE = "unknown name in an expression"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield what the kinds find, for the blocks whose references lead to what they need."""
    for name, block in spec.blocks.items():
        if name not in spec.cyclic and not any(map(spec.misleads, spec.references[name])):
            yield from spec.kind(block).check(block, spec)
