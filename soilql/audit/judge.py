"""Judge printed figures: do they fit together, and under which degrees of freedom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from soilql.audit.arithmetic import Direct, direct_checks
from soilql.audit.claims import Claim, claims
from soilql.audit.figures import Figure
from soilql.audit.readings import STATED, Reading, most_degrees, stated_cost
from soilql.stats.consistency import MAX_DF, Degrees, overlap
from soilql.stats.printed import Interval

NO_DEGREES = Degrees(())
_NU = np.arange(1, MAX_DF + 1)


class Verdict(StrEnum):
    """What is said of a figure or a set of figures, from best to worst."""

    FITS = "fits"
    OPEN = "open"
    OTHER = "other reading"
    MISFIT = "misfit"


_WORST = list(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts."""
    return max(verdicts, key=_WORST.index, default=Verdict.FITS)


@dataclass(frozen=True)
class Outcome:
    """What follows under one reading.

    Attributes
    ----------
    reading : Reading
        The reading.
    predicted : Interval
        What the claim would be, over all degrees of freedom that the reading allows.
    fits : bool
        Whether the printed claim can be that.
    degrees : Degrees
        Degrees of freedom of the reading under which it fits; empty where they are not a whole number.
    nu : float
        The smallest degrees of freedom that the reading allows.
    """

    reading: Reading
    predicted: Interval
    fits: bool
    degrees: Degrees
    nu: float


@dataclass(frozen=True)
class Check:
    """One claim of one figure, judged.

    Attributes
    ----------
    figure : Figure
        Whose claim it is.
    claim : Claim or Direct
        What is claimed.
    verdict : Verdict
        What is said of it.
    outcomes : tuple of Outcome
        Under each reading; the stated one first if there is one.
    search : Degrees
        All whole degrees of freedom that fit as printed, however many values there are.
    adjusted : Degrees
        The same if a printed R2 is the adjusted one.
    """

    figure: Figure
    claim: Claim | Direct
    verdict: Verdict
    outcomes: tuple[Outcome, ...] = ()
    search: Degrees = NO_DEGREES
    adjusted: Degrees = NO_DEGREES

    @property
    def stated(self) -> Outcome | None:
        """What follows under the stated reading, if the table gives one."""
        return next((o for o in self.outcomes if o.reading.key == STATED), None)


@dataclass(frozen=True)
class Joint:
    """The figures of one group that share a design, judged together.

    Attributes
    ----------
    verdict : Verdict
        What is said of them together.
    reading : Reading or None
        The first reading under which all fit.
    degrees : Degrees
        Whole degrees of freedom under which all fit as printed.
    best : int
        Degrees of freedom under which most fit, where no single one fits all.
    odd : tuple of str
        Ids that do not fit under `best`.
    size : int
        How many claims were judged together.
    """

    verdict: Verdict
    reading: Reading | None
    degrees: Degrees
    best: int
    odd: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class FigureSet:
    """The figures of one group, or a figure without one, with what is said of each and of all.

    Attributes
    ----------
    name : str
        The group, or the id of the figure.
    checks : tuple of Check
        In order of the table.
    joint : Joint or None
        Where two or more claims rest on the same degrees of freedom.
    """

    name: str
    checks: tuple[Check, ...]
    joint: Joint | None

    @property
    def verdict(self) -> Verdict:
        """The worst of all verdicts."""
        verdicts = [check.verdict for check in self.checks]
        return worst([*verdicts, self.joint.verdict] if self.joint else verdicts)


def judge(figures: Sequence[Figure]) -> tuple[FigureSet, ...]:
    """Judge figures, set by set, in order of the first figure of each set; figures that claim nothing are left out."""
    named = {figure.id: figure for figure in figures}
    groups: dict[tuple[bool, str], list[Figure]] = {}
    for figure in figures:
        key = (bool(figure.group), figure.group or figure.id)
        groups.setdefault(key, []).append(figure)
    sets = (_judge_set(name, members, named) for (_, name), members in groups.items())
    return tuple(one for one in sets if one.checks)


def _judge_set(name: str, members: Sequence[Figure], named: dict[str, Figure]) -> FigureSet:
    checks: list[Check] = []
    searched: list[tuple[Check, NDArray[np.bool_]]] = []
    for figure in members:
        for direct in direct_checks(figure, named):
            verdict = Verdict.FITS if direct.fits else Verdict.OTHER if direct.otherwise else Verdict.MISFIT
            checks.append(Check(figure, direct, verdict))
        for claim in claims(figure):
            check, mask = _judge_claim(figure, claim)
            checks.append(check)
            if claim.searched:
                searched.append((check, mask))
    return FigureSet(name, tuple(checks), _judge_jointly(searched))


