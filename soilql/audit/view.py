"""An audit in words, for people, and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from soilql.audit.arithmetic import Direct, span
from soilql.audit.figures import Figure
from soilql.audit.judge import Check, FigureSet, Joint, Outcome, Verdict
from soilql.audit.readings import STATED, Reading, most_degrees, stated_cost
from soilql.stats.consistency import Degrees, p_of_r2
from soilql.stats.printed import Interval

_HEADINGS = {
    Verdict.FITS: "fits together",
    Verdict.OPEN: "can fit; the table does not say enough to tell",
    Verdict.OTHER: "fits only under another reading",
    Verdict.MISFIT: "does not fit together",
}
_MARKS = {Verdict.FITS: "ok", Verdict.OPEN: "?", Verdict.OTHER: "~", Verdict.MISFIT: "x"}
_WIDTH = 110


def text_lines(name: str, sets: tuple[FigureSet, ...]) -> Iterator[str]:
    """Yield an audit as lines of text: each set with its verdict, its figures, and what that means.

    Parameters
    ----------
    name : str
        What the table is shown as.
    sets : tuple of FigureSet
        From `judge`.

    Yields
    ------
    str
    """
    for one in sets:
        yield f"{one.name}: {_HEADINGS[one.verdict]}"
        width = max(len(check.figure.id) for check in one.checks)
        for check in one.checks:
            line = f"{_MARKS[check.verdict]:<2} {check.figure.id:<{width}}  {check.claim.shown}: {_result(check)}"
            yield from _wrapped(line, "  ", " " * (width + 7))
        for sentence in sentences(one):
            yield from _wrapped(sentence, "  ", "  ")
        yield ""
    yield f"{name}: {summary(sets)}"


def as_json(name: str, sets: tuple[FigureSet, ...]) -> str:
    """Return an audit as a JSON text; ranges are ``[lowest, highest]``, infinite degrees of freedom ``"inf"``.

    Parameters
    ----------
    name : str
        What the table is shown as.
    sets : tuple of FigureSet
        From `judge`.

    Returns
    -------
    str
    """
    counts = {verdict.value: sum(one.verdict is verdict for one in sets) for verdict in Verdict}
    whole = {"table": name, "summary": counts, "sets": [_set_json(one) for one in sets]}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summary(sets: tuple[FigureSet, ...]) -> str:
    """Return how many sets have each verdict, in words."""
    words = {
        Verdict.FITS: "fit",
        Verdict.OPEN: "can fit",
        Verdict.OTHER: "fit only under another reading",
        Verdict.MISFIT: "do not fit",
    }
    counts = [(sum(one.verdict is verdict for one in sets), text) for verdict, text in words.items()]
    figures = len({check.figure.id for one in sets for check in one.checks})
    said = ", ".join(f"{count} {text}" for count, text in counts if count)
    return f"{_plural(figures, 'figure')} in {_plural(len(sets), 'set')}: {said}"


def sentences(one: FigureSet) -> Iterator[str]:
    """Yield what is to be said of a set: the joint finding, each figure that needs a word, notes and sources."""
    told: set[str] = set()
    if one.joint is not None:
        yield _joint_sentence(one, one.joint)
        if one.joint.reading is not None or one.joint.verdict is Verdict.OPEN:
            told = {check.figure.id for check in one.checks if check.verdict is not Verdict.MISFIT}
    for check in one.checks:
        if isinstance(check.claim, Direct):
            if check.claim.otherwise:
                yield f"{check.figure.id}: it can be so if {check.claim.otherwise}."
        elif check.verdict is not Verdict.FITS and check.figure.id not in told:
            yield f"{check.figure.id}: {_explained(check)}"
    consequence = _threshold_consequence(one)
    if consequence:
        yield consequence
    yield from dict.fromkeys(f"note: {text}" for check in one.checks if (text := check.figure.text("note")))
    places = list(dict.fromkeys(text for check in one.checks if (text := check.figure.text("source"))))
    if places:
        yield f"printed in: {'; '.join(places)}"


def _result(check: Check) -> str:
    if isinstance(check.claim, Direct):
        return check.claim.words
    quantity = check.claim.quantity
    stated = check.stated
    if stated is None:
        return f"nu = {check.search}{_counts(check.search, check.figure)} fits" if check.search else "no nu fits"
    digits = 3 if quantity == "p" else 4
    gives = f"{_nu(stated, check.figure)} gives {quantity} = {span(stated.predicted, digits=digits)}"
    other = next((o for o in check.outcomes if o.fits), None)
    if stated.fits or other is None:
        return gives
    return f"{gives}; {_condition(other, check.figure)} gives {span(other.predicted, digits=digits)}"


def _nu(outcome: Outcome, figure: Figure) -> str:
    reading = outcome.reading
    if reading.df == float("inf"):
        return "the normal distribution"
    if figure.n is None or figure.n[0] == figure.n[1] or reading.cost is None:
        return f"nu = {outcome.nu:g}"
    return f"nu = {outcome.nu:g} to {figure.n[1] - reading.cost}"


def _condition(outcome: Outcome, figure: Figure) -> str:
    if outcome.reading.key in ("one-sided", "two-sided"):
        return f"a {outcome.reading.key} test"
    if outcome.reading.adjusted:
        return "an adjusted R2"
    if outcome.reading.error:
        return f"a {outcome.reading.key}"
    if outcome.reading.level is not None:
        return outcome.reading.meaning
    return _nu(outcome, figure)


def _counts(degrees: Degrees, figure: Figure) -> str:
    """The numbers of values that go with degrees of freedom under the stated design."""
    cost = stated_cost(figure)
    shifted = Degrees(tuple((a + cost, b + cost) for a, b in degrees.runs))
    return f" (n = {shifted})"


def _joint_sentence(one: FigureSet, joint: Joint) -> str:
    check = next(check for check in one.checks if not isinstance(check.claim, Direct))
    figure, stated = check.figure, check.stated
    every = f"the {joint.size} figures"
    design = "" if stated is None else f"the stated {_nu(stated, figure)}{_formula(stated.reading)}"
    if joint.verdict is Verdict.FITS:
        return f"Together {every} fit under {design}."
    only_one = bool(joint.degrees) and joint.degrees.runs[0][0] == joint.degrees.runs[-1][1]
    if joint.reading is not None:
        chosen = next(o for o in check.outcomes if o.reading.key == joint.reading.key)
        alone = " No other whole number of degrees of freedom fits them all." if only_one else ""
        return (
            f"Together {every} do not fit under {design}; they fit under "
            f"{_condition(chosen, figure)}{_formula(joint.reading)}.{alone}"
        )
    if joint.degrees:
        together = f"they fit together with nu = {joint.degrees}{_counts(joint.degrees, figure)}"
        if joint.verdict is Verdict.OPEN:
            return f"The table gives neither n nor df; {together}."
        if joint.verdict is Verdict.OTHER:
            return f"Together {every} do not fit under {design}; {together}, which no reading of the design gives."
        most = most_degrees(figure)
        return f"Together {every} would need nu = {joint.degrees}, more than the {most} that n allows."
    odd = ", ".join(joint.odd)
    return f"No one nu fits all of {every}; nu = {joint.best} fits the most, and leaves out {odd}."


def _formula(reading: Reading) -> str:
    if reading.adjusted or reading.error or reading.level is not None or reading.key in ("one-sided", "two-sided"):
        return ""
    if reading.cost is None:
        return ""
    if reading.key == STATED:
        return f" ({reading.formula}{', ' + reading.meaning if reading.meaning else ''})"
    return f" ({reading.formula}), which is {reading.meaning}"


def _explained(check: Check) -> str:
    figure, stated = check.figure, check.stated
    assert not isinstance(check.claim, Direct)  # the caller has seen to it
    fitting = [o for o in check.outcomes if o.fits and o.reading.key != STATED]
    if check.verdict is Verdict.OPEN:
        also = ""
        if check.adjusted:
            also = f", and with nu = {check.adjusted}{_counts(check.adjusted, figure)} if the R2 is the adjusted one"
        first = f"with nu = {check.search}{_counts(check.search, figure)}" if check.search else "with no nu as printed"
        return f"the table gives neither n nor df; it fits {first}{also}."
    start = "no degrees of freedom are left under the stated design" if stated is None else _against(check, stated)
    if fitting:
        return f"{start}. It fits {'; or '.join(_alternative(o, figure) for o in fitting[:3])}."
    if not check.search:
        return f"{start}. No degrees of freedom fit."
    most = most_degrees(figure)
    needed = f"nu = {check.search}"
    if check.verdict is Verdict.MISFIT:
        return f"{start}. It would need {needed}, more than the {most} that n allows."
    return f"{start}. It fits {needed}, which no reading of the design gives."


def _alternative(outcome: Outcome, figure: Figure) -> str:
    reading = outcome.reading
    if reading.adjusted or reading.error or reading.level is not None or reading.key in ("one-sided", "two-sided"):
        verb = "as" if reading.level is not None else "if"
        found = ""
        if figure.n is not None and figure.n[0] != figure.n[1] and outcome.degrees:
            found = _counts(outcome.degrees, figure)
        return f"{verb} {reading.meaning}{found}"
    if reading.df == float("inf"):
        return "with the normal distribution in place of Student's t"
    return f"under {_nu(outcome, figure)}{_formula(reading)}"


def _against(check: Check, stated: Outcome) -> str:
    """How the stated reading differs from what is printed, and whether that changes what it means at 0.05."""
    assert not isinstance(check.claim, Direct)  # the caller has seen to it
    figure, predicted = check.figure, stated.predicted
    stated_nu = "the normal distribution" if stated.nu == float("inf") else f"the stated {_nu(stated, figure)}"
    text = f"under {stated_nu} {check.claim.quantity} would be {span(predicted, digits=3)}"
    if check.claim.quantity != "p":
        return text
    target = check.claim.target
    printed_significant, would = target.upper <= 0.05, predicted.upper <= 0.05
    if printed_significant and predicted.lower > 0.05:
        return f"{text}, which is not significant at 0.05"
    if target.lower > 0.05 and would:
        return f"{text}, which is significant at 0.05"
    side = "smaller" if predicted.upper < target.lower else "larger"
    return f"{text}, which is {side} than printed"


def _threshold_consequence(one: FigureSet) -> str:
    """What p the printed thresholds have under the stated degrees of freedom, where they are those of others."""
    told = []
    nu = ""
    for check in one.checks:
        stated, value, p = check.stated, check.figure.value, check.figure.p
        if check.figure.statistic != "threshold" or stated is None or stated.fits or value is None or p is None:
            continue
        have = float(p_of_r2(value.value**2, 1.0, stated.nu)) * check.figure.tails / 2
        told.append(f"|r| = {value.text} has p = {have:.2g} and not {check.figure.text('p')}")
        nu = _nu(stated, check.figure)
    return f"Under {nu}, {', '.join(told)}." if told else ""


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _wrapped(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _set_json(one: FigureSet) -> dict[str, Any]:
    joint = one.joint
    return {
        "name": one.name,
        "verdict": one.verdict.value,
        "figures": [_check_json(check) for check in one.checks],
        "joint": None
        if joint is None
        else {
            "verdict": joint.verdict.value,
            "reading": joint.reading.key if joint.reading else None,
            "nu": [list(run) for run in joint.degrees.runs],
            "best": joint.best,
            "odd": list(joint.odd),
        },
        "sentences": list(sentences(one)),
    }


def _check_json(check: Check) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": check.figure.id,
        "statistic": check.figure.statistic,
        "claim": check.claim.quantity,
        "printed": check.claim.shown,
        "source": check.figure.text("source"),
        "line": check.figure.row.span.line,
        "verdict": check.verdict.value,
        "result": _result(check),
    }
    if isinstance(check.claim, Direct):
        return found | {"predicted": _ends(check.claim.predicted), "otherwise": check.claim.otherwise}
    readings = [
        {
            "reading": o.reading.key,
            "nu": "inf" if o.nu == float("inf") else o.nu,
            "fits": o.fits,
            "predicted": _ends(o.predicted),
            "fitting_nu": [list(run) for run in o.degrees.runs],
            "meaning": o.reading.meaning,
        }
        for o in check.outcomes
    ]
    return found | {
        "target": _ends(check.claim.target),
        "readings": readings,
        "fitting_nu": [list(run) for run in check.search.runs],
        "fitting_nu_if_adjusted": [list(run) for run in check.adjusted.runs],
    }


def _ends(interval: Interval | None) -> list[float | str] | None:
    if interval is None:
        return None
    return [
        str(end) if end in (float("inf"), -float("inf")) or end != end else end
        for end in (interval.lower, interval.upper)
    ]
