"""The JSON Schema for editors: in step with the code, valid itself, and of one mind with the binder."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from soilql import kinds
from soilql import params as p
from soilql.bind import Binder
from soilql.cli import main
from soilql.errors import Source
from soilql.schema import json_schema
from soilql.source import Mapping, Node, Scalar, Sequence, parse_yaml

ROOT = Path(__file__).parent.parent
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
SPECS = [*(ROOT / "specs").glob("*.yaml"), *(ROOT / "examples").glob("*.yaml")]
SOUND = sorted((Path(__file__).parent / "lint" / "ok").glob("*.yaml"))
KINDS = [(section, name) for section in kinds.SECTIONS for name in kinds.names(section)]


def plain(node: Node) -> Any:
    """Return a tree as plain data, as an editor's own YAML parser gives it."""
    if isinstance(node, Mapping):
        return {entry.name: plain(entry.value) for entry in node}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return node.value if node.style == "" else node.text


def problems(text: str) -> list[str]:
    root = parse_yaml(Source("x.yaml", text)).root
    assert isinstance(root, Mapping)
    return [error.json_path for error in VALIDATOR.iter_errors(plain(root))]


def test_the_file_is_in_step_with_the_code(tmp_path: Path) -> None:
    committed = (ROOT / "schemas" / "soilql.schema.json").read_text(encoding="utf-8")
    assert main(["schema", "--output", str(tmp_path / "new.json")]) == 0
    written = (tmp_path / "new.json").read_text(encoding="utf-8")
    assert committed == written, "run: soilql schema --output schemas/soilql.schema.json"
    assert json.loads(written) == json.loads(json.dumps(json_schema()))


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_every_reference_leads_to_a_definition() -> None:
    text = json.dumps(SCHEMA)
    used = {part.split('"')[0] for part in text.split("#/$defs/")[1:]}
    assert used == set(SCHEMA["$defs"])


@pytest.mark.parametrize("path", [*SPECS, *SOUND], ids=lambda path: path.stem)
def test_sound_specs_are_valid(path: Path) -> None:
    assert problems(path.read_bytes().decode("utf-8-sig")) == []


HEAD = "soilql: 1\n"
TABLE = "datasets: {t: {kind: table, source: a.csv, %s}}"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("datasets: {}", "$"),
        ("soilql: 2", "$.soilql"),
        (HEAD + "model: {}", "$"),
        (HEAD + "models: []", "$.models"),
        (HEAD + "meta: {titel: x}", "$.meta"),
        (HEAD + "inputs: {a: {default: 1, minimum: 0}}", "$.inputs.a"),
        (HEAD + "datasets: {a: {source: x.csv}}", "$.datasets.a"),
        (HEAD + "datasets: {a: {kind: kfold}}", "$.datasets.a.kind"),
        (HEAD + "datasets: {a-b: {kind: table, source: x.csv}}", "$.datasets"),
        (HEAD + "datasets: {a: {kind: table}}", "$.datasets.a"),
        (HEAD + TABLE % "sourc: x", "$.datasets.t"),
        (HEAD + TABLE % "columns: {Rs: {form: x}}", "$.datasets.t.columns.Rs"),
        (HEAD + TABLE % "average: {of: Rs, by: year, min: 3}", "$.datasets.t.average"),
        (HEAD + TABLE % "where: [a]", "$.datasets.t.where"),
        (HEAD + TABLE % "format: xls", "$.datasets.t.format"),
        (HEAD + "validation: {k: {kind: kfold, folds: 1}}", "$.validation.k.folds"),
        (HEAD + "validation: {k: {kind: kfold, folds: '10'}}", "$.validation.k.folds"),
        (HEAD + "validation: {k: {kind: kfold, folds: 2.5}}", "$.validation.k.folds"),
        (HEAD + "analyses: {a: {kind: predict, model: m, on: g, quantiles: [5]}}", "$.analyses.a.quantiles"),
        (HEAD + "analyses: {a: {kind: predict, model: m, on: g, sd: yes}}", "$.analyses.a.sd"),
        (HEAD + "analyses: {a: {kind: predict, model: 3, on: g}}", "$.analyses.a.model"),
        (
            HEAD + "models: {m: {kind: nonlinear, formula: y ~ a, data: t, params: {a: {strat: 1}}}}",
            "$.models.m.params",
        ),
    ],
)
def test_mistakes_are_refused_at_their_place(text: str, path: str) -> None:
    assert problems(text) == [path]


