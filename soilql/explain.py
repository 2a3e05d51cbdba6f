"""Documentation from the source: what a code, a kind, a section or a function means, laid out for a terminal."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import yaml

from soilql import kinds
from soilql import params as p
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.expr.functions import CONSTANTS, FUNCTIONS
from soilql.inputs import Input
from soilql.lint import check_modules, rule_modules
from soilql.spec import SECTION_DOCS, Meta
from soilql.topics import TOPICS
from soilql.type_words import bounds_text, describe, number_text
from soilql.using import Use

#: Family of a code, by its first digit.
FAMILIES = {
    "1": "structure and syntax",
    "2": "names",
    "3": "units",
    "4": "identifiability",
    "5": "domain",
    "6": "study design",
    "7": "data",
    "8": "computing",
    "9": "environment",
}

_NARROWEST, _WIDEST = 60, 100
#: Topics that are named for a word that is none.
_MENTIONED = 6


def explain(topic: str, width: int | None = None) -> str:
    """Return the documentation of a topic as text.

    Parameters
    ----------
    topic : str
        A code (``SQ201``), a kind (``quantile_forest`` or ``models.quantile_forest``), a section (``models``), a
        function (``exp``), ``use``, ``extends``, ``inputs``, ``lock``, ``roles``, ``units`` or ``members``, or, for a
        list of all, ``functions`` or ``codes``. Nothing lists the topics.
    width : int, optional
        Longest line; default that of the terminal, at most 100.

    Raises
    ------
    SoilqlError
        There is no such topic (SQ140).

    Examples
    --------
    >>> print(explain("abs"))
    abs(number)
        absolute value
    """
    width = width or min(_WIDEST, max(_NARROWEST, shutil.get_terminal_size().columns))
    return "\n".join(_lines(topic.strip(), width))


def _lines(topic: str, width: int) -> Iterable[str]:
    if not topic:
        return _overview(width)
    if topic.upper() in codes():
        return _prose(codes()[topic.upper()], width)
    if topic == "codes":
        return _all_codes(width)
    if topic == "functions":
        return (line for name in (*FUNCTIONS, *CONSTANTS) for line in _function(name, width))
    if topic in FUNCTIONS or topic in CONSTANTS:
        return _function(topic, width)
    if topic in TOPICS:
        return _topic(topic, width)
    if topic in SECTION_DOCS:
        return _section(topic, width)
    section, _, name = topic.rpartition(".")
    found = [kinds.find(s, name) for s in kinds.SECTIONS if section in ("", s)]
    known = [kind for kind in found if kind is not None]
    if not known:
        raise SoilqlError(_unknown(topic))
    return (line for kind in known for line in _kind(kind, width))


def _topic(topic: str, width: int) -> Iterator[str]:
    yield from _prose(TOPICS[topic], width)
    declared: dict[str, type[p.Params]] = {"use": Use, "inputs": Input}
    if topic in declared:
        yield from ("", f"keys of each {'recipe' if topic == 'use' else 'input'}")
        yield from _parameters(declared[topic], "  ", width)
    if topic == "use":
        yield from _hanging("  inputs: ", "values of the recipe's inputs", width)


def _unknown(topic: str) -> Diagnostic:
    every = [n for s in kinds.SECTIONS for n in kinds.names(s)]
    known = [*TOPICS, *SECTION_DOCS, *every, *FUNCTIONS, *CONSTANTS, "functions", "codes"]
    if topic[:2].upper() == "SQ":
        return Diagnostic("SQ140", f"there is no code `{topic}`", help="`soilql explain codes` lists them all")
    if found := _mentioning(topic):
        return Diagnostic("SQ140", f"`{topic}` is no topic", help=f"it is mentioned under {', '.join(found)}")
    help = did_you_mean(topic.rpartition(".")[2], known) or did_you_mean(topic, known)
    return Diagnostic("SQ140", f"nothing is known about `{topic}`", help=help or "`soilql explain` lists the topics")


def _mentioning(word: str) -> list[str]:
    """Return the topics and kinds whose documentation has a word, or a word that begins with it."""
    pattern = re.compile(rf"(?<![\w]){re.escape(word)}", re.IGNORECASE)
    texts = {name: " ".join(_topic(name, _WIDEST)) for name in TOPICS}
    for section in kinds.SECTIONS:
        found = filter(None, (kinds.find(section, name) for name in kinds.names(section)))
        texts |= {kind.name: " ".join(_kind(kind, _WIDEST)) for kind in found}
    return [f"`{name}`" for name, text in texts.items() if pattern.search(text)][:_MENTIONED]


def _overview(width: int) -> Iterator[str]:
    """Yield all topics but the codes, by section."""
    yield from _wrap("`soilql explain TOPIC` knows:", width)
    yield ""
    for section in SECTION_DOCS:
        names = kinds.names(section) if section in kinds.SECTIONS else []
        yield from _hanging(f"  {section:<12}", ", ".join(names) or SECTION_DOCS[section], width)
    yield ""
    for name, text in TOPICS.items():
        if name not in SECTION_DOCS:
            yield from _hanging(f"  {name:<12}", text.partition("\n")[0].removeprefix(f"{name}: "), width)
    yield from _hanging(f"  {'functions':<12}", "the functions and constants of expressions", width)
    yield from _hanging(f"  {'codes':<12}", "all findings and notes, such as SQ201", width)
    yield from ("", *_wrap("`soilql explain model NAME in SPEC` shows a model's equation, variables and units.", width))


@cache
def codes() -> dict[str, str]:
    """Return the documentation of every code: first line code and title, then the reason."""
    text = resources.files("soilql.rules").joinpath("codes.yaml").read_text(encoding="utf-8")
    found = {code: f"{code} {doc['title']}\n\n{doc['why']}" for code, doc in yaml.safe_load(text).items()}
    for module in rule_modules():
        found[module.CODE] = f"{module.CODE} {module.TITLE}\n\n{inspect.cleandoc(module.__doc__ or '')}"
    for module in check_modules():
        # A check with the code of a rule says what the data add to it.
        head = found.get(module.CODE, f"{module.CODE} {module.TITLE}")
        found[module.CODE] = f"{head}\n\n{inspect.cleandoc(module.__doc__ or '')}"
    return dict(sorted(found.items()))


def _all_codes(width: int) -> Iterator[str]:
    family = ""
    for code, text in codes().items():
        if code[2] != family:
            yield from ([""] if family else [])
            family = code[2]
            yield f"SQ{family}xx  {FAMILIES[family]}"
        yield from _hanging(f"  {code}  ", text.partition("\n")[0].removeprefix(f"{code} "), width)
    yield from ("", *textwrap.wrap("`soilql explain CODE` says what a code means and how to mend it.", width))


def _prose(text: str, width: int) -> Iterator[str]:
    """Yield paragraphs wrapped anew; indented examples stay as they are, and their `::` becomes a colon."""
    for i, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        yield from ([""] if i else [])
        lines = paragraph.splitlines()
        if all(line.startswith((" ", "- ", "* ")) for line in lines):
            yield from lines
        else:
            text = " ".join(line.strip() for line in lines)
            yield from _wrap(text.removesuffix(":") if text.endswith("::") else text, width)


def _wrap(text: str, width: int, indent: str = "", then: str | None = None) -> list[str]:
    rest = indent if then is None else then
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _hanging(head: str, text: str, width: int) -> list[str]:
    return _wrap(text, width, head, " " * len(head))


def _function(name: str, width: int) -> Iterator[str]:
    if name in CONSTANTS:
        yield f"{name}"
        yield f"    the constant {CONSTANTS[name]!r}"
        return
    function = FUNCTIONS[name]
    yield f"{name}({', '.join(function.arguments)}{', ...' if function.maximum is None else ''})"
    yield from _wrap(function.doc, width, "    ")
    for position, texts in function.choices:
        choices = " or ".join(f'"{text}"' for text in texts)
        yield from _wrap(f"argument {position + 1} is {choices}", width, "    ")


def _section(section: str, width: int) -> Iterator[str]:
    yield from _hanging(f"{section}: ", SECTION_DOCS[section], width)
    if section not in kinds.SECTIONS:
        each = "NAME: " if section == "inputs" else ""
        yield from ("", "keys of each input" if each else "keys")
        yield from _parameters(Input if each else Meta, "  ", width)
        return
    found = [kind for kind in (kinds.find(section, name) for name in kinds.names(section)) if kind is not None]
    column = max((len(kind.name) for kind in found), default=0)
    yield ""
    for kind in found:
        yield from _hanging(f"  {kind.name:<{column}}  ", kind.doc.partition("\n\n")[0].replace("\n", " "), width)
    yield from ("", "`soilql explain KIND` lists the parameters of a kind.")


def _kind(kind: kinds.Kind, width: int) -> Iterator[str]:
    yield f"{kind.name}, a kind of `{kind.section}`"
    yield ""
    yield from _prose(kind.module.__doc__ or "", width)
    declared = p.fields(kind.params_type)
    for title, group in (
        ("required", [f for f in declared if f.required]),
        ("optional", [f for f in declared if not f.required]),
    ):
        if group:
            yield from ("", title)
            for field in group:
                yield from _parameter(field, "  ", width)
    if any(_is_list(field.type) for field in declared):
        yield from ("", *_wrap("A list of one may be written as its item, without brackets.", width))


def _parameters(cls: type[p.Params], indent: str, width: int) -> Iterator[str]:
    for field in sorted(p.fields(cls), key=lambda field: not field.required):
        yield from _parameter(field, indent, width, nested=True)


def _parameter(field: p.Field, indent: str, width: int, *, nested: bool = False) -> Iterator[str]:
    facts = [describe(field.type)]
    if words := bounds_text(field):
        facts.append(words)
    if field.unit:
        facts.append(f"in {field.unit}")
    if nested and field.required:
        facts.append("required")
    if (default := _default(field.default)) and not field.required:
        facts.append(f"default {default}")
    yield from _hanging(f"{indent}{field.key}: ", ", ".join(facts), width)
    inner, beside = indent + "    ", indent + "      "
    yield from _wrap(field.doc, width, beside)
    for cls in dict.fromkeys(_nested(field.type)):
        if cls.SHORTHAND is not None:
            name = "NAME" if _is_mapping(field.type) else field.key
            text = f"`{name}: {{{cls.SHORTHAND}: x}}` may be written `{name}: x`"
            yield from _wrap(text, width, beside)
        yield from _parameters(cls, inner, width)


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_default, value))}]" if value else ""
    return "" if value is None or value == {} else str(value)


def _is_mapping(annotation: Any) -> bool:
    inner = getattr(annotation, "__args__", ())
    return getattr(annotation, "__origin__", None) is dict or any(_is_mapping(one) for one in inner)


def _is_list(annotation: Any) -> bool:
    inner = getattr(annotation, "__args__", ())
    return getattr(annotation, "__origin__", None) is list or any(_is_list(one) for one in inner)


def _nested(annotation: Any) -> list[type[p.Params]]:
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _nested(inner)]
