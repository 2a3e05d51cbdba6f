"""What is shown of a data set: also how a product stands in its files, and which values of it count."""

from __future__ import annotations

import pytest

from soilql import registry
from soilql.data_view import data_lines


def below(name: str, variable: str) -> list[str]:
    """Return the lines on the storage of a variable."""
    lines = list(data_lines("list", [name]))
    at = next(i for i, line in enumerate(lines) if line.startswith(f"    {variable} "))
    end = next((i for i, line in enumerate(lines) if i > at and line[4] != " "), len(lines))
    return [line.strip() for line in lines[at + 1 : end]]


def test_a_product_shows_its_scale_fill_range_and_flags() -> None:
    # MOD11A2: LST_Day_1km has scale 0.02, fill 0, valid range 7500-65535; bits 0-1 of QC_Day are the mandatory flag,
    # bits 6-7 the error (LP DAAC, doi:10.5067/MODIS/MOD11A2.006).
    assert below("mod11a2-v006", "LST_day") == [
        "layer LST_Day_1km; scale 0.02; as stored: fill 0, valid 7500 to 65535",
        "kept where QC_Day has bits 0-1 = 0 or 1 and bits 6-7 = 0, 1 or 2",
    ]
    # MOD17A2H: fill values 32761 to 32767; bit 0 of Psn_QC_500m is the algorithm (doi:10.5067/MODIS/MOD17A2H.006).
    assert below("mod17a2h-v006", "GPP") == [
        "layer Gpp_500m; scale 0.0001; as stored: fill 32761 to 32767, valid 0 to 30000",
        "kept where Psn_QC_500m has bit 0 = 0",
    ]
    names = "  names of files: _{name}_doy%Y%j_aid or _{name}_doy%Y%j000000_aid or {name}.A%Y%j.; step 8-day"
    assert names in list(data_lines("list", ["mod11a2-v006"]))


def test_what_goes_without_saying_is_not_said() -> None:
    assert below("jian2021-drivers", "MAT") == []
    assert below("jian2021-drivers", "EVI") == ["scale 10000"]
    assert below("islscp2-soils", "clay_30") == ["layer soil_clay_perc0-30_1d; as stored: fill -99, -77"]
    assert below("srdb-v5", "Rs_annual") == []


@pytest.mark.parametrize("entry", registry.list_entries(), ids=lambda entry: str(entry.name))
def test_every_data_set_can_be_shown(entry: registry.Entry) -> None:
    lines = list(data_lines("list", [entry.name]))
    assert lines[0] == f"{entry.name}: {entry.title}"
    for name, layer in entry.reader.get("variables", {}).items():
        text = " ".join(below(entry.name, name))
        assert all(f"{key} " in text for key in ("scale", "valid") if key in layer)
        assert all(quality["flag"] in text for quality in layer.get("qc", ()))
