"""From a spec to nodes in order, each with the key of its result and the parts that the key is made of.

Names of blocks do not decide a result, with one exception, so a renamed block is not computed again: in the key an
input goes by the parameter that names it. The exception are analyses, whose tables and maps show by name what they
were made from and what they are (the model of a score, the map of a total, the variable that a formula gives). A kind
may say which names its result shows: ``SHOWS_NAMES = ("inputs",)``, ``("own",)``, both, or none. A block of a recipe
has the names in its own file there, so that it is the same computation wherever the recipe is used. Notes that are
kept with a result name the blocks as they were called when it was made.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soilql import registry
from soilql.canonical import canonical
from soilql.errors import Diagnostic, SoilqlError, Span, did_you_mean
from soilql.fingerprint import canonical_json, content_sha256, text_sha256
from soilql.inputs import origin
from soilql.kinds import Block, Kind
from soilql.params import DataSource
from soilql.references import as_seen_inside, data_sources, find_references, rename
from soilql.scoped import scoped
from soilql.spec import Spec
from soilql.values import ValueType

#: One of these stands at the root of a Zarr store, of either format.
_ZARR = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")


@dataclass(frozen=True, eq=False)
class Node:
    """One block as a step of the computation.

    Attributes
    ----------
    block : Block
        What to do.
    kind : Kind
        How to do it.
    value_type : ValueType
        What comes out.
    inputs : mapping of str to str
        Key of each node it needs, by block name, in order of first mention.
    sources : mapping of str to tuple of Path
        Files behind each DataSource parameter.
    parts : mapping of str to Any
        What the key is the hash of, in JSON: ``kind``, ``version``, ``params.<name>``, ``input.<parameter>`` or
        ``input.<name>``, ``file.<parameter>``, ``extra``, ``name``. Kept so that a stale node can be explained.
    key : str
        sha256 of the parts, in hex; empty where a problem keeps it from being known.
    problems : tuple of Diagnostic
        Why the node cannot run: a file that is missing, a download that failed.
    """

    block: Block
    kind: Kind
    value_type: ValueType
    inputs: Mapping[str, str]
    sources: Mapping[str, tuple[Path, ...]]
    parts: Mapping[str, Any]
    key: str
    problems: tuple[Diagnostic, ...] = ()

    @property
    def name(self) -> str:
        return self.block.name


@dataclass(frozen=True, eq=False)
class Plan:
    """Nodes in an order in which each comes after its inputs; the same order at every run."""

    nodes: tuple[Node, ...]

    def node(self, name: str) -> Node:
        """Return the node of a block."""
        return next(node for node in self.nodes if node.name == name)


def make_plan(spec: Spec, *, fetch: bool = False) -> Plan:
    """Compile a spec that has no errors into nodes with keys.

    Parameters
    ----------
    spec : Spec
        Without errors.
    fetch : bool
        Whether data sets of the registry that are not at hand are downloaded. Without it their nodes are planned all
        the same, as the registry knows the sha256 of its files.

    Returns
    -------
    Plan
        In the order of the file, except that a block comes after those it needs; of recipes, what is asked for.

    Raises
    ------
    SoilqlError
        The spec has errors; what is wrong in it would be planned with defaults.
    """
    if not spec.ok:
        raise SoilqlError(spec.diagnostics)
    nodes: dict[str, Node] = {}
    for name in topological_order(spec):
        block = spec.blocks[name]
        needed = dict.fromkeys(reference.ref.block for reference in spec.references[name])
        nodes[name] = _make_node(spec, block, {other: nodes[other] for other in needed}, fetch)
    return Plan(tuple(nodes.values()))


def topological_order(spec: Spec) -> list[str]:
    """Return the names of the blocks so that each follows what it needs, otherwise in the order of the file."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in order or name not in spec.blocks:
            return
        for reference in spec.references[name]:
            visit(reference.ref.block)
        order[name] = None

    for name in spec.blocks:
        if name not in spec.idle:
            visit(name)
    return list(order)


def _make_node(spec: Spec, block: Block, needed: Mapping[str, Node], fetch: bool) -> Node:
    kind = scoped(spec.kind(block), block)
    value_type = spec.value_type(block.name)
    assert value_type is not None, "only a spec without errors is planned"
    files: dict[str, tuple[Path, ...]] = {}
    parts: dict[str, Any] = {"kind": f"{block.section}.{kind.name}", "version": kind.version}
    parts |= _named_parts(block, kind, needed)
    if (extra := kind.key_extra(block.params)) is not None:
        parts["extra"] = extra
    problems: list[Diagnostic] = []
    for key, sources in data_sources(block.params):
        try:
            paths, sums = _resolve(block, key, sources, fetch)
        except SoilqlError as error:
            problems += error.diagnostics
            continue
        if not sums:
            continue  # a product whose files the user brings
        files[key] = paths
        parts[f"file.{key}"] = sums
    if (names := kind.key_names(block.params, files)) is not None:
        parts["names"] = names
    known = not problems and all(node.key for node in needed.values())
    key = text_sha256(canonical_json(parts)) if known else ""
    inputs = {name: node.key for name, node in needed.items()}
    return Node(block, kind, value_type, inputs, files, parts, key, tuple(problems))


