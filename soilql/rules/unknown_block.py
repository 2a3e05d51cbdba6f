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
from soilql.errors import Diagnostic, Span, did_you_mean
from soilql.spec import Spec

CODE = "SQ203"
TITLE = "unknown block"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each reference to a block that is not there."""
    for name, references in spec.references.items():
        for reference in references:
            target = reference.ref.block
            if target in spec.blocks or target in spec.unbound:
                continue
            fitting = [n for n in spec.names() if n != name and spec.value_type(n) in reference.ref.accepts]
            close = fitting if did_you_mean(target, fitting) else spec.names()
            help = did_you_mean(target, close)
            if not help and fitting:
                help = f"`{reference.parameter}` can name {', '.join(f'`{n}`' for n in fitting)}"
            span = reference.span
            fixes = respelled(Span(span.source, span.start, span.start + len(target)), target, close, safe=False)
            yield Diagnostic(CODE, f"no block is named `{target}`", span, help=help, fixes=fixes)
