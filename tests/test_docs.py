"""The newcomer's page: every example on it is read, both surfaces say the same, and the study on it lints clean."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from soilql.convert import Surface, convert
from soilql.errors import Source
from soilql.format import format_text
from soilql.lint import lint
from soilql.minilang.parse import parse_soilql
from soilql.source import parse_yaml
from soilql.spec import build
from soilql.surface.same import plain

PAGE = (Path(__file__).parent.parent / "docs" / "language.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w+) ?(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EXAMPLES = [(language, mark, text) for language, mark, text in FENCES if language in ("soilql", "yaml")]
PAIRS = [(first[2], second[2]) for first, second in pairwise(EXAMPLES) if (first[0], second[0]) == ("soilql", "yaml")]


def test_every_example_is_one_of_a_pair() -> None:
    paired = {text for pair in PAIRS for text in pair}
    assert [text for _, mark, text in EXAMPLES if text not in paired and mark != "wrong"] == []
    assert len(PAIRS) >= 9


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0].split("\n")[0])
def test_both_surfaces_say_the_same(pair: tuple[str, str]) -> None:
    trees = [parse_soilql(Source("x.soilql", pair[0])), parse_yaml(Source("x.yaml", pair[1]))]
    assert [tree.diagnostics for tree in trees] == [(), ()]
    assert plain(trees[0].root) == plain(trees[1].root)


def study() -> str:
    return "\n".join(text for language, mark, text in EXAMPLES if (language, mark) == ("soilql", "study"))


def test_the_study_lints_clean_on_both_surfaces() -> None:
    text = study()
    for tree in (
        parse_soilql(Source("study.soilql", text)),
        parse_yaml(Source("study.yaml", convert(text, "soilql", "yaml"))),
    ):
        assert [found.render() for found in lint(build(tree, {}))] == []


def test_comments_of_the_study_survive() -> None:
    assert "# no treatments" in convert(study(), "soilql", "yaml")


@pytest.mark.parametrize(
    ("language", "text"), [(language, text) for language, mark, text in EXAMPLES if mark != "wrong"]
)
def test_examples_have_a_layout(language: Surface, text: str) -> None:
    assert plain(_tree(format_text(text, language), language)) == plain(_tree(text, language))


def _tree(text: str, language: Surface) -> object:
    return (parse_soilql if language == "soilql" else parse_yaml)(Source("x", text)).root


def test_the_mistakes_are_shown_as_the_page_has_them() -> None:
    wrong = next(text for _, mark, text in EXAMPLES if mark == "wrong")
    shown = next(text for language, _, text in FENCES if language == "text")
    found = parse_soilql(Source("study.soilql", wrong)).diagnostics
    assert "\n".join(d.render() for d in found) + "\n" == shown


def test_the_words_of_the_page_are_those_of_the_language() -> None:
    from soilql.minilang.words import SECTION_WORDS

    rows = dict(re.findall(r"^\| `(\w+) NAME = [^`]*` \| `(\w+)` \|$", PAGE, re.MULTILINE))
    assert rows == dict(SECTION_WORDS)