def _judge_claim(figure: Figure, claim: Claim) -> tuple[Check, NDArray[np.bool_]]:
    outcomes = tuple(o for reading in claim.readings if (o := _outcome(figure, claim, reading)) is not None)
    plain = Reading("", "", "", tails=figure.tails)
    mask = _mask(claim, plain) if claim.searched else np.zeros(_NU.shape, dtype=np.bool_)
    search = Degrees.where(_NU, mask)
    adjusted = NO_DEGREES
    if figure.statistic == "R2" and claim.quantity == "p":
        adjusted = Degrees.where(_NU, _mask(claim, replace(plain, adjusted=True)))
    stated = any(reading.key == STATED for reading in claim.readings)
    fitting = [o for o in outcomes if o.fits]
    if fitting and fitting[0].reading.key == STATED:
        verdict = Verdict.FITS
    elif not stated and (search or adjusted):
        verdict = Verdict.OPEN
    elif fitting or mask[: most_degrees(figure)].any():
        verdict = Verdict.OTHER
    else:
        verdict = Verdict.MISFIT
    return Check(figure, claim, verdict, outcomes, search, adjusted), mask


def _mask(claim: Claim, reading: Reading) -> NDArray[np.bool_]:
    return overlap(claim.predict(_NU.astype(np.float64), reading), claim.target)


def _outcome(figure: Figure, claim: Claim, reading: Reading) -> Outcome | None:
    degrees = reading.degrees(figure.n)
    if not degrees:
        return None
    nu = np.array(degrees, dtype=np.float64)
    low, high = claim.predict(nu, reading)
    fits = overlap((low, high), claim.target)
    predicted = Interval(float(low.min()), float(high.max()))
    whole = Degrees.where(nu.astype(np.int64), fits) if reading.cost is not None else NO_DEGREES
    return Outcome(reading, predicted, bool(fits.any()), whole, float(nu[0]))


def _judge_jointly(searched: Sequence[tuple[Check, NDArray[np.bool_]]]) -> Joint | None:
    """Judge claims that rest on the same degrees of freedom; None where they do not, or there is but one."""
    designs = {_design(check.figure) for check, _ in searched}
    if len(searched) < 2 or len(designs) != 1:
        return None
    checks = [check for check, _ in searched]
    masks = np.array([mask for _, mask in searched])
    together = np.logical_and.reduce(masks, axis=0)
    degrees = Degrees.where(_NU, together)
    common = _common_reading(checks)
    most = most_degrees(checks[0].figure)
    if common is not None and common.key == STATED:
        verdict = Verdict.FITS
    elif checks[0].figure.n is None and checks[0].figure.df is None and degrees:
        verdict = Verdict.OPEN
    elif common is not None or together[:most].any():
        verdict = Verdict.OTHER
    else:
        verdict = Verdict.MISFIT
    counts = masks[:, :most].sum(axis=0)
    best = _best(counts, checks[0].stated)
    odd = tuple(check.figure.id for check, mask in searched if not mask[best])
    return Joint(verdict, common, degrees, best + 1, odd, len(searched))


def _best(counts: NDArray[np.int64], stated: Outcome | None) -> int:
    """Return where most claims fit; the stated nu goes before others that fit as many."""
    best = int(counts.argmax())
    if stated is not None and stated.nu.is_integer() and stated.nu <= counts.size:
        at = int(stated.nu) - 1
        return at if counts[at] == counts[best] else best
    return best


def _design(figure: Figure) -> tuple[object, ...]:
    return figure.n, figure.df, stated_cost(figure)


def _common_reading(checks: Sequence[Check]) -> Reading | None:
    """Return the first reading under which every claim fits, with one and the same nu."""
    for outcome in checks[0].outcomes:
        key = outcome.reading.key
        same = [o for check in checks for o in check.outcomes if o.reading.key == key and o.fits]
        if len(same) != len(checks):
            continue
        shared = set(same[0].reading.degrees(checks[0].figure.n))
        for o in same:
            if o.reading.cost is not None:
                shared = {nu for nu in shared if nu in o.degrees}
        if shared:
            return outcome.reading
    return None
