"""Rules of study design: each has a study that breaks it, one that nearly does, and a reason with a source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from soilql.convert import convert
from soilql.errors import Diagnostic, Source
from soilql.explain import explain
from soilql.lint import lint, rule_modules
from soilql.parse import parse_source
from soilql.source import parse_yaml
from soilql.spec import Spec, build, load

CASES = Path(__file__).parent / "lint"
STUDY = (CASES / "ok" / "sq6_study.yaml").read_text(encoding="utf-8")
RULES = [m for m in rule_modules() if m.CODE.startswith("SQ6") or m.CODE == "SQ805"]
#: Cases that show another side of the rule whose file they do not share the name with.
FURTHER = {
    "interval_of_other_quantiles": "interval_unchecked",
    "members_without_bootstrap": "members_alike",
    "response_spread_as_driver": "response_in_driver",
    "split_place_simulated": "split_place",
}


def name(module: object) -> str:
    return str(getattr(module, "__name__", "")).rpartition(".")[2]


def study(*changes: tuple[str, str]) -> list[Diagnostic]:
    """Return the findings of the sound study with some of its text replaced."""
    text = STUDY
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return lint(build(parse_yaml(Source("x.yaml", text)), {}))


def codes(*changes: tuple[str, str]) -> list[str]:
    return [found.code for found in study(*changes)]


@pytest.mark.parametrize("module", RULES, ids=name)
def test_each_rule_has_a_study_that_breaks_it_and_one_that_nearly_does(module: object) -> None:
    cases = [name(module), *(case for case, rule in FURTHER.items() if rule == name(module))]
    for case in cases:
        bad = load(CASES / "err" / f"sq6_{case}.yaml")
        assert {found.code for found in lint(bad)} == {getattr(module, "CODE", "")}
        assert (CASES / "ok" / f"sq6_{case}.yaml").exists()


def test_every_case_belongs_to_a_rule() -> None:
    cases = {path.stem.removeprefix("sq6_") for path in CASES.glob("*/sq6_*.yaml")} - {"study"}
    assert cases == {name(module) for module in RULES} | set(FURTHER)


@pytest.mark.parametrize("module", RULES, ids=name)
def test_a_rule_explains_itself_with_an_example_of_both(module: object) -> None:
    text = explain(getattr(module, "CODE", ""), 100)
    assert "\nBad:\n\n    " in text
    assert "\nGood:\n\n    " in text
    assert len(text.partition("\nBad:")[0].split()) > 25


def test_sources_are_given_as_dois_that_are_well_formed() -> None:
    docs = [module.__doc__ or "" for module in RULES]
    found = [doi for doc in docs for doi in re.findall(r"doi:(\S+)", doc)]
    assert len(found) >= 25
    assert all(re.fullmatch(r"10\.\d{4,5}/[\w.()/:-]+[\w)][,;.]?", doi) for doi in found), found


def test_a_table_without_a_filter_has_everything_in_it() -> None:
    where = '    where: Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9\n'
    assert codes((where, "")) == ["SQ636", "SQ637", "SQ638"]


def test_a_users_own_copy_of_the_database_is_known_by_its_fluxes() -> None:
    where = '    where: Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9\n'
    assert codes((where, ""), ("registry:srdb-v5", "srdb.csv")) == ["SQ636", "SQ637", "SQ638"]
    assert codes((where, ""), ("registry:srdb-v5", "srdb.csv"), ("from: Rs_annual", "from: flux")) == []


def test_nothing_follows_from_what_could_not_be_read() -> None:
    assert codes(("Rs_annual > 0 and", "Rs_annual > 0 &&")) == ["SQ110"]
    assert codes(("Annual_coverage", "Anual_coverage")) == ["SQ201"]
    assert codes((", members: 200}", ", members: many}")) == ["SQ122"]
    assert codes(("models: qrf, scheme", "models: qfr, scheme")) == ["SQ203"]
    assert codes(("folds: 10, group: site", "folds: ten, grp: site")) == ["SQ122", "SQ120"]
    assert "SQ611" not in codes((", land_fraction: land.land_fraction}", ", land_fraction: land.lend_fraction}"))


def test_findings_of_design_stand_beside_other_errors() -> None:
    found = codes((", members: 200}", "}"), ("MAT + MAP + SOC", "MAT + MAPP + SOC"))
    assert found == ["SQ201", "SQ625"]


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("", ["SQ620"]),
        (", group: Record_number", ["SQ620"]),
        (", group: time", ["SQ621"]),
        (", group: year", ["SQ621"]),
        (", group: site", []),
        (", group: Study_number", []),
        (", group: Latitude", []),
    ],
)
def test_what_folds_hold_out(group: str, expected: list[str]) -> None:
    average = ("    average: {of: Rs, by: [lat, lon, time]}\n", "    select: [Rs, Record_number, Study_number]\n")
    assert codes(average, (", group: site", group)) == expected


def test_rows_that_are_places_may_be_shuffled() -> None:
    assert codes(("by: [lat, lon, time]", "by: [lat, lon]"), (", group: site", "")) == []
    assert codes(("by: [lat, lon, time]", "by: [lat, lon, year]"), (", group: site", "")) == ["SQ620"]


def test_a_random_sample_of_places_needs_no_folds_by_place() -> None:
    path = CASES / "ok" / "sq6_split_place_simulated.yaml"
    text = path.read_text(encoding="utf-8")
    spread = text.replace("sites: 50\n", "sites: 50\n    cluster: {centres: 5}\n")
    assert [found.code for found in lint(build(parse_yaml(Source("x.yaml", text)), {}))] == []
    assert [found.code for found in lint(build(parse_yaml(Source("x.yaml", spread)), {}))] == ["SQ621"]


@pytest.mark.parametrize(
    ("members", "interval", "enough"),
    # At least one member beyond each limit: (members + 1) (1 - level) / 2 >= 1 (Davison & Hinkley 1997, section 5.2).
    [(38, 0.95, False), (39, 0.95, True), (18, 0.9, False), (19, 0.9, True), (198, 0.99, False), (199, 0.99, True)],
)
def test_members_that_an_interval_needs(members: int, interval: float, enough: bool) -> None:
    found = codes(
        ("members: 200", f"members: {members}"),
        ("land.land_fraction}", f"land.land_fraction, interval: {interval}}}"),
    )
    assert found == ([] if enough else ["SQ626"])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("rs.q95 - rs.q05", ["SQ624"]),
        ("rs.q50", ["SQ624"]),
        ("(rs.q95 - rs.q05) / rs.mean", ["SQ629"]),
        ("rs.mean * 0.5", ["SQ629"]),
        ("rs * 0.5", []),
    ],
)
def test_what_an_expression_makes_of_a_prediction(expression: str, expected: list[str]) -> None:
    block = f"  made: {{kind: compute, expr: {expression}, unit: g C m-2 yr-1}}\n  budget:"
    assert codes(("  budget:", block), ("of: rs,", "of: made,"), ("0.05, 0.95", "0.05, 0.5, 0.95")) == expected


def test_a_difference_of_maps_that_is_not_added_up_may_use_the_mean() -> None:
    block = "  error: {kind: compute, expr: rs.mean - 40 * drivers.MAT}\n  budget:"
    assert codes(("  budget:", block)) == []


def test_a_total_of_what_is_made_up_needs_no_land_fraction() -> None:
    text = (CASES / "ok" / "sq6_more_folds_than_groups.yaml").read_text(encoding="utf-8")
    assert "land_fraction" not in text
    assert [found.code for found in lint(build(parse_yaml(Source("x.yaml", text)), {}))] == []


@pytest.mark.parametrize(
    ("columns", "driver", "expected"),
    [
        ("share: {expr: Rh_annual / Rs_annual}", "share", ["SQ633"]),
        ("half: {expr: Rs / 2}\n      odd: {expr: half + 1}", "odd", ["SQ633"]),
        ("twin: Rs_annual", "twin", ["SQ633"]),
        ("root: RC_annual", "root", ["SQ634"]),
        ("dry: {expr: log(Annual_coverage)}", "dry", []),
    ],
)
def test_drivers_that_know_the_response(columns: str, driver: str, expected: list[str]) -> None:
    found = codes(
        (
            "      year: {expr: floor(Study_midyear)}\n",
            f"      year: {{expr: floor(Study_midyear)}}\n      {columns}\n",
        ),
        ("    average: {of: Rs, by: [lat, lon, time]}\n", f"    select: [Rs, {driver}]\n"),
        ("\nvalidation:", f"  lm: {{kind: linear, formula: Rs ~ MAT + {driver}, data: training}}\n\nvalidation:"),
    )
    assert found == expected


def test_a_ratio_as_response_does_not_make_its_denominator_one() -> None:
    found = codes(
        ("Rs: {from: Rs_annual, unit: g C m-2 yr-1}", "Rs: {expr: Rs_annual / Soil_CN}"),
        ("    average: {of: Rs, by: [lat, lon, time]}\n", "    select: [Rs, Soil_CN]\n"),
        ("\nvalidation:", "  lm: {kind: linear, formula: Rs ~ MAT + Soil_CN, data: training}\n\nvalidation:"),
        (", land_fraction: land.land_fraction}", ", land_fraction: land.land_fraction}"),
    )
    assert "SQ633" not in found


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("Rs ~ MAT + Climate_type", ["SQ639"]),
        ("Rs ~ MAT + C(Climate_type)", []),
        ("Rs ~ MAT * Climate_type", ["SQ639"]),
        ("Rs ~ MAT + I(Climate_type == 8)", []),
    ],
)
def test_classes_in_formulas(formula: str, expected: list[str]) -> None:
    model = f"  lm: {{kind: linear, formula: {formula}, data: training}}\n\nvalidation:"
    assert [code for code in codes(("\nvalidation:", model)) if code.startswith("SQ6")] == expected


def test_the_spec_says_which_numbers_are_classes() -> None:
    grid = (
        "drivers: {kind: grid, source: registry:jian2021-drivers, variables: {MAT: , MAP: , SOC: {categorical: true}}}"
    )
    found = study(("drivers: {kind: grid, source: registry:jian2021-drivers}", grid))
    assert [(d.code, d.span.text) for d in found if d.span is not None] == [("SQ639", "SOC")]


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ("Soil_sand + Soil_silt + Soil_clay", ["SQ632"]),
        ("Soil_sand + Soil_clay", []),
        ("0 + Soil_sand + Soil_silt + Soil_clay", []),
        ("Soil_sand:Soil_silt + Soil_clay", []),
    ],
)
def test_shares_of_a_whole(terms: str, expected: list[str]) -> None:
    found = codes(
        ("    average: {of: Rs, by: [lat, lon, time]}\n", "    select: [Rs, Soil_sand, Soil_silt, Soil_clay]\n"),
        ("\nvalidation:", f"  lm: {{kind: linear, formula: Rs ~ {terms}, data: training}}\n\nvalidation:"),
    )
    assert [code for code in found if code.startswith("SQ6")] == expected


#: Rules whose help quotes a key inside braces, which has a colon in the mini-language too.
IN_BRACES = ("large_search", "tuned_outside_folds", "tuning_splits_sites")


@pytest.mark.parametrize("module", RULES, ids=name)
def test_help_quotes_keys_as_the_language_of_the_file_writes_them(module: object) -> None:
    path = CASES / "err" / f"sq6_{name(module)}.yaml"
    there, here = (lint(spec) for spec in (load(path), _converted(path)))
    quoted = [re.sub(r"`(\w+): ([^`{]*)`", r"`\1 = \2`", one.help) for one in there]
    written = [one.help for one in there] if name(module) in IN_BRACES else quoted
    assert sorted(one.help for one in here) == sorted(written)


def _converted(path: Path) -> Spec:
    """Return a spec as it is in the mini-language."""
    text = convert(path.read_text(encoding="utf-8"), "yaml", "soilql")
    return build(parse_source(Source(f"{path.stem}.soilql", text)), {})
