"""Turn what goes wrong in a node into diagnostics that say what, where and what to do."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from soilql.context import Resources
from soilql.errors import Diagnostic, SoilqlError
from soilql.plan import Node
from soilql.store.disk import size_text, write_failure


@dataclass(frozen=True)
class Failure:
    """Why a node failed.

    Attributes
    ----------
    diagnostics : tuple of Diagnostic
        For people.
    cause : str
        Equal for failures that have one cause.
    """

    diagnostics: tuple[Diagnostic, ...]
    cause: str

    @property
    def unwritable(self) -> bool:
        """Whether the disk was full or refused to be written to."""
        return any(diagnostic.code == "SQ901" for diagnostic in self.diagnostics)


def diagnose(
    error: Exception, node: Node, *, inputs: Sequence[str], resources: Resources, store: Path, log: Path
) -> Failure:
    """Return why a node failed.

    Parameters
    ----------
    error : Exception
        What was raised.
    node : Node
        Where.
    inputs : sequence of str
        What went into the node, one line each.
    resources : Resources
        What it was allowed to use.
    store : Path
        Folder of the store.
    log : Path
        File that takes the traceback of what nobody foresaw.
    """
    if isinstance(error, SoilqlError):
        # Pure statistics know no place in a spec, and a full disk has none.
        place = node.block.name_span
        found = tuple(d if d.span or d.code == "SQ901" else replace(d, span=place) for d in error.diagnostics)
        return Failure(found, "\n".join(f"{one.code} {one.message}" for one in found))
    if isinstance(error, MemoryError):
        return Failure((_out_of_memory(node, inputs, resources),), "MemoryError")
    if (refused := write_failure(error, store)) is not None:
        return Failure(refused.diagnostics, "SQ901")
    return _unforeseen(error, node, inputs, log)


def _out_of_memory(node: Node, inputs: Sequence[str], resources: Resources) -> Diagnostic:
    workers = f", or --workers (now {resources.workers})" if resources.workers > 1 else ""
    return Diagnostic(
        "SQ905",
        f"not enough memory for `{node.name}` ({node.kind.name})",
        node.block.name_span,
        help=f"lower --memory (now {size_text(resources.memory)}), so that the blocks get smaller{workers}; "
        "a table has to fit into memory as a whole; what is stored is kept",
        notes=tuple(inputs),
    )


def _unforeseen(error: Exception, node: Node, inputs: Sequence[str], log: Path) -> Failure:
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    notes = list(inputs)
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        head = [f"{node.name} ({node.block.section}, kind {node.kind.name}, version {node.kind.version})", *inputs, ""]
        log.write_text("\n".join(head) + "\n" + "".join(traceback.format_exception(error)), encoding="utf-8")
        notes.append(f"the traceback is in {log}")
    message = f"`{node.name}` ({node.kind.name}) failed unexpectedly: {what[:300]}"
    help = "the data do not suit the block, or this is a bug of soilql: then please report it with the traceback"
    return Failure((Diagnostic("SQ899", message, node.block.name_span, help=help, notes=tuple(notes)),), what)
