"""Gather what parsing, binding and the rules have to say about a spec, and sort it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from types import ModuleType

from soilql import data_checks, rules, suppress
from soilql.errors import Diagnostic
from soilql.spec import Spec


@cache
def rule_modules() -> tuple[ModuleType, ...]:
    """Return the rules, in order of their file names."""
    return _modules(rules)


@cache
def check_modules() -> tuple[ModuleType, ...]:
    """Return the checks of the data, in order of their file names; some have the code of a rule."""
    return _modules(data_checks)


def _modules(package: ModuleType) -> tuple[ModuleType, ...]:
    found = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{package.__name__}.{name}") for name in found)


def lint(spec: Spec) -> list[Diagnostic]:
    """Return every finding about a spec, each once, in order of its place.

    Parameters
    ----------
    spec : Spec
        As :func:`soilql.spec.load` gives it, whether or not it has problems already.

    Returns
    -------
    list of Diagnostic
        Structural problems and those that the rules found, without those that comments of the spec accept.
    """
    return list(suppress.apply(in_order(found_by_rules(spec)), spec.source, unlooked=needs_data).kept)


def found_by_rules(spec: Spec) -> list[Diagnostic]:
    """Return the structural problems of a spec and what the rules find, accepted or not."""
    found = list(spec.diagnostics)
    for module in rule_modules():
        found += module.check(spec)
    return found


def in_order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return findings in order of their place, each once."""
    unique = {(d.code, d.message, d.sort_key()): d for d in found}
    return sorted(unique.values(), key=Diagnostic.sort_key)


def needs_data(code: str) -> bool:
    """Return whether there are findings of a code that only the data show."""
    return code.startswith("SQ7") or any(code == module.CODE for module in check_modules())
