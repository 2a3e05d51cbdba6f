"""Execute a plan: what is stored is not computed again, what fails does not stop the rest, and a record is left."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from soilql import manifest
from soilql.context import Resources
from soilql.errors import Diagnostic, SoilqlError
from soilql.export import Exporter
from soilql.failures import diagnose
from soilql.outcomes import USABLE, Outcome, Report
from soilql.outputs.names import file_stem
from soilql.plan import Node, Plan
from soilql.progress import NodeState, Progress, Timed
from soilql.progress import outcome as outcome_text
from soilql.resolved import resolved_text
from soilql.spec import Spec
from soilql.store import Store, codec
from soilql.store.disk import write_failure
from soilql.store.locks import locked
from soilql.supply import InputFailedError, Supply
from soilql.values import Note


def execute(
    plan: Plan,
    store: Store,
    *,
    spec: Spec,
    out: Path,
    resources: Resources,
    progress: Progress,
) -> Report:
    """Run the nodes of a plan in order and write the results.

    Parameters
    ----------
    plan : Plan
        What to run.
    store : Store
        Where values are kept; other runs may use it at the same time.
    spec : Spec
        What the plan was made from; it is written out, resolved, beside the results.
    out : Path
        The run folder. Another run into the same folder is waited for.
    resources : Resources
        Memory and threads.
    progress : Progress
        Where to tell how it goes.

    Returns
    -------
    Report
        Also where nodes failed, and where the user interrupted the run.

    Raises
    ------
    SoilqlError
        The run folder or the store cannot be written to at all (SQ901).
    """
    run = _Run(plan, store, spec, out, resources, progress)
    progress.start(len(plan.nodes))
    try:
        with _writing(out), contextlib.ExitStack() as stack:
            _make_folder(out)
            stack.enter_context(locked(out, waiting=lambda: progress.message(f"waiting for another run in {out}")))
            stack.enter_context(store.in_use())
            return run.go()
    finally:
        progress.stop()
        run.supply.close()
        store.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        message = f"cannot write in `{folder}`: a file stands where a folder is needed"
        raise SoilqlError(Diagnostic("SQ901", message, help="choose another run folder")) from None


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn what a full or refusing disk makes any library raise into SQ901."""
    try:
        yield
    except SoilqlError:
        raise
    except Exception as error:
        failure = write_failure(error, folder)
        if failure is None:
            raise
        raise failure from error


