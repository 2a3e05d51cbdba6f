"""What `soilql explain` says, and that every code has one meaning and is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from soilql import kinds
from soilql.cli import main
from soilql.errors import SoilqlError
from soilql.explain import FAMILIES, codes, explain
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.lint import check_modules, rule_modules
from soilql.spec import SECTION_DOCS

SOURCE = Path(__file__).parent.parent / "soilql"
ALL_KINDS = [(section, name) for section in kinds.SECTIONS for name in kinds.names(section)]
TOPICS = ["codes", "functions", *SECTION_DOCS, *codes(), *FUNCTIONS, *CONSTANTS, *(name for _, name in ALL_KINDS)]


def used() -> Iterator[str]:
    """Codes that the modules put into diagnostics and notes: in quotes, or a rule's own."""
    for path in SOURCE.rglob("*.py"):
        yield from re.findall(r"""["'](SQ\d{3})["']""", path.read_text(encoding="utf-8"))


def mentioned() -> set[str]:
    return {code for path in SOURCE.rglob("*.py") for code in re.findall(r"SQ\d{3}", path.read_text(encoding="utf-8"))}


def test_every_code_is_documented_and_every_documented_code_is_used() -> None:
    assert set(used()) == set(codes())
    assert mentioned() <= set(codes())


def test_each_code_is_documented_once_with_a_title_of_its_own() -> None:
    text = (SOURCE / "rules" / "codes.yaml").read_text(encoding="utf-8")
    listed = re.findall(r"^(SQ\d{3}):", text, re.MULTILINE)
    owned = [module.CODE for module in rule_modules()]
    # A check of the data may have the code of a rule, whose documentation it adds to.
    owned += [module.CODE for module in check_modules() if module.CODE not in owned]
    assert len(listed) == len(set(listed)) == len(yaml.safe_load(text))
    assert listed == sorted(listed)
    assert sorted([*listed, *owned]) == list(codes())
    titles = [text.partition("\n")[0].partition(" ")[2] for text in codes().values()]
    assert len(set(titles)) == len(titles)
    assert all(titles)


def test_every_code_belongs_to_a_family_and_has_a_reason() -> None:
    for code, text in codes().items():
        head, _, why = text.partition("\n\n")
        assert head.startswith(f"{code} ")
        assert code[2] in FAMILIES
        assert len(why) > 40, code


@pytest.mark.parametrize("topic", TOPICS)
def test_text_fits_the_terminal(topic: str) -> None:
    for width in (60, 100):
        lines = explain(topic, width).splitlines()
        long = [line for line in lines if len(line) > width and not _one_word(line) and not line.startswith("    ")]
        assert long == []
        assert [line for line in lines if line != line.rstrip()] == []


def _one_word(line: str) -> bool:
    return " " not in line.strip()


def test_a_kind_lists_what_is_required_first_and_nested_parameters() -> None:
    text = explain("table", 100)
    assert text.startswith("table, a kind of `datasets`\n\n")
    assert text.index("\nrequired\n  source:") < text.index("\noptional\n  format:")
    assert "`NAME: {from: x}` may be written `NAME: x`" in text
    assert "\n      from: the name of a column\n            column it is a copy of" in text
    assert "of: a list of names of columns, required" in text
    assert "default none" not in text
    assert explain("datasets.table", 100) == text


@pytest.mark.parametrize(("section", "name"), ALL_KINDS)
def test_every_parameter_of_every_kind_is_there(section: str, name: str) -> None:
    from soilql.params import fields

    kind = kinds.find(section, name)
    assert kind is not None
    text = explain(f"{section}.{name}", 100)
    for field in fields(kind.params_type):
        assert f"\n  {field.key}: " in text
        assert field.doc.split()[0] in text


def test_lists() -> None:
    text = explain("codes", 100)
    assert "SQ1xx  structure and syntax\n  SQ101  not well-formed YAML\n" in text
    assert "\n\nSQ2xx  names\n  SQ201  unknown name in an expression\n" in text
    functions = explain("functions", 100)
    assert all(name in functions for name in (*FUNCTIONS, *CONSTANTS))
    assert 'argument 2 is "bond-lamberty-2004" or "subke-2006"' in explain("rh_from_rs")
    section = explain("models", 100)
    assert section.startswith("models: Formulas and learners")
    assert all(name in section for name in kinds.names("models"))
    assert "\n  default: " in explain("inputs")


def test_examples_of_rules_keep_their_lines() -> None:
    text = explain("sq203", 60)
    assert "\nBad:\n\n    models:\n      qrf: {kind: quantile_forest" in text


@pytest.mark.parametrize(
    ("topic", "help"),
    [
        ("quantil_forest", "did you mean `quantile_forest`?"),
        ("modls", "did you mean `models`?"),
        ("models.linaer", "did you mean `linear`?"),
        ("expp", "did you mean `exp`?"),
        ("SQ299", "`soilql explain codes` lists them all"),
        ("zzz", "`soilql explain` lists the topics"),
        ("lm", "it is mentioned under `linear`"),
        ("nls", "it is mentioned under `nonlinear`"),
        ("rangr", "`soilql explain` lists the topics"),
    ],
)
def test_an_unknown_topic_gets_a_suggestion(topic: str, help: str) -> None:
    with pytest.raises(SoilqlError) as caught:
        explain(topic)
    (found,) = caught.value.diagnostics
    assert (found.code, found.help) == ("SQ140", help)


def test_without_a_topic_all_are_listed() -> None:
    shown = explain("", 100)
    for _, name in ALL_KINDS:
        assert re.search(rf"\b{name}\b", shown)
    for name in (*SECTION_DOCS, "use", "roles", "units", "members", "functions", "codes"):
        assert f"\n  {name} " in shown


def test_names_with_two_colons_are_kept() -> None:
    assert "`alias::name`" in explain("use", 100)
    assert "\nFor example:\n" in explain("stack", 100)


def test_the_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["explain", "SQ112"]) == 0
    assert capsys.readouterr().out == explain("SQ112", 70) + "\n"
    assert main(["explain", "modls"]) == 2
    assert "SQ140" in capsys.readouterr().err
