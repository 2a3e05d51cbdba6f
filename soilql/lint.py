"""Gather what parsing, binding and the rules have to say about a spec, and sort it."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from soilql import rules, suppress
from soilql.errors import Diagnostic
from soilql.spec import Spec


@cache
def rule_modules() -> tuple[ModuleType, ...]:
    """Return the rules, in order of their file names."""
    found = sorted(m.name for m in pkgutil.iter_modules(rules.__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"soilql.rules.{name}") for name in found)


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
    found = list(spec.diagnostics)
    for module in rule_modules():
        found += module.check(spec)
    unique = {(d.code, d.message, d.sort_key()): d for d in found}
    return list(suppress.apply(sorted(unique.values(), key=Diagnostic.sort_key), spec.source).kept)
