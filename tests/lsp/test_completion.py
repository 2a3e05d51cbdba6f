"""What is proposed at a cursor, in whole texts and in those that are being typed, on both surfaces."""

from __future__ import annotations

from pathlib import Path

import pytest

from soilql import kinds
from soilql.lsp.completion import complete
from soilql.lsp.documents import document
from soilql.lsp.items import Item
from tests.lsp.specs import STUDY_MINI, STUDY_YAML, marked, opened, replaced


def proposed(text: str, at: int, name: str = "study.yaml") -> list[Item]:
    found = complete(document(text, name), at)
    return sorted(found, key=lambda one: one.rank)


def labels(text: str, at: int, name: str = "study.yaml") -> list[str]:
    return [one.label for one in proposed(text, at, name)]


def accepted(text: str, at: int, label: str, name: str = "study.yaml") -> str:
    """Return the line of the cursor after a proposal is taken."""
    one = next(one for one in proposed(text, at, name) if one.label == label)
    assert one.start <= at <= one.end or one.end == at
    assert "\n" not in text[one.start : one.end]
    after = text[: one.start] + one.insert + text[one.end :]
    return after[after.rfind("\n", 0, one.start) + 1 :].split("\n", 1)[0]


def yaml(old: str, new: str) -> list[str]:
    return labels(*replaced(STUDY_YAML, old, new))


def mini(old: str, new: str) -> list[str]:
    return labels(*replaced(STUDY_MINI, old, new), "study.soilql")


# --- keys and kinds ---------------------------------------------------------------------------------------------------


def test_an_empty_file_is_offered_its_first_line() -> None:
    assert labels("", 0)[0] == "soilql"
    assert accepted("", 0, "soilql") == "soilql: 1"
    assert accepted("", 0, "soilql", "x.soilql") == "soilql 1"


def test_sections_that_are_there_are_not_offered_again() -> None:
    found = yaml("zones:\n", "‸\nzones:\n")
    assert {"extends", "use"} == set(found)


@pytest.mark.parametrize("typed", ["‸", "mod‸"])
def test_statements_begin_with_their_words(typed: str) -> None:
    found = mini("zones climate", f"{typed}\nzones climate")
    assert {"input", "use", "dataset", "zones", "model", "validation", "analysis"} <= set(found)
    text, at = replaced(STUDY_MINI, "zones climate", "mod‸\nzones climate")
    assert accepted(text, at, "model", "study.soilql") == "model "


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  line: {kind: linear,", "  line: {kind: ‸,"),
        ("  line: {kind: linear,", "  line: {kind: li‸,"),
        ("  line: {kind: linear, formula: log(Rs) ~ T + P, data: sites}", "  line: {kind: ‸"),
        ("    kind: nonlinear\n", "    kind: ‸\n"),
    ],
)
def test_kinds_of_the_section(old: str, new: str) -> None:
    assert yaml(old, new) == list(kinds.names("models"))


@pytest.mark.parametrize(
    "new", ["model line = ‸", "model line = li‸", "model line = li‸near(log(Rs) ~ T, data = sites)"]
)
def test_kinds_in_a_statement(new: str) -> None:
    text = STUDY_MINI.replace(next(line for line in STUDY_MINI.split("\n") if line.startswith("model line")), new)
    assert labels(*marked(text), "study.soilql") == list(kinds.names("models"))


def test_a_kind_is_called_unless_it_is_already() -> None:
    text, at = marked("soilql 1\nmodel m = lin‸")
    assert accepted(text, at, "linear", "x.soilql") == "model m = linear("
    text, at = marked("soilql 1\nmodel m = lin‸(y ~ x)")
    assert accepted(text, at, "linear", "x.soilql") == "model m = linear(y ~ x)"


def test_the_first_key_of_a_block_is_its_kind() -> None:
    assert labels(*marked("soilql: 1\nmodels:\n  m:\n    ‸")) == ["kind"]
    assert labels(*marked("soilql: 1\nmodels:\n  m: {‸")) == ["kind"]
    assert labels(*marked("soilql: 1\nmodels:\n  m: {‸}\n")) == ["kind"]


@pytest.mark.parametrize("new", ["    ‸\n", "    da‸\n"])
def test_required_keys_that_are_missing_come_first(new: str) -> None:
    text, at = replaced(STUDY_YAML, "    data: sites\n", new)
    assert labels(text, at)[0] == "data"
    assert "formula" not in labels(text, at)
    assert accepted(text, at, "data") == "    data: "


