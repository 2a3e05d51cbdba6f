"""The words that a statement begins with, and how names are written without quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping

VERSION_WORD = "soilql"

#: Word that begins a statement and the section of the tree that the statement adds an entry to.
SECTION_WORDS: Mapping[str, str] = {
    "input": "inputs",
    "use": "use",
    "dataset": "datasets",
    "zones": "zones",
    "model": "models",
    "validation": "validation",
    "analysis": "analyses",
}
#: Sections whose entries are `word NAME = value, key = value ...`, with the key that the first value stands for.
FIRST_KEYS: Mapping[str, str] = {"inputs": "default", "use": "from"}
WORD_OF_SECTION: Mapping[str, str] = {section: word for word, section in SECTION_WORDS.items()}

BARE_NAME = r"[\w$][\w$.\-]*"
QUOTED = r'"(?:[^"\\\r\n]|\\.)*"' + r"|'(?:[^'\r\n]|'')*'"
NAME = rf"(?:{BARE_NAME}|{QUOTED})"
#: The equals sign of `name = value`; none of a comparison, foreign ones (`=<`, `=>`) included.
ASSIGN = r"=(?![=<>])"

_BARE = re.compile(BARE_NAME)


def is_bare_name(text: str) -> bool:
    """Return whether a key can stand without quotes."""
    return _BARE.fullmatch(text) is not None
