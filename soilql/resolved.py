"""The resolved spec as YAML: parents merged, inputs put in, recipes and aliases written out, every text read back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from soilql.errors import Source
from soilql.inputs import origin
from soilql.references import data_sources
from soilql.source import Mapping as MappingNode
from soilql.source import Node, Scalar, Sequence, parse_yaml, plain
from soilql.spec import Spec


class _Dumper(yaml.SafeDumper):
    """Quotes by the rules that specs are read by (YAML 1.2), and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    root = parse_yaml(Source("", value)).root
    safe = isinstance(root, Scalar) and root.value == value
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if safe else '"')


_Dumper.add_representer(str, _text)


def resolved_text(spec: Spec) -> str:
    """Return all that a spec says as YAML that reads back to the same study, with the same keys of its nodes.

    Parents are merged, inputs put in, and the recipes that it uses stand in it in full, as far as they are needed.
    Relative paths of data start from the folder of the spec, wherever they were written. There are no comments. What
    is returned, read and rendered again, is the same text.

    Parameters
    ----------
    spec : Spec
        Without errors.

    Returns
    -------
    str
        The text, to be kept in the folder of the spec.

    Examples
    --------
    >>> from soilql.errors import Source
    >>> from soilql.source import parse_yaml
    >>> from soilql.spec import build
    >>> text = "soilql: 1\\ninputs: {n: 5}\\nvalidation:\\n  k: {kind: kfold, folds: '${inputs.n}'}\\n"
    >>> print(resolved_text(build(parse_yaml(Source("x.yaml", text)), {"n": "3"})))
    soilql: 1
    validation:
      k:
        kind: kfold
        folds: 3
    <BLANKLINE>
    """
    paths = dict(_moved_paths(spec))
    return yaml.dump(
        _plain(spec.resolved, paths),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=110,
    )


def _moved_paths(spec: Spec) -> Iterator[tuple[int, str]]:
    """Yield the nodes of paths that were written in other folders, each with the path from the folder of the spec."""
    home = spec.folder
    for block in spec.blocks.values():
        for key, sources in data_sources(block.params):
            for i, source in enumerate(sources):
                node = block.node_at(key, i)
                folder = origin(node).source.folder
                if source.registry is None and folder.resolve() != home.resolve():
                    path = folder / Path(source).expanduser()
                    yield id(node), Path(os.path.relpath(path, home)).as_posix()


def _plain(node: Node | None, paths: Mapping[int, str]) -> Any:
    if isinstance(node, MappingNode):
        return {entry.name: _plain(entry.value, paths) for entry in node}
    if isinstance(node, Sequence):
        return [_plain(item, paths) for item in node.items]
    return paths.get(id(node), plain(node))
