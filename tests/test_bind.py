from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from soilql.bind import Binder
from soilql.canonical import canonical
from soilql.errors import Source
from soilql.params import DataRef, DataSource, Expr, Filter, NewName, Params, Problem, TableRef, UnitText, param
from soilql.source import Mapping, parse_yaml
from soilql.type_words import describe


@dataclass(frozen=True)
class Column(Params):
    """A column."""

    SHORTHAND = "from"

    from_: str | None = param(None, doc="column of the file")
    unit: UnitText | None = param(None, doc="unit")


@dataclass(frozen=True)
class Example(Params):
    """All types at once."""

    data: TableRef = param(doc="the table")
    trees: int = param(500, doc="trees", ge=1)
    share: float = param(0.5, doc="share", gt=0, lt=1)
    levels: list[float] = param([], doc="levels", ge=0, le=1)
    method: Literal["nearest", "bilinear"] = param("nearest", doc="method")
    features: int | Literal["sqrt", "all"] = param("sqrt", doc="features")
    columns: dict[NewName, Column] = param({}, doc="columns")
    where: Filter | None = param(None, doc="condition")
    derive: dict[NewName, Expr] = param({}, doc="derived")
    source: list[DataSource] = param([], doc="files")
    keep: bool = param(True, doc="keep")
    title: str = param("", doc="title", in_key=False)


def bind(text: str) -> tuple[Any, list[str]]:
    tree = parse_yaml(Source("x.yaml", text))
    assert isinstance(tree.root, Mapping)
    binder = Binder()
    params = binder.params(Example, tree.root)
    return params, [f"{d.span}: {d.code} {d.message}" for d in binder.diagnostics]


def test_values_are_bound_to_their_types_and_defaults_filled_in() -> None:
    params, found = bind(
        "data: srdb\nshare: 0.25\nlevels: [0, 1]\ncolumns: {Rs: Rs_annual, T: {from: MAT, unit: degC}}\n"
    )
    assert found == []
    assert (params.data, params.trees, params.share, params.levels) == ("srdb", 500, 0.25, [0.0, 1.0])
    assert params.columns == {"Rs": Column("Rs_annual"), "T": Column("MAT", UnitText("degC"))}


def test_one_item_stands_for_a_list_and_x_keys_are_free() -> None:
    params, found = bind("data: srdb\nlevels: 0.5\nsource: a.csv\nx-note: {any: thing}\n")
    assert found == []
    assert (params.levels, params.source) == ([0.5], ["a.csv"])


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("data: a\ntres: 3", "x.yaml:2:1: SQ120 unknown key `tres`"),
        ("trees: 3", "x.yaml:1:1: SQ121 missing key `data`"),
        ("data: a\ntrees: many", "x.yaml:2:8: SQ122 `trees` must be a whole number"),
        ("data: a\ntrees: 1.5", "x.yaml:2:8: SQ122 `trees` must be a whole number"),
        ("data: a\ntrees: true", "x.yaml:2:8: SQ122 `trees` must be a whole number"),
        ("data: a\ntrees: 0", "x.yaml:2:8: SQ123 `trees` must be at least 1"),
        ("data: a\nshare: 1", "x.yaml:2:8: SQ123 `share` must be above 0 and below 1"),
        ("data: a\nshare: .nan", "x.yaml:2:8: SQ123 `share` must be above 0 and below 1"),
        ("data: a\nlevels: [0.1, 1.5]", "x.yaml:2:15: SQ123 `levels` must be at least 0 and at most 1"),
        ("data: a\nmethod: nearst", "x.yaml:2:9: SQ124 `method` cannot be `nearst`"),
        ("data: a\nfeatures: third", "x.yaml:2:11: SQ124 `features` cannot be `third`"),
        ("data: a\ncolumns: {2x: y}", "x.yaml:2:11: SQ125 `2x` cannot be a name"),
        ("data: a\ncolumns: {T: {from: x, unit: degX}}", "x.yaml:2:30: SQ301 unknown unit `degX`"),
        ("data: a\nwhere: [x]", "x.yaml:2:8: SQ122 `where` must be an expression"),
        ("data: a\nkeep: no", "x.yaml:2:7: SQ122 `keep` must be true or false"),
        ("data: {a: 1}", "x.yaml:1:8: SQ122 `data` must be the name of a table"),
        ("data: 3", "x.yaml:1:7: SQ122 `data` must be the name of a table"),
        ("data:", "x.yaml:1:6: SQ122 `data` has no value"),
    ],
)
def test_what_does_not_fit_is_said_at_its_place(text: str, finding: str) -> None:
    _, found = bind(text)
    assert found == [finding]


