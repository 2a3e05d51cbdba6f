from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError, Source
from soilql.source import Mapping, Scalar, Sequence, parse_yaml, read_source


def root(text: str) -> Mapping:
    tree = parse_yaml(Source("x.yaml", text))
    assert not tree.diagnostics, [d.render() for d in tree.diagnostics]
    assert isinstance(tree.root, Mapping)
    return tree.root


def scalar(text: str) -> Scalar:
    node = root(text).entries[0].value
    assert isinstance(node, Scalar)
    return node


# YAML 1.2.2, section 10.3.2 (core schema), and the values that PyYAML's 1.1 resolver gets wrong.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("None", "None"),
        ("2001-01-01", "2001-01-01"),
        ("~", None),
        ("", None),
        ("NULL", None),
        ("True", True),
        ("-.5", -0.5),
        ("+12e03", 12000.0),
        ("-.inf", -math.inf),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ('"true"', "true"),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    node = scalar(f"k: {text}\n")
    found = node.value
    assert (found, type(found)) == (value, type(value))


def test_nan() -> None:
    value = scalar("k: .nan").value
    assert isinstance(value, float)
    assert math.isnan(value)


STYLES = {
    "plain": "k: Rs > 0 and MAT",
    "single": "k: 'it''s Rs > 0'",
    "double": 'k: "caf\\u00e9 Rs\\t> 0"',
    "literal": "k: |\n  Rs > 0\n    and MAT\n",
    "folded": "k: >-\n  Rs > 0\n  and MAT\n\n  or é\n",
    "plain over lines": "k: Rs > 0\n  and MAT\n",
    "double over lines": 'k: "Rs \\\n   > 0\n   and MAT"\n',
    "crlf": "k: >-\r\n  Rs > 0\r\n  and MAT\r\n",
}


@pytest.mark.parametrize("text", STYLES.values(), ids=STYLES.keys())
def test_each_character_of_a_scalar_is_found_in_the_source(text: str) -> None:
    node = scalar(text)
    for i, char in enumerate(node.text):
        if char.isspace():
            continue
        found = node.locate(i, i + 1).text
        assert found == char or found == "\\" or (char == "'" and found == "'"), (i, char, found)
    word = node.text.index("Rs")
    assert node.locate(word, word + 2).text == "Rs"


def test_the_end_of_a_scalar_has_a_place() -> None:
    node = scalar("k: a +")
    span = node.locate(3, 3)
    assert (span.line, span.column) == (1, 7)


# PyYAML writes some of Unicode's other line ends raw, where YAML itself folds them.
PRINTABLE = st.characters(
    exclude_categories=("Cs", "Cc", "Zl", "Zp"), include_characters="\n", exclude_characters="\x85"
)


@given(
    st.dictionaries(st.text(PRINTABLE, min_size=1), st.text(PRINTABLE), min_size=1, max_size=4),
    st.sampled_from(["'", '"', "|", ">"]),
)
def test_scalars_written_by_a_yaml_writer_are_read_and_placed(data: dict[str, str], style: str) -> None:
    text = yaml.dump(data, default_style=style, allow_unicode=True)
    tree = parse_yaml(Source("x.yaml", text))
    assert isinstance(tree.root, Mapping)
    assert {entry.name: entry.value.value for entry in tree.root if isinstance(entry.value, Scalar)} == data
    for entry in tree.root:
        assert isinstance(entry.value, Scalar)
        for i, char in enumerate(entry.value.text):
            placed = entry.value.locate(i, i + 1)
            assert placed.start >= entry.value.span.start
            if char.isalnum() and char.isascii():
                assert placed.text in (char, "\\")


@given(st.text())
def test_any_text_gives_a_tree_or_diagnostics(text: str) -> None:
    tree = parse_yaml(Source("x.yaml", text))
    for diagnostic in tree.diagnostics:
        assert diagnostic.render()


def test_duplicate_keys_are_found_at_their_place() -> None:
    tree = parse_yaml(Source("x.yaml", "a: 1\nb: {x: 1, x: 2}\na: 3\n"))
    assert [(d.code, str(d.span)) for d in tree.diagnostics] == [("SQ103", "x.yaml:2:11"), ("SQ103", "x.yaml:3:1")]


