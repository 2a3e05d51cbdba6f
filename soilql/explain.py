"""Documentation from the source: what a code, a kind, a section or a function means."""

from __future__ import annotations

import inspect
from importlib import resources
from typing import Any

import yaml

from soilql import kinds
from soilql import params as p
from soilql.bind import bounds_text, describe
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.lint import rule_modules


def explain(topic: str) -> str:
    """Return the documentation of a topic as text.

    Parameters
    ----------
    topic : str
        A code (``SQ201``), a kind (``quantile_forest``), a section (``models``), a function (``exp``), or
        ``functions`` or ``codes`` for a list of all.

    Raises
    ------
    SoilqlError
        There is no such topic (SQ140).
    """
    if topic.upper() in codes():
        return codes()[topic.upper()]
    if topic == "codes":
        return "\n".join(f"{code}  {text.partition(chr(10))[0].partition(' ')[2]}" for code, text in codes().items())
    if topic == "functions":
        names = [*FUNCTIONS, *CONSTANTS]
        return "\n".join(_function(name) for name in names)
    if topic in FUNCTIONS or topic in CONSTANTS:
        return _function(topic)
    if topic in kinds.SECTIONS:
        return _section(topic)
    section, _, name = topic.rpartition(".")
    found = [kinds.find(s, name) for s in kinds.SECTIONS if section in ("", s)]
    texts = [_kind(kind) for kind in found if kind is not None]
    if texts:
        return "\n\n".join(texts)
    known = [*codes(), *kinds.SECTIONS, *FUNCTIONS, *(n for s in kinds.SECTIONS for n in kinds.names(s))]
    help = did_you_mean(topic, known) or "topics: a code, a kind, a section, a function, `functions`, `codes`"
    raise SoilqlError(Diagnostic("SQ140", f"nothing is known about `{topic}`", help=help))


def codes() -> dict[str, str]:
    """Return the documentation of every code: first line code and title, then the reason."""
    text = resources.files("soilql.rules").joinpath("codes.yaml").read_text(encoding="utf-8")
    found = {code: f"{code} {doc['title']}\n\n{doc['why']}" for code, doc in yaml.safe_load(text).items()}
    for module in rule_modules():
        found[module.CODE] = f"{module.CODE} {module.TITLE}\n\n{inspect.cleandoc(module.__doc__ or '')}"
    return dict(sorted(found.items()))


def _function(name: str) -> str:
    if name in CONSTANTS:
        return f"{name}  {CONSTANTS[name]!r}"
    function = FUNCTIONS[name]
    lines = [f"{name}({', '.join(function.arguments)}{', ...' if function.maximum is None else ''})  {function.doc}"]
    lines += [f"    argument {i + 1}: one of {', '.join(texts)}" for i, texts in function.choices]
    return "\n".join(lines)


def _section(section: str) -> str:
    found = [kinds.find(section, name) for name in kinds.names(section)]
    width = max((len(kind.name) for kind in found if kind), default=0)
    lines = [f"{kind.name:<{width}}  {kind.doc.partition(chr(10))[0]}" for kind in found if kind]
    return f"kinds of `{section}`\n\n" + "\n".join(lines)


def _kind(kind: kinds.Kind) -> str:
    head = f"{kind.section}: kind: {kind.name}\n\n{inspect.cleandoc(kind.module.__doc__ or '')}"
    return f"{head}\n\nParameters\n" + "\n".join(_parameters(kind.params_type, "  "))


def _parameters(cls: type[p.Params], indent: str) -> list[str]:
    lines = []
    for field in p.fields(cls):
        facts = [describe(field.type)]
        if words := bounds_text(field):
            facts.append(words)
        if field.unit:
            facts.append(f"in {field.unit}")
        facts.append("required" if field.required else f"default {_default(field.default)}")
        lines += [f"{indent}{field.key}: {', '.join(facts)}", f"{indent}    {field.doc}"]
        for nested in _nested(field.type):
            lines += _parameters(nested, indent + "    ")
    return lines


def _default(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value) if value != "" else "empty"


def _nested(annotation: Any) -> list[type[p.Params]]:
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _nested(inner)]
