"""The record of a run: what it says, that it is the same for the same run, and that it is written whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql import __version__, manifest, registry
from soilql.errors import Source
from soilql.manifest import Entry, Output, Previous
from soilql.params import DataSource, Params, param
from soilql.resolved import resolved_text
from soilql.source import parse_yaml, plain
from soilql.spec import Spec, build
from soilql.values import Note, ValueType

from .fake_study import KINDS, STUDY, compile_study, make_kind, run_study


@dataclass(frozen=True)
class Inner(Params):
    """Nested parameters."""

    seed: int = param(5, doc="seed")


@dataclass(frozen=True)
class SourcesParams(Params):
    """A block with data and seeds."""

    source: DataSource = param(doc="data")
    also: list[DataSource] = param([], doc="more data")
    fold_seed: int = param(7, doc="seed")
    tuning: Inner = param(Inner(), doc="nested")


def spec_of(text: str) -> Spec:
    return build(parse_yaml(Source("folder/x.yaml", text)), {})


def sources_study(monkeypatch: pytest.MonkeyPatch, folder: Path) -> dict[str, Any]:
    kind = make_kind("datasets", "files", SourcesParams, ValueType.TABLE, None)
    monkeypatch.setitem(KINDS, ("datasets", "files"), kind)
    (folder / "a.csv").write_text("x\n1\n")
    (folder / "b.csv").write_text("x\n2\n")
    also = f"['{folder}/a.csv', '{folder}/[b].csv']"
    text = f"soilql: 1\ndatasets:\n  d: {{kind: files, source: 'registry:rc-stack', also: {also}}}\n"
    spec, plan = compile_study(text)
    return manifest.build(spec, [Entry(node, "ok") for node in plan.nodes], [])


# --- contents ----------------------------------------------------------------------------------------------------


def test_inputs_carry_what_a_citation_needs_and_no_absolute_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = sources_study(monkeypatch, tmp_path)
    entry = registry.find("rc-stack")
    first, second = content["inputs"]
    assert first == {
        "block": "d",
        "parameter": "source",
        "sources": [
            {
                "registry": "jian2021-drivers",
                "title": entry.title,
                "citation": entry.citation,
                "licence": entry.licence,
                "doi": entry.doi,
            }
        ],
        "sha256": [file.sha256 for file in entry.files],
    }
    assert second["sources"] == [{"path": "a.csv"}, {"path": "[b].csv"}]
    assert second["sha256"] == [hashlib.sha256(text).hexdigest() for text in (b"x\n1\n", b"x\n2\n")]
    assert str(tmp_path) not in json.dumps(content)


def test_seeds_are_spelled_out_also_nested_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (node,) = sources_study(monkeypatch, tmp_path)["nodes"]
    assert node["seeds"] == {"fold_seed": 7, "tuning.seed": 5}


def test_every_file_of_the_run_folder_is_listed_with_its_bytes(tmp_path: Path) -> None:
    run_study(tmp_path)
    out = tmp_path / "out"
    content = json.loads((out / "manifest.json").read_text())
    listed = {item["path"]: (item["sha256"], item["bytes"]) for item in content["outputs"]}
    there = {
        path.relative_to(out).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in out.rglob("*")
        if path.is_file() and "log" not in path.relative_to(out).parts and path.name != "manifest.json"
    }
    assert listed == there
    assert content["soilql"] == __version__
    assert content["complete"]
    assert content["packages"]["numpy"] == __import__("numpy").__version__
    assert [node["name"] for node in content["nodes"]] == ["numbers", "field", "mean", "spread", "score"]


def test_there_is_no_clock_host_or_place_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run_study(tmp_path / name)
    texts = [(tmp_path / name / "out/manifest.json").read_text() for name in ("a", "b")]
    assert texts[0] == texts[1]
    assert str(tmp_path) not in texts[0]
    assert f'"{os.uname().nodename}"' not in texts[0]
    assert not re.search(r"20\d\d-\d\d-\d\dT", texts[0])


def test_notes_are_kept(tmp_path: Path) -> None:
    spec, plan = compile_study()
    content = manifest.build(spec, [Entry(plan.nodes[0], "ok", (Note("SQ802", "3 rows"),))], [])
    assert content["nodes"][0]["notes"] == [{"code": "SQ802", "message": "3 rows", "severity": "warning"}]


def test_outputs_are_sorted_by_path() -> None:
    spec, _ = compile_study()
    outputs = [Output(path, "", 0, "", "") for path in ("b", "a/c", "a/b")]
    assert [item["path"] for item in manifest.build(spec, [], outputs)["outputs"]] == ["a/b", "a/c", "b"]


# --- the spec ----------------------------------------------------------------------------------------------------


def test_comments_and_formatting_do_not_change_the_hash_of_a_spec() -> None:
    spec, _ = compile_study()
    other, _ = compile_study("# a comment\n" + STUDY.replace("rows: 12, seed: 3", "rows:   12,\n    seed: 3"))
    changed, _ = compile_study(STUDY.replace("seed: 3", "seed: 4"))
    assert manifest.spec_sha256(spec) == manifest.spec_sha256(other)
    assert manifest.spec_sha256(spec) != manifest.spec_sha256(changed)


def test_the_resolved_spec_has_its_inputs_and_aliases_put_in() -> None:
    text = 'soilql: 1\ninputs: {n: 5}\nx-a: &a {k: "${inputs.n}"}\nx-b: *a\n'
    assert "x-b:\n  k: 5\n" in resolved_text(spec_of(text))


SCALARS = st.one_of(
    st.sampled_from(
        ["1e-3", "no", "None", "12:30", "null", "~", "", "0x1f", "1_000", ".inf", "<<", "2001-01-01", "=", "yes"]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), max_size=30),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.one_of(SCALARS, st.lists(SCALARS, max_size=4))))
def test_the_resolved_spec_reads_back_as_the_same(values: dict[str, Any]) -> None:
    text = json.dumps({"soilql": 1, "x-values": values}).replace("Infinity", ".inf")
    spec = spec_of(text)
    back = parse_yaml(Source("x", resolved_text(spec)))
    assert not back.diagnostics
    assert plain(back.root) == plain(spec.resolved)


# --- writing and reading -----------------------------------------------------------------------------------------


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    spec, plan = compile_study()
    output = Output("a.csv", "00", 3, "mean", plan.node("mean").key)
    manifest.write(tmp_path, manifest.build(spec, [], [output]))
    assert manifest.read(tmp_path) == Previous(__version__, (output,))
    assert manifest.read(tmp_path).of("mean") == (output,)


def test_the_same_manifest_is_not_written_twice(tmp_path: Path) -> None:
    content = manifest.build(compile_study()[0], [], [])
    manifest.write(tmp_path, content)
    before = (tmp_path / "manifest.json").stat()
    manifest.write(tmp_path, content)
    after = (tmp_path / "manifest.json").stat()
    # Reading the file to compare it may move its time of access, and nothing else.
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"soilql": 1}', '{"outputs": [{"path": 1}], "soilql": "", "spec": {}}']
)
def test_an_unreadable_manifest_is_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert manifest.read(tmp_path) == Previous()


def test_a_manifest_set_aside_still_tells_what_is_ours(tmp_path: Path) -> None:
    content = manifest.build(compile_study()[0], [], [Output("a", "", 0, "b", "k")])
    manifest.write(tmp_path, content)
    manifest.set_aside(tmp_path)
    assert not (tmp_path / "manifest.json").exists()
    assert manifest.read(tmp_path).of("b") == (Output("a", "", 0, "b", "k"),)
    manifest.write(tmp_path, content)
    assert not (tmp_path / manifest.PREVIOUS).exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    manifest.write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        manifest.write_whole(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]
    assert path.read_text() == "old"


def test_remembered_parts_survive_garbage(tmp_path: Path) -> None:
    _, plan = compile_study()
    manifest.remember(tmp_path, plan.nodes[:1])
    manifest.remember(tmp_path, plan.nodes[2:3])
    assert list(manifest.remembered(tmp_path)) == ["numbers", "mean"]
    (tmp_path / "log/blocks.json").write_text("{")
    assert manifest.remembered(tmp_path) == {}
