"""Axes of files: turned to one order, and snapped to one lattice bit for bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.io.axes import Axis, latitude_axis, longitude_axis, same_axis, simplest_fraction


def stored(axis: Axis, values: np.ndarray) -> np.ndarray:
    """Read the labels through the axis, as data are read."""
    parts = [values[low:high][:: -1 if axis.reverse else 1] for low, high in axis.windows(0, axis.centres.size)]
    return np.concatenate(parts)


@given(
    cells=st.sampled_from([4, 36, 72, 144, 720, 4320]),
    start=st.sampled_from([0.0, -180.0]),
    centred=st.booleans(),
    falling=st.booleans(),
    single=st.booleans(),
)
def test_a_global_axis_comes_out_the_same_however_it_is_written(
    cells: int, start: float, centred: bool, falling: bool, single: bool
) -> None:
    step = 360 / cells
    values = start + (np.arange(cells) + (0.0 if centred else 0.5)) * step
    values = values[::-1] if falling else values
    written = values.astype(np.float32) if single else values
    axis = longitude_axis(written, "a.nc")
    exact = [
        float(Fraction(-180) + Fraction(360, cells) * (i + (0 if centred else Fraction(1, 2)))) for i in range(cells)
    ]
    assert axis.centres.tolist() == exact
    np.testing.assert_allclose(np.mod(stored(axis, written) - exact + 180, 360), 180, atol=3e-5)


@given(st.integers(1, 60), st.integers(0, 60), st.booleans())
def test_windows_of_an_axis_are_the_parts_of_it(start: int, length: int, falling: bool) -> None:
    values = (np.arange(72) * 5 + 2.5)[:: -1 if falling else 1]
    axis = longitude_axis(values, "a.nc")
    stop = min(start + length, 72)
    pieces = [values[low:high][:: -1 if falling else 1] for low, high in axis.windows(start, stop)]
    found = np.concatenate([np.empty(0), *pieces])
    np.testing.assert_array_equal(np.mod(found + 180, 360) - 180, axis.centres[start:stop])


def test_latitudes_fall_from_north_to_south() -> None:
    for values in ([-60, 0, 60], [60, 0, -60]):
        axis = latitude_axis(np.array(values), "a.nc")
        assert axis.centres.tolist() == [60, 0, -60]
        assert stored(axis, np.array(values)).tolist() == [60, 0, -60]


def test_a_step_that_is_no_whole_part_of_a_degree_is_found() -> None:
    # The 96 latitudes of a 1.9 x 2.5 degree model, as it stores them in single precision: 180/95 = 36/19 degrees.
    axis = latitude_axis(np.linspace(-90, 90, 96).astype(np.float32), "a.nc")
    assert axis.centres.tolist() == [float(Fraction(90) - Fraction(36, 19) * i) for i in range(96)]


def test_a_truncated_step_is_found() -> None:
    values = -75.625 + 0.08333333 * np.arange(104)
    assert longitude_axis(values, "a.tif").centres.tolist() == [
        float(Fraction(-605, 8) + Fraction(i, 12)) for i in range(104)
    ]


def test_axes_that_sit_on_no_lattice_are_left_as_they_are() -> None:
    gaussian = np.array([88.57, 86.72, 84.86, 83.0, 81.12])  # latitudes of a spectral model are not regular
    assert latitude_axis(gaussian, "a.nc").centres.tolist() == gaussian.tolist()
    odd = -152.92292313 + 0.0833138 * np.arange(24)
    np.testing.assert_array_equal(longitude_axis(odd, "a.nc").centres, np.mod(odd + 180, 360) - 180)


def test_a_meridian_that_is_there_twice_is_dropped() -> None:
    for values in (np.arange(0, 361, 60.0), np.arange(360, -1, -60.0)):
        axis = longitude_axis(values, "a.nc")
        assert axis.centres.tolist() == [-180, -120, -60, 0, 60, 120]
        np.testing.assert_array_equal(np.mod(stored(axis, values), 360), np.mod(axis.centres, 360))


@pytest.mark.parametrize(
    ("read", "values", "words"),
    [
        (longitude_axis, [170.0, 175, 180, 185, 190], "lies across the date line"),
        (longitude_axis, np.arange(0, 500, 10.0), "more than the globe"),
        (longitude_axis, [0.0, 2, 1], "not strictly rising or falling"),
        (longitude_axis, [0.0, np.nan], "not strictly rising or falling"),
        (latitude_axis, [5181132.0, 5181122.0], "latitudes of `a.nc` reach 5.18113e+06"),
    ],
)
def test_impossible_axes(read: object, values: list[float], words: str) -> None:
    assert callable(read)
    with pytest.raises(SoilqlError) as caught:
        read(np.array(values), "a.nc")
    assert caught.value.diagnostics[0].code == "SQ723"
    assert words in caught.value.diagnostics[0].message


def test_simplest_fractions() -> None:
    # Convergents and intermediate fractions of pi (Stern-Brocot).
    assert simplest_fraction(3.1, 3.2) == Fraction(16, 5)
    assert simplest_fraction(3.141592, 3.141593) == Fraction(355, 113)
    assert simplest_fraction(0.4999, 0.5001) == Fraction(1, 2)
    assert simplest_fraction(1.9, 2.1) == 2


def test_equal_axes_but_for_rounding() -> None:
    assert same_axis([0.25, 0.75], np.array([0.25000001, 0.75]))
    assert not same_axis([0.25, 0.75], [0.3, 0.8])
    assert not same_axis([0.25, 0.75], [0.25])
