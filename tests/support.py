"""Helpers of the tests: bind a block written as YAML and run its kind alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from soilql import kinds
from soilql.bind import Binder
from soilql.context import Context, Resources
from soilql.errors import SoilqlError, Source
from soilql.kinds import Block
from soilql.source import Mapping as MappingNode
from soilql.source import parse_yaml
from soilql.values import Value

DATA = os.environ.get("SOILQL_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="SOILQL_DATA names no folder with the real data sets")


def data_path(relative: str) -> Path:
    """Return a file below the first folder of SOILQL_DATA."""
    assert DATA is not None
    return Path(DATA.split(os.pathsep)[0]) / relative


def bind_block(section: str, kind: str, text: str, name: str = "block") -> Block:
    """Bind the YAML text of one block (without its `kind`); raises every diagnostic found."""
    tree = parse_yaml(Source("block.yaml", text))
    assert isinstance(tree.root, MappingNode), "the text of a block is a mapping"
    found = kinds.find(section, kind)
    assert found is not None, f"no kind {kind} in {section}"
    binder = Binder()
    params = binder.params(found.params_type, tree.root)
    problems = [*tree.diagnostics, *binder.diagnostics]
    if problems:
        raise SoilqlError(problems)
    return Block(name, section, kind, params, tree.root, tree.root.span)


def run_kind(
    section: str,
    kind: str,
    text: str,
    inputs: Mapping[str, Value] | None = None,
    sources: Mapping[str, list[Path]] | None = None,
    **context: Any,
) -> Any:
    """Run one kind alone on given inputs and return its value."""
    block = bind_block(section, kind, text)
    found = kinds.find(section, kind)
    assert found is not None
    context.setdefault("resources", Resources(memory=256 << 20, workers=1))
    paths = {key: tuple(value) for key, value in (sources or {}).items()}
    return found.run(block.params, Context(block, dict(inputs or {}), paths, **context))
