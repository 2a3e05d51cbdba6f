"""Texts that fuzzing starts from: the cases of the linter, the recipes, the examples, those of the language page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from soilql.convert import Surface, convert
from soilql.errors import SoilqlError, Source
from soilql.source import Mapping, Node, Scalar, parse_yaml
from soilql.source import Sequence as SequenceNode

ROOT = Path(__file__).parents[2]
#: Longest text that is fuzzed; long ones are slow and say no more.
LONGEST = 4000
_FENCED = re.compile(r"^```(yaml|soilql)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_EXPRESSION_KEYS = ("formula", "expr", "where")


@cache
def specs(surface: Surface) -> tuple[str, ...]:
    """Return the texts of one surface, in a fixed order."""
    paths = [*ROOT.glob("tests/lint/*/*.yaml"), *ROOT.glob("examples/*.yaml"), *ROOT.glob("specs/*.yaml")]
    texts = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    page = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    found = [text for language, text in _FENCED.findall(page) if language == surface]
    if surface == "yaml":
        return (*texts, *found)
    mini = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("specs/*.soilql"))]
    return (*_converted(texts), *mini, *found)


def _converted(texts: list[str]) -> list[str]:
    found = []
    for text in texts:
        try:
            found.append(convert(text, "yaml", "soilql"))
        except SoilqlError:
            continue
    return found


@cache
def expressions() -> tuple[str, ...]:
    """Return every formula, filter and derived column of the specs."""
    found: dict[str, None] = {}
    for text in specs("yaml"):
        root = parse_yaml(Source("x.yaml", text)).root
        if root is not None:
            found |= dict.fromkeys(_expressions(root))
    return tuple(found)


def _expressions(node: Node) -> list[str]:
    if isinstance(node, SequenceNode):
        return [text for item in node.items for text in _expressions(item)]
    if not isinstance(node, Mapping):
        return []
    own = [entry.value.text for entry in node if entry.name in _EXPRESSION_KEYS and isinstance(entry.value, Scalar)]
    return own + [text for entry in node for text in _expressions(entry.value)]
