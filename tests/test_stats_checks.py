"""What the statistics refuse, and in which words."""

import numpy as np
import pytest

from soilql.errors import SoilqlError
from soilql.stats import checks


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: checks.vector([[1.0]], "obs"), "SQ811 `obs` has shape (1, 1), expected (n,)"),
        (lambda: checks.vector([1.0], "obs", 2), "SQ811 `obs` has shape (1,), expected (2,)"),
        (lambda: checks.vector([1.0, np.nan, np.inf], "obs"), "SQ812 `obs` has 2 missing or infinite values among 3"),
        (lambda: checks.weight_vector([0.0, 0.0], 2), "SQ813 `weights` must be zero or positive"),
        (lambda: checks.fractions([0.5, 1.2], "level"), "SQ813 `level` must lie between 0 and 1, got 1.2"),
        (lambda: checks.fractions(0.0, "level", open_ends=True), "SQ813 `level` must lie strictly between"),
        (lambda: checks.choice("a", ("b", "c"), "method"), "SQ813 unknown method `a`"),
        (lambda: checks.whole_number(2.5, "folds", 2), "SQ813 `folds` must be a whole number of at least 2"),
        (lambda: checks.whole_number(True, "folds", 0), "SQ813 `folds`"),
    ],
)
def test_messages(call, message):
    with pytest.raises(SoilqlError) as caught:
        call()
    assert message in str(caught.value)


def test_what_is_let_through():
    assert checks.vector([1, 2], "obs").dtype == np.float64
    assert checks.whole_number(np.int64(3), "folds", 2) == 3
    assert checks.fractions(0.5, "level").tolist() == [0.5]
