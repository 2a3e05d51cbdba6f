"""A parameter, constant or new column has the name of something else that an expression may mean by it.

Every name in an expression means exactly one thing. A parameter called like a column of the training table would take
its place without a word: the model is then another one, and nothing in its results tells. A name such as `min` or
`sign` is that of a function.

Bad::

    models:
      resp: {kind: nonlinear, formula: Rs ~ MAT*exp(b*T), params: [MAT, b], data: sites}    # `sites` has a column MAT

Good::

    models:
      resp: {kind: nonlinear, formula: Rs ~ a*exp(b*T), params: [a, b], data: sites}
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import params as p
from soilql.errors import Diagnostic, Span
from soilql.expr.functions import FUNCTIONS
from soilql.kinds import Block
from soilql.params import NewName, Params
from soilql.source import Mapping, Sequence
from soilql.spec import Spec

CODE = "SQ212"
TITLE = "one name for two things"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a finding for each name that a block gives to something new and that means something else already."""
    for name, block in spec.blocks.items():
        if name in spec.cyclic or any(map(spec.misleads, spec.references[name])):
            continue
        columns = _columns(spec, block)
        for new, span in _new_names(block):
            function = FUNCTIONS.get(new)
            if new in columns:
                message = f"`{new}` is also a column of `{block.params.data}`"
                help = "rename it here and in the formula; or leave the column out of the table, if nothing needs it"
                yield Diagnostic(CODE, message, span, "which of the two is meant?", help)
            elif function is not None and not function.formula_only:
                help = f"give it another name, such as `{new}_0`"
                yield Diagnostic(CODE, f"`{new}` is also a function", span, "which of the two is meant?", help)


def _columns(spec: Spec, block: Block) -> frozenset[str]:
    """Return the columns that a formula of the block may name; none for a block without formula."""
    data = getattr(block.params, "data", None)
    schema = spec.schema(data) if data is not None and hasattr(block.params, "formula") else None
    return frozenset() if schema is None else frozenset(schema.variables)


def _new_names(block: Block) -> Iterator[tuple[str, Span]]:
    """Yield the names of parameters, constants and new columns, with their places; labels of classes are no names."""
    for field in p.fields(type(block.params)):
        value, node = getattr(block.params, field.name), block.node.get(field.key)
        if isinstance(value, list) and isinstance(node, Sequence):
            for item, inner in zip(value, node.items, strict=False):
                if isinstance(item, NewName):
                    yield str(item), inner.span
        elif isinstance(value, dict) and isinstance(node, Mapping):
            for name, one in value.items():
                entry = node.entry(str(name))
                if entry is not None and isinstance(name, NewName) and isinstance(one, Params | float | None):
                    yield str(name), entry.key.span
