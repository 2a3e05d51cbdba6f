"""The values of a spec's data sets, partitions and schemes, made as in a run and kept for it; no model is fitted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from soilql import registry
from soilql.context import Context, Resources
from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.failures import diagnose
from soilql.kinds import Block
from soilql.outputs.names import file_stem
from soilql.plan import Node, make_plan
from soilql.references import data_sources
from soilql.spec import Spec
from soilql.store import Store
from soilql.supply import InputFailedError, Supply
from soilql.values import Grid, Scheme, Table, Value, ValueType, Zones

#: Sections of a spec whose blocks are looked at without any model being fitted.
_SECTIONS = ("datasets", "zones", "validation")


@dataclass(frozen=True)
class Places:
    """Where values are kept, and what may be used to make them.

    Attributes
    ----------
    store : Path
        The store, which runs use too.
    resources : Resources
        Memory and threads.
    fetch : bool
        Whether data sets of the registry that are not at hand are downloaded.
    """

    store: Path
    resources: Resources = field(default_factory=Resources)
    fetch: bool = False


class Values:
    """Values of the blocks of a spec that need no fitted model; used in a `with` statement.

    Parameters
    ----------
    spec : Spec
        The spec, which may have errors.
    places : Places
        Where values are kept.
    unsound : collection of str
        Blocks with errors; neither they nor what is made from them is looked at.

    Attributes
    ----------
    problems : list of Diagnostic
        Why values could not be made, in the order in which that was found.
    """

    def __init__(self, spec: Spec, places: Places, unsound: Collection[str] = ()) -> None:
        self._spec = spec
        self._places = places
        self.problems: list[Diagnostic] = []
        self._values: dict[str, Value | None] = {}
        self._absent: set[str] = set()
        self._open = ExitStack()
        plan = make_plan(_sound_part(spec, unsound), fetch=places.fetch)
        self._nodes: Mapping[str, Node] = {node.name: node for node in plan.nodes}
        self._store = Store(places.store)
        self._supply = Supply(plan, self._store, places.resources, lambda text: None)

    def __enter__(self) -> Self:
        self._open.callback(self._store.close)
        self._open.callback(self._supply.close)
        self._open.enter_context(self._store.in_use())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    # --- values ------------------------------------------------------------------------------------------------

    def looked_at(self) -> Iterator[str]:
        """Yield the blocks that can be looked at: data, and what models are fitted to, unless a model makes it."""
        asked = {str(getattr(node.block.params, "data", "")).partition(".")[0] for node in self._nodes.values()}
        for name, node in self._nodes.items():
            if (node.block.section in _SECTIONS or name in asked) and not self._supply.models_above(name):
                yield name

    def value(self, name: str) -> Value | None:
        """Return the value of a block, from the store or made now; None where it cannot be made.

        Why it cannot is among the problems, once.
        """
        if name not in self._values:
            self._values[name] = None
            self._values[name] = self._made(name)
        return self._values[name]

    def table(self, name: str) -> Table | None:
        """Return the value of a block that is a table."""
        value = self.value(name)
        return value if isinstance(value, Table) else None

    def grid(self, name: str) -> Grid | None:
        """Return the value of a block that is a grid."""
        value = self.value(name)
        return value if isinstance(value, Grid) else None

    def zones(self, name: str) -> Zones | None:
        """Return the partition of a block."""
        known = self._spec.value_type(name) is ValueType.ZONES
        found: Any = self.value(name) if known else None
        return found  # type: ignore[no-any-return]

    def scheme(self, name: str) -> Scheme | None:
        """Return the scheme of folds of a block."""
        known = self._spec.value_type(name) is ValueType.SCHEME
        found: Any = self.value(name) if known else None
        return found  # type: ignore[no-any-return]

    def _made(self, name: str) -> Value | None:
        node = self._nodes.get(name)
        if node is None or self._supply.models_above(name) or node.value_type is ValueType.MODEL:
            return None
        stored = node.kind.stored and bool(node.key) and self._store.has(node.key)
        if not stored:
            self.problems += node.problems
            if node.problems or self._not_at_hand(node) or any(self.value(other) is None for other in node.inputs):
                return None
        try:
            if node.kind.stored:
                self._supply.make(node, lambda done, total: None)
            return self._supply.get(name)
        except InputFailedError as failure:
            self._failed(self._nodes[failure.name], failure.error)
        except Exception as error:
            self._failed(node, error)
        return None

    def _failed(self, node: Node, error: Exception) -> None:
        """Note why a node failed; of names that its files do not have, all."""
        try:
            found = list(node.kind.check_files(node.block.params, self.context(node.name)))
        except Exception:  # what keeps its files from being read is the error itself
            found = []
        if not found:
            log = self._store.root / "log" / f"{file_stem(node.name)}.txt"
            resources = self._places.resources
            found = [
                *diagnose(error, node, inputs=(), resources=resources, store=self._store.root, log=log).diagnostics
            ]
        self.problems += (one if one.span is not None else replace(one, span=node.block.name_span) for one in found)

    def _not_at_hand(self, node: Node) -> bool:
        """Return whether files of a node are not on this machine; said once for each data set of the registry."""
        lacking = self._lacks_files(node)
        for source, span in lacking:
            if source not in self._absent:
                self._absent.add(source)
                self.problems.append(_absent(source, span))
        return bool(lacking)

    def _lacks_files(self, node: Node) -> list[tuple[str, Span]]:
        """Return the data sets of the registry that a node reads and that are not on this machine."""
        return [
            (source.registry, node.block.span(key, i))
            for key, sources in data_sources(node.block.params)
            for i, source in enumerate(sources)
            if source.registry is not None and any(one.path is None for one in registry.locate(source.registry))
        ]

    def context(self, name: str) -> Context:
        """Return the block and the files of a node, as its kind sees them."""
        node = self._nodes[name]
        return Context(node.block, sources=node.sources, resources=self._places.resources)

    def sources(self) -> Iterator[Block]:
        """Yield the blocks that read files and could be read."""
        for name in self.looked_at():
            block = self._nodes[name].block
            if any(True for _ in data_sources(block.params)) and self.value(name) is not None:
                yield block

    def before_filter(self, block: Block) -> Mapping[str, Any]:
        """Return the columns that the filter of a block sees, for all rows; none where its files cannot be read."""
        node = self._nodes[block.name]
        try:
            return node.kind.before_filter(block.params, self.context(block.name)) or {}
        except SoilqlError:
            return {}  # why is among the problems

    def readers(self) -> Iterator[Block]:
        """Yield the blocks whose files are at hand, also where something is wrong with what is made of them."""
        for name in self.looked_at():
            node = self._nodes[name]
            if node.sources and not node.problems and not self._lacks_files(node):
                yield node.block


def _sound_part(spec: Spec, unsound: Collection[str]) -> Spec:
    """Return a spec of the blocks that can be planned: without errors, and made from such."""
    sound: dict[str, Block] = {}
    left = {name: block for name, block in spec.blocks.items() if name not in {*unsound, *spec.cyclic, *spec.unbound}}
    while left:
        ready = [
            name
            for name in left
            if spec.value_type(name) is not None
            and all(one.ref.block in sound and not spec.misleads(one) for one in spec.references[name])
        ]
        if not ready:
            break
        sound |= {name: left.pop(name) for name in ready}
    return replace(spec, blocks={name: block for name, block in spec.blocks.items() if name in sound}, diagnostics=())


def _absent(name: str, span: Span) -> Diagnostic:
    entry, absent = registry.find(name), [one for one in registry.locate(name) if one.path is None]
    size = sum(one.file.size for one in absent) / 1e6
    fetchable = all(one.file.url is not None for one in absent)
    files = " and ".join(f"`{one.file.name}`" for one in absent[:2]) + (" and others" if absent[2:] else "")
    message = f"`{name}` is not on this machine, and was not looked at"
    wrong = tuple(problem.message for one in absent for problem in one.problems)
    help = (
        f"`soilql data fetch {entry.name}` downloads it ({size:.1f} MB), and so does `--fetch`"
        if fetchable
        else f"put {files} in a folder named by the environment variable SOILQL_DATA"
    )
    return Diagnostic("SQ740", message, span, help=help, severity=Severity.WARNING, notes=wrong)
