from __future__ import annotations

from soilql.errors import Source
from soilql.lint import lint
from soilql.source import parse_yaml
from soilql.spec import Spec, build

HEAD = "soilql: 1\n"


def spec(text: str, **settings: str) -> Spec:
    return build(parse_yaml(Source("x.yaml", HEAD + text)), settings)


def findings(text: str, **settings: str) -> list[str]:
    return [f"{d.span}: {d.code} {d.message}" for d in lint(spec(text, **settings)) if d.severity == "error"]


ZONES = "zones:\n  climate: {kind: cut, of: MAT, breaks: [2, 17], labels: [cold, mild, warm]}\n"
TABLE = "datasets:\n  srdb: {kind: table, source: x.csv}\n"


def test_blocks_are_bound_in_the_order_of_the_file() -> None:
    found = spec(ZONES + TABLE)
    assert list(found.blocks) == ["climate", "srdb"]
    assert found.blocks["climate"].kind == "cut"
    assert found.ok


def test_the_grammar_version_is_needed() -> None:
    tree = parse_yaml(Source("x.yaml", "meta: {title: x}\n"))
    assert [d.code for d in build(tree, {}).diagnostics] == ["SQ108"]
    assert findings("") == []
    assert [f[:12] for f in findings("")] == []


def test_unknown_sections_and_kinds_are_found_with_a_suggestion() -> None:
    (found,) = lint(spec("model:\n  a: {kind: linear}\n"))
    assert (found.code, found.help) == ("SQ120", "did you mean `models`?")
    (found,) = lint(spec("analyses:\n  a: {kind: totals}\n"))
    assert (found.code, found.help) == ("SQ205", "did you mean `total`?")
    (found,) = lint(spec("analyses:\n  a: {kind: kfold}\n"))
    assert (found.code, found.help) == ("SQ205", "`kfold` belongs to the section `validation`")


def test_all_sections_share_one_set_of_names() -> None:
    found = findings(TABLE + "zones:\n  srdb: {kind: cut, of: MAT, breaks: [2], labels: [a, b]}\n")
    assert found == ["x.yaml:5:3: SQ109 two blocks are named `srdb`"]


def test_references_are_resolved_and_typed() -> None:
    text = TABLE + "models:\n  m: {kind: linear, formula: Rs ~ MAT, data: srbd}\n"
    assert findings(text) == ["x.yaml:5:46: SQ203 no block is named `srbd`"]
    text = TABLE + ZONES + "models:\n  m: {kind: linear, formula: Rs ~ MAT, data: climate}\n"
    assert findings(text) == ["x.yaml:7:46: SQ204 `data` needs a table, and `climate` is a partition"]


def test_names_in_block_expressions_are_references() -> None:
    text = "analyses:\n  a: {kind: compute, expr: 'missing_block.mean * 2'}\n"
    assert findings(text) == ["x.yaml:3:29: SQ203 no block is named `missing_block`"]


def test_a_circle_is_reported_once() -> None:
    text = "analyses:\n  a: {kind: compute, expr: b * 2}\n  b: {kind: compute, expr: a / 2}\n"
    assert findings(text) == ["x.yaml:3:3: SQ206 `a` needs its own result: a -> b -> a"]


def test_a_block_that_cannot_be_bound_is_not_reported_as_missing_too() -> None:
    text = (
        "datasets:\n  srdb: {kind: table, sorce: x.csv}\nmodels:\n  m: {kind: linear, formula: Rs ~ MAT, data: srdb}\n"
    )
    assert [f.split(": ")[1][:5] for f in findings(text)] == ["SQ120"]


INPUTS = "inputs:\n  version: {default: v5, choices: [v3, v5]}\n  n: {default: 10, min: 2}\n"


def test_inputs_are_typed_references_to_whole_values() -> None:
    text = INPUTS + "validation:\n  k: {kind: kfold, folds: '${inputs.n}'}\n"
    assert spec(text).blocks["k"].params.folds == 10
    assert spec(text, n="5").blocks["k"].params.folds == 5
    assert spec(text, n="5").inputs == {"version": "v5", "n": 5}


def test_inputs_are_checked() -> None:
    assert findings(INPUTS, n="1") == ["None: SQ131 --set n=1: `n` must be at least 2"]
    assert findings(INPUTS, n="many") == ["None: SQ131 --set n=many: `n` must be integer"]
    assert findings(INPUTS, version="v9") == ["None: SQ131 --set version=v9: `version` must be one of v3, v5"]
    assert findings(INPUTS, m="1") == ["None: SQ130 --set m: the spec has no input `m`"]
    text = INPUTS + "validation:\n  k: {kind: kfold, folds: '${inputs.m}'}\n"
    assert findings(text) == ["x.yaml:6:37: SQ132 unknown input `m`"]
    text = INPUTS + "datasets:\n  d: {kind: table, source: 'registry:srdb-${inputs.version}'}\n"
    assert findings(text) == ["x.yaml:6:43: SQ132 not a reference to an input"]


def test_a_wrong_value_of_an_input_is_reported_where_it_is_used() -> None:
    text = "inputs: {n: 0}\nvalidation:\n  k: {kind: kfold, folds: '${inputs.n}'}\n"
    assert findings(text)[0].startswith("x.yaml:4:27: SQ123 `folds` must be at least")


def test_an_empty_or_broken_file_is_no_spec() -> None:
    assert [d.code for d in lint(build(parse_yaml(Source("x.yaml", "")), {}))] == ["SQ101"]
    assert [d.code for d in lint(build(parse_yaml(Source("x.yaml", "- 1")), {}))] == ["SQ101"]
    assert [d.code for d in lint(build(parse_yaml(Source("x.yaml", "a: [")), {}))] == ["SQ101"]


def test_long_chains_of_blocks_are_no_trouble() -> None:
    lines = ["  b0: {kind: compute, expr: b1 * 2}"]
    lines += [f"  b{i}: {{kind: compute, expr: b{i + 1} * 2}}" for i in range(1, 3000)]
    lines += ["  b3000: {kind: compute, expr: b0 * 2}"]
    found = findings("analyses:\n" + "\n".join(lines))
    assert len(found) == 1
    assert found[0].startswith("x.yaml:3:3: SQ206")
