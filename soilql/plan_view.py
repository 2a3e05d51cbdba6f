"""A plan as text: what each node will do, from what, how large it is, what is stored and why the rest is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from soilql.context import Context, Resources
from soilql.errors import SoilqlError
from soilql.kinds import Size
from soilql.manifest import remembered
from soilql.plan import Node, Plan, reasons
from soilql.store import Store
from soilql.store.entry import Info
from soilql.values import ValueType

# Names of files that one line lists.
_MOST_FILES = 6


def plan_lines(plan: Plan, store: Store, out: Path, resources: Resources) -> Iterator[str]:
    """Yield the lines of `soilql plan`.

    Parameters
    ----------
    plan : Plan
        From :func:`soilql.plan.make_plan`.
    store : Store
        Where results are kept.
    out : Path
        The run folder, which remembers what the nodes were when they last ran.
    resources : Resources
        Memory and threads of the run.
    """
    before = remembered(out)
    sizes: dict[str, Size] = {}
    width = max((len(node.name) for node in plan.nodes), default=0)
    stale = blocked = memory = 0
    for number, node in enumerate(plan.nodes, 1):
        info = store.info(node.key) if node.key else None
        size = _size(node, info, sizes, resources)
        if size is not None:
            sizes[node.name] = size
        state = _state(node, info)
        stale += state == "to run"
        blocked += state == "blocked"
        memory = max(memory, _memory(node, size, sizes, resources))
        kind = f"{node.block.section}.{node.kind.name}"
        shown = "" if size is None else f"  [{size}]"
        yield f"{number:>3}  {node.name:<{width}}  {state:<9}  {kind}: {node.kind.describe(node.block.params)}{shown}"
        yield from _details(node, state, before.get(node.name), " " * (width + 7))
    done = len(plan.nodes) - stale - blocked
    stuck = f", {blocked} blocked" if blocked else ""
    yield f"{len(plan.nodes)} nodes: {stale} to run, {done} stored or read when needed{stuck}"
    if stale:
        budget = f"{resources.memory / 2**20:,.0f} MB"
        yield f"memory: about {memory / 2**20:,.0f} MB beside the program, blocks within {budget}"


def _details(node: Node, state: str, before: Mapping[str, Any] | None, indent: str) -> Iterator[str]:
    if node.inputs:
        yield f"{indent}from {', '.join(node.inputs)}"
    for key, paths in node.sources.items():
        yield f"{indent}{key}: {_files([path.name for path in paths])}"
    if state == "to run":
        because = [reason for reason in reasons(before, node.parts) if not reason.startswith("its input")]
        changed = [reason for reason in reasons(before, node.parts) if reason.startswith("its input")]
        yield from (f"{indent}why: {reason}" for reason in because or changed or ["its result is not in the store"])
    yield from (f"{indent}cannot run: {problem.message}" for problem in node.problems)


def _files(names: Sequence[str]) -> str:
    if len(names) > _MOST_FILES:
        return f"{names[0]}, {names[1]} ... {names[-1]} ({len(names)} files)"
    return ", ".join(names) or "a data set that will be fetched"


def _state(node: Node, info: Info | None) -> str:
    if node.problems or not node.key:
        return "blocked"
    if not node.kind.stored:
        return "when used"
    return "stored" if info is not None and info.stored else "to run"


def _size(node: Node, info: Info | None, sizes: Mapping[str, Size], resources: Resources) -> Size | None:
    if info is not None and info.stored and info.shape:
        shape = dict(info.shape)
        if node.value_type is ValueType.TABLE:
            return Size(rows=shape.get("rows"), columns=shape.get("columns", 1))
        cells = shape.pop("lat", 0) * shape.pop("lon", 0)
        others = 1
        for count in shape.values():
            others *= count
        return Size(cells=cells, columns=len(info.columns) - (others > 1) + (others if others > 1 else 0))
    try:
        return node.kind.size(node.block.params, Context(node.block, {}, node.sources, resources), sizes)
    except (SoilqlError, OSError):
        return None  # the file cannot be opened; running the node will say so with its reason


def _memory(node: Node, size: Size | None, sizes: Mapping[str, Size], resources: Resources) -> int:
    """Bytes a node needs: tables whole, grids no more than the budget for blocks."""
    needed = 0
    for one in (size, *(sizes.get(name) for name in node.inputs)):
        if one is not None:
            needed += one.bytes if one.rows is not None else min(one.bytes, resources.memory)
    return needed
