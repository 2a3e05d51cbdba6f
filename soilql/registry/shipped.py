"""The recipes that come with soilql, as entries of the registry: `registry:warner2019` is `specs/warner2019.yaml`."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from soilql.registry.entries import Entry, File

#: In an installed package the recipes lie in it, in a checkout beside it.
_PLACES = (Path(__file__).parents[1] / "specs", Path(__file__).parents[2] / "specs")
_SUFFIXES = (".yaml", ".soilql")


def recipes() -> dict[str, Entry]:
    """Return the recipes that come with soilql by name, in alphabetical order.

    Examples
    --------
    >>> recipes()["warner2019"].kind
    'recipe'
    """
    folder = next((place for place in _PLACES if place.is_dir()), None)
    if folder is None:
        return {}
    # Of a recipe on both surfaces the YAML, which comes last by name, is the one that counts.
    paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    return {path.stem: _recipe(path, path.stat().st_mtime_ns) for path in paths}


@lru_cache(maxsize=64)
def _recipe(path: Path, changed: int) -> Entry:
    content = path.read_bytes()
    file = File(path.name, hashlib.sha256(content).hexdigest(), len(content))
    meta = _meta(path, content)
    title = str(meta.get("title") or path.stem)
    return Entry(
        name=path.stem,
        title=title,
        files=(file,),
        licence=str(meta.get("licence") or "MIT (soilql)"),
        citation=title,
        homepage="",
        reader={"kind": "recipe"},
        variables={},
        doi=str(meta.get("doi") or ""),
        folder=path.parent,
    )


def _meta(path: Path, content: bytes) -> dict[str, Any]:
    """Return what a recipe in YAML says of itself; of one in the mini-language its name has to do."""
    import yaml

    if path.suffix != ".yaml":
        return {}
    try:
        found = yaml.load(content, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return {}
    meta = found.get("meta") if isinstance(found, dict) else None
    return meta if isinstance(meta, dict) else {}
