"""The registry: entries against the real files, search order, and downloads from a server that misbehaves."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from soilql import registry
from soilql.errors import Severity, SoilqlError
from soilql.fingerprint import content_sha256
from soilql.registry import downloads as registry_download
from soilql.units import parse_unit

CONTENT = b"Latitude,Longitude\n1.0,2.0\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DATA = os.environ.get("SOILQL_DATA", "")
needs_data = pytest.mark.skipif(not DATA, reason="SOILQL_DATA names no folder with the real data")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOILQL_CACHE", str(tmp_path / "cache"))
    for name in (
        "SOILQL_DATA",
        "SOILQL_OFFLINE",
        "SOILQL_REGISTRY",
        "HTTP_PROXY",
        "http_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path: whole, cut short, missing, failing twice."""

    hits = 0

    def do_GET(self) -> None:
        Handler.hits += 1
        if self.path == "/missing.csv":
            self.send_error(404)
        elif self.path == "/busy.csv" and Handler.hits < registry_download.ATTEMPTS:
            self.send_error(503)
        elif self.path == "/gone.csv":
            self.connection.close()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT) + (10 if self.path == "/short.csv" else 0)))
            self.end_headers()
            self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.hits = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def declare(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, kind: str = "table", sha256: str = SHA256
) -> None:
    file = {"name": "sites.csv", "url": url, "sha256": sha256, "size": len(CONTENT), "made_from": "somewhere"}
    entry = {
        "title": "Sites",
        "aliases": ["sites"],
        "files": [file],
        "licence": "CC0",
        "citation": "Somebody (2020). Sites.",
        "homepage": "https://example.org",
        "reader": {"kind": kind},
        "variables": {"Latitude": {"unit": "degrees_north", "range": [-90, 90]}},
    }
    path = folder / "more.yaml"
    path.write_text(yaml.safe_dump({"test-sites": entry}), encoding="utf-8")
    monkeypatch.setenv("SOILQL_REGISTRY", str(path))


def failure(name: str = "test-sites") -> str:
    with pytest.raises(SoilqlError) as caught:
        registry.resolve(name)
    (found,) = caught.value.diagnostics
    assert name in found.message
    assert "SOILQL_DATA" in found.help
    return found.code


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in (folder / "cache" / "data").rglob("*") if path.is_file()]


# What the registry says


