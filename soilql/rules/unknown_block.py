"""A parameter or expression names a block that the spec does not have.

Blocks refer to each other by name, and all sections share one set of names. A name that no block has is a slip of the
pen or a block that was removed; the run could not even begin.

Bad::

    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT, data: trainin}

Good::

    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT, data: training}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.edits import respelled
from soilql.errors import Diagnostic, Span, close_names, did_you_mean
from soilql.formula.memo import once
from soilql.spec import Spec
from soilql.values import ValueType

CODE = "SQ203"
TITLE = "unknown block"

_MOST_LISTED = 12


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each reference to a block that is not there."""
    names = spec.names()
    for name, references in spec.references.items():
        for reference in references:
            target = reference.ref.block
            if target in spec.blocks or target in spec.unbound:
                continue
            fitting = _fitting(spec, reference.ref.accepts)
            close = tuple(n for n in close_names(target, fitting) if n != name) or names
            help = did_you_mean(target, close)
            if not help and (others := [f"`{n}`" for n in fitting if n != name]):
                more = f" and {len(others) - _MOST_LISTED} more" if len(others) > _MOST_LISTED else ""
                help = f"`{reference.parameter}` can name {', '.join(others[:_MOST_LISTED])}{more}"
            span = reference.span
            fixes = respelled(Span(span.source, span.start, span.start + len(target)), target, close, safe=False)
            yield Diagnostic(CODE, f"no block is named `{target}`", span, help=help, fixes=fixes)


def _fitting(spec: Spec, accepts: frozenset[ValueType]) -> tuple[str, ...]:
    """Return the blocks whose value is of some types."""

    def find() -> tuple[str, ...]:
        return tuple(name for name in spec.names() if spec.value_type(name) in accepts)

    return once(spec, (_fitting, accepts), find)