def test_a_detail_that_does_not_fit_leaves_the_rest_to_be_checked() -> None:
    text = "data: srdb\ntree: 3\nshare: 2\nmethod: cubic\nwhere: 'T >'\ncolumns: {T: {from: MAT, unit: degX}}\n"
    params, found = bind(text)
    assert [line.split(": ")[1][:5] for line in found] == ["SQ120", "SQ123", "SQ124", "SQ110", "SQ301"]
    assert (params.trees, params.share, params.method, params.where) == (500, 0.5, "nearest", None)
    assert params.columns == {"T": Column("MAT", None)}


@pytest.mark.parametrize(
    "text", ["dat: a", "data: [a]", "data: a\nnonsense: 1", "data: a\ncolums: {}", "data: a\nlevels: x"]
)
def test_what_says_what_a_block_is_must_fit(text: str) -> None:
    assert bind(text)[0] is None


def test_a_comma_that_cuts_an_expression_off_is_one_mistake() -> None:
    _, found = bind("{data: a, where: max(T, M, 0) > 1, trees: 3}")
    assert found == ["x.yaml:1:23: SQ110 the expression is cut off at the comma"]
    _, found = bind("{data: a, derive: {x: 'max(T, M)', y: max(T, M), z: T}}")
    assert found == ["x.yaml:1:44: SQ110 the expression is cut off at the comma"]
    _, found = bind("{data: a, where: max(T > 1, tres: }")
    assert [line[:17] for line in found] == ["x.yaml:1:27: SQ11"]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("trees: '500'", "write `500` without quotes"),
        ("trees: '1.5'", ""),
        ("share: '0.5'", "write `0.5` without quotes"),
        ("share: many", ""),
        ("keep: yes", "write `true`"),
        ("keep: Off", "write `false`"),
        ("keep: '1'", ""),
        ("levels: [5]", "for 5 % write 0.05"),
        ("levels: [-5]", ""),
        ("trees: 0", ""),
        ("columns: {soil-resp: x}", "write `soil_resp`"),
        ("columns: {2x: y}", "use letters, digits and underscores, beginning with a letter"),
    ],
)
def test_help_says_what_to_write(text: str, help: str) -> None:
    tree = parse_yaml(Source("x.yaml", f"data: a\n{text}\n"))
    assert isinstance(tree.root, Mapping)
    binder = Binder()
    binder.params(Example, tree.root)
    assert [d.help for d in binder.diagnostics] == [help]


def test_all_mistakes_of_a_block_are_found_in_one_pass() -> None:
    _, found = bind("dat: a\ntrees: 0\nmethod: cubic\nwhere: 'Rs >'\nlevels: x\n")
    assert [finding.partition(": ")[2][:5] for finding in found] == [
        "SQ120",
        "SQ123",
        "SQ124",
        "SQ110",
        "SQ122",
    ]


