"""The record of a run: what was made from what, and by which versions. The same run gives the same bytes.

There is no clock, host or absolute path in it; times are in the log.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from soilql import __version__, registry
from soilql.fingerprint import canonical_json, content_sha256, file_sha256, text_sha256
from soilql.params import DataSource, Params, fields
from soilql.plan import Node
from soilql.source import plain
from soilql.spec import Spec
from soilql.store import codec
from soilql.store.disk import sync_folder
from soilql.values import Note

FORMAT = 1
NAME = "manifest.json"
#: Where the manifest of the last complete run waits while its outputs are being replaced.
PREVIOUS = Path("log", "manifest.previous.json")
_BLOCKS = Path("log", "blocks.json")

#: Packages whose versions can change a number or a file.
PACKAGES = (
    "dask",
    "matplotlib",
    "netCDF4",
    "numpy",
    "pandas",
    "pyarrow",
    "quantile-forest",
    "rasterio",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "xarray",
    "zarr",
)


@dataclass(frozen=True)
class Output:
    """A file of the run folder.

    Attributes
    ----------
    path : str
        Relative to the run folder, with slashes.
    sha256 : str
        Of its bytes.
    bytes : int
        Its size.
    block : str
        What it shows; empty for what belongs to the whole run.
    key : str
        Key of the node whose value it was written from.
    """

    path: str
    sha256: str
    bytes: int
    block: str
    key: str


@dataclass(frozen=True)
class Previous:
    """What an earlier run wrote: its version and its files."""

    soilql: str = ""
    outputs: tuple[Output, ...] = ()

    def of(self, block: str) -> tuple[Output, ...]:
        """Return the files of a block."""
        return tuple(output for output in self.outputs if output.block == block)


@dataclass(frozen=True)
class Entry:
    """What the manifest says of a node: ``status`` is ok, failed or skipped."""

    node: Node
    status: str
    notes: tuple[Note, ...] = ()
    problem: str = ""


def output(folder: Path, path: Path, block: str, key: str) -> Output:
    """Return the record of a file."""
    return Output(path.relative_to(folder).as_posix(), sha256(path), path.stat().st_size, block, key)


def sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, remembered while the file stays as it is."""
    return file_sha256(path) if path.suffix == ".gz" else content_sha256(path)


def build(spec: Spec, entries: Iterable[Entry], outputs: Iterable[Output]) -> dict[str, Any]:
    """Return the manifest of a run as JSON.

    Parameters
    ----------
    spec : Spec
        What was run.
    entries : iterable of Entry
        Every node, in the order of the plan.
    outputs : iterable of Output
        Every file of the run folder but the manifest and the log.
    """
    listed = list(entries)
    return {
        "format": FORMAT,
        "soilql": __version__,
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "complete": all(entry.status == "ok" for entry in listed),
        "spec": {
            "name": Path(spec.source.name).name,
            "sha256": spec_sha256(spec),
            "title": spec.meta.title,
            "doi": spec.meta.doi,
            "settings": dict(spec.inputs),
        },
        "inputs": [record for entry in listed for record in _inputs(entry.node)],
        "nodes": [_node(entry) for entry in listed],
        "outputs": [vars(item) for item in sorted(outputs, key=lambda item: item.path)],
    }


def spec_sha256(spec: Spec) -> str:
    """Return the sha256 of what a spec says, after its inputs were put in; comments and formatting do not count."""
    return text_sha256(canonical_json(plain(spec.resolved)))


def write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a run folder, whole or not at all; leave it alone where it says the same already."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    path = folder / NAME
    if not (path.is_file() and path.read_bytes() == text.encode()):
        write_whole(path, text)
    (folder / PREVIOUS).unlink(missing_ok=True)


def set_aside(folder: Path) -> None:
    """Move the manifest away before its outputs are replaced: one that stands in its place is true."""
    path = folder / NAME
    if path.is_file():
        (folder / PREVIOUS).parent.mkdir(parents=True, exist_ok=True)
        path.replace(folder / PREVIOUS)


def read(folder: Path) -> Previous:
    """Return what an earlier run into a folder wrote; nothing where there was none or its record is unreadable."""
    for name in (NAME, PREVIOUS):
        try:
            content = json.loads((folder / name).read_bytes())
            outputs = tuple(Output(**item) for item in content["outputs"])
            return Previous(content["soilql"], outputs)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return Previous()


def remember(folder: Path, nodes: Iterable[Node]) -> None:
    """Keep what the keys of the nodes that ran were made of, so that a plan can say why a node is to run again."""
    known = dict(remembered(folder))
    found = known | {node.name: dict(node.parts) for node in nodes}
    if found != known:
        write_whole(folder / _BLOCKS, json.dumps(found, ensure_ascii=False, indent=1) + "\n")


def remembered(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return for each block that ran into a folder the parts of its key when it last did."""
    try:
        content = json.loads((folder / _BLOCKS).read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a crash leaves the old one or the new one; one process at a time may do so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")  # what a crash leaves there is taken over by the next run
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def _node(entry: Entry) -> dict[str, Any]:
    node = entry.node
    record: dict[str, Any] = {
        "name": node.name,
        "section": node.block.section,
        "kind": node.kind.name,
        "version": node.kind.version,
        "key": node.key,
        "seeds": dict(_seeds(node.block.params)),
        "status": entry.status,
        "notes": [codec.note_to_json(note) for note in entry.notes],
    }
    return record | ({"problem": entry.problem} if entry.problem else {})


def _seeds(params: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    if not isinstance(params, Params):
        return
    for field in fields(type(params)):
        value = getattr(params, field.name)
        if (field.name == "seed" or field.name.endswith("_seed")) and isinstance(value, int):
            yield prefix + field.key, value
        yield from _seeds(value, f"{prefix}{field.key}.")


def _inputs(node: Node) -> Iterator[dict[str, Any]]:
    params = node.block.params
    for field in fields(type(params)) if isinstance(params, Params) else ():
        value = getattr(params, field.name)
        sources = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, DataSource)]
        if not sources:
            continue
        record: dict[str, Any] = {"block": node.name, "parameter": field.key}
        record["sources"] = [_source(source) for source in sources]
        record["sha256"] = node.parts.get(f"file.{field.key}", [])
        yield record


def _source(source: DataSource) -> dict[str, str]:
    if source.registry is None:
        # Where a file lies on one machine is nobody else's business; its sha256 says which file it was.
        return {"path": Path(source).name if Path(source).is_absolute() else str(source)}
    entry = registry.find(source.registry)
    return {
        "registry": entry.name,
        "title": entry.title,
        "citation": entry.citation,
        "licence": entry.licence,
        "doi": entry.doi,
    }
