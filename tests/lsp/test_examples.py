"""The examples in the documentation of the language server."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from soilql import lsp


@pytest.mark.parametrize("name", sorted(module.name for module in pkgutil.iter_modules(lsp.__path__)))
def test_examples_run(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"soilql.lsp.{name}")).failed == 0
