"""The resolved spec as YAML: inputs put in, aliases and merges written out, every text read back as the same text."""

from __future__ import annotations

from typing import Any

import yaml

from soilql.errors import Source
from soilql.manifest import plain
from soilql.source import Scalar, parse_yaml
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
    """Return a spec with its inputs put in, as YAML that reads back to the same spec.

    Parameters
    ----------
    spec : Spec
        Without errors.
    """
    return yaml.dump(
        plain(spec.resolved), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=110
    )
