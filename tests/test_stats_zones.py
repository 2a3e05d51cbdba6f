"""Classes by breaks: boundaries, gaps, dask."""

import dask.array as da
import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats.zones import NO_CLASS, cut_codes

X = np.array([-40.0, 1.999, 2.0, 9.0, 17.0, 17.001, 30.0, np.nan, -np.inf, np.inf])


def test_boreal_below_2_temperate_2_to_17_tropical_above_17():
    codes = cut_codes(X, [2, 17], closed=["left", "right"])
    assert codes.tolist() == [0, 0, 1, 1, 1, 2, 2, NO_CLASS, 0, 2]
    assert codes.dtype == np.int8


def test_sides():
    # As numpy.digitize with right=False and right=True.
    assert cut_codes([2.0, 17.0], [2, 17], "left").tolist() == np.digitize([2.0, 17.0], [2, 17]).tolist()
    assert cut_codes([2.0, 17.0], [2, 17], "right").tolist() == [0, 1]


def test_float32_is_compared_as_it_is():
    x = np.array([0.1], dtype=np.float32)
    # float32(0.1) is 0.100000001490116: above a break at 0.1.
    assert cut_codes(x, [0.1], "right").tolist() == [1]


def test_dask_blocks_give_the_same():
    lazy = cut_codes(da.from_array(X, chunks=3), [2, 17], ["left", "right"])
    assert isinstance(lazy, da.Array)
    assert lazy.dtype == np.int8
    assert np.array_equal(lazy.compute(), cut_codes(X, [2, 17], ["left", "right"]))


def test_many_breaks_need_more_bits():
    codes = cut_codes(np.array([0.5, 299.5]), np.arange(300))
    assert codes.dtype == np.int16
    assert codes.tolist() == [1, 300]


@pytest.mark.parametrize(
    ("breaks", "closed"), [([2, 2], "left"), ([], "left"), ([17, 2], "left"), ([2], "both"), ([2, 3], ["left"])]
)
def test_errors(breaks, closed):
    with pytest.raises(SoilqlError, match="SQ81"):
        cut_codes(X, breaks, closed)
