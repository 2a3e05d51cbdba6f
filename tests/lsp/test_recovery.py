"""What is read of a text with syntax errors: everything that they do not touch, at its place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import Source
from soilql.lsp.recovery import readable
from soilql.source import Mapping
from tests.lsp.specs import STUDIES, STUDY_MINI, STUDY_YAML


def blocks(root: Mapping | None) -> list[str]:
    found = [] if root is None else [e for top in root if isinstance(top.value, Mapping) for e in top.value]
    return [entry.name for entry in found]


@pytest.mark.parametrize("name", STUDIES)
def test_a_sound_text_is_read_whole(name: str) -> None:
    assert readable(Source(name, STUDIES[name])).blanked == ()


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ("    data: sites\n", "    data\n", "    data"),
        ("    breaks: [10]\n", "    breaks: [10\n", "    breaks: [10"),
        ("    of: T\n", '    of: "T\n', '    of: "T'),
        ("meta: {title: Größe und Zahl}", "meta: {title: Größe: Zahl}", "meta: {title: Größe: Zahl}"),
    ],
)
def test_a_broken_line_is_left_out_and_the_rest_stays_in_place(old: str, new: str, gone: str) -> None:
    text = STUDY_YAML.replace(old, new)
    found = readable(Source("x.yaml", text))
    assert [text[start:end] for start, end in found.blanked] == [gone]
    wanted = blocks(readable(Source("x.yaml", STUDY_YAML)).root)
    assert [name for name in wanted if name != "title"] == [name for name in blocks(found.root) if name != "title"]
    for entry in found.root or ():
        assert text[entry.key.span.start : entry.key.span.end] == entry.name


def test_a_broken_statement_is_left_out() -> None:
    text = STUDY_MINI.replace("zones climate = cut(", "zones climate == cut(")
    found = readable(Source("x.soilql", text))
    assert "climate" not in blocks(found.root)
    assert {"planet", "sites", "formula", "budget"} <= set(blocks(found.root))


@pytest.mark.parametrize("name", STUDIES)
@settings(max_examples=60)
@given(data=st.data())
def test_any_text_gives_a_tree_of_its_own_places_or_none(name: str, data: st.DataObject) -> None:
    text = STUDIES[name]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    put = data.draw(st.sampled_from(["", "{", "]", '"', "'", ": ", "|", "\n", "- ", "\t", "&a", "@", "=", "(", "\x00"]))
    broken = text[:start] + put + text[end:]
    found = readable(Source(name, broken))
    for entry in found.root or ():
        if not entry.key.substituted:
            assert entry.name in broken[entry.key.span.start : entry.key.span.end]