def test_merge_keys_fill_in_what_is_not_given() -> None:
    node = root("base: &b {x: 1, y: 2}\nother: &o {z: 9}\nuse: {<<: [*b, *o], y: 3}\n").get("use")
    assert isinstance(node, Mapping)
    values = {entry.name: entry.value.value for entry in node if isinstance(entry.value, Scalar)}
    assert values == {"y": 3, "x": 1, "z": 9}


def test_aliases_of_aliases_end_in_a_diagnostic() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    tree = parse_yaml(Source("x.yaml", "\n".join(lines)))
    assert (tree.root, [one.code for one in tree.diagnostics]) == (None, ["SQ107"])


def test_an_alias_of_itself_is_found() -> None:
    tree = parse_yaml(Source("x.yaml", "a: &a [1, *a]"))
    assert [d.code for d in tree.diagnostics] == ["SQ107"]


@pytest.mark.parametrize("text", ["9" * 400, "9" * 5000, "-" + "9" * 400, "0x" + "f" * 300])
def test_numbers_that_nobody_can_use_do_no_harm(text: str) -> None:
    root = parse_yaml(Source("x.yaml", text)).root
    assert isinstance(root, Scalar)
    assert root.value == text or abs(float(str(root.value))) == float("inf")


def test_tags_are_refused() -> None:
    tree = parse_yaml(Source("x.yaml", "a: !!python/object/apply:os.system [ls]"))
    assert [d.code for d in tree.diagnostics] == ["SQ105"]


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: b: c\n", 1, 5, "no key can stand here"),
        ("a:\n\t- b\n", 2, 1, "a tab where YAML wants spaces"),
        ("a: [1, 2\nb: 3\n", 1, 4, "not closed"),
        ("a: *b\n", 1, 4, "no anchor"),
        ("a: @b\n", 1, 4, "cannot begin with `@`"),
        ("a: 'x\nb: 3\n", 1, 4, "a quote opened here and never closed"),
        ("a: {b: c\n", 1, 4, "not closed"),
        ("a: {b: x in [1, 2]}\n", 1, 13, "neither `,` nor `}`"),
        ("a: {b: ${inputs.c}}\n", 1, 8, "a reference inside brackets needs quotes"),
        ('a: "x" == y\n', 1, 8, "text after the closing quote"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "indented unlike the lines above it"),
        ("a:\n  b: 1\n  - c\n", 3, 3, "a list item among keys"),
        ("a:\n  - b\n  c: 1\n", 3, 3, "a key among list items"),
        ("a: - b\n", 1, 4, "no list item can stand here"),
        ("a:b\nc: d\n", 1, 2, "no blank after the colon"),
        ("a: x\nand y\nb: 1\n", 2, 1, "neither `key: value` nor `- item`"),
        ("a: >x\n  y\n", 1, 5, "comment or line break"),
        ("a: 1\n\tb: 2\n", 2, 1, "a tab where YAML wants spaces"),
        ("{a: 1}}\n", 1, 7, "this belongs to nothing above it"),
        ("a: 1\n---\nb: 2\n", 2, 1, "more than one document"),
    ],
)
def test_syntax_errors_speak_to_people(text: str, line: int, column: int, words: str) -> None:
    (found,) = parse_yaml(Source("x.yaml", text)).diagnostics
    assert found.code == "SQ101"
    assert found.span is not None
    assert (found.span.line, found.span.column) == (line, column)
    assert words in found.label


def test_reading_takes_a_byte_order_mark_and_refuses_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_source(path).text == "a: 1"
    path.write_bytes("a: é".encode("latin-1"))
    with pytest.raises(SoilqlError, match=r"SQ102.*byte 3 is 0xe9"):
        read_source(path)
    with pytest.raises(SoilqlError, match="SQ106"):
        read_source(tmp_path / "absent.yaml")


def test_sequences_and_empty_files() -> None:
    node = root("a: [1, two]").entries[0].value
    assert isinstance(node, Sequence)
    assert [item.value for item in node.items if isinstance(item, Scalar)] == [1, "two"]
    assert parse_yaml(Source("x.yaml", "# nothing\n")).root is None
