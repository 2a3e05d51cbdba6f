"""A parameter names a block whose value is of another kind than it needs.

A model is fitted to a table, a prediction is made on a grid, folds come from `validation`. Naming a grid where a table
is needed usually means that the `extract` between them is missing.

Bad::

    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT, data: drivers}

Good::

    datasets:
      training: {kind: extract, at: srdb, from: drivers}
    models:
      qrf: {kind: quantile_forest, formula: Rs ~ MAT, data: training}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql.errors import Diagnostic
from soilql.spec import Spec

CODE = "SQ204"
TITLE = "reference to a block of the wrong kind"

_WORDS = {"table": "a table", "grid": "a grid", "model": "a model", "zones": "a partition", "scheme": "a scheme"}


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each reference whose target gives another value than the parameter takes."""
    for name, references in spec.references.items():
        for reference in references:
            target = reference.ref.block
            found = spec.value_type(target)
            accepted = reference.ref.accepts
            if target in spec.unbound or found is None or found in accepted:
                continue
            wanted = " or ".join(_WORDS[kind] for kind in sorted(accepted))
            fitting = [n for n in spec.names() if n != name and spec.value_type(n) in accepted]
            listed = ", ".join(f"`{n}`" for n in fitting)
            help = f"this spec has {listed}" if fitting else f"define {wanted} first"
            message = f"`{reference.parameter}` needs {wanted}, and `{target}` is {_WORDS[found]}"
            yield Diagnostic(CODE, message, reference.span, help=help)
