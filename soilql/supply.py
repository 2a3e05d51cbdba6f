"""Values of a plan's nodes, loaded or made when first asked for, and models fitted anew on some rows."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soilql.alike import gathered
from soilql.context import Context, Resources
from soilql.io.caches import limit_caches
from soilql.params import Ref
from soilql.plan import Node, Plan
from soilql.progress import note_line
from soilql.store import Store
from soilql.store.entry import DamagedError
from soilql.values import Fitted, Note, Table, Value, ValueType

if TYPE_CHECKING:
    import numpy as np

Progress = Callable[[int, int], None]


#: Folds whose fits are kept while several models are tested on them.
_FOLDS = 16


class InputFailedError(Exception):
    """A node that is made when needed could not be made.

    Attributes
    ----------
    name : str
        The node.
    error : Exception
        What went wrong.
    """

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"`{name}` failed: {error}")
        self.name = name
        self.error = error


class Supply:
    """Makes nodes and hands their values to those that need them.

    Parameters
    ----------
    plan : Plan
        All nodes.
    store : Store
        Where values are kept.
    resources : Resources
        For the nodes.
    message : callable
        Says what the user should know about the node that runs.
    """

    def __init__(self, plan: Plan, store: Store, resources: Resources, message: Callable[[str], None]) -> None:
        self._nodes = {node.name: node for node in plan.nodes}
        self._store = store
        self._resources = resources
        self._message = message
        self._values: dict[str, Value] = {}
        self._failed: dict[str, InputFailedError] = {}
        self._lock = threading.RLock()
        self._ancestors: dict[str, frozenset[str]] = {}
        for node in plan.nodes:
            above = [self._ancestors[name] for name in node.inputs]
            self._ancestors[node.name] = frozenset(node.inputs).union(*above)
        self._open = ExitStack()

    def close(self) -> None:
        """Let go of all values and remove the scratch folders that they may still read from."""
        self._values.clear()
        self._open.close()

    def get(self, name: str) -> Value:
        """Return the value of a node: from memory, from the store, or made now.

        Raises
        ------
        InputFailedError
            It could not be made.
        """
        with self._lock:
            if name not in self._values:
                if name in self._failed:
                    raise self._failed[name]
                # Here, since a run that makes and loads nothing needs no libraries.
                limit_caches(self._resources.memory)
                self._values[name] = self._load(self._nodes[name])
            return self._values[name]

    def make(self, node: Node, progress: Progress) -> bool:
        """Make and store the value of a node, unless another run stores it first.

        Returns
        -------
        bool
            Whether it was made here.
        """

        def waiting() -> None:
            self._message(f"waiting for another run that makes `{node.name}`")

        with self._store.lock(node.key, waiting):
            if self._store.has(node.key):
                return False
            if node.key in self._store.damages:
                self._message(f"the stored `{node.name}` is damaged and made anew: {self._store.damages[node.key]}")
            limit_caches(self._resources.memory)
            with self._store.scratch() as scratch:
                value = self._run(node, _View(self, {}, node.name), scratch, progress)
                self._store.put(
                    node.key, value, node.parts, node.value_type, node.kind, progress, resources=self._resources
                )
        return True

    def keep_only(self, names: Iterable[str]) -> None:
        """Let go of the values that no later node asks for."""
        kept = set(names)
        self._values = {name: value for name, value in self._values.items() if name in kept}

    def needs(self, node: Node) -> set[str]:
        """Return the nodes whose values a node may ask for, also through inputs that are made when needed."""
        found: set[str] = set()
        for name in node.inputs:
            found.add(name)
            if not self._nodes[name].kind.stored:
                found |= self.needs(self._nodes[name])
        return found

    def loaded(self, name: str) -> Value | None:
        """Return a value that is in memory."""
        return self._values.get(name)

    def depends(self, name: str, on: Iterable[str]) -> bool:
        """Return whether a node is made from any of some others."""
        return not self._ancestors[name].isdisjoint(on)

    def models_above(self, name: str) -> list[str]:
        """Return the models that a node is made from, directly or not, in the order of the plan."""
        return [
            other
            for other, node in self._nodes.items()
            if other in self._ancestors[name] and node.value_type is ValueType.MODEL
        ]

    def training(self, name: str) -> str:
        """Return the name of the table that a model is fitted to: its `data`, else the first table it refers to.

        A model made of other models is fitted to the table of the first of them.
        """
        node = self._nodes[name]
        data = getattr(node.block.params, "data", None)
        named = [data.block] if isinstance(data, Ref) else []
        for wanted in (ValueType.TABLE, ValueType.MODEL):
            for other in (*named, *node.inputs):
                if self._nodes[other].value_type is wanted:
                    return other if wanted is ValueType.TABLE else self.training(other)
        raise TypeError(f"the model `{name}` refers to no table")

    def feeds_a_model(self, name: str, apart_from: str | None) -> bool:
        """Return whether a model is part of another one."""
        others = (node for node in self._nodes.values() if node.value_type is ValueType.MODEL)
        return any(name in other.inputs and other.name != apart_from for other in others)

    def run_under(self, name: str, view: _View) -> Value:
        """Make a node from the inputs of a view; the value is not stored."""
        scratch = Path(tempfile.mkdtemp(prefix="refit-", dir=self._scratch()))
        whole: Any = partial(self.get, name) if self._nodes[name].value_type is ValueType.MODEL else None
        return self._run(self._nodes[name], view, scratch, lambda done, total: None, whole)

    def _load(self, node: Node) -> Value:
        if not node.kind.stored:
            return self._make_unstored(node)
        try:
            return self._store.load(node.key, node.kind, node.block.params)
        except DamagedError as damage:
            self._message(f"the stored `{node.name}` is damaged and made anew: {damage}")
            self._store.discard(node.key)
        self.make(node, lambda done, total: None)
        return self._store.load(node.key, node.kind, node.block.params)

    def _make_unstored(self, node: Node) -> Value:
        # Its scratch lives on: a lazy grid may still read from it.
        scratch = Path(tempfile.mkdtemp(prefix="lazy-", dir=self._scratch()))
        try:
            value = self._run(node, _View(self, {}), scratch, lambda done, total: None)
        except InputFailedError:
            raise
        except Exception as error:
            self._failed[node.name] = InputFailedError(node.name, error)
            raise self._failed[node.name] from error
        notes: tuple[Note, ...] = tuple(getattr(value, "notes", ()))
        for note in gathered(notes):
            self._message(f"`{node.name}`: {note_line(note)}")
        self._store.put_notes(node.key, notes, node.parts, node.value_type, node.kind)
        return value

    def _scratch(self) -> Path:
        if not hasattr(self, "_scratch_folder"):
            self._scratch_folder = self._open.enter_context(self._store.scratch())
        return self._scratch_folder

    def _run(
        self,
        node: Node,
        view: _View,
        scratch: Path,
        progress: Progress,
        whole: Callable[[], Fitted] | None = None,
    ) -> Value:
        models = self.models_above(node.name)
        context = Context(
            node.block,
            _Inputs(view, tuple(node.inputs)),
            node.sources,
            self._resources,
            scratch,
            progress,
            {name: partial(view.refit, name) for name in models},
            {name: partial(view.training_table, name) for name in models},
            whole,
        )
        with _threads(self._resources.workers):
            return node.kind.run(node.block.params, context)


class _View:
    """The values of all nodes, where some tables are replaced and all that is made from them is made anew.

    Whatever a model learns from its training table, also through a partition or another model, it then learns from
    the given rows alone, so that nothing of the rows held out leaks into it.
    """

    def __init__(self, supply: Supply, replaced: Mapping[str, Value], node: str | None = None) -> None:
        self._supply = supply
        self._replaced = replaced
        self._node = node
        self._made: dict[str, Value] = {}
        # Candidates whose drivers one model selects share its fit to the rows of a fold.
        self._cuts: dict[tuple[str, bytes], _View] = {}

    def value(self, name: str) -> Value:
        """Return the value of a node under this view."""
        if name in self._replaced:
            return self._replaced[name]
        if not self._supply.depends(name, self._replaced):
            return self._supply.get(name)
        if name not in self._made:
            self._made[name] = self._supply.run_under(name, self)
        return self._made[name]

    def training_table(self, model: str) -> Table:
        """Return the table a model is fitted to."""
        table = self.value(self._supply.training(model))
        assert isinstance(table, Table)
        return table

    def refit(self, model: str, rows: np.ndarray[Any, Any]) -> Fitted:
        """Fit a model anew on some rows of its training table."""
        table = self._supply.training(model)
        key = table, rows.tobytes()
        view = self._cuts.pop(key, None)
        if view is None:
            view = _View(self._supply, {**self._replaced, table: self.training_table(model).rows(rows)}, self._node)
        self._cuts[key] = view
        if len(self._cuts) > _FOLDS:
            del self._cuts[next(iter(self._cuts))]
        shared = self._supply.feeds_a_model(model, apart_from=self._node)
        fitted: Any = view.value(model) if shared else self._supply.run_under(model, view)
        return fitted  # type: ignore[no-any-return]


class _Inputs(Mapping[str, Value]):
    """Inputs of one node, loaded when first asked for."""

    def __init__(self, view: _View, names: tuple[str, ...]) -> None:
        self._view = view
        self._names = names

    def __getitem__(self, name: str) -> Value:
        if name not in self._names:
            raise KeyError(name)
        return self._view.value(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@contextmanager
def _threads(workers: int) -> Iterator[None]:
    """Have whatever a kind computes with dask use so many threads."""
    import dask

    with dask.config.set(scheduler="threads", num_workers=max(1, workers)):
        yield