def test_a_key_before_its_colon_is_put_in_alone() -> None:
    text, at = replaced(STUDY_YAML, "    data: sites\n", "    da‸: sites\n")
    assert accepted(text, at, "data") == "    data: sites"


@pytest.mark.parametrize(
    "new", ["{kind: kfold, ‸", "{kind: kfold, ‸}", "{kind: kfold, fo‸}", "{kind: kfold, group: site, ‸}"]
)
def test_keys_of_a_block_in_braces(new: str) -> None:
    assert "folds" in yaml("{kind: kfold, folds: '${inputs.folds}', group: site}", new)
    assert ("group" in yaml("{kind: kfold, folds: '${inputs.folds}', group: site}", new)) == ("group" not in new)


def test_keys_of_nested_mappings() -> None:
    assert yaml("a: {start: 400, bounds: [0, 5000]}", "a: {start: 400, ‸}") == ["bounds", "unit", "truth"]
    assert {"from_unit", "unit"} <= set(yaml("{from: Rs_annual, unit: g C m-2 yr-1}", "{from: Rs_annual, ‸}"))
    assert {"title", "doi"} <= set(yaml("meta: {title: Größe und Zahl}", "meta: {‸}"))
    assert {"min", "max", "choices", "doc"} <= set(
        yaml("years: {default: 2000-2003, type: range}", "years: {default: 1, ‸}")
    )


def test_arguments_of_a_statement_are_joined_by_an_equals_sign() -> None:
    text, at = marked("soilql 1\nvalidation f = kfold(folds = 5, gr‸)\n")
    assert accepted(text, at, "group", "x.soilql") == "validation f = kfold(folds = 5, group = )"
    text, at = marked("soilql 1\nvalidation f = kfold(‸")
    assert {"folds", "group", "seed"} <= set(labels(text, at, "x.soilql"))
    text, at = marked("soilql 1\ninput n = 5, ‸")
    assert accepted(text, at, "min", "x.soilql") == "input n = 5, min = "
    text, at = marked("soilql 1\nmodel m = nonlinear(params = {a: {‸")
    assert accepted(text, at, "start", "x.soilql") == "model m = nonlinear(params = {a: {start: "


def test_verbs_after_a_bar() -> None:
    text, at = marked("soilql 1\ndataset t = table(registry:srdb-v5)\n  | where Rs_annual > 0\n  | ‸")
    found = labels(text, at, "x.soilql")
    assert {"columns", "roles", "average", "select"} <= set(found[:6])
    assert "where" not in found
    assert accepted(text, at, "average", "x.soilql") == "  | average "
    text, at = marked("soilql 1\ndataset t = table(registry:srdb-v5)\n  | average Rs_annual ‸")
    assert "by" in labels(text, at, "x.soilql")


# --- names of blocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["    data: ‸\n", "    data: si‸\n", "    data: si‸tes\n"])
def test_blocks_of_the_type_that_is_wanted(new: str) -> None:
    found = yaml("    data: sites\n", new)
    assert {"sites", "srdb", "skill"} <= set(found)
    assert not {"planet", "rs", "line", "by_place", "climate"} & set(found)


def test_a_block_that_is_not_complete_is_offered_too() -> None:
    text = "soilql: 1\ndatasets:\n  t: {kind: table}\nmodels:\n  m: {kind: linear, data: ‸"
    assert labels(*marked(text)) == ["t"]


def test_blocks_in_lists_and_statements() -> None:
    assert yaml("of: [rs, double]", "of: [rs, ‸]")[:3] == ["planet", "rs", "double"]
    assert yaml("of: [rs, double]}", "of: [rs, ‸")[:3] == ["planet", "rs", "double"]
    found = mini("scheme = by_place", "scheme = ‸")
    assert found == ["by_place"]


def test_variables_of_a_block_after_a_point() -> None:
    assert {"mean", "members"} <= set(yaml("of: [rs, double]", "of: [rs.‸, double]"))
    text, at = replaced(STUDY_YAML, "of: [rs, double]", "of: [rs.me‸, double]")
    assert accepted(text, at, "mean").endswith("of: [rs.mean, double]}")
    assert {"T", "P"} == set(yaml("expr: 2 * rs,", "expr: 2 * planet.‸,"))


