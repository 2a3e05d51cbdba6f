"""Edits of a text, at random, as people and editors make them and as nobody would."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache

from soilql import kinds, params
from soilql.expr.functions import FUNCTIONS
from soilql.minilang.words import SECTION_WORDS
from soilql.spec import TOP_LEVEL

#: What means something on one of the surfaces, in an expression or to the linter, and what is often mistyped.
TOKENS: tuple[str, ...] = (
    *"{}[]()\"'`:,-#&*!|>%@~^=\\$?<+/;. \t\n\r0a_é",
    "${", "${inputs.a}", "- ", ": ", " #", "# c\n", "&a ", "*a", "<<: *a", "<<: [*a, *a]", "!!str ", "---\n",
    "...\n", "%YAML 1.2\n",
    "1e999", "0x1F", "0o17", ".inf", "-.inf", ".nan", "1_000", "12:30", "null", "~", "true", "None", "no",
    "$remove",
    "|\n", "|-\n", "|2+\n", ">-\n", ">\n", "\\\n", "\\x41", "\\u00e9", "\\ud800", "\\U0001F600", "\r\n", "\n\n",
    "\x00", "\x85", "\u2028",
    "\u2029", "\ufeff", "\xa0", "\u200b", "𝄞", "名前", "ß", "ﬁ", "²", "µ",
    "  | ", "\n| ", "\n  | where ", " [g m-2]", " by ", "soilql 1\n", "soilql: 1\n", "x-", "x-a: ",
    "==", "!=", "<=", "=<", "<>", "&&", "||", "**", "%in%", " in [", " not in [", " and ", " or ", "not ",
    "(1 | site)", " ~ ", "::",
    "exp(", "log(", "C(", "I(", "where(", "rh_from_rs(", "“", "”", "‘", "−", "×",
    "# soilql: ignore[SQ620] reason", "# soilql: ignore[", "# soilql: ignore[SQ620, SQ201]",
    "g C m-2 yr-1", "degC", "1/degC", "µmol m-2 s-1", "registry:srdb-v5", "registry:",
)  # fmt: skip
_WORD = re.compile(r"[\w.$:-]+")


@cache
def words() -> tuple[str, ...]:
    """Return the words of the language: sections, kinds, keys, functions."""
    found = {*TOP_LEVEL, *SECTION_WORDS, *FUNCTIONS}
    for section in kinds.SECTIONS:
        for name in kinds.names(section):
            kind = kinds.find(section, name)
            assert kind is not None
            found |= {name, *(field.key for field in params.fields(kind.params_type))}
    return tuple(sorted(found))


def mutated(text: str, rng: random.Random, others: Sequence[str]) -> str:
    """Return a text after one to five edits.

    Parameters
    ----------
    text : str
        What to edit.
    rng : random.Random
        Decides.
    others : sequence of str
        Texts of which lines may be put in.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5))):
        text = rng.choice(_EDITS)(text, rng, others)
    return text


def _piece(text: str, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(text))
    return start, min(len(text), start + rng.choice((0, 1, 1, 2, 4, 8, 16, 40)))


def _replace(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, end = _piece(text, rng)
    return text[:start] + rng.choice(TOKENS) + text[end:]


def _insert(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, _ = _piece(text, rng)
    return text[:start] + rng.choice(TOKENS) + text[start:]


def _delete(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, end = _piece(text, rng)
    return text[:start] + text[end:]


def _move(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, end = _piece(text, rng)
    to, _ = _piece(text, rng)
    return text[:to] + text[start:end] + text[to:]


def _repeat(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, end = _piece(text, rng)
    return text[:start] + text[start:end] * rng.choice((2, 3, 12, 60)) + text[end:]


def _cut(text: str, rng: random.Random, others: Sequence[str]) -> str:
    start, _ = _piece(text, rng)
    return text[:start] if rng.random() < 0.7 else text[start:]


def _word(text: str, rng: random.Random, others: Sequence[str]) -> str:
    """Put another word in the place of one: of the language, or of the text itself."""
    found = list(_WORD.finditer(text))
    if not found:
        return text + rng.choice(words())
    match = rng.choice(found)
    new = rng.choice(words()) if rng.random() < 0.5 else rng.choice(found)[0]
    return text[: match.start()] + new + text[match.end() :]


def _line(text: str, rng: random.Random, others: Sequence[str]) -> str:
    """Take a line out, double it, exchange two, or indent one anew."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    how = rng.randrange(6)
    if how == 0:
        del lines[i]
    elif how == 1:
        lines.insert(j, lines[i])
    elif how == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif how == 3:
        lines[i] = rng.choice((" ", "  ", "\t", "    - ", "- ")) + lines[i]
    elif how == 4:
        lines[i] = lines[i].lstrip() if rng.random() < 0.5 else lines[i][1:]
    else:
        lines[i] = lines[i].rstrip("\r\n") + "  # c\n"
    return "".join(lines)


def _splice(text: str, rng: random.Random, others: Sequence[str]) -> str:
    """Put lines of another text between those of this one."""
    source = rng.choice(others).splitlines(keepends=True) if others else []
    if not source:
        return text
    start = rng.randrange(len(source))
    lines = text.splitlines(keepends=True)
    at = rng.randint(0, len(lines))
    return "".join([*lines[:at], *source[start : start + rng.choice((1, 2, 5, 12))], *lines[at:]])


def _wrap(text: str, rng: random.Random, others: Sequence[str]) -> str:
    """Put a piece in brackets or quotes, once or many times over."""
    start, end = _piece(text, rng)
    opening, closing = rng.choice(
        (("(", ")"), ("[", "]"), ("{", "}"), ("{a: ", "}"), ('"', '"'), ("'", "'"), ("f(", ")"))
    )
    times = rng.choice((1, 1, 1, 2, 30, 150))
    return text[:start] + opening * times + text[start:end] + closing * times + text[end:]


def _line_ends(text: str, rng: random.Random, others: Sequence[str]) -> str:
    text = text.replace("\r\n", "\n")
    end = rng.choice(("\r\n", "\r", "\n"))
    return ("\ufeff" if rng.random() < 0.2 else "") + text.replace("\n", end)


_EDITS = (
    _replace, _replace, _insert, _insert, _delete, _move, _repeat, _cut, _word, _word, _word, _line, _line, _splice,
    _splice, _wrap, _line_ends,
)  # fmt: skip
