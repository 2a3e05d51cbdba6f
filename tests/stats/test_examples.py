"""The examples in the docstrings of trends, partial correlation and attribution, and of the kernels behind them."""

from __future__ import annotations

import doctest
import importlib

import pytest

STATS = (
    "attribution", "field_significance", "mann_kendall", "mann_kendall_exact", "partial_correlation", "prewhitening",
    "theil_sen", "theil_sen_bootstrap", "trend",
)  # fmt: skip
KERNELS = ("blocks", "bootstrap", "compiling", "mann_kendall", "partial_correlation", "theil_sen")


@pytest.mark.parametrize("name", [*(f"stats.{name}" for name in STATS), *(f"kernels.{name}" for name in KERNELS)])
def test_examples_give_what_they_say(name):
    found = doctest.testmod(importlib.import_module(f"soilql.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