@dataclass(frozen=True)
class Together(Params):
    """Parameters that must go together."""

    low: float = param(doc="low")
    high: float = param(doc="high")
    names: list[str] = param([], doc="names")
    most: int = param(2, doc="most", ge=1)

    def problems(self) -> Iterator[Problem]:
        if len(set(self.names)) < len(self.names):
            yield "a name stands twice", "names"
        if not self.low < self.high:
            yield "`low` is not below `high`", "low"
        if len(self.names) > self.most:
            yield "too many names", "names"
            yield "more names than `most`", ""


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("low: 1\nhigh: 2\n", []),
        ("low: 2\nhigh: 1\nnames: [a, a, b]\n", ["3:8: SQ126 a name stands", "1:6: SQ126 `low`", "1:1: SQ126 more"]),
        ("low: 2\nhigh: x\nnames: [a, a]\n", ["2:7: SQ122 `high` must", "3:8: SQ126 a name stands"]),
        ("low: 2\nhigh: 1\nwrong: 1\n", ["3:1: SQ120 unknown key"]),
        ("low: 2\nhigh: 1\nnams: [a]\n", ["3:1: SQ120 unknown key"]),
        (
            "low: 2\nhigh: 1\nnames: [a, a]\nmots: 1\n",
            ["4:1: SQ120 unknown key", "3:8: SQ126 a name", "1:6: SQ126 `low`"],
        ),
        ("low: 2\nhigh: 1\nnames: []\nwrong: 1\n", ["4:1: SQ120 unknown key", "1:6: SQ126 `low`"]),
        ("low: 2\nnames: [a, a]\n", ["1:1: SQ121 missing key `high`", "2:8: SQ126 a name stands"]),
        ("low: 2\nhigh: 1\nnames: [a, b, c]\nmost: 0\n", ["4:7: SQ123 `most`", "1:6: SQ126 `low`"]),
        ("low: 1\nhigh: 2\nnames: [a, b, c]\nmost: 0\n", ["4:7: SQ123 `most`"]),
    ],
    ids=[
        "fits",
        "each_key_once",
        "wrong_value",
        "any_key_may_be_meant",
        "meant",
        "not_meant",
        "strange_key",
        "missing",
        "order",
        "default",
    ],
)
def test_what_does_not_go_together_is_said_beside_the_rest(text: str, findings: list[str]) -> None:
    tree = parse_yaml(Source("x.yaml", text))
    assert isinstance(tree.root, Mapping)
    binder = Binder()
    built = binder.params(Together, tree.root)
    found = [f"{d.span}: {d.code} {d.message}" for d in binder.diagnostics]
    assert [one.startswith(f"x.yaml:{start}") for one, start in zip(found, findings, strict=True)] == [True] * len(
        found
    )
    assert (built is None) == bool(findings)


def test_a_misspelt_key_that_is_needed_is_not_missing_too() -> None:
    assert bind("dta: a\n")[1] == ["x.yaml:1:1: SQ120 unknown key `dta`"]
    assert [d[:15] for d in bind("frm: a\n")[1]] == ["x.yaml:1:1: SQ1"] * 2


def test_spans_inside_expressions_point_into_the_yaml() -> None:
    _, found = bind("data: a\nwhere: >-\n  Rs > 0 and\n  MAT +\n")
    (finding,) = found
    assert finding.startswith("x.yaml:4:8: SQ110")


def test_canonical_form_forgets_how_it_was_written() -> None:
    one, _ = bind("data: a\nwhere: Rs>0 and   MAT<5\nderive: {x: 'a*b^2'}\nsource: here.csv\ntitle: one\n")
    two, _ = bind(
        "title: two\nsource: elsewhere.csv\nderive:\n  x: a * b ** 2\nwhere: >-\n  Rs > 0\n  and MAT < 5.0\ndata: a\n"
    )
    assert canonical(one) == canonical(two)
    assert "source" not in canonical(one)
    changed, _ = bind("data: a\nwhere: Rs>1 and MAT<5\nderive: {x: 'a*b^2'}")
    assert canonical(changed) != canonical(one)


def test_types_in_words() -> None:
    assert describe(list[TableRef]) == "a list of names of tables"
    assert describe(list[DataRef]) == "a list of names of tables or grids"
    assert describe(list[int]) == "a list of whole numbers"
    assert describe(list[str]) == "a list of text"
    assert describe(int | float | Literal["all"]) == "a number or one of all"
    assert describe(str | float | bool) == "text, a number or true or false"
    assert describe(Literal[".", ","]) == "one of `.`, `,`"
    assert describe(list[DataSource]) == "a list of paths or `registry:NAME`"
    assert describe(int | None) == "a whole number"
    assert describe(dict[NewName, Column]) == "a mapping of names to mappings"
