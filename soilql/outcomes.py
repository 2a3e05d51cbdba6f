"""What became of the nodes of a run, and how that is told in the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from soilql import manifest
from soilql.errors import Diagnostic
from soilql.progress import NodeState
from soilql.values import Note

#: Key results of one block that a run shows in the end.
HEADLINES = 8

#: States of a node whose value others can use.
USABLE = (NodeState.STORED, NodeState.DONE, NodeState.LAZY)


@dataclass(frozen=True)
class Outcome:
    """What became of a node.

    Attributes
    ----------
    name, kind : str
        The block.
    state : NodeState
        In the end.
    seconds : float
        Time it took.
    because : str
        Why it was skipped.
    culprit : str
        Name of the node whose failure is the reason.
    notes : tuple of Note
        Statuses that travel with its value.
    diagnostics : tuple of Diagnostic
        Why it failed.
    cause : str
        The same in short; equal for failures that have one cause.
    headline : tuple of str
        Its key results, one a line.
    """

    name: str
    kind: str
    state: NodeState
    seconds: float = 0.0
    because: str = ""
    culprit: str = ""
    notes: tuple[Note, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    cause: str = ""
    headline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What became of a run.

    Attributes
    ----------
    out : Path
        The run folder.
    outcomes : tuple of Outcome
        One a node, in the order of the plan.
    outputs : tuple of Path
        The files in the run folder.
    interrupted : str or None
        Name of the node that was running when the user stopped the run.
    problems : tuple of Diagnostic
        What concerns no single node, such as a manifest that could not be written.
    """

    out: Path
    outcomes: tuple[Outcome, ...]
    outputs: tuple[Path, ...] = ()
    interrupted: str | None = None
    problems: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every node has its value and every result its files."""
        whole = self.interrupted is None and not self.problems
        return whole and all(outcome.state in USABLE for outcome in self.outcomes)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Each distinct cause of failure where it was first met, with the number of blocks it concerns."""
        first: dict[str, Outcome] = {}
        failed: dict[str, list[str]] = {}
        for outcome in self.outcomes:
            if outcome.state is NodeState.FAILED:
                first.setdefault(outcome.cause, outcome)
                failed.setdefault(outcome.cause, []).append(outcome.name)
        shown: list[Diagnostic] = []
        for cause, outcome in first.items():
            shown += _with_counts(outcome.diagnostics, failed[cause], self._skipped(failed[cause]))
        return (*shown, *self.problems)

    def _skipped(self, culprits: Sequence[str]) -> list[str]:
        reached = set(culprits)
        for outcome in self.outcomes:  # in the order of the plan, so that one pass finds all
            if outcome.state is NodeState.SKIPPED and outcome.culprit in reached:
                reached.add(outcome.name)
        return [outcome.name for outcome in self.outcomes if outcome.name in reached and outcome.name not in culprits]

    def lines(self) -> list[str]:
        """Return the summary of the run."""
        count = {state: sum(outcome.state is state for outcome in self.outcomes) for state in NodeState}
        words = {
            NodeState.DONE: "computed",
            NodeState.STORED: "already stored",
            NodeState.FAILED: "failed",
            NodeState.SKIPPED: "skipped",
            NodeState.NOT_RUN: "not run",
        }
        parts = [f"{count[state]} {word}" for state, word in words.items() if count[state]]
        idle = not any(count[state] for state in words if state is not NodeState.STORED)
        found = ", ".join(parts) + ("; " * bool(parts) + "nothing to do" if idle else "")
        lines = [*self._headlines(), f"{len(self.outcomes)} blocks: {found}"]
        if self.interrupted is not None:
            where = f" while `{self.interrupted}` was running" if self.interrupted else ""
            lines.append(f"interrupted{where}; what is finished is stored: the same command goes on from there")
        elif self.outputs:
            lines.append(f"{len(self.outputs)} files in {self.out}, listed in {self.out / manifest.NAME}")
        return lines

    def _headlines(self) -> Iterator[str]:
        """Yield the key results, each after the name of its block."""
        width = max((len(outcome.name) for outcome in self.outcomes if outcome.headline), default=0)
        for outcome in self.outcomes:
            shown = outcome.headline[:HEADLINES]
            for line in shown:
                yield f"{outcome.name:<{width}}  {line}"
            if len(outcome.headline) > len(shown):
                yield f"{outcome.name:<{width}}  and {len(outcome.headline) - len(shown)} more"


def _with_counts(found: Sequence[Diagnostic], failed: Sequence[str], skipped: Sequence[str]) -> Iterator[Diagnostic]:
    notes = []
    if len(failed) > 1:
        notes.append(f"{len(failed)} blocks failed for this reason: {_listed(failed)}")
    if skipped:
        notes.append(f"{len(skipped)} {'block' if len(skipped) == 1 else 'blocks'} skipped for it: {_listed(skipped)}")
    for i, diagnostic in enumerate(found):
        last = i == len(found) - 1
        yield replace(diagnostic, notes=(*diagnostic.notes, *notes)) if last else diagnostic


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:8]) + (" ..." if len(names) > 8 else "")
