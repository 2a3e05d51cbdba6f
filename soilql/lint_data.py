"""Lint a spec together with its data: the rules with the columns that there are, and the checks of the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from soilql import suppress
from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.kinds import Block
from soilql.lint import check_modules, found_by_rules, in_order
from soilql.spec import Spec
from soilql.study.study import Study
from soilql.study.values import Places
from soilql.values import Note

#: Statuses of values that are findings too; of the others there are checks, or they only inform.
_TELLING = ("SQ721", "SQ726")


@dataclass(frozen=True)
class Looked:
    """What a look at the data gave.

    Attributes
    ----------
    findings : tuple of Diagnostic
        In order of place.
    lines : tuple of str
        What was looked at: each data set with its size, each model with its rows.
    """

    findings: tuple[Diagnostic, ...]
    lines: tuple[str, ...]


def lint_data(spec: Spec, places: Places) -> Looked:
    """Find what is wrong with a spec and its data, each thing once.

    No model is fitted. Data sets, partitions, extractions and folds are made as in a run and kept in the store, so
    that a run finds them there. What has errors is not looked at, nor what is made from it.

    Parameters
    ----------
    spec : Spec
        As :func:`soilql.spec.load` gives it, whether or not it has problems already.
    places : Places
        Where values are kept.

    Raises
    ------
    SoilqlError
        The store cannot be used (SQ901).
    """
    static = found_by_rules(spec)
    kept = suppress.apply(in_order(static), spec.source).kept
    with Study(spec, places, _unsound(spec, kept)) as study:
        seen = found_by_rules(study.spec)
        data = [one for module in check_modules() for one in _checked(module, study)]
        problems = _unexplained(study.spec, [*study.problems, *_statuses(study)], data)
        data = _unexplained(study.spec, data, data)
        lines = tuple(study.lines())
    known = set(static)
    new = [one for one in seen if one not in known]
    found = suppress.apply(in_order(_best(static, problems, new, data)), spec.source).kept
    return Looked(tuple(found), lines)


def _unsound(spec: Spec, found: Iterable[Diagnostic]) -> set[str]:
    """Return the blocks in which an error stands."""
    places = [one.span for one in found if one.severity is Severity.ERROR and one.span is not None]
    return {name for name, block in spec.blocks.items() if any(_inside(span, block.node.span) for span in places)}


def _inside(span: Span, whole: Span) -> bool:
    return span.source is whole.source and whole.start <= span.start <= whole.end


def _checked(module: ModuleType, study: Study) -> Iterator[Diagnostic]:
    """Yield what a check finds; that it fails is a finding too, and does not keep the others from being made."""
    try:
        yield from module.check(study)
    except SoilqlError as error:
        yield from error.diagnostics
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"the check {module.CODE} ({module.TITLE}) failed unexpectedly: {what[:300]}"
        help = "this is a bug of soilql: please report it with the spec; the other checks were made"
        yield Diagnostic("SQ899", message, help=help)


def _statuses(study: Study) -> Iterator[Diagnostic]:
    """Yield the statuses of values that are findings, at the block that they come from."""
    said: set[str] = set()
    for block in study.sources():
        for note in getattr(study.value(block.name), "notes", ()):
            if note.code in _TELLING and note.message not in said:
                said.add(note.message)
                yield Diagnostic(note.code, note.message, _place_of(block, note), severity=note.severity)


def _place_of(block: Block, note: Note) -> Span:
    """Return the role that a status names the column of; else where the files are named."""
    roles = getattr(block.params, "roles", {}) if note.code == "SQ721" else {}
    named = (role for role, column in roles.items() if f"`{column}`" in note.message)
    return block.span("roles", role) if (role := next(named, None)) is not None else block.span("source")


def _unexplained(spec: Spec, problems: Iterable[Diagnostic], found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return problems without those whose reason was found in the same block, or in one that it is made from.

    A check says by ``EXPLAINS`` which codes it is the reason of: an empty zone where kelvin are taken for degC.
    """
    explains = {module.CODE: module.EXPLAINS for module in check_modules() if hasattr(module, "EXPLAINS")}
    explained: set[tuple[str, str]] = set()
    for one in found:
        names = _made_from(spec, _blocks_at(spec, one.span))
        explained |= {(code, name) for code in explains.get(one.code, ()) for name in names}
    return [one for one in problems if not any((one.code, name) in explained for name in _blocks_at(spec, one.span))]


def _made_from(spec: Spec, names: Iterable[str]) -> set[str]:
    """Return some blocks and all that is made from them."""
    found = set(names)
    while True:
        more = {
            name
            for name, references in spec.references.items()
            if name not in found and any(one.ref.block in found for one in references)
        }
        if not more:
            return found
        found |= more


def _blocks_at(spec: Spec, span: Span | None) -> list[str]:
    return [] if span is None else [name for name, block in spec.blocks.items() if _inside(span, block.node.span)]


def _best(*stages: list[Diagnostic]) -> list[Diagnostic]:
    """Return the findings, each once.

    Those of a later stage stand for earlier ones of the same code at the same place, and for those that say the same
    of a wider one: what fails while it is made may know the block but not the word.
    """
    kept: list[Diagnostic] = []
    for stage in stages:
        again = {(one.code, one.span) for one in stage if one.span is not None}
        earlier = [one for one in kept if (one.code, one.span) not in again]
        kept = [*(one for one in earlier if not any(_says_again(other, one) for other in stage)), *stage]
    return kept


def _says_again(one: Diagnostic, other: Diagnostic) -> bool:
    """Return whether a finding says what another does, within its place."""
    same = (one.code, one.message) == (other.code, other.message)
    return same and one.span is not None and other.span is not None and _inside(one.span, other.span)