def test_references_notes_and_short_forms_are_allowed() -> None:
    assert (
        problems(HEAD + "x-note: [1]\nvalidation: {x-old: 1, k: {kind: kfold, x-why: y, folds: '${inputs.k}'}}") == []
    )
    assert (
        problems(HEAD + TABLE % "columns: {Rs: Rs_annual, x-note: [1]}, missing: -9999, roles: {x-a: {}, lat: y}") == []
    )
    assert problems(HEAD + TABLE % "where: , format: , columns: ") == []
    assert problems(HEAD + "datasets:\nmeta:\ninputs:\nzones:\n") == []


def sensible(annotation: Any) -> st.SearchStrategy[Any]:
    """Values that a field of a type may well have."""
    origin = get_origin(annotation)
    if origin is Annotated:
        role = get_args(annotation)[1].role
        return st.sampled_from(["y ~ x", "log(y) ~ a + b"] if role == "formula" else ["x > 1", "a + b", "1"])
    if origin in (Union, types.UnionType):
        return st.one_of([sensible(arg) for arg in get_args(annotation) if arg is not type(None)])
    if origin is list:
        item = sensible(get_args(annotation)[0])
        return st.lists(item, max_size=3) | item
    if origin is dict:
        return st.dictionaries(
            st.sampled_from(["a", "b", "x-c", "2", "lat"]), sensible(get_args(annotation)[1]), max_size=2
        )
    if origin is Literal:
        return st.sampled_from(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return mapping(annotation) | st.none()
    if annotation in (int, float):
        return st.integers(-2, 100) | st.floats(allow_nan=False, width=16)
    if annotation is bool:
        return st.booleans()
    return st.sampled_from(["a", "degC", "g C m-2 yr-1", "1", "a.b", "registry:srdb-v5", "${inputs.a}"])


JUNK = st.sampled_from([None, True, 0, -1, 0.5, 2, "text", "", [], [1], ["a"], {}, {"a": 1}, {"from": "a"}])


@st.composite
def mapping(draw: st.DrawFn, cls: type[p.Params]) -> dict[str, Any]:
    """A mapping for a Params class: mostly sensible, at times a junk value or key, or a key left out."""
    found: dict[str, Any] = {}
    for field in p.fields(cls):
        if draw(st.integers(0, 9)) < (9 if field.required else 4):
            found[field.key] = draw(JUNK if draw(st.integers(0, 9)) == 0 else sensible(field.type))
    if draw(st.integers(0, 19)) == 0:
        found[draw(st.sampled_from(["x-note", "nonsense"]))] = 1
    return found


@pytest.mark.parametrize(("section", "name"), KINDS, ids=[name for _, name in KINDS])
@settings(max_examples=100)
@given(data=st.data())
def test_what_the_binder_accepts_is_valid(section: str, name: str, data: st.DataObject) -> None:
    kind = kinds.find(section, name)
    assert kind is not None
    block = data.draw(mapping(kind.params_type))
    tree = parse_yaml(Source("x.yaml", json.dumps(block)))
    assert isinstance(tree.root, Mapping)
    binder = Binder()
    binder.params(kind.params_type, tree.root)
    errors = [
        e.message for e in VALIDATOR.iter_errors({"soilql": 1, section: {"a": {"kind": name, **plain_of(tree.root)}}})
    ]
    if not binder.diagnostics and "${" not in json.dumps(block):
        assert errors == []
    if any(d.code in ("SQ120", "SQ121", "SQ123", "SQ124") for d in binder.diagnostics):
        assert errors != []


def plain_of(root: Mapping) -> dict[str, Any]:
    found: dict[str, Any] = plain(root)
    return found


def test_plain_data_keep_the_types_of_yaml() -> None:
    root = parse_yaml(Source("x.yaml", "{a: 1e-3, b: no, c: '5', d: [true, ]}")).root
    assert root is not None
    assert not isinstance(root, Scalar)
    assert plain(root) == {"a": 0.001, "b": "no", "c": "5", "d": [True]}
