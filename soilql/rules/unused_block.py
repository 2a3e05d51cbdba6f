"""A dataset, partition, model or scheme that nothing uses.

Analyses are results; everything else exists to be used by them. A model is shown with its summary even when no
analysis names it, so only datasets, zones and validation schemes are reported.

Bad::

    validation:
      by_site: {kind: kfold, group: site}      # and no analysis says `scheme: by_site`
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from soilql.edits import removed
from soilql.errors import Diagnostic, Fix, Severity, Span
from soilql.kinds import Block
from soilql.spec import Spec

CODE = "SQ208"
TITLE = "unused block"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each block that no other names, where what was found before cannot be the reason."""
    used = {reference.ref.block for references in spec.references.values() for reference in references}
    whole = spec.ok and not any(map(spec.misleads, chain.from_iterable(spec.references.values())))
    for name, block in spec.blocks.items():
        if whole and name not in used and block.section in ("datasets", "zones", "validation"):
            message = f"nothing uses `{name}`"
            help = "use it or delete it"
            yield Diagnostic(CODE, message, block.name_span, "", help, Severity.WARNING, fixes=_deletion(block))


def _deletion(block: Block) -> tuple[Fix, ...]:
    """Return the edit that deletes a block of a YAML text; in the mini-language a block begins before its name."""
    start, end = block.name_span.start, block.node.span.end
    source = block.name_span.source
    between = source.text[block.name_span.end : block.node.span.start]
    if block.node.span.source is not source or not between.lstrip().startswith(":"):
        return ()
    return removed(Span(source, start, end), safe=False, title=f"delete `{block.name}`")
