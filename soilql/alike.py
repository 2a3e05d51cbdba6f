"""Messages that differ in their numbers, or in the zones they are about, said once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from soilql.values import Note

_ONE = r"-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?"
#: A number in a message, or a range of numbers, and no part of a name.
_NUMBER = re.compile(rf"(?<![\w`.]){_ONE}(?: to {_ONE})?(?![\w`])")
#: The zone that a message is about, with the verb after it.
_ZONE = re.compile(r"\b(zone|region|band|fallback|no share for) (`[^`]*`)( has\b| is\b)?")
_PLURAL = {"no share for": "no share for", " has": " have", " is": " are"}
#: More zones than this are not all named.
_NAMED = 5


def without_numbers(message: str) -> str:
    """Return a message with one sign for each of its numbers.

    Examples
    --------
    >>> without_numbers("`m2`, 1 of 5 folds: 1,200 rows, -2.5e-3 needed")
    '`m2`, # of # folds: # rows, # needed'
    """
    return _NUMBER.sub("#", message)


def with_ranges(messages: Sequence[str]) -> str:
    """Return messages that are the same but for their numbers as one, each number that differs as a range.

    Examples
    --------
    >>> with_ranges(["2 of 5 folds: 8 rows, 10 needed", "3 of 5 folds: 12 rows, 10 needed"])
    '2 to 3 of 5 folds: 8 to 12 rows, 10 needed'
    """
    found = iter(zip(*map(_NUMBER.findall, messages), strict=True))
    return _NUMBER.sub(lambda match: _range(next(found)), messages[0])


def _range(said: Sequence[str]) -> str:
    if len(set(said)) == 1:
        return said[0]
    ordered = sorted((one for text in said for one in text.split(" to ")), key=lambda one: float(one.replace(",", "")))
    return f"{ordered[0]} to {ordered[-1]}"


def gathered(notes: Iterable[Note]) -> list[Note]:
    """Return notes of which those that say the same of several zones are one, in the order of the first.

    Parameters
    ----------
    notes : iterable of Note
        Of one block.

    Returns
    -------
    list of Note
        For the terminal: of many zones only the first are named, and numbers that differ are ranges.

    Examples
    --------
    >>> said = [Note("SQ802", f"zone `{name}`: {rows} rows, 10 needed") for name, rows in (("a", 3), ("b", 7))]
    >>> [note.message for note in gathered(said)]
    ['zones `a` and `b`: 3 to 7 rows, 10 needed']
    """
    groups: dict[object, list[tuple[Note, _Zoned | None]]] = {}
    for note in notes:
        zoned = _Zoned.of(note.message)
        key = note if zoned is None else (note.code, note.severity, *zoned.key)
        groups.setdefault(key, []).append((note, zoned))
    return [_joined(group) for group in groups.values()]


@dataclass(frozen=True)
class _Zoned:
    """A message taken apart at the zone that it is about."""

    before: str
    word: str
    zone: str
    verb: str
    after: str

    @classmethod
    def of(cls, message: str) -> _Zoned | None:
        found = _ZONE.search(message)
        if found is None:
            return None
        return cls(message[: found.start()], found[1], found[2], found[3] or "", message[found.end() :])

    @property
    def key(self) -> tuple[str, ...]:
        return without_numbers(self.before), self.word, self.verb, without_numbers(self.after)


def _joined(group: Sequence[tuple[Note, _Zoned | None]]) -> Note:
    note, first = group[0]
    parts = [zoned for _, zoned in group if zoned is not None]
    zones = list(dict.fromkeys(one.zone for one in parts))
    if first is None or len(zones) < 2:
        return note
    named = zones[:-1] if len(zones) <= _NAMED else zones[: _NAMED - 1]
    last = zones[-1] if len(zones) <= _NAMED else f"{len(zones) - len(named)} more"
    word, verb = (_PLURAL.get(text, f"{text}s" if text else "") for text in (first.word, first.verb))
    before, after = (with_ranges([getattr(one, side) for one in parts]) for side in ("before", "after"))
    return Note(note.code, f"{before}{word} {', '.join(named)} and {last}{verb}{after}", note.severity)
