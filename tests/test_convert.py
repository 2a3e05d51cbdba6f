"""Neither surface can say what the other cannot: trees, comments and node keys survive the way there and back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from soilql.convert import convert, surface_of
from soilql.errors import SoilqlError, Source
from soilql.lint import lint
from soilql.minilang.parse import parse_soilql
from soilql.minilang.write import write_soilql
from soilql.plan import make_plan
from soilql.source import Node, parse_yaml
from soilql.spec import build
from soilql.surface.comments import Comments
from soilql.surface.same import plain
from soilql.surface.yamlwrite import write_yaml
from tests.surface_support import node, roots, scalar, specs

ROOT = Path(__file__).parent.parent
SPECS = sorted([*ROOT.glob("specs/*.yaml"), *ROOT.glob("examples/*.yaml")])
# Specs are large, and a failing one is shrunk for minutes.
quick = settings(suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])


def check_both(root: Node) -> None:
    for write, parse in ((write_soilql, parse_soilql), (write_yaml, parse_yaml)):
        text = write(root, Comments())
        tree = parse(Source("written", text))
        assert not tree.diagnostics, text + tree.diagnostics[0].render()
        assert plain(tree.root) == plain(root), text


@quick
@given(roots)
def test_any_tree_is_written_and_read_on_both_surfaces(root: Node) -> None:
    check_both(root)


@quick
@given(specs())
def test_any_spec_is_written_and_read_on_both_surfaces(root: Node) -> None:
    check_both(root)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_specs_come_back_with_their_comments(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    there = convert(text, "yaml", "soilql", str(path))
    back = convert(there, "soilql", "yaml", "back.yaml")
    assert plain(parse_yaml(Source("back.yaml", back)).root) == plain(parse_yaml(Source("x.yaml", text)).root)
    assert _comments(there) == _comments(back) == _comments(text)
    assert convert(back, "yaml", "soilql") == there, "the way there and back changes nothing more"


def _comments(text: str) -> list[str]:
    return [comment.strip() for comment in re.findall(r"(?:^|\s)(#.*)", text)]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_the_keys_of_the_nodes_are_the_same(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    twin = parse_soilql(Source(str(path), convert(text, "yaml", "soilql")))
    specs = [build(tree, {}) for tree in (parse_yaml(Source(str(path), text)), twin)]
    assert [lint(spec) for spec in specs] == [[], []]
    keys = [{node.name: node.key for node in make_plan(spec).nodes} for spec in specs]
    assert keys[0] == keys[1]
    assert all(keys[0].values())


def test_a_table_reads_as_a_pipeline() -> None:
    yaml = """\
datasets:
  srdb:
    kind: table
    source: registry:srdb-v5
    where: Rs_annual > 0 and Manipulation == "None"
    columns: {Rs: {from: Rs_annual, unit: g C m-2 yr-1}, year: {expr: floor(Study_midyear)}, site: Site_ID}
    roles: {lat: Latitude, lon: Longitude}
    average: {of: Rs, by: [lat, lon, year]}
    select: [Rs, year]
"""
    assert convert(yaml, "yaml", "soilql") == (
        "dataset srdb = table(registry:srdb-v5)\n"
        '  | where Rs_annual > 0 and Manipulation == "None"\n'
        "  | columns Rs = Rs_annual [g C m-2 yr-1], year = floor(Study_midyear), site = Site_ID\n"
        "  | roles lat = Latitude, lon = Longitude\n"
        "  | average Rs by lat, lon, year\n"
        "  | select Rs, year\n"
    )


def test_formulas_stand_unquoted_and_texts_for_people_do_not() -> None:
    yaml = """\
meta: {title: Soil respiration}
models: {m: {kind: nonlinear, formula: Rs ~ a * exp(b * T), data: t, params: {a: {unit: g C m-2 yr-1}, b: 0.05}}}
"""
    assert convert(yaml, "yaml", "soilql") == (
        'meta(title = "Soil respiration")\n\n'
        'model m = nonlinear(Rs ~ a * exp(b * T), data = t, params = {a: {unit: "g C m-2 yr-1"}, b: 0.05})\n'
    )


def test_a_kind_that_is_not_first_keeps_its_place() -> None:
    yaml = "validation:\n  f: {folds: 5, kind: kfold}\n"
    assert convert(yaml, "yaml", "soilql") == "validation f = {folds: 5, kind: kfold}\n"
    assert convert("validation f = {folds: 5, kind: kfold}\n", "soilql", "yaml") == yaml


def test_aliases_and_merge_keys_are_written_out() -> None:
    yaml = "x-base: &base {folds: 5}\nvalidation: {f: {<<: *base, kind: kfold}}\n"
    assert convert(yaml, "yaml", "soilql") == "x-base(folds = 5)\n\nvalidation f = kfold(folds = 5)\n"


def test_comments_stay_with_what_they_are_about() -> None:
    yaml = """\
# The study.

soilql: 1

# Data
datasets:
  # Sites.
  sites:  # from the database
    kind: table  # as it is
    source: a.csv
    # Only the good ones.
    where: Rs > 0  # positive
    # nothing else
  # no other table

validation:
  f:
    kind: kfold
    folds: 5  # five
    # the group
    group: site
# end
"""
    there = """\
# The study.

soilql 1

# Data

# Sites.
# as it is
dataset sites = table(a.csv)  # from the database
  # Only the good ones.
  | where Rs > 0  # positive
  # nothing else
  # no other table

validation f = kfold(
  folds = 5,  # five
  # the group
  group = site,
)
# end
"""
    assert convert(yaml, "yaml", "soilql") == there
    assert _comments(convert(there, "soilql", "yaml")) == _comments(there)
    assert convert(convert(there, "soilql", "yaml"), "yaml", "soilql") == there


def test_the_mixed_order_of_statements_becomes_that_of_sections() -> None:
    text = "dataset a = table(a.csv)\nmodel m = linear(y ~ x, data = a)\ndataset b = table(b.csv)\n"
    yaml = convert(text, "soilql", "yaml")
    assert [line for line in yaml.splitlines() if not line.startswith(" ") and line] == ["datasets:", "models:"]
    assert yaml.index("a.csv") < yaml.index("b.csv") < yaml.index("linear")


@pytest.mark.parametrize("text", ["- a\n", "just text\n", "soilql: [\n", "a: 1\na: 2\n"])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(SoilqlError):
        convert(text, "yaml", "soilql")


def test_a_null_and_an_empty_spec() -> None:
    assert convert("", "yaml", "soilql") == convert("", "soilql", "yaml") == ""
    assert convert("# nothing yet\n", "yaml", "soilql") == "# nothing yet\n"
    assert convert("zones:\nx-a: ~\n", "yaml", "soilql") == "zones = null\nx-a = null\n"


def test_long_and_many_lined_texts() -> None:
    words = "word " * 40 + "end"
    lines = "first line\n  indented\n\nlast"
    root = node({"meta": {"title": scalar(words), "description": scalar(lines * 3)}})
    check_both(root)
    assert max(map(len, write_soilql(root, Comments()).splitlines())) <= 100
    assert max(map(len, write_yaml(root, Comments()).splitlines())) <= 100


def test_the_surface_of_a_file() -> None:
    assert [surface_of(name) for name in ("a.yaml", "a.yml", "b.soilql")] == ["yaml", "yaml", "soilql"]