class _Run:
    """One run into one folder."""

    def __init__(
        self, plan: Plan, store: Store, spec: Spec, out: Path, resources: Resources, progress: Progress
    ) -> None:
        self.plan = plan
        self.store = store
        self.spec = spec
        self.out = out
        self.resources = resources
        self.progress = progress
        self.supply = Supply(plan, store, resources, progress.message)
        self.outcomes: dict[str, Outcome] = {}
        self.heard: set[Note] = set()
        # Why others cannot use a node, in words that follow its name.
        self.unusable: dict[str, str] = {}
        # Once a disk is full or refuses, what is not finished would fail for the same reason, only later.
        self.unwritable = False

    def go(self) -> Report:
        with _writing(self.out):
            exporter = Exporter(self.out)
            exporter.write_text("spec.resolved.yaml", resolved_text(self.spec))
        running = ""
        problems: tuple[Diagnostic, ...] = ()
        outputs: tuple[Path, ...] = ()
        interrupted = False
        try:
            for i, node in enumerate(self.plan.nodes):
                running = node.name
                self._node(i + 1, node, exporter)
                later = (self.supply.needs(other) for other in self.plan.nodes[i + 1 :])
                self.supply.keep_only(set().union(*later))
            running = ""
            with _writing(self.out):
                self._finish(exporter)
            outputs = tuple(self.out / output.path for output in exporter.outputs)
        except SoilqlError as error:
            problems = error.diagnostics
        except KeyboardInterrupt:
            interrupted = True
        outcomes = tuple(self.outcomes[node.name] for node in self.plan.nodes if node.name in self.outcomes)
        return Report(self.out, outcomes, outputs, running if interrupted else None, problems)

    def _node(self, number: int, node: Node, exporter: Exporter) -> None:
        self.progress.begin(number, node.name, node.kind.name)
        started = time.perf_counter()
        outcome = self._guarded(node, lambda: self._value(node))
        if outcome.state in USABLE:
            # A result that cannot be written out has failed, yet other nodes can use it.
            outcome = self._guarded(node, lambda: self._export(node, exporter, outcome))
        else:
            words = {NodeState.FAILED: "failed", NodeState.SKIPPED: "was skipped"}
            self.unusable[node.name] = words.get(outcome.state, "was not run")
        outcome = replace(outcome, seconds=time.perf_counter() - started, notes=self._notes(node, outcome))
        self.outcomes[node.name] = outcome
        if outcome.state is NodeState.DONE:
            # Graphs of lazy maps hold on to one another, and so to their blocks, until they are collected.
            gc.collect()
        # Results pass on what was noted of their inputs; on the terminal each note stands once, where it arose.
        fresh = tuple(note for note in outcome.notes if note not in self.heard)
        self.heard.update(fresh)
        self.progress.end(outcome.state, outcome.seconds, outcome.because, fresh)

    def _value(self, node: Node) -> Outcome:
        """See that the value of a node is stored, where it is to be stored."""
        if node.problems:
            raise SoilqlError(node.problems)
        if node.kind.stored and node.key and self.store.has(node.key):
            return self._usable(node, NodeState.STORED)
        culprit = next((name for name in node.inputs if name in self.unusable), None)
        if culprit is not None:
            return self._skipped(node, culprit)
        if self.unwritable:
            return Outcome(node.name, node.kind.name, NodeState.NOT_RUN, because="nothing more can be written")
        if not node.kind.stored:
            return self._usable(node, NodeState.LAZY)
        made = self.supply.make(node, Timed(self.progress))
        return self._usable(node, NodeState.DONE if made else NodeState.STORED)

    def _usable(self, node: Node, state: NodeState) -> Outcome:
        manifest.remember(self.out, [node])
        info = self.store.info(node.key)
        return Outcome(node.name, node.kind.name, state, headline=() if info is None else info.headline)

    def _skipped(self, node: Node, culprit: str) -> Outcome:
        because = f"`{culprit}` {self.unusable[culprit]}"
        return Outcome(node.name, node.kind.name, NodeState.SKIPPED, because=because, culprit=culprit)

    def _export(self, node: Node, exporter: Exporter, outcome: Outcome) -> Outcome:
        with _writing(self.out):
            exporter.export(node, lambda: self.supply.get(node.name))
        return outcome

    def _guarded(self, node: Node, action: Callable[[], Outcome]) -> Outcome:
        """Do something for a node; what goes wrong becomes its outcome."""
        try:
            return action()
        except InputFailedError as failure:
            lazy = self.plan.node(failure.name)
            if lazy.name == node.name:
                return self._failed(node, failure.error)
            self.unusable[lazy.name] = "failed"
            if self.outcomes[lazy.name].state is not NodeState.FAILED:
                self.outcomes[lazy.name] = self._failed(lazy, failure.error)
            return self._skipped(node, lazy.name)
        except Exception as error:
            return self._failed(node, error)

    def _failed(self, node: Node, error: Exception) -> Outcome:
        failure = diagnose(
            error,
            node,
            inputs=[f"its input `{name}`: {self._described(name)}" for name in node.inputs],
            resources=self.resources,
            store=self.store.root,
            log=self._log(node),
        )
        self.unwritable = self.unwritable or failure.unwritable
        return Outcome(
            node.name, node.kind.name, NodeState.FAILED, diagnostics=failure.diagnostics, cause=failure.cause
        )

    def _described(self, name: str) -> str:
        value = self.supply.loaded(name)
        if value is not None:
            return codec.describe(value)
        info = self.store.info(self.plan.node(name).key)
        return info.describe() if info is not None and info.stored else "not loaded"

    def _notes(self, node: Node, outcome: Outcome) -> tuple[Note, ...]:
        info = self.store.info(node.key) if outcome.state in USABLE else None
        return () if info is None else info.notes

    def _log(self, node: Node) -> Path:
        return self.out / "log" / f"{file_stem(node.name)}.txt"

    def _finish(self, exporter: Exporter) -> None:
        """Take stock: nodes that are made when needed have been made by now, or nobody needed them."""
        entries = []
        for node in self.plan.nodes:
            outcome = self.outcomes[node.name]
            outcome = self.outcomes[node.name] = replace(outcome, notes=self._notes(node, outcome))
            if outcome.state in USABLE:
                self._log(node).unlink(missing_ok=True)
            else:
                exporter.keep(node.name)
            status = "ok" if outcome.state in USABLE else str(outcome.state)
            codes = ", ".join(dict.fromkeys(diagnostic.code for diagnostic in outcome.diagnostics))
            entries.append(manifest.Entry(node, status, outcome.notes, codes))
        exporter.finish()
        manifest.write(self.out, manifest.build(self.spec, entries, exporter.outputs))
        shown = (
            f"{o.name} ({o.kind}): {outcome_text(o.state, o.seconds, o.because)}\n" for o in self.outcomes.values()
        )
        manifest.write_whole(self.out / "log" / "run.txt", "".join(shown))
