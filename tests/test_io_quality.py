"""Quality flags: bit fields against the binary numbers of the products' guides, tied to each file and tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.io.layers import Flag
from tests.grid_files import failure, netcdf, read, tiff
from tests.test_io_warp import tile

VALUES = np.arange(1, 9).reshape(2, 4)
# Bits 0-1 are the mandatory flags of MOD11A2, bits 6-7 the mean error: 00 at most 1 K ... 11 more than 3 K.
CODES = np.array([[0b00000000, 0b00000001, 0b00000010, 0b00000011], [0b11000000, 0b11000001, 0b10000001, 0b01000000]])
QC = "qc: {flag: QC, keep: [{bits: [0, 1], values: [0, 1]}, {bits: [6, 7], values: [0, 1, 2]}]}"
KEPT = [[True, True, False, False], [False, False, True, True]]


@given(st.integers(0, 65535), st.integers(0, 15), st.integers(0, 15), st.sets(st.integers(0, 15)))
def test_fields_are_those_of_the_binary_number(number: int, a: int, b: int, values: set[int]) -> None:
    first, last = sorted((a, b))
    layer: object = None
    flag = Flag(layer, first, last, tuple(values))  # type: ignore[arg-type]
    digits = f"{number:016b}"[::-1]
    field = int(digits[first : last + 1][::-1], 2)
    for kind in ("uint16", "int32", "float64"):
        assert flag.keeps(np.array([number]).astype(kind)).tolist() == [field in values]


def test_signed_bytes_and_missing_flags() -> None:
    layer: object = None
    reliability = Flag(layer, 0, 31, (0, 1))  # type: ignore[arg-type]
    assert reliability.keeps(np.array([-1, 0, 1, 2, 3], "int8")).tolist() == [False, True, True, False, False]
    assert reliability.keeps(np.array([np.nan, 0.0])).tolist() == [False, True]


def test_all_fields_have_to_keep_a_pixel(tmp_path: Path) -> None:
    # The tag of the flags is a good value: 0 is fill for values, and best quality for flags.
    files = [
        tiff(tmp_path / "LST.tif", VALUES, "uint16", nodata=0),
        tiff(tmp_path / "QC.tif", CODES, "uint8", nodata=0),
    ]
    grid = read(files, f"variables: {{T: {{from: LST, scale: 0.02, {QC}}}}}")
    np.testing.assert_array_equal(grid.data["T"].values, np.where(KEPT, VALUES * 0.02, np.nan))
    plain = read(files, "variables: {T: {from: LST, qc: []}}")
    assert np.isfinite(plain.data["T"].values).all()
    one = read(files, "variables: {T: {from: LST, qc: {flag: QC, keep: {bits: [1], values: [0]}}}}")
    np.testing.assert_array_equal(np.isfinite(one.data["T"].values), (CODES & 2) == 0)
    number = read(files, "variables: {T: {from: LST, qc: {flag: QC, keep: {values: [193]}}}}")
    np.testing.assert_array_equal(np.isfinite(number.data["T"].values), CODES == 193)


def test_codes_and_ranges_go_first(tmp_path: Path) -> None:
    path = tiff(tmp_path / "gpp.tif", [[0, 100, 30000, 30001, 32761, 32767]], "int16", nodata=32767)
    grid = read(path, "variables: {gpp: {scale: 0.0001, valid: [0, 30000]}}")
    np.testing.assert_allclose(grid.data["gpp"].values, [[0, 0.01, 3, np.nan, np.nan, np.nan]], rtol=1e-15)


def test_each_date_and_tile_has_its_own_flags(tmp_path: Path) -> None:
    files, wanted = [], np.full((2, 2, 8), np.nan)
    for day in (1, 9):
        for west in (0, 2):
            seed = np.random.default_rng(day * 10 + west)
            values, flags = seed.integers(1, 99, (2, 4)), seed.integers(0, 4, (2, 4))
            files += [
                tiff(tmp_path / f"{name}.A2001{day:03d}.w{west}.tif", data, "uint8", west=west)
                for name, data in (("LST", values), ("QC", flags))
            ]
            wanted[day // 9, :, west * 2 : west * 2 + 4] = np.where(flags < 2, values, np.nan)
    yaml = (
        'time: {pattern: "{name}.A%Y%j", step: 8-day}\n'
        "variables: {T: {from: LST, qc: {flag: QC, keep: {bits: [0, 1], values: [0, 1]}}}}"
    )
    np.testing.assert_array_equal(read(files, yaml).data["T"].values, wanted)
    found = failure([path for path in files if path.name != "QC.A2001009.w2.tif"], yaml)
    assert found.code == "SQ704"
    assert found.message == "`QC` has no file for 2001-01-09 beside `LST.A2001009.w2.tif`, whose `LST` it judges"
    cut = read(files, yaml + "\nperiod: [2001-01-09, 2001-01-31]")
    np.testing.assert_array_equal(cut.data["T"].values, wanted[1:])


def test_flags_in_the_same_netcdf_and_flags_without_time(tmp_path: Path) -> None:
    cube, flags = np.arange(24.0).reshape(3, 2, 4), np.arange(24).reshape(3, 2, 4) % 3
    path = netcdf(tmp_path / "a.nc", "T", cube, [2000, 2001, 2002])
    netcdf(tmp_path / "b.nc", "QC", flags.astype("int8"), [2000, 2001, 2002])
    both = [path, tmp_path / "b.nc"]
    yaml = "variables: {T: {qc: {flag: QC, keep: {values: [0]}}}}"
    np.testing.assert_array_equal(read(both, yaml).data["T"].values, np.where(flags == 0, cube, np.nan))
    np.testing.assert_array_equal(read(both, yaml + "\nperiod: [2001, 2001]").data["T"].values,
                                  np.where(flags == 0, cube, np.nan)[1:2])  # fmt: skip
    water = netcdf(tmp_path / "w.nc", "QC", flags[0].astype("int8"))
    np.testing.assert_array_equal(read([path, water], yaml).data["T"].values, np.where(flags[0] == 0, cube, np.nan))


def test_flags_judge_before_values_are_reprojected(tmp_path: Path) -> None:
    good = np.zeros((120, 120), int)
    good[:, ::2] = 1
    values = np.where(good == 0, 4, 100)
    files = [
        tiff(tmp_path / "v.tif", values, "uint8", **tile(18, 8)), tiff(tmp_path / "q.tif", good, "uint8", **tile(18, 8))
    ]  # fmt: skip
    yaml = (
        "reproject: {resolution: 1, method: average}\n"
        "variables: {v: {qc: {flag: q, keep: {values: [0]}}}, class: {from: v, categorical: true}}"
    )
    grid = read(files, yaml)
    inner = grid.data["v"].values[2:-2, 2:-2]
    np.testing.assert_allclose(inner, 4.0)
    # Classes are not averaged.
    assert set(np.unique(grid.data["class"].values[2:-2, 2:-2])) <= {4.0, 100.0}


def test_flags_on_another_grid_or_not_there(tmp_path: Path) -> None:
    values, fine = tiff(tmp_path / "v.tif", VALUES), tiff(tmp_path / "q.tif", np.ones((4, 8)), size=0.25)
    found = failure([values, fine], "variables: {v: {qc: {flag: q, keep: {values: [0]}}}}")
    assert (found.code, found.message) == ("SQ708", "`q` of `q.tif` is on another grid than `v` of `v.tif`")
    absent = failure(values, "variables: {v: {qc: {flag: Q, keep: {values: [0]}}}}")
    assert absent.code == "SQ704"
    assert absent.message == "no layer `Q` in the files, by which `v` is masked"
    assert "`qc: []`" in absent.help


@pytest.mark.parametrize("bits", ["[0, 1, 2]", "[3, 1]", "[32]", "[-1]"])
def test_impossible_bits(tmp_path: Path, bits: str) -> None:
    path = tiff(tmp_path / "v.tif", VALUES)
    assert failure(path, f"variables: {{v: {{qc: {{flag: v, keep: {{bits: {bits}, values: [0]}}}}}}}}").code in (
        "SQ126", "SQ123",
    )  # fmt: skip
