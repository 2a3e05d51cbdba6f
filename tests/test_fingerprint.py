"""Fingerprints: standard sha256 values, packing, trees, the cache, and canonical JSON."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql import fingerprint
from soilql.fingerprint import cache_folder, canonical_json, content_sha256, file_sha256, text_sha256

# FIPS 180-2, appendix B.1, and the empty message.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SOILQL_CACHE", str(folder))
    return folder


def test_published_sums(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "empty").write_bytes(b"")
    assert file_sha256(tmp_path / "abc") == content_sha256(tmp_path / "abc") == ABC == text_sha256("abc")
    assert content_sha256(tmp_path / "empty") == EMPTY


def test_a_file_of_several_blocks(tmp_path: Path) -> None:
    data = bytes(range(256)) * (fingerprint.BLOCK // 256 * 2 + 1)
    (tmp_path / "big").write_bytes(data)
    assert file_sha256(tmp_path / "big") == hashlib.sha256(data).hexdigest()


def test_packing_changes_nothing(tmp_path: Path) -> None:
    for level in (1, 9):
        (tmp_path / f"{level}.csv.gz").write_bytes(gzip.compress(b"abc", level, mtime=level))
    (tmp_path / "two.gz").write_bytes(gzip.compress(b"a") + gzip.compress(b"bc"))
    (tmp_path / "not-packed.gz").write_bytes(b"abc")
    assert {content_sha256(path) for path in tmp_path.glob("*.gz")} == {ABC}
    assert file_sha256(tmp_path / "1.csv.gz") != ABC


def test_damaged_gzip_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    whole = gzip.compress(bytes(1000))
    flipped = bytearray(whole)
    flipped[-6] ^= 0xFF
    for name, data in {"short.gz": whole[:-5], "flipped.gz": bytes(flipped)}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(OSError, match=r"gz|CRC"):
            content_sha256(tmp_path / name)


def test_tree_depends_on_names_and_contents_only(tmp_path: Path) -> None:
    def make(name: str, files: dict[str, bytes]) -> str:
        for path, data in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return content_sha256(tmp_path / name)

    base = make("a.zarr", {"zarr.json": b"{}", "c/0/0": b"x"})
    assert make("b.zarr", {"c/0/0": b"x", "zarr.json": b"{}"}) == base
    assert make("c.zarr", {"c/0/1": b"x", "zarr.json": b"{}"}) != base
    assert make("d.zarr", {"c/0/0": b"y", "zarr.json": b"{}"}) != base
    assert len(base) == 64


def test_second_time_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    content_sha256(path)
    monkeypatch.setattr(fingerprint, "_content_of_file", lambda path: pytest.fail("read again"))
    assert content_sha256(path) == ABC


def test_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"xyz")
    before = content_sha256(path)
    path.write_bytes(b"abc")
    os.utime(path, ns=(1, 1))
    assert content_sha256(path) == ABC != before
    assert content_sha256(path, use_cache=False) == ABC


def test_corrupt_cache_is_ignored(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    cache.mkdir()
    (cache / "fingerprints.sqlite").write_bytes(b"not a database" * 100)
    assert content_sha256(path) == ABC
    (cache / "fingerprints.sqlite").unlink()
    with sqlite3.connect(cache / "fingerprints.sqlite") as connection:
        connection.execute("CREATE TABLE content (other INTEGER)")
    assert content_sha256(path) == ABC


def test_unwritable_cache_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    monkeypatch.setenv("SOILQL_CACHE", str(path / "below-a-file"))
    assert content_sha256(path) == ABC


def test_many_at_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}" for i in range(40)]
    for path in paths:
        path.write_bytes(b"abc")
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(map(content_sha256, paths))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ABC] * 160


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SOILQL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "soilql"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "soilql"


def test_canonical_json_examples() -> None:
    assert canonical_json({"b": [1.0, -0.0], "a": Path("x/y")}) == '{"a":"x/y","b":[1,0]}'
    assert canonical_json(float("nan")) == '{"$float":"NaN"}'
    assert canonical_json(float("-inf")) == '{"$float":"-Infinity"}'
    assert canonical_json("é") == '"é"'
    assert canonical_json([True, 1]) == "[true,1]"
    for bad in ({1, 2}, {1: "x"}, object()):
        with pytest.raises(TypeError):
            canonical_json(bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_canonical_json_keeps_the_value_and_forgets_the_order(value: dict[str, object]) -> None:
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(dict(reversed(value.items()))) == text


def test_loads_nothing_heavy() -> None:
    code = "import sys, soilql.fingerprint; assert not {'numpy', 'pooch', 'requests'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
