"""What a running node sees: its inputs, files and resources, and ways to report a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from soilql.errors import Diagnostic, SoilqlError
from soilql.kinds import Block
from soilql.params import Ref
from soilql.references import find_references
from soilql.values import Fitted, Grid, Scheme, Table, Value, Zones

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Resources:
    """How much a node may use.

    Attributes
    ----------
    memory : int
        Budget in bytes for all blocks in flight together.
    workers : int
        Number of threads.
    """

    memory: int = 1 << 30
    workers: int = 1


Wanted = TypeVar("Wanted")


def _no_progress(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Context:
    """The world of one node while it runs.

    Attributes
    ----------
    block : Block
        The block that is run; its spans serve diagnostics.
    inputs : mapping of str to Value
        Values of the blocks referred to, by name; loaded when first asked for.
    sources : mapping of str to tuple of Path
        Files behind each DataSource parameter, by the parameter's key (``source``), checked to exist.
    resources : Resources
        Memory and threads.
    scratch : Path
        A folder of the node's own that is deleted afterwards.
    progress : callable
        ``progress(done, total)`` of a long computation.
    refits : mapping of str to callable
        For each model referred to: ``refit(rows) -> Fitted`` fits it anew on those rows of its training table.
    trainings : mapping of str to callable
        For each model referred to: ``training() -> Table``, the table it is fitted to.
    whole : callable or None
        While a model is fitted anew to some rows: ``whole() -> Fitted``, the model as it is fitted to all of them.
    """

    block: Block
    inputs: Mapping[str, Value] = field(default_factory=dict)
    sources: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)
    scratch: Path = Path()
    progress: Callable[[int, int], None] = _no_progress
    refits: Mapping[str, Callable[[np.ndarray[Any, Any]], Fitted]] = field(default_factory=dict)
    trainings: Mapping[str, Callable[[], Table]] = field(default_factory=dict)
    whole: Callable[[], Fitted] | None = None

    def table(self, ref: Ref) -> Table:
        """Return the table a reference names."""
        return self._value(ref, Table, "a table")

    def grid(self, ref: Ref) -> Grid:
        """Return the grid a reference names, cut to one variable where it picks one.

        Raises
        ------
        SoilqlError
            The grid has no such variable (SQ704), or it is no grid (SQ204).
        """
        value = self._value(ref, Grid, "a grid")
        if ref.variable is None:
            return value
        if ref.variable not in value.data:
            have = ", ".join(f"`{name}`" for name in value.data.data_vars)
            message = f"`{ref.block}` has no variable `{ref.variable}`"
            raise self._misled("SQ704", message, ref, f"it has {have}")
        return value.select([ref.variable])

    def model(self, ref: Ref) -> Fitted:
        """Return the fitted model a reference names."""
        wanted: Any = Fitted
        found: Fitted = self._value(ref, wanted, "a model")
        return found

    def _value(self, ref: Ref, wanted: type[Wanted], words: str) -> Wanted:
        value = self.inputs[ref.block]
        if not isinstance(value, wanted):
            raise self._misled("SQ204", f"`{ref.block}` is not {words}", ref)
        return value

    def _misled(self, code: str, message: str, ref: Ref, help: str = "") -> SoilqlError:
        """Return an error at the place where a parameter has a reference."""
        named = (one.span for one in find_references(self.block) if one.ref == ref and not one.in_expression)
        return SoilqlError(Diagnostic(code, message, next(named, self.block.span()), help=help))

    def zones(self, ref: Ref) -> Zones:
        """Return the partition a reference names."""
        value: Any = self.inputs[ref.block]
        found: Zones = value
        return found

    def scheme(self, ref: Ref) -> Scheme:
        """Return the scheme of folds a reference names."""
        value: Any = self.inputs[ref.block]
        found: Scheme = value
        return found

    def error(self, code: str, message: str, *path: str | int, label: str = "", help: str = "") -> SoilqlError:
        """Return an error at the place of a parameter, to be raised."""
        return SoilqlError(Diagnostic(code, message, self.block.span(*path), label, help))
