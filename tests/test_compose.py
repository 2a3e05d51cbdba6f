"""Specs of several files: parents that are extended, recipes that are used, and the keys of what they compute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from soilql.errors import Source
from soilql.explain import codes
from soilql.lint import lint
from soilql.plan import Plan, make_plan
from soilql.recipes import MOST_FILES
from soilql.references import absolute, relative
from soilql.resolved import resolved_text
from soilql.source import parse_yaml, plain
from soilql.spec import Spec, load
from tests.small_study import SPEC, Study

RECIPE = """\
soilql: 1
inputs:
  trees: {default: 100, min: 1}
  data: obs.csv
  drivers: {type: reference, default: grid}
datasets:
  obs: {kind: table, source: '${inputs.data}', roles: {lat: lat, lon: lon}}
  grid: {kind: grid, source: T.tif}
validation:
  folds: {kind: kfold, folds: 5, group: site}
models:
  forest: {kind: quantile_forest, formula: Rs ~ T, data: obs, trees: '${inputs.trees}'}
  line: {kind: linear, formula: Rs ~ T, data: obs}
analyses:
  rs: {kind: predict, model: forest, on: '${inputs.drivers}'}
  double: {kind: compute, expr: rs.mean * 2, unit: g C m-2 yr-1}
  budget: {kind: total, of: rs, land_fraction: none}
  skill: {kind: evaluate, models: [forest, line], scheme: folds}
"""


def write(folder: Path, **texts: str) -> None:
    """Write specs, by name without `.yaml`, and data that their keys can be made of."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    for name in ("obs.csv", "T.tif"):
        (folder / name).write_text(f"{name}\n", encoding="utf-8")


def opened(folder: Path, name: str = "study", **given: str) -> Spec:
    return load(folder / f"{name}.yaml", given, name=f"{name}.yaml")


def clean(folder: Path, name: str = "study", **given: str) -> Spec:
    spec = opened(folder, name, **given)
    assert [d.render() for d in lint(spec)] == []
    return spec


def keys(spec: Spec) -> dict[str, str]:
    plan: Plan = make_plan(spec)
    assert all(node.key for node in plan.nodes), [d.render() for node in plan.nodes for d in node.problems]
    return {node.name: node.key for node in plan.nodes}


def rendered(spec: Spec) -> str:
    return "\n".join(d.render() for d in lint(spec))


def tree(spec: Spec) -> Any:
    return plain(spec.resolved)


# --- extends --------------------------------------------------------------------------------------------------------


def test_a_child_adds_changes_and_removes(tmp_path: Path) -> None:
    write(
        tmp_path,
        parent=RECIPE,
        study="soilql: 1\nextends: parent.yaml\nmeta: {title: A variant}\ninputs: {$remove: trees}\n"
        "models: {forest: {formula: Rs ~ T + P, trees: $remove}, line: $remove}\n"
        "analyses:\n  double: {unit: g C m-2 d-1}\n  rs: {dtype: float64}\n  budget: {of: [rs.mean, double]}\n"
        "  skill: {models: forest}\n",
    )
    spec = clean(tmp_path)
    assert spec.meta.title == "A variant"
    assert tree(spec)["models"] == {
        "forest": {"kind": "quantile_forest", "formula": "Rs ~ T + P", "data": "obs"},
    }
    assert tree(spec)["analyses"] == {
        "rs": {"kind": "predict", "model": "forest", "on": "grid", "dtype": "float64"},
        "double": {"kind": "compute", "expr": "rs.mean * 2", "unit": "g C m-2 d-1"},
        "budget": {"kind": "total", "of": ["rs.mean", "double"], "land_fraction": "none"},
        "skill": {"kind": "evaluate", "models": "forest", "scheme": "folds"},
    }