def _named_parts(block: Block, kind: Kind, needed: Mapping[str, Node]) -> dict[str, Any]:
    """Return the parts of a key that hold names of blocks: the parameters, the inputs and the block's own name."""
    local = as_seen_inside(block)
    shown = getattr(kind.module, "SHOWS_NAMES", ("own", "inputs") if block.section == "analyses" else ())
    mentioned: dict[str, str] = {}  # from the name of an input to the parameter that names it first
    for reference in find_references(local):
        mentioned.setdefault(reference.ref.block, reference.parameter)
    called = _numbered(mentioned)
    parts: dict[str, Any] = {"name": local.name} if "own" in shown else {}
    parameters = local.params if "inputs" in shown else rename(local.params, lambda name: called[name])
    parts |= {f"params.{key}": value for key, value in canonical(parameters).items()}
    # Both go through the references in the same order.
    for name, node in zip(mentioned, needed.values(), strict=True):
        parts[f"input.{name if 'inputs' in shown else called[name]}"] = node.key
    return parts


def _numbered(mentioned: Mapping[str, str]) -> dict[str, str]:
    """Return for each input the parameter that names it, counted where it names several."""
    several = Counter(mentioned.values())
    count: Counter[str] = Counter()
    called = {}
    for name, parameter in mentioned.items():
        count[parameter] += 1
        called[name] = f"{parameter}_{count[parameter]}" if several[parameter] > 1 else parameter
    return called


def _resolve(block: Block, key: str, sources: list[DataSource], fetch: bool) -> tuple[tuple[Path, ...], list[str]]:
    """Return the files behind a parameter and the sha256 of their content."""
    paths: list[Path] = []
    sums: list[str] = []
    for i, source in enumerate(sources):
        span = block.span(key, i)
        if source.registry is not None:
            try:
                entry = registry.find(source.registry)
                paths += registry.resolve(source.registry) if fetch else registry.where(source.registry)
            except SoilqlError as error:
                raise _at(error, block, key, i) from None
            sums += [file.sha256 for file in entry.files]
            continue
        written = origin(block.node_at(key, i)).source
        found = _glob(written.folder, source)
        if not found:
            close = did_you_mean(Path(source).name, _siblings(written.folder / source))
            here = "the spec's folder" if written.included is None else f"the folder of `{written.name}`"
            help = close or f"paths start from {here}"
            raise SoilqlError(Diagnostic("SQ701", f"no file at `{source}`", span, help=help))
        for path in found:
            _refuse_folder(path, source, span)
            try:
                sums.append(content_sha256(path))
            except OSError as error:
                message = f"cannot read `{path}`: {error.strerror}" if error.strerror else str(error)
                help = "fetch or unpack the file again"
                raise SoilqlError(Diagnostic("SQ702", message, span, help=help)) from None
        paths += found
    return tuple(paths), sums


def _refuse_folder(path: Path, source: str, span: Span) -> None:
    """Refuse a folder that is no Zarr store: it is a slip, and all below it would be read."""
    if path.is_dir() and not any((path / name).is_file() for name in _ZARR):
        message = f"`{source}` is a folder, not a file" if source else "`source` is empty"
        help = "name the file in it, or several by a glob such as `data/*.csv`; a folder can only be a Zarr store"
        raise SoilqlError(Diagnostic("SQ702", message, span, help=help))


def _at(error: SoilqlError, block: Block, key: str, i: int) -> SoilqlError:
    """Give the diagnostics of the registry the place in the spec that asked for the data set."""
    span = block.span(key, i)
    placed = (
        Diagnostic(d.code, d.message, d.span or span, d.label, d.help, d.severity, d.notes) for d in error.diagnostics
    )
    return SoilqlError(placed)


def _glob(folder: Path, pattern: str) -> list[Path]:
    whole = folder / Path(pattern).expanduser()
    if whole.exists():
        return [whole]
    matches = glob.glob(str(whole), recursive=True)  # noqa: PTH207 - the pattern may be absolute
    return sorted(Path(match) for match in matches)


def _siblings(path: Path) -> list[str]:
    return sorted(item.name for item in path.parent.iterdir()) if path.parent.is_dir() else []


def reasons(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> list[str]:
    """Return why a node with the new parts is not the node that was run before, in a researcher's words.

    Parameters
    ----------
    old : mapping or None
        Parts of the node when it last ran; None if it never did.
    new : mapping
        Parts now.

    Examples
    --------
    >>> reasons({"params.trees": 100, "version": 1}, {"params.trees": 500, "version": 1})
    ['`trees` changed from 100 to 500']
    """
    if old is None:
        return ["never run"]
    found = []
    for part in sorted(set(old) | set(new)):
        before, after = old.get(part), new.get(part)
        if before == after:
            continue
        family, _, name = part.partition(".")
        if family == "params":
            found += _changed(name, before, after)
        elif family == "input":
            found.append(f"its input `{name}` {'changed' if before and after else 'is new' if after else 'is gone'}")
        elif family == "file":
            found.append(f"the files of `{name}` changed")
        elif family == "name":
            found.append(f"it was called `{before}`")
        elif family == "extra":
            found.append("the registry's reader settings changed")
        elif family == "names":
            found.append("the names of its files tell other dates or layers")
        elif family == "version":
            found.append(f"this version of soilql computes it differently ({before} to {after})")
        else:
            found.append(f"its kind changed from {before} to {after}")
    return found


def _changed(name: str, before: Any, after: Any) -> list[str]:
    """Return how a parameter changed; of a mapping of names to things, which of them."""
    old, new = _named(before), _named(after)
    if not old or not new:
        return [f"`{name}` changed from {_shown(before)} to {_shown(after)}"]
    differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    words = {key: "changed" if key in old and key in new else "is new" if key in new else "is gone" for key in differ}
    return [f"`{key}` of `{name}` {word}" for key, word in words.items()] or [f"the order of `{name}` changed"]


def _named(value: Any) -> dict[str, Any]:
    """Return a canonical mapping of names as a dict; empty for anything else."""
    if isinstance(value, list) and all(isinstance(x, list) and len(x) == 2 and isinstance(x[0], str) for x in value):
        return dict(value)
    return {}


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= 70 else f"{text[:67]}..."