def test_every_entry_is_complete() -> None:
    for entry in registry.list_entries():
        assert entry.title and entry.licence and entry.citation and entry.homepage, entry.name
        assert re.fullmatch(r"(10\.\d{4,}/\S+)?", entry.doi), entry.name
        for file in entry.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0
            address = file.url or file.made_from
            assert re.fullmatch(r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{10,40}/\S+", address)


def test_every_unit_can_be_read_and_agrees_with_the_reader() -> None:
    for entry in registry.list_entries():
        for name, variable in entry.variables.items():
            if variable.unit:
                parse_unit(variable.unit)
            assert variable.type == "number" or not variable.unit, f"{entry.name}: {name}"
            assert variable.description, f"{entry.name}: {name}"
        layers = entry.reader.get("variables", {})
        if entry.kind == "grid":
            assert list(layers) == list(entry.variables), entry.name
            assert all((variable.type == "category") == (layers[name].get("type") == "category")
                       for name, variable in entry.variables.items()), entry.name  # fmt: skip
        for name, layer in layers.items():
            assert layer.get("unit", "") == entry.variables[name].unit, f"{entry.name}: {name}"


def test_names_and_aliases() -> None:
    assert registry.find("rc-stack") is registry.find("jian2021-drivers")
    with pytest.raises(SoilqlError) as caught:
        registry.find("srbd-v5")
    (found,) = caught.value.diagnostics
    assert (found.code, "`srdb-v5`" in found.help) == ("SQ207", True)


def test_citation_has_the_doi_or_the_homepage() -> None:
    assert registry.find("srdb-v5").citation_text().endswith("https://doi.org/10.5194/essd-13-255-2021")
    assert registry.find("udel-climate").citation_text().endswith("http://climate.geog.udel.edu/")


def test_load_imports_nothing_heavy() -> None:
    code = """
import sys, soilql.registry as r
r.load()
assert not {'numpy', 'pooch', 'requests', 'pandas'} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("name", [entry.name for entry in registry.list_entries()])
def test_files_have_the_sum_and_size_of_the_registry(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOILQL_DATA", DATA)
    for found in registry.verify(name):
        if found.path is None:
            pytest.skip(f"{found.file.name} is not in SOILQL_DATA")
        opened = gzip.open if found.path.suffix == ".gz" else open
        with opened(found.path, "rb") as file:
            data = file.read()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (found.file.size, found.file.sha256)


@needs_data
@pytest.mark.data
@pytest.mark.parametrize("name", [entry.name for entry in registry.list_entries() if entry.kind == "table"])
def test_columns_and_their_types_are_those_of_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.setenv("SOILQL_DATA", DATA)
    entry = registry.find(name)
    paths = registry.where(name)
    if not paths:
        pytest.skip(f"{name} is not in SOILQL_DATA")
    missing = {"keep_default_na": False, "na_values": entry.reader.get("missing", [""])}
    if entry.reader["format"] == "excel":
        table = pd.read_excel(paths[0], sheet_name=entry.reader["sheet"], **missing)
    else:
        encoding, comment = entry.reader.get("encoding", "utf-8"), entry.reader.get("comment")
        table = pd.read_csv(paths[0], encoding=encoding, comment=comment, low_memory=False, **missing)
        table = table.rename(columns={"Unnamed: 0": "column_1"})  # as the reader calls a column without a name
    assert set(table.columns) == set(entry.variables)
    for column, variable in entry.variables.items():
        if table[column].notna().any():
            is_number = pd.api.types.is_numeric_dtype(table[column])
            assert is_number or variable.type == "text", column
        if variable.categories:
            assert set(table[column].dropna().astype(int)) <= set(variable.categories), column


@needs_data
@pytest.mark.data
@pytest.mark.filterwarnings("ignore:Ambiguous reference date")
def test_layers_are_those_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import xarray as xr

    monkeypatch.setenv("SOILQL_DATA", DATA)
    checked = 0
    for entry in registry.list_entries():
        if entry.reader.get("format") != "netcdf" or not registry.where(entry.name):
            continue
        layers: dict[str, set[str]] = {}
        for path in registry.where(entry.name):
            with xr.open_dataset(path, decode_times=False) as dataset:
                layers |= {str(name): set(map(str, variable.dims)) for name, variable in dataset.items()}
        axes = set(entry.reader["dims"].values())
        found = [layers[layer["from"]] for layer in entry.reader["variables"].values()]
        assert all(dims <= axes for dims in found) and axes in found, entry.name
        checked += 1
    if not checked:
        pytest.skip("no NetCDF file of the registry is in SOILQL_DATA")


# Where files are found


def test_found_by_name_below_a_data_folder(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    target = environment / "data" / "deep" / "sites.csv"
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    monkeypatch.setenv("SOILQL_DATA", str(environment / "data"))
    assert registry.resolve("sites") == [target]
    assert registry.where("test-sites") == [target]
    assert [found.place for found in registry.locate("sites")] == ["data"]


def test_found_packed_for_a_table_but_not_for_a_grid(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = environment / "data" / "sites.csv.gz"
    target.parent.mkdir()
    target.write_bytes(gzip.compress(CONTENT))
    monkeypatch.setenv("SOILQL_DATA", str(environment / "data"))
    declare(environment, monkeypatch, None, kind="table")
    assert registry.where("test-sites") == [target]
    declare(environment, monkeypatch, None, kind="grid")
    os.utime(environment / "more.yaml", ns=(1, 1))
    assert registry.where("test-sites") == []


def test_found_under_another_name_by_its_sum(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    (environment / "data").mkdir()
    (environment / "data" / "a.csv").write_bytes(b"?" * len(CONTENT))
    (environment / "data" / "renamed.csv").write_bytes(CONTENT)
    monkeypatch.setenv("SOILQL_DATA", str(environment / "data"))
    assert registry.resolve("test-sites") == [environment / "data" / "renamed.csv"]
    assert registry.locate("test-sites")[0].problems == ()


def test_wrong_content_warns_with_both_sums_and_the_search_goes_on(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(environment, monkeypatch, None)
    for folder, data in {"one": b"other", "two": CONTENT}.items():
        (environment / folder).mkdir()
        (environment / folder / "sites.csv").write_bytes(data)
    folders = [str(environment / name) for name in ("one", "nowhere", "two")]
    monkeypatch.setenv("SOILQL_DATA", os.pathsep.join(folders))
    told = []
    assert registry.resolve("test-sites", told.append) == [environment / "two" / "sites.csv"]
    assert [(d.code, d.severity) for d in told] == [("SQ701", Severity.WARNING), ("SQ903", Severity.WARNING)]
    assert SHA256 in told[1].render()
    assert hashlib.sha256(b"other").hexdigest() in told[1].render()
    with pytest.warns(UserWarning) as seen:
        registry.resolve("test-sites")
    assert [str(warning.message) for warning in seen] == [d.render() for d in told]


def test_damaged_file_is_passed_over_with_a_warning(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    (environment / "data").mkdir()
    (environment / "data" / "sites.csv.gz").write_bytes(gzip.compress(CONTENT)[:-6])
    monkeypatch.setenv("SOILQL_DATA", str(environment / "data"))
    (found,) = registry.locate("test-sites")
    assert (found.path, [d.code for d in found.problems]) == (None, ["SQ702"])


def test_folders_that_link_in_a_circle_end(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    (environment / "data").mkdir()
    (environment / "data" / "loop").symlink_to(environment / "data", target_is_directory=True)
    (environment / "data" / "sites.csv").write_bytes(CONTENT)
    monkeypatch.setenv("SOILQL_DATA", str(environment / "data"))
    assert registry.where("test-sites") == [environment / "data" / "sites.csv"]


def test_a_file_without_an_address_says_what_it_is_made_from(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(environment, monkeypatch, None)
    assert failure() == "SQ701"


# Downloads


def test_download_once_and_keep(
    environment: Path, monkeypatch: pytest.MonkeyPatch, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    declare(environment, monkeypatch, f"{server}/sites.csv")
    assert registry.where("test-sites") == []
    (path,) = registry.resolve("test-sites")
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(environment / "cache")
    assert capsys.readouterr().err == f"downloading test-sites: {server}/sites.csv\n"
    assert registry.resolve("test-sites") == registry.fetch("test-sites") == [path]
    assert Handler.hits == 1
    assert left_behind(environment) == ["sites.csv"]


def test_damaged_file_in_the_cache_is_replaced(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    declare(environment, monkeypatch, f"{server}/sites.csv")
    (path,) = registry.resolve("test-sites")
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="SQ903"):
        assert registry.resolve("test-sites") == [path]
    assert content_sha256(path) == SHA256


@pytest.mark.parametrize(
    ("page", "code", "hits"),
    [
        ("missing.csv", "SQ902", 1),
        ("short.csv", "SQ902", registry_download.ATTEMPTS),
        ("gone.csv", "SQ902", registry_download.ATTEMPTS),
    ],
)
def test_failed_download(
    environment: Path, monkeypatch: pytest.MonkeyPatch, server: str, page: str, code: str, hits: int
) -> None:
    declare(environment, monkeypatch, f"{server}/{page}")
    assert failure() == code
    assert Handler.hits == hits
    assert left_behind(environment) == []


def test_busy_server_is_asked_again(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    declare(environment, monkeypatch, f"{server}/busy.csv")
    assert registry.resolve("test-sites")[0].read_bytes() == CONTENT


def test_wrong_sum_leaves_nothing(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    declare(environment, monkeypatch, f"{server}/sites.csv", sha256="0" * 64)
    assert failure() == "SQ903"
    assert left_behind(environment) == []


def test_offline(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    declare(environment, monkeypatch, f"{server}/sites.csv")
    monkeypatch.setenv("SOILQL_OFFLINE", "1")
    assert failure() == "SQ904"
    assert Handler.hits == 0


def test_host_that_cannot_be_reached(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    # Port 9 of the own machine refuses; `.invalid` never resolves (RFC 2606).
    for address in ("http://127.0.0.1:9/sites.csv", "http://soilql.invalid/sites.csv"):
        declare(environment, monkeypatch, address)
        assert failure() == "SQ904"
    assert left_behind(environment) == []


def test_cache_that_cannot_be_written(environment: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    declare(environment, monkeypatch, f"{server}/sites.csv")
    (environment / "file").write_bytes(b"")
    monkeypatch.setenv("SOILQL_CACHE", str(environment / "file" / "below"))
    with pytest.raises(SoilqlError, match="SQ901"):
        registry.resolve("test-sites")


def test_key_press_leaves_nothing(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, "http://127.0.0.1:9/sites.csv")

    def stopped(url: str, part: Path, data_set: str) -> None:
        part.write_bytes(CONTENT[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(registry_download, "_fetch", stopped)
    with pytest.raises(KeyboardInterrupt):
        registry.resolve("test-sites")
    assert left_behind(environment) == []


# Registry files of others


def test_more_registries(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    path = environment / "more.yaml"
    assert registry.find("sites").variables["Latitude"].range == (-90, 90)
    monkeypatch.delenv("SOILQL_REGISTRY")
    assert "test-sites" not in registry.load()
    assert "test-sites" in registry.load(extra=[path])


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("- a", "SQ145", "mapping"),
        ("a: {title: x}", "SQ145", "`files`"),
        ("a: [", "SQ702", "cannot read"),
        ("srdb-v5: {title: x}", "SQ145", "srdb-v5"),
        ("a: {files: [{name: x, sha256: '1', size: 1}], reader: {kind: table}, variables: {}}", "SQ145", "title"),
    ],
)
def test_malformed_registries(environment: Path, text: str, code: str, part: str) -> None:
    path = environment / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SoilqlError) as caught:
        registry.load(extra=[path])
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert part in found.message


def test_a_name_may_not_be_given_twice(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(environment, monkeypatch, None)
    with pytest.raises(SoilqlError, match="already used"):
        registry.load(extra=[environment / "more.yaml"])


def test_absent_registry(environment: Path) -> None:
    with pytest.raises(SoilqlError, match="SQ701"):
        registry.load(extra=[environment / "none.yaml"])