def test_a_bare_value_over_a_declared_input_keeps_its_bounds(tmp_path: Path) -> None:
    write(tmp_path, parent=RECIPE, study="soilql: 1\nextends: parent.yaml\ninputs: {trees: 7}\n")
    assert opened(tmp_path).inputs["trees"] == 7
    write(tmp_path, study="soilql: 1\nextends: parent.yaml\ninputs: {trees: 0}\n")
    assert rendered(opened(tmp_path)) == (
        "study.yaml:3:17: error SQ131 default of input `trees` must be at least 1\n3 | inputs: {trees: 0}\n"
        "  |                 ^"
    )
    write(tmp_path, parent="soilql: 1\ninputs: {n: 5}\nx-n: ${inputs.n}\n")
    write(tmp_path, study="soilql: 1\nextends: parent.yaml\ninputs: {n: {max: 6}}\n")
    assert opened(tmp_path).inputs == {"n": 5}


def test_a_chain_of_parents_in_several_folders_finds_its_data(tmp_path: Path) -> None:
    write(tmp_path / "base", grandparent=RECIPE)
    write(tmp_path / "mid", parent="soilql: 1\nextends: ../base/grandparent.yaml\ninputs: {trees: 200}\n")
    (tmp_path / "study.yaml").write_text("soilql: 1\nextends: mid/parent.yaml\ndatasets: {grid: {crs: EPSG:4326}}\n")
    spec = clean(tmp_path)
    assert spec.blocks["forest"].params.trees == 200
    sources = {name: make_plan(spec).node(name).sources["source"] for name in ("obs", "grid")}
    # The path of `obs` was written in the grandparent, as the default of its input.
    assert [path.resolve() for paths in sources.values() for path in paths] == [
        tmp_path / "base" / "obs.csv",
        tmp_path / "base" / "T.tif",
    ]


def test_a_mistake_in_a_parent_points_into_it_and_shows_the_chain(tmp_path: Path) -> None:
    write(tmp_path / "base", parent=RECIPE.replace("model: forest", "model: frest").replace("min: 1", "max: 9"))
    write(tmp_path, middle="soilql: 1\n# why\nextends: base/parent.yaml\n", study="soilql: 1\nextends: middle.yaml\n")
    assert rendered(opened(tmp_path)) == (
        "base/parent.yaml:3:20: error SQ131 default of input `trees` must be at most 9\n"
        "3 |   trees: {default: 100, max: 9}\n"
        "  |                    ^^^\n"
        "  = note: extended by middle.yaml:3:10\n"
        "  = note: extended by study.yaml:2:10\n"
        "base/parent.yaml:15:30: error SQ203 no block is named `frest`\n"
        "15 |   rs: {kind: predict, model: frest, on: '${inputs.drivers}'}\n"
        "   |                              ^^^^^\n"
        "   = note: extended by middle.yaml:3:10\n"
        "   = note: extended by study.yaml:2:10\n"
        "   = help: did you mean `forest`?"
    )


def test_what_is_not_there_cannot_be_removed(tmp_path: Path) -> None:
    study = (
        "soilql: 1\nextends: parent.yaml\nmodels:\n  $remove: [lin]\n  forest: {tree: $remove}\n"
        "  new: {kind: linear, formula: Rs ~ T, data: obs, by: $remove}\n"
    )
    write(tmp_path, parent=RECIPE, study=study)
    found = opened(tmp_path).diagnostics
    assert [(d.code, str(d.span), d.message, d.help) for d in found] == [
        ("SQ135", "study.yaml:4:13", "`lin` cannot be removed: the parent does not have it", "did you mean `line`?"),
        ("SQ135", "study.yaml:5:12", "`tree` cannot be removed: the parent does not have it", "did you mean `trees`?"),
        (
            "SQ135",
            "study.yaml:6:51",
            "`by` cannot be removed: there is nothing above to remove it from",
            "name the parent under `extends`, or delete it here",
        ),
    ]


def test_a_spec_without_a_parent_removes_nothing(tmp_path: Path) -> None:
    write(tmp_path, study="soilql: 1\nmodels: {$remove: x}\n")
    assert [(d.code, str(d.span)) for d in opened(tmp_path).diagnostics] == [("SQ135", "study.yaml:2:19")]