# --- expressions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "new", ["Rs ~ a * ‸\n", "Rs ~ a * exp(b*‸\n", "Rs ~ ‸\n", "‸\n", "Rs ~ a * exp(b*T) * P / (P + ‸)\n"]
)
def test_columns_parameters_and_functions_in_a_formula(new: str) -> None:
    text, at = replaced(STUDY_YAML, "Rs ~ a * exp(b*T) * P / (P + k)\n", new)
    found = {one.label: one for one in proposed(text, at)}
    assert {"T", "P", "Rs", "Größe", "a", "b", "k", "exp", "log"} <= set(found)
    assert (found["a"].sort, found["T"].sort, found["exp"].sort) == ("parameter", "column", "function")
    assert found["P"].detail == "mm yr-1"
    assert found["exp"].insert == "exp("
    assert "C" not in found, "no formula algebra where parameters are declared"


@pytest.mark.parametrize("new", ["Rs ~ a * ‸,", "Rs ~ a * ‸", "Rs ~ a * exp(b*‸,", "Rs ~ a * exp(b*‸"])
def test_a_formula_in_a_statement(new: str) -> None:
    found = mini("Rs ~ a * exp(b*T) * P / (P + k),", new)
    assert {"T", "P", "a", "b", "k", "exp"} <= set(found)


def test_formula_algebra_in_a_linear_model() -> None:
    assert {"C", "I"} <= set(yaml("log(Rs) ~ T + P", "log(Rs) ~ T + ‸"))


@pytest.mark.parametrize("new", ["where: Rs_annual > 0 and ‸\n", "where: ‸\n", "where: (Rs_an‸\n"])
def test_columns_of_a_public_data_set_in_a_filter(new: str) -> None:
    found = yaml('where: Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9\n', new)
    assert {"Rs_annual", "Manipulation", "flux", "year", "and", "not"} <= set(found)


def test_a_new_column_sees_those_above_it_only() -> None:
    found = yaml("year: {expr: floor(Study_midyear)}", "year: {expr: floor(‸)}")
    assert {"flux", "Study_midyear"} <= set(found)
    assert "year" not in found
    assert "flux" not in yaml("{from: Rs_annual, unit: g C m-2 yr-1}", "{from: ‸}")


def test_a_name_that_is_no_plain_one_is_put_in_backquotes() -> None:
    text = "soilql: 1\ndatasets: {s: {kind: extract, at: t, from: g, variables: [Soil temp]}}\n"
    text += "models: {m: {kind: linear, data: s, formula: y ~ So‸}}\n"
    assert accepted(*marked(text), "Soil temp").endswith("formula: y ~ `Soil temp`}}")


def test_blocks_and_choices_in_an_expression_of_blocks() -> None:
    assert {"rs", "planet", "rh_from_rs"} <= set(yaml("expr: 2 * rs,", "expr: 2 * ‸,"))
    quoted = "expr: 'rh_from_rs(rs, \"‸\")',"
    assert yaml("expr: 2 * rs,", quoted) == ["bond-lamberty-2004", "subke-2006"]
    text, at = replaced(STUDY_YAML, "expr: 2 * rs,", "expr: 'rh_from_rs(rs, \"bond‸\")',")
    assert '"subke-2006"' in accepted(text, at, "subke-2006")


def test_nothing_is_proposed_inside_a_text() -> None:
    assert yaml('Manipulation == "None" and', 'Manipulation == "No‸" and') == []


# --- words, data sets, files, inputs, codes ---------------------------------------------------------------------------


def test_words_that_may_be_chosen() -> None:
    text, at = replaced(STUDY_YAML, "    data: sites\n", "    data: sites\n    interval: ‸\n")
    assert labels(text, at) == ["wald", "profile"]
    text, at = replaced(STUDY_YAML, "members: 100", "sd: ‸")
    assert labels(text, at) == ["true", "false"]


def test_public_data_sets_of_the_kind_that_is_read_come_first() -> None:
    text, at = replaced(STUDY_YAML, "source: registry:srdb-v5", "source: registry:sr‸")
    found = labels(text, at)
    assert found.index("registry:srdb-v5") < found.index("registry:jian2021-drivers")
    assert accepted(text, at, "registry:srdb-v4") == "    source: registry:srdb-v4"


