"""Recipes from the network and the registry: pinned by sha256, fetched only to be pinned, refused when they differ."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql import lock as locking
from soilql.errors import Diagnostic, Severity, SoilqlError
from soilql.explain import codes
from soilql.lint import lint
from soilql.lock import Locked, lock
from soilql.plan import make_plan
from soilql.recipes import cached_path, lock_text, read_lock
from soilql.resolved import resolved_text
from soilql.spec import Spec, load

ADDRESS = "https://example.org/recipes/line.yaml"
RECIPE = """\
soilql: 1
inputs: {data: registry:srdb-v5}
datasets:
  obs: {kind: table, source: '${inputs.data}'}
models:
  line: {kind: linear, formula: Rs_annual ~ MAT, data: obs}
"""
STUDY = f"soilql: 1\nuse: {{w: {{from: '{ADDRESS}', blocks: line}}}}\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A cache of the test's own, and no network at all."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setenv("SOILQL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SOILQL_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield


Web = dict[str, str]


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """Texts by address, that `lock` can fetch."""
    texts = {ADDRESS: RECIPE}

    def fetch(address: str) -> bytes:
        if address not in texts:
            raise SoilqlError(Diagnostic("SQ902", f"`{address}`: the server answered 404 Not Found"))
        return texts[address].encode()

    monkeypatch.setattr(locking, "fetch", fetch)
    return texts


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(folder: Path, **texts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / "study.yaml"


def opened(path: Path) -> Spec:
    return load(path, name=path.name)


def said(path: Path) -> list[tuple[str, str, str]]:
    found = lint(opened(path))
    assert all(d.code in codes() for d in found)
    return [(d.code, str(d.span), d.message) for d in found if d.severity is Severity.ERROR]


def refused(action: Callable[[], object]) -> list[str]:
    with pytest.raises(SoilqlError) as caught:
        action()
    return [d.code for d in caught.value.diagnostics]


# --- pinning --------------------------------------------------------------------------------------------------------


def test_a_recipe_from_the_network_must_be_pinned(tmp_path: Path) -> None:
    path = write(tmp_path, study=STUDY)
    assert said(path) == [
        ("SQ136", "study.yaml:2:17", f"`{ADDRESS}` is not pinned: it could change without a word"),
    ]


def test_a_pinned_recipe_is_used_without_the_network(tmp_path: Path, web: Web) -> None:
    path = write(tmp_path, study=STUDY)
    assert lock(path) == Locked(tmp_path / "soilql.lock", (ADDRESS,), (), ())
    web.clear()
    assert said(path) == []
    assert [node.name for node in make_plan(opened(path)).nodes] == ["w::obs", "w::line"]
    assert (tmp_path / "soilql.lock").read_text() == (
        "# Recipes that the specs in this folder use, by the sha256 of their text. Written by `soilql lock`.\n"
        f'soilql-lock: 1\nrecipes:\n  "{ADDRESS}":\n    sha256: {sha256(RECIPE)}\n'
    )
    assert lock(path) == Locked(tmp_path / "soilql.lock", (), (), (ADDRESS,))


def test_a_pinned_recipe_that_was_not_fetched_here_says_so(tmp_path: Path, web: Web) -> None:
    path = write(tmp_path, study=STUDY)
    lock(path)
    cached_path(ADDRESS, sha256(RECIPE)).unlink()
    ((code, place, message),) = said(path)
    assert (code, place) == ("SQ138", "study.yaml:2:17")
    assert message == f"`{ADDRESS}` is pinned, but its text is not on this machine"
    lock(path)
    assert said(path) == []


def test_a_copy_that_was_changed_does_not_count(tmp_path: Path, web: Web) -> None:
    path = write(tmp_path, study=STUDY)
    lock(path)
    cached_path(ADDRESS, sha256(RECIPE)).write_text(RECIPE.replace("MAT", "MAP"))
    assert [code for code, _, _ in said(path)] == ["SQ138"]


def test_a_recipe_that_changed_is_refused_until_it_is_accepted(tmp_path: Path, web: Web) -> None:
    path = write(tmp_path, study=STUDY)
    lock(path)
    before = (tmp_path / "soilql.lock").read_bytes()
    cached_path(ADDRESS, sha256(RECIPE)).unlink()
    web[ADDRESS] = changed = RECIPE.replace("MAT", "MAP")
    assert refused(lambda: lock(path)) == ["SQ137"]
    assert (tmp_path / "soilql.lock").read_bytes() == before
    assert lock(path, update=True).changed == (ADDRESS,)
    assert read_lock(tmp_path / "soilql.lock") == {ADDRESS: sha256(changed)}
    assert "MAP" in resolved_text(opened(path))


def test_what_cannot_be_fetched_pins_nothing(tmp_path: Path, web: Web) -> None:
    other = "https://example.org/none.yaml"
    path = write(tmp_path, study=STUDY + f"x-none: 0\nextends: {other}\n")
    assert refused(lambda: lock(path)) == ["SQ902"]
    assert not (tmp_path / "soilql.lock").exists()


def test_a_mistake_in_the_study_does_not_keep_it_from_being_locked(tmp_path: Path, web: Web) -> None:
    path = write(tmp_path, study=STUDY + "models: {m: {kind: linear}}\n")
    assert lock(path).new == (ADDRESS,)
    assert {code for code, _, _ in said(path)} == {"SQ121"}


def test_recipes_of_a_recipe_are_found_beside_it_and_pinned_too(tmp_path: Path, web: Web) -> None:
    web["https://example.org/base.yaml"] = RECIPE
    web[ADDRESS] = "soilql: 1\nextends: ../base.yaml\n"
    path = write(tmp_path, study=STUDY)
    assert lock(path).new == (ADDRESS, "https://example.org/base.yaml")
    assert said(path) == []


def test_the_pins_of_other_specs_stay(tmp_path: Path, web: Web) -> None:
    web["https://example.org/other.yaml"] = RECIPE
    write(tmp_path, study=STUDY, other=STUDY.replace("recipes/line", "other"))
    lock(tmp_path / "study.yaml")
    lock(tmp_path / "other.yaml")
    assert set(read_lock(tmp_path / "soilql.lock")) == {ADDRESS, "https://example.org/other.yaml"}


def test_files_of_this_machine_are_pinned_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "specs", recipe=RECIPE)
    path = write(tmp_path / "mine", study="soilql: 1\nuse: {w: {from: ../specs/recipe.yaml, blocks: line}}\n")
    assert lock(path) == Locked(tmp_path / "mine" / "soilql.lock", (), (), ())
    assert not (tmp_path / "mine" / "soilql.lock").exists(), "there is nothing to pin"
    assert lock(path, local=True).new == ("../specs/recipe.yaml",)
    assert said(path) == []
    write(tmp_path / "specs", recipe=RECIPE + "# changed\n")
    ((code, place, message),) = said(path)
    assert (code, place) == ("SQ137", "study.yaml:2:17")
    assert message == "`../specs/recipe.yaml` is not the recipe that `soilql.lock` pins"
    assert refused(lambda: lock(path)) == ["SQ137"]
    assert lock(path, update=True).changed == ("../specs/recipe.yaml",)
    assert said(path) == []


@pytest.mark.parametrize("text", ["", "[]", "recipes: {}\n", "soilql-lock: 2\nrecipes: {}\n", "a: ["])
def test_a_lock_file_of_another_form_is_an_error(tmp_path: Path, text: str) -> None:
    write(tmp_path, recipe=RECIPE)
    path = write(tmp_path, study="soilql: 1\nuse: {w: {from: recipe.yaml, blocks: line}}\n")
    (tmp_path / "soilql.lock").write_text(text)
    assert [code for code, _, _ in said(path)] == ["SQ139"]


def test_a_sum_that_is_none_is_an_error_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "soilql.lock"
    path.write_text("soilql-lock: 1\nrecipes:\n  a.yaml: {sha256: 12ab}\n")
    with pytest.raises(SoilqlError) as caught:
        read_lock(path)
    assert str(caught.value.diagnostics[0].span).endswith("soilql.lock:3:3")


ADDRESSES = st.from_regex(r"(https://|\.\./)?[a-z]{1,9}[ #:'a-z/]{0,9}", fullmatch=True)


@given(st.dictionaries(ADDRESSES, st.binary(max_size=2)))
def test_a_lock_file_reads_back(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, bytes]) -> None:
    pins = {address: hashlib.sha256(content).hexdigest() for address, content in texts.items()}
    path = tmp_path_factory.mktemp("lock") / "soilql.lock"
    path.write_text(lock_text(pins))
    assert read_lock(path) == pins


# --- what a recipe from the network may not -------------------------------------------------------------------------


def test_a_recipe_from_the_network_has_no_folder_of_data(tmp_path: Path, web: Web) -> None:
    web[ADDRESS] = RECIPE.replace("registry:srdb-v5", "secret.csv")
    path = write(tmp_path, study=STUDY)
    lock(path)
    assert said(path) == [
        ("SQ148", f"{ADDRESS}:4:30", "a recipe from the network has no folder that `secret.csv` could start from")
    ]
    (tmp_path / "obs.csv").write_text("x\n1\n")
    path = write(tmp_path, study=STUDY.replace("blocks", "inputs: {data: obs.csv}, blocks"))
    assert said(path) == [], "a path of the spec that uses it starts from the folder of that spec"
    assert make_plan(opened(path)).node("w::obs").sources["source"] == (tmp_path / "obs.csv",)


def test_a_finding_in_a_recipe_from_the_network_shows_its_address_and_the_chain(tmp_path: Path, web: Web) -> None:
    web[ADDRESS] = RECIPE.replace("data: obs", "data: obbs")
    path = write(tmp_path, study=STUDY)
    lock(path)
    (found,) = [d for d in lint(opened(path)) if d.code == "SQ203"]
    assert (str(found.span), found.facts) == (f"{ADDRESS}:6:56", ("used as `w` by study.yaml:2:17",))


@pytest.mark.parametrize("address", ["http://example.org/a.yaml", "file:///etc/passwd", "ftp://example.org/a.yaml"])
def test_only_https_is_fetched(tmp_path: Path, address: str) -> None:
    path = write(tmp_path, study=f"soilql: 1\nuse: {{w: {{from: '{address}', blocks: line}}}}\n")
    assert [code for code, _, _ in said(path)] == ["SQ146"]
    assert refused(lambda: lock(path)) == ["SQ146"]


def test_nothing_is_fetched_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOILQL_OFFLINE", "1")
    assert refused(lambda: lock(write(tmp_path, study=STUDY))) == ["SQ904"]


def test_a_data_set_is_no_recipe(tmp_path: Path) -> None:
    path = write(tmp_path, study="soilql: 1\nuse: {w: {from: registry:srdb-v5, blocks: line}}\n")
    assert [code for code, _, _ in said(path)] == ["SQ136"]
    (tmp_path / "soilql.lock").write_text(lock_text({"registry:srdb-v5": "0" * 64}))
    assert [code for code, _, _ in said(path)] == ["SQ211"]
    path = write(tmp_path, study="soilql: 1\nuse: {w: {from: registry:srdb-v9, blocks: line}}\n")
    (tmp_path / "soilql.lock").write_text(lock_text({"registry:srdb-v9": "0" * 64}))
    assert [code for code, _, _ in said(path)] == ["SQ207"]


# --- recipes of the registry ------------------------------------------------------------------------------------------


SHIPPED = Path(__file__).parent.parent / "specs" / "warner2019.yaml"
WARNER = "soilql: 1\nuse: {w: {from: registry:warner2019, inputs: {trees: 50, members: 50}, blocks: budget}}\n"


def test_a_recipe_that_comes_with_soilql_is_pinned_by_its_sha256(tmp_path: Path) -> None:
    path = write(tmp_path, study=WARNER)
    assert [code for code, _, _ in said(path)] == ["SQ136"]
    assert lock(path).new == ("registry:warner2019",)
    pinned = hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert read_lock(tmp_path / "soilql.lock") == {"registry:warner2019": pinned}
    assert said(path) == []
    used, alone = load(path), load(SHIPPED, {"trees": "50", "members": "50"})
    keys = {node.name: node.key for node in make_plan(used).nodes}
    wanted = {node.name: node.key for node in make_plan(alone).nodes}
    assert keys["w::budget"] == wanted["budget"]
    assert keys["w::qrf"] == wanted["qrf"]


def test_a_recipe_of_another_release_of_soilql_is_refused_until_it_is_accepted(tmp_path: Path) -> None:
    path = write(tmp_path, study=WARNER)
    (tmp_path / "soilql.lock").write_text(lock_text({"registry:warner2019": "0" * 64}))
    assert [code for code, _, _ in said(path)] == ["SQ137"]
    assert lock(path, update=True).changed == ("registry:warner2019",)
    assert said(path) == []


def test_a_registry_of_ones_own_has_recipes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", line=RECIPE)
    own = tmp_path / "own.yaml"
    own.write_text(
        "our-line:\n  title: A line\n  licence: MIT\n  citation: us\n  homepage: https://example.org\n"
        f"  files: [{{name: line.yaml, sha256: '{sha256(RECIPE)}', size: {len(RECIPE)}}}]\n  reader: {{kind: recipe}}\n"
    )
    monkeypatch.setenv("SOILQL_REGISTRY", str(own))
    monkeypatch.setenv("SOILQL_DATA", str(tmp_path / "data"))
    path = write(tmp_path, study="soilql: 1\nuse: {w: {from: registry:our-line, blocks: line}}\n")
    assert lock(path).new == ("registry:our-line",)
    assert read_lock(tmp_path / "soilql.lock") == {"registry:our-line": sha256(RECIPE)}
    assert said(path) == []
    path = write(tmp_path, study="soilql: 1\ndatasets: {x: {kind: table, source: registry:our-line}}\n")
    (found,) = [one for one in lint(load(path)) if one.code == "SQ211"]
    assert found.message == "`our-line` holds a recipe, not a table"
    assert found.help == "name it under `use`, with an alias"


def test_a_recipe_of_the_registry_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "two:\n  title: x\n  licence: x\n  citation: x\n  homepage: x\n  files: []\n  reader: {kind: recipe}\n"
    )
    monkeypatch.setenv("SOILQL_REGISTRY", str(own))
    path = write(tmp_path, study="soilql: 1\nuse: {w: {from: registry:two, blocks: line}}\n")
    assert refused(lambda: lock(path)) == ["SQ145"]