@pytest.mark.parametrize(
    ("texts", "code", "place"),
    [
        ({"study": "soilql: 1\nextends: none.yaml\n"}, "SQ106", "study.yaml:2:10"),
        ({"study": "soilql: 1\nextends: [a.yaml]\n"}, "SQ122", "study.yaml:2:10"),
        ({"study": "soilql: 1\nextends:\n"}, "SQ122", "study.yaml:2:9"),
        ({"study": "soilql: 1\nextends: study.yaml\n"}, "SQ134", "study.yaml:2:10"),
        ({"study": "soilql: 1\nextends: p.yaml\n", "p": "soilql: 1\nextends: study.yaml\n"}, "SQ134", "p.yaml:2:10"),
        ({"study": "soilql: 1\nextends: p.yaml\n", "p": ""}, "SQ101", "study.yaml:2:10"),
        ({"study": "soilql: 1\nextends: p.yaml\n", "p": "a: [\n"}, "SQ101", "p.yaml:1:4"),
        ({"study": "soilql: 1\nextends: http://example.org/a.yaml\n"}, "SQ146", "study.yaml:2:10"),
        ({"study": "soilql: 1\nuse: {a: study.yaml}\n"}, "SQ134", "study.yaml:2:10"),
        ({"study": "soilql: 1\nuse: {a: none.yaml}\n"}, "SQ106", "study.yaml:2:10"),
        ({"study": "soilql: 1\nuse: {a: {}}\n"}, "SQ126", "study.yaml:2:7"),
        ({"study": "soilql: 1\nuse: {a: {from: p.yaml, input: {}}}\n"}, "SQ120", "study.yaml:2:25"),
        ({"study": "soilql: 1\nuse: {a: {from: p.yaml, inputs: [x]}}\n"}, "SQ122", "study.yaml:2:33"),
        ({"study": "soilql: 1\nuse: {super: p.yaml}\n"}, "SQ125", "study.yaml:2:7"),
        ({"study": "soilql: 1\nuse: {a-b: p.yaml}\n"}, "SQ125", "study.yaml:2:7"),
        ({"study": "soilql: 1\nextends: p.yaml\n", "p": "meta: {title: x}\n"}, "SQ108", "p.yaml:1:1"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_finding(
    tmp_path: Path, texts: dict[str, str], code: str, place: str
) -> None:
    write(tmp_path, **texts)
    found = lint(opened(tmp_path))
    assert [(d.code, str(d.span)) for d in found] == [(code, place)]
    assert all(d.code in codes() for d in found)


def test_a_chain_without_end_is_cut(tmp_path: Path) -> None:
    for i in range(MOST_FILES + 2):
        write(tmp_path, **{f"s{i}": f"soilql: 1\nextends: s{i + 1}.yaml\n"})
    (found,) = opened(tmp_path, "s0").diagnostics
    assert (found.code, str(found.span)) == ("SQ134", f"s{MOST_FILES - 1}.yaml:2:10")


def test_recipes_that_use_one_another_twice_do_not_grow_without_end(tmp_path: Path) -> None:
    for i in range(12):
        write(tmp_path, **{f"s{i}": f"soilql: 1\nuse: {{a: s{i + 1}.yaml, b: s{i + 1}.yaml}}\n"})
    write(tmp_path, s12="soilql: 1\n")
    assert "SQ134" in {d.code for d in opened(tmp_path, "s0").diagnostics}


SCALAR = st.one_of(st.integers(0, 9), st.sampled_from(["a", "b", "~"]), st.lists(st.integers(0, 3), max_size=2))
TREE = st.recursive(
    SCALAR,
    lambda inner: st.dictionaries(st.sampled_from("pqrstuv"), inner, max_size=4),
    max_leaves=16,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), whole=st.dictionaries(st.sampled_from("pqrstuv"), TREE, max_size=4))
def test_a_tree_split_between_parent_and_child_is_the_same(tmp_path: Path, data: st.DataObject, whole: Any) -> None:
    def split(node: Any) -> tuple[Any, Any]:
        """What the parent says, wrong in parts or too much, and what the child mends."""
        if not isinstance(node, dict):
            return data.draw(st.sampled_from([node, 0, "other", [1]])), node
        parent: dict[str, Any] = {}
        child: dict[str, Any] = {}
        for key, value in node.items():
            match data.draw(st.sampled_from(["parent", "child", "both"])):
                case "parent":
                    parent[key] = value
                case "child":
                    child[key] = value
                case _:
                    parent[key], child[key] = split(value)
        for extra in data.draw(st.lists(st.sampled_from("wxyz"), unique=True, max_size=2)):
            parent[extra] = data.draw(SCALAR)
            if data.draw(st.booleans()):
                child[extra] = "$remove"
            else:
                child.setdefault("$remove", []).append(extra)
        return parent, child

    parent, child = split(whole)
    (tmp_path / "parent.yaml").write_text(json.dumps({"soilql": 1, "x-tree": parent}))
    text = json.dumps({"soilql": 1, "extends": "parent.yaml", "x-tree": child})
    (tmp_path / "study.yaml").write_text(text.replace('"$remove"', "$remove").replace("$remove:", '"$remove":'))
    (tmp_path / "whole.yaml").write_text(json.dumps({"soilql": 1, "x-tree": whole}))
    spec = opened(tmp_path)
    assert [d.render() for d in spec.diagnostics] == []
    assert tree(spec) == tree(opened(tmp_path, "whole"))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_study_split_between_parent_and_child_has_the_same_keys(tmp_path: Path, data: st.DataObject) -> None:
    root = parse_yaml_text(RECIPE)
    parent: dict[str, Any] = {"soilql": 1}
    child: dict[str, Any] = {"soilql": 1, "extends": "parent.yaml"}
    for section in ("inputs", "datasets", "validation", "models", "analyses"):
        for name, block in root[section].items():
            for key, value in block.items() if isinstance(block, dict) else [(None, block)]:
                target = data.draw(st.sampled_from([parent, child])).setdefault(section, {})
                if key is None:
                    target[name] = value
                else:
                    target.setdefault(name, {})[key] = value
    write(tmp_path, parent=json.dumps(parent), study=json.dumps(child), whole=RECIPE)
    spec, whole = opened(tmp_path), opened(tmp_path, "whole")
    assert tree(spec) == tree(whole)
    assert keys(spec) == keys(whole)


def parse_yaml_text(text: str) -> Any:
    return plain(parse_yaml(Source("x", text)).root)


# --- use ------------------------------------------------------------------------------------------------------------

USER = """\
soilql: 1
use:
  warner: {from: specs/recipe.yaml, inputs: {trees: 300}}
  base: specs/recipe.yaml
analyses:
  difference: {kind: compute, expr: warner::rs.mean - base::rs.mean}
"""


def test_a_recipe_is_used_under_an_alias(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(tmp_path, study=USER)
    spec = clean(tmp_path)
    assert [node.name for node in make_plan(spec).nodes] == [
        *(f"warner::{name}" for name in ("obs", "grid", "forest", "rs")),
        *(f"base::{name}" for name in ("obs", "grid", "forest", "rs")),
        "difference",
    ]
    assert spec.blocks["warner::forest"].params.trees == 300
    assert spec.blocks["warner::forest"].params.data == "warner::obs"
    plan = make_plan(spec)
    assert plan.node("warner::obs").sources["source"] == (tmp_path / "specs" / "obs.csv",)
    assert plan.node("difference").inputs.keys() == {"warner::rs", "base::rs"}


def test_a_recipe_has_the_keys_that_it_has_alone(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(tmp_path, study="soilql: 1\nuse: {w: {from: specs/recipe.yaml, blocks: [line, double, budget, skill]}}\n")
    alone = keys(clean(tmp_path / "specs", "recipe"))
    assert keys(clean(tmp_path)) == {f"w::{name}": key for name, key in alone.items()}


def test_only_what_is_needed_of_a_recipe_is_computed(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(tmp_path, study="soilql: 1\nuse: {w: {from: specs/recipe.yaml, blocks: line}}\n")
    spec = clean(tmp_path)
    assert list(keys(spec)) == ["w::obs", "w::line"]
    assert "w::skill" in spec.idle, "it is linted all the same"


def test_recipes_in_recipes_have_names_and_inputs_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b", inner=RECIPE)
    write(
        tmp_path / "a",
        outer="soilql: 1\ninputs: {n: 5}\nuse: {deep: {from: b/inner.yaml, inputs: {trees: '${inputs.n}'}}}\n"
        "analyses: {twice: {kind: compute, expr: 'deep::rs.mean * 2', unit: g C m-2 yr-1}}\n",
    )
    write(
        tmp_path,
        study="soilql: 1\nuse: {top: {from: a/outer.yaml, inputs: {n: 9}}}\n"
        "analyses: {four: {kind: compute, expr: top::twice.twice * top::deep::rs.mean}}\n".replace(
            "rs.mean}", "rs.mean, unit: g2 m-4 yr-2}"
        ),
    )
    spec = clean(tmp_path)
    assert spec.blocks["top::deep::forest"].params.trees == 9
    whole = keys(spec)
    assert whole["top::twice"] == keys(clean(tmp_path / "a", "outer", n="9"))["twice"]
    assert whole["top::deep::rs"] == keys(clean(tmp_path / "a" / "b", "inner", trees="9"))["rs"]


def test_the_inputs_of_a_recipe_are_checked_where_they_are_given(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(
        tmp_path,
        study="soilql: 1\nuse:\n  w:\n    from: specs/recipe.yaml\n"
        "    inputs: {tree: 5, trees: 0, data: 7}\n    blocks: [bugdet]\n",
    )
    found = [(d.code, str(d.span), d.message, d.help) for d in lint(opened(tmp_path))]
    assert found == [
        ("SQ130", "study.yaml:5:14", "the recipe has no input `tree`", "did you mean `trees`?"),
        ("SQ131", "study.yaml:5:30", "`trees` must be at least 1", ""),
        ("SQ131", "study.yaml:5:39", "`data` must be text", ""),
        ("SQ203", "study.yaml:6:14", "the recipe has no block `bugdet`", "did you mean `budget`?"),
    ]


def test_a_mistake_in_a_recipe_shows_the_chain(tmp_path: Path) -> None:
    write(
        tmp_path / "specs",
        recipe=RECIPE.replace("formula: Rs ~ T, data: obs, trees", "formula: Rs ~, data: obs, trees"),
    )
    write(tmp_path / "mid", outer="soilql: 1\nuse: {deep: ../specs/recipe.yaml}\n")
    write(tmp_path, study="soilql: 1\nuse:\n  top: {from: mid/outer.yaml}\nx-a: deep\n")
    assert "\n".join(d.render() for d in opened(tmp_path).diagnostics).splitlines()[-2:] == [
        "   = note: used as `deep` by mid/outer.yaml:2:13",
        "   = note: used as `top` by study.yaml:3:15",
    ]
    assert str(opened(tmp_path).diagnostics[0].span).startswith("specs/recipe.yaml:12:")


def test_a_name_that_a_recipe_does_not_have_is_found_with_a_suggestion(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(tmp_path, study="soilql: 1\nuse: {w: specs/recipe.yaml}\nanalyses: {b: {kind: total, of: w::rss}}\n")
    (found,) = lint(opened(tmp_path))
    assert (found.code, found.message, found.help) == ("SQ203", "no block is named `w::rss`", "did you mean `w::rs`?")
    write(tmp_path, study="soilql: 1\nuse: {w: specs/recipe.yaml}\nanalyses: {b: {kind: total, of: w::line}}\n")
    (found,) = lint(opened(tmp_path))
    assert (found.code, found.message) == ("SQ204", "`of` needs a grid, and `w::line` is a model")


def test_a_variable_of_a_recipe_is_checked(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    for variable, code in (("double", None), ("duoble", "SQ704")):
        total = f"{{kind: total, of: 'w::double.{variable}', land_fraction: none}}"
        write(tmp_path, study=f"soilql: 1\nuse: {{w: specs/recipe.yaml}}\nanalyses: {{b: {total}}}\n")
        assert [d.code for d in lint(opened(tmp_path))] == ([code] if code else [])


def test_a_recipe_that_nothing_uses_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(tmp_path, study="soilql: 1\nuse: {w: specs/recipe.yaml}\n")
    assert [(d.code, str(d.span), d.severity) for d in lint(opened(tmp_path))] == [
        ("SQ147", "study.yaml:2:7", "warning")
    ]


def test_a_recipe_works_on_blocks_of_the_spec_that_uses_it(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(
        tmp_path,
        study="soilql: 1\ndatasets:\n  grid: {kind: grid, source: T.tif}\n  mine: {kind: grid, source: obs.csv}\n"
        "use:\n  w: {from: specs/recipe.yaml, inputs: {drivers: mine}}\n"
        "  v: {from: specs/recipe.yaml, inputs: {drivers: grid}}\n"
        "analyses: {b: {kind: total, of: [w::rs, v::rs], land_fraction: none}}\n",
    )
    spec = clean(tmp_path)
    assert spec.blocks["w::rs"].params.on == "mine"
    assert {"w::grid", "v::grid"}.isdisjoint(spec.blocks)
    plan = make_plan(spec)
    assert list(plan.node("w::rs").inputs) == ["w::forest", "mine"]
    write(tmp_path, study=(tmp_path / "study.yaml").read_text().replace("drivers: mine", "drivers: mien"))
    (found,) = [d for d in lint(opened(tmp_path)) if d.code == "SQ203"]
    assert found.message == "no block is named `mien`"


def test_a_path_given_to_a_recipe_starts_from_the_folder_of_the_giver(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(
        tmp_path,
        study="soilql: 1\nuse: {w: {from: specs/recipe.yaml, inputs: {data: obs.csv}, blocks: line}}\n",
        other="soilql: 1\ninputs: {d: obs.csv}\n"
        "use: {w: {from: specs/recipe.yaml, inputs: {data: '${inputs.d}'}, blocks: line}}\n",
    )
    for name, values in (("study", {}), ("other", {}), ("other", {"d": "./obs.csv"})):
        (path,) = make_plan(clean(tmp_path, name, **values)).node("w::obs").sources["source"]
        assert path.resolve() == (tmp_path / "obs.csv").resolve()


def test_a_circle_through_a_recipe_is_found(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(
        tmp_path,
        study="soilql: 1\nuse: {w: {from: specs/recipe.yaml, inputs: {drivers: c}}}\n"
        "analyses: {c: {kind: compute, expr: w::rs.mean * 1}}\n",
    )
    assert [d.code for d in lint(opened(tmp_path))] == ["SQ206"]


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3)


@given(NAMES, NAMES, st.sampled_from(["x", "a"]))
def test_names_inside_and_outside_are_inverse(scope: list[str], target: list[str], name: str) -> None:
    inside, full = "::".join(scope), "::".join([*target, name])
    assert absolute(relative(full, inside), inside) == full


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_renamed_block_that_no_result_shows_is_not_computed_again(tmp_path: Path) -> None:
    write(
        tmp_path,
        before=RECIPE,
        after=RECIPE.replace("obs", "sites")
        .replace("sites.csv", "obs.csv")
        .replace("forest", "qrf")
        .replace("quantile_qrf", "quantile_forest"),
    )
    before, after = keys(clean(tmp_path, "before")), keys(clean(tmp_path, "after"))
    assert (after["sites"], after["qrf"], after["line"]) == (before["obs"], before["forest"], before["line"])


def test_inputs_that_change_places_are_another_computation(tmp_path: Path) -> None:
    data = "soilql: 1\ndatasets:\n  a: {kind: grid, source: T.tif}\n  b: {kind: grid, source: obs.csv}\n"
    two = (
        data
        + "  s: {kind: table, source: obs.csv, roles: {lat: lat, lon: lon}}\n  e: {kind: extract, at: s, from: [%s]}\n"
    )
    write(tmp_path, ab=two % "a, b", ba=two % "b, a", renamed=(two % "q, b").replace("  a:", "  q:"))
    found = {name: keys(opened(tmp_path, name))["e"] for name in ("ab", "ba", "renamed")}
    assert found["ab"] == found["renamed"] != found["ba"]


def test_a_result_that_shows_names_has_them_in_its_key(tmp_path: Path) -> None:
    write(tmp_path, before=RECIPE, after=RECIPE.replace("double:", "twice:"))
    before, after = keys(clean(tmp_path, "before")), keys(clean(tmp_path, "after"))
    assert before["double"] != after["twice"], "the variable is called after the block"
    assert before["rs"] == after["rs"]


# --- render ---------------------------------------------------------------------------------------------------------


def rerendered(folder: Path, name: str) -> tuple[Spec, str]:
    spec = clean(folder, name)
    text = resolved_text(spec)
    (folder / "rendered.yaml").write_text(text, encoding="utf-8")
    return spec, text


@pytest.mark.parametrize("name", ["plain", "extended", "used", "nested", "given"])
def test_a_rendered_spec_is_the_same_study(tmp_path: Path, name: str) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    write(
        tmp_path / "specs" / "mid",
        outer="soilql: 1\nuse: {deep: {from: ../recipe.yaml, blocks: [line]}}\n"
        "analyses: {b: {kind: total, of: deep::rs, land_fraction: none}}\n",
    )
    write(
        tmp_path,
        plain=RECIPE,
        extended="soilql: 1\nextends: specs/recipe.yaml\nmodels: {line: $remove}\n"
        "analyses: {skill: {models: forest}}\n",
        used=USER,
        nested="soilql: 1\nuse: {top: {from: specs/mid/outer.yaml, blocks: b}}\n"
        "analyses: {t: {kind: total, of: top::deep::rs.mean, land_fraction: none}}\n",
        given="soilql: 1\ndatasets: {mine: {kind: grid, source: T.tif}}\n"
        "use: {w: {from: specs/recipe.yaml, inputs: {drivers: mine}}}\n"
        "analyses: {t: {kind: total, of: w::rs, land_fraction: none}}\n",
    )
    spec, text = rerendered(tmp_path, name)
    again = clean(tmp_path, "rendered")
    assert keys(again) == keys(spec)
    assert list(again.blocks) == list(spec.blocks)
    assert resolved_text(again) == text
    assert "extends" not in text
    assert "inputs" not in text


def test_a_recipe_written_out_has_inputs_of_its_own(tmp_path: Path) -> None:
    recipe = "".join(f"      {line}\n" for line in RECIPE.splitlines())
    outer = "soilql: 1\ninputs: {trees: 5}\nuse:\n  w:\n    inputs: {trees: '${inputs.trees}'}\n    blocks: [budget]\n"
    write(tmp_path, study=f"{outer}    recipe:\n{recipe}")
    assert clean(tmp_path).blocks["w::forest"].params.trees == 5


# --- running --------------------------------------------------------------------------------------------------------


def test_a_recipe_that_was_run_alone_is_not_run_again_where_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = Study(tmp_path, capsys)
    assert study.main().status == 0
    (tmp_path / "recipe.yaml").write_text(SPEC)
    study.write("soilql: 1\nuse: {w: {from: recipe.yaml, blocks: [skill, budget, q10]}}\n")
    planned = study.main("plan")
    assert planned.out.splitlines()[-1].startswith("9 nodes: 0 to run")
    assert study.main(out="again").status == 0
    alone = (tmp_path / "out" / "analyses" / "skill" / "skill.csv").read_bytes()
    (used,) = (tmp_path / "again" / "analyses").glob("*skill/*skill.csv")
    assert used.read_bytes() == alone


def test_a_recipe_is_run_where_it_is_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = Study(tmp_path, capsys)
    (tmp_path / "recipe.yaml").write_text(SPEC)
    study.write(
        "soilql: 1\nuse: {w: {from: recipe.yaml, blocks: [skill]}}\n"
        "analyses:\n  twice: {kind: compute, expr: 2 * w::map.mean, unit: g C m-2 yr-1}\n"
        "  sums: {kind: total, of: [w::map, twice]}\n"
    )
    ran = study.main()
    assert (ran.status, ran.problems.count("error")) == (0, 0), ran.err
    sums = study.results_table("analyses/sums/sums.csv").set_index("of")["total"]
    assert sums["twice"] == pytest.approx(2 * sums["w::map"], rel=1e-6)
