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
from typing import Literal, get_args, get_origin

from soilql.edits import respelled
from soilql.errors import Diagnostic, Span, close_names, did_you_mean
from soilql.formula.memo import once
from soilql.kinds import Block
from soilql.params import fields
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
            words = () if reference.in_expression else _words(spec.blocks[name], reference.parameter)
            fitting = (*words, *_fitting(spec, reference.ref.accepts))
            close = tuple(n for n in close_names(target, fitting) if n != name) or names
            help = did_you_mean(target, close)
            if not help and (others := [f"`{n}`" for n in fitting if n != name]):
                more = f" and {len(others) - _MOST_LISTED} more" if len(others) > _MOST_LISTED else ""
                help = f"`{reference.parameter}` can name {', '.join(others[:_MOST_LISTED])}{more}"
            span = reference.span
            fixes = respelled(Span(span.source, span.start, span.start + len(target)), target, close, safe=False)
            yield Diagnostic(CODE, f"no block is named `{target}`", span, help=help, fixes=fixes)


def _words(block: Block, key: str) -> tuple[str, ...]:
    """Return the words that a parameter takes beside the names of blocks."""
    field = next((one for one in fields(type(block.params)) if one.key == key), None)
    kinds = () if field is None else get_args(field.type)
    return tuple(word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))


def _fitting(spec: Spec, accepts: frozenset[ValueType]) -> tuple[str, ...]:
    """Return the blocks whose value is of some types."""

    def find() -> tuple[str, ...]:
        return tuple(name for name in spec.names() if spec.value_type(name) in accepts)

    return once(spec, (_fitting, accepts), find)