def test_files_beside_the_spec(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sites.csv").write_text("a,b\n")
    (tmp_path / "base.yaml").write_text("soilql: 1\n")
    (tmp_path / ".hidden").write_text("")
    path = tmp_path / "x.yaml"

    def at(text: str) -> list[str]:
        bare, offset = marked(text)
        return [one.label for one in complete(opened(path, bare), offset) if one.sort == "file"]

    assert at("soilql: 1\nextends: ‸") == ["base.yaml", "data/"]
    assert at("soilql: 1\ndatasets: {t: {kind: table, source: da‸") == ["data/"]
    assert at("soilql: 1\ndatasets: {t: {kind: table, source: data/‸") == ["sites.csv"]


@pytest.mark.parametrize("typed", ["$‸", "${‸", "${inp‸", "${inputs.‸", "'${inputs.fo‸}'"])
def test_inputs(typed: str) -> None:
    text, at = replaced(STUDY_YAML, "folds: '${inputs.folds}'", f"folds: {typed}")
    found = labels(text, at)
    assert found == ["${inputs.folds}"] + [f"${{inputs.years{part}}}" for part in ("", ".first", ".last", ".all")]
    assert "${inputs.folds}" in accepted(text, at, "${inputs.folds}")
    assert "}}'" not in accepted(text, at, "${inputs.folds}")


def test_names_that_a_formula_still_needs() -> None:
    old = "      a: {start: 400, bounds: [0, 5000]}\n      b: {unit: 1/degC}\n      k: 600\n"
    assert yaml(old, "      ‸\n") == ["a", "b", "k"]
    text, at = replaced(STUDY_YAML, f"    params:\n{old}", "    params: [a, ‸]\n")
    assert labels(text, at) == ["a", "b", "k"]


def test_roles() -> None:
    assert yaml("roles: {lat: Latitude,", "roles: {‸,") == ["lat", "site"]
    assert "Latitude" in yaml("roles: {lat: Latitude,", "roles: {lat: La‸,")
    assert "site" in yaml("group: site", "group: ‸")


def test_units_of_the_columns_at_hand() -> None:
    text, at = replaced(STUDY_YAML, "{from: Rs_annual, unit: g C m-2 yr-1}", "{from: Rs_annual, unit: g C‸}")
    assert "g C m-2 yr-1" in labels(text, at)
    assert accepted(text, at, "g C m-2 yr-1") == "      flux: {from: Rs_annual, unit: g C m-2 yr-1}"


def test_codes_in_a_suppression() -> None:
    text, at = replaced(STUDY_YAML, "zones:\n", "# soilql: ignore[SQ6‸] why\nzones:\n")
    assert "SQ620" in labels(text, at)
    assert accepted(text, at, "SQ620") == "# soilql: ignore[SQ620] why"
    assert "SQ201" not in labels(text, at), "an unknown name cannot be accepted"


@pytest.mark.parametrize("name", ["study.yaml", "study.soilql"])
def test_nothing_is_proposed_in_a_comment(name: str) -> None:
    text = STUDY_YAML if name.endswith("yaml") else STUDY_MINI
    assert labels(f"{text}# a mo", len(text) + 6, name) == []


# --- several files ----------------------------------------------------------------------------------------------------


def test_a_child_is_offered_what_its_parent_has(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(STUDY_YAML, encoding="utf-8")

    def at(text: str) -> list[str]:
        bare, offset = marked(f"soilql: 1\nextends: base.yaml\n{text}")
        return [one.label for one in complete(opened(tmp_path / "x.yaml", bare), offset)]

    assert at("models:\n  ‸") == ["formula", "line", "field"]
    assert "starts" in at("models:\n  formula:\n    ‸")
    assert {"sites", "srdb"} <= set(at("models:\n  mine: {kind: linear, data: ‸"))
    assert {"T", "P"} <= set(at("models:\n  mine: {kind: linear, data: sites, formula: Rs ~ ‸"))


def test_blocks_and_inputs_of_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(STUDY_YAML, encoding="utf-8")

    def at(text: str) -> list[str]:
        bare, offset = marked(f"soilql: 1\nuse:\n  r:\n    from: base.yaml\n{text}")
        return [one.label for one in complete(opened(tmp_path / "x.yaml", bare), offset)]

    assert at("    inputs: {‸") == ["folds", "years"]
    assert "rs" in at("    blocks: [‸")
    assert {"r::rs", "r::double"} <= set(at("analyses:\n  t: {kind: total, of: [r::‸"))
