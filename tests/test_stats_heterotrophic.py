"""Heterotrophic respiration against values of the published relations."""

import dask.array as da
import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats import heterotrophic as h

RS = np.array([200.0, 500.0, 1000.0])


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        # ln Rh = 1.22 + 0.73 ln Rs (Bond-Lamberty et al. 2004), exact.
        ("bond-lamberty-2004", [162.028, 316.291, 524.613]),
        # Rh/Rs = 1.482 - 0.138 ln Rs (after Subke et al. 2006), exact.
        ("subke-2006", [150.166, 312.192, 528.730]),
    ],
)
def test_published_values(equation, expected):
    assert np.round(h.rh_from_rs(RS, equation), 3).tolist() == expected


@pytest.mark.parametrize(
    ("equation", "crossing"),
    # Rh = Rs at exp(1.22/0.27) and exp(0.482/0.138).
    [("bond-lamberty-2004", np.exp(1.22 / 0.27)), ("subke-2006", np.exp(0.482 / 0.138))],
)
def test_clipped_to_rs_below_the_crossing_and_counted(equation, crossing):
    assert round(crossing, 2) in (91.70, 32.88)
    rs = crossing * np.array([0.5, 0.999999, 1.000001, 2.0])
    rh = h.rh_from_rs(rs, equation)
    assert rh[0] == rs[0]
    assert rh[3] < rs[3]
    assert h.clipped_mask(rs, equation).tolist() == [True, True, False, False]
    assert h.count_clipped(rs, equation) == 2


def test_subke_is_clipped_at_zero_where_it_turns_negative():
    rs = np.array([np.exp(1.482 / 0.138) * 1.01])
    assert h.rh_from_rs(rs, "subke-2006").tolist() == [0.0]
    assert h.count_clipped(rs, "subke-2006") == 1


@pytest.mark.parametrize("equation", h.EQUATIONS)
@pytest.mark.filterwarnings("error")
def test_zero_missing_negative_and_dask_blocks(equation):
    rs = np.array([0.0, -1.0, np.nan, 50.0, 700.0], dtype=np.float32)
    expected = h.rh_from_rs(rs, equation)
    assert expected.dtype == np.float32
    assert expected[0] == 0.0
    assert np.isnan(expected[1:3]).all()
    lazy = h.rh_from_rs(da.from_array(rs, chunks=2), equation)
    assert isinstance(lazy, da.Array)
    assert np.array_equal(lazy.compute(), expected, equal_nan=True)
    assert int(h.count_clipped(da.from_array(rs, chunks=2), equation)) == h.count_clipped(rs, equation)


def test_root_fraction():
    assert h.rh_from_root_fraction(RS, 0.4).tolist() == [120.0, 300.0, 600.0]
    assert np.isnan(h.rh_from_root_fraction(RS, np.array([1.1, -0.1, np.nan]))).all()


def test_root_fraction_error_against_simulation():
    rng = np.random.default_rng(0)
    rs, rc = rng.normal(800, 90, 400_000), rng.normal(0.45, 0.08, 400_000)
    # The sampling error of an SD from 400,000 draws is about 0.11 %.
    assert h.rh_from_root_fraction_sd(800.0, 0.45, 90.0, 0.08) == pytest.approx(((1 - rc) * rs).std(), rel=0.005)


def test_unknown_equation():
    with pytest.raises(SoilqlError, match="SQ813"):
        h.rh_from_rs(RS, "subke")
