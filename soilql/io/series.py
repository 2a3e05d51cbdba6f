"""Layers of many files put together: tiles side by side, and files one after the other in time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from soilql.errors import Diagnostic, Severity, SoilqlError, Span
from soilql.io.dates import Match, Pattern, match_name, parse_date
from soilql.io.layers import Array, Layer, Part, Range
from soilql.io.tiles import are_tiles, meet, rectangle
from soilql.io.times import at_start, following, gap_text, is_rising, joined_labels, label_text, within
from soilql.stats.periods import infer_step
from soilql.values import Note

# Numbers beyond which labels of time are not taken for years.
_YEARS = (1000, 3000)


@dataclass(frozen=True)
class Timing:
    """What a spec, or the registry, says of the times of files.

    Attributes
    ----------
    patterns : tuple of Pattern
        Of the names of the files; the first that fits counts.
    lenient : bool
        Whether files that fit none, or hold dates of their own, are left as they are.
    labels : ndarray or None
        Times of the steps, in the order of the files.
    start : date or None
        On which the first step begins.
    step : str or None
        Length of the steps.
    period : (date, date) or None
        First and last day that is used.
    """

    patterns: tuple[Pattern, ...] = ()
    lenient: bool = False
    labels: Array | None = None
    start: datetime.date | None = None
    step: str | None = None
    period: tuple[datetime.date, datetime.date] | None = None

    @property
    def given(self) -> bool:
        """Whether it says which times the files have."""
        return bool(self.patterns) or self.labels is not None or self.start is not None


def dated(layers: Sequence[Layer], timing: Timing, span: Span | None = None) -> list[Layer]:
    """Return the layers of one file with the times and names that the name of the file tells.

    Raises
    ------
    SoilqlError
        SQ731 for a name that does not fit, or a file of several steps of unknown length.
    """
    if not timing.patterns or not layers:
        return list(layers)
    path = layers[0].path
    found = match_name(path, timing.patterns)
    if found is None:
        if timing.lenient:
            return list(layers)
        shown = " or ".join(f"`{pattern.text}`" for pattern in timing.patterns)
        help = "%Y is a year, %m a month, %d a day, %j a day of the year, * any characters; or leave the file out"
        raise _error("SQ731", f"the name of `{path.name}` does not fit the pattern {shown}", span, help)
    return [_dated(layer, found, timing, span) for layer in layers]


def _dated(layer: Layer, found: Match, timing: Timing, span: Span | None) -> Layer:
    stem = layer.path.stem
    tail = layer.name.removeprefix(stem)
    of_stem = layer.name.startswith(stem) and tail in ("", f"_{layer.band}")
    named = replace(layer, name=f"{found.name or 'layer'}{tail}") if of_stem else layer
    if found.start is None:
        return named
    start = np.datetime64(found.start, "ns")
    calendar = found.precision if found.precision in ("year", "month") else None
    if layer.steps is None:
        own = layer.label is not None and np.asarray(layer.label).dtype.kind == "M"
        return named if timing.lenient and own else replace(named, label=start, calendar=timing.step or calendar)
    if layer.leading != "time" or (layer.steps.dtype.kind == "M" and (timing.lenient or timing.step is None)):
        return named
    if timing.step is None:
        message = f"`{layer.path.name}` has {layer.steps.size} steps from {found.start} on, of unknown length"
        raise _error("SQ731", message, span, "say it: `time: {pattern: ..., step: month}`")
    return replace(named, steps=following(found.start, timing.step, layer.steps.size), calendar=timing.step)


def put_together(
    layers: Sequence[Layer], timing: Timing, span: Span | None = None, period: Span | None = None
) -> list[Layer]:
    """Return the layers of all files, those of one name put together in time and space.

    Parameters
    ----------
    layers : sequence of Layer
        Of single files, as :func:`dated` returns them.
    timing : Timing
    span : Span, optional
        Where the spec says something of the times.
    period : Span, optional
        Where it says the period, if elsewhere.

    Returns
    -------
    list of Layer
        In the order in which the names appear first, with notes on gaps in time and space. Layers of one name that are
        no series and no tiles of one map stay apart.

    Raises
    ------
    SoilqlError
        SQ731 for times that are unknown or come twice, SQ708 for grids that differ, SQ734 for one place twice.
    """
    groups: dict[str, list[Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.name, []).append(layer)
    result: list[Layer] = []
    for group in groups.values():
        if any(layer.leading not in (None, "time") for layer in group):
            result += group
        elif _is_series(group, timing):
            result.append(_series(_labelled(group, timing, span), timing, span, period or span))
        elif len(group) > 1 and are_tiles(group):
            whole = _joined(group, [None] * len(group), None, None, span)
            result.append(replace(whole, notes=_holes(whole)))
        else:
            result += group
    return result


def _is_series(group: Sequence[Layer], timing: Timing) -> bool:
    timed = [layer.steps is not None or layer.label is not None for layer in group]
    if timing.labels is not None or timing.start is not None:
        # A single map beside a series has no time of its own.
        return len(group) > 1 or group[0].steps is not None
    if len(group) == 1:
        by_name = bool(timing.patterns) and group[0].label is not None
        return group[0].steps is not None or by_name
    return any(timed)


def _labelled(group: Sequence[Layer], timing: Timing, span: Span | None) -> list[Layer]:
    """Return layers whose steps are labelled in the order of the files, where the spec says so."""
    if timing.labels is None and (timing.start is None or timing.patterns):
        return list(group)
    counts = [1 if layer.steps is None else layer.steps.size for layer in group]
    total = sum(counts)
    labels = timing.labels
    if labels is None:
        assert timing.start is not None and timing.step is not None
        labels = following(timing.start, timing.step, total)
    if labels.size != total:
        files = "1 file" if len(group) == 1 else f"{len(group)} files"
        message = f"{labels.size} times are given for {total} steps of `{group[0].name}` in {files}"
        raise _error("SQ731", message, span, "give one for each step, in the order of the files")
    result, at = [], 0
    for layer, count in zip(group, counts, strict=True):
        own = labels[at : at + count]
        result.append(replace(layer, label=own[0]) if layer.steps is None else replace(layer, steps=own))
        at += count
    return result


def _series(group: Sequence[Layer], timing: Timing, span: Span | None, period: Span | None) -> Layer:
    labels = [_labels_of(layer, span) for layer in group]
    calendars = {layer.calendar for layer in group}
    known = timing.step or (calendars.pop() if len(calendars) == 1 else None)
    parts = [_as_dates(found, labels) for found in labels]
    step = known or _found_step(np.unique(joined_labels(parts)))
    parts = [at_start(found, step) for found in parts]
    whole = np.unique(joined_labels(parts))
    for layer, found in zip(group, parts, strict=True):
        again = np.flatnonzero(found[1:] == found[:-1])
        if again.size:
            twice = label_text(found[int(again[0])], step)
            raise _error("SQ731", f"`{layer.path.name}` has two steps in {twice}", span, f"its steps are no {step}s")
    kept = whole
    if timing.period is not None:
        kept = whole[within(whole, *timing.period)]
        if not kept.size:
            ends = f"{label_text(whole[0], step)} to {label_text(whole[-1], step)}"
            raise _error("SQ731", f"no step of `{group[0].name}` lies in the period; it runs from {ends}", period)
    notes = (*_said_of(group[0], kept, step), *_beyond(group[0], kept, timing.period))
    if len(group) == 1 and group[0].steps is not None and kept.size == whole.size:
        return replace(group[0], steps=kept, calendar=step, notes=notes)
    result = _joined(group, parts, kept, step, span)
    return replace(result, notes=(*notes, *_holes(result)))


def _found_step(labels: Array) -> str | None:
    return infer_step(labels) if labels.dtype.kind == "M" or _are_years(labels) else None


def _are_years(labels: Array) -> bool:
    return bool(_YEARS[0] <= labels[0] and labels[-1] <= _YEARS[1])


def _as_dates(labels: Array, others: Sequence[Array]) -> Array:
    """Return years as dates where other files have dates."""
    mixed = len({found.dtype.kind == "M" for found in others}) > 1
    return joined_labels([labels, np.empty(0, "datetime64[ns]")]) if mixed else labels


def _said_of(layer: Layer, labels: Array, step: str | None) -> tuple[Note, ...]:
    notes = []
    if gaps := gap_text(labels, step):
        notes.append(Note("SQ732", f"`{layer.name}` {gaps}"))
    if labels.dtype.kind != "M" and not _are_years(labels):
        ends = f"{label_text(labels[0])} to {label_text(labels[-1])}"
        message = f"the time of `{layer.name}` in `{layer.path.name}` runs from {ends} and names no years: "
        message += "say what they are, such as `time: {start: 2000-01, step: month}`"
        notes.append(Note("SQ731", message, Severity.INFO))
    return tuple(notes)


def _beyond(layer: Layer, labels: Array, period: tuple[datetime.date, datetime.date] | None) -> tuple[Note, ...]:
    """Return a note on the years that a period asks for, before or after all steps."""
    if period is None or (labels.dtype.kind != "M" and not _are_years(labels)):
        return ()
    ends = labels[[0, -1]].astype("datetime64[Y]").astype(np.int64) + 1970 if labels.dtype.kind == "M" else labels
    first, last = int(ends[0]), int(ends[-1])
    runs = [(period[0].year, first - 1), (last + 1, period[1].year)]
    words = " and ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs if a <= b)
    if not words:
        return ()
    message = f"`{layer.name}` has nothing of {words}, which the period asks for"
    return (Note("SQ732", message),)


def _labels_of(layer: Layer, span: Span | None) -> Array:
    if layer.steps is None:
        if layer.label is None:
            help = "say how the names tell it: `time: {pattern: ...}`"
            raise _error("SQ731", f"it is not known which time `{layer.path.name}` belongs to", span, help)
        return np.atleast_1d(np.asarray(layer.label))
    labels = _from_texts(layer.steps) if layer.steps.dtype.kind == "O" else layer.steps
    if not is_rising(labels):
        # Around the first label that does not follow the one before it.
        first = next((i for i in range(1, labels.size) if not labels[i] > labels[i - 1]), 1)
        shown = ", ".join(label_text(label) for label in labels[max(0, first - 1) : first + 3])
        message = f"the times of `{layer.name}` in `{layer.path.name}` do not rise ({shown} ...): they mean nothing"
        raise _error(
            "SQ731", message, span, "say what they are: `time: {start: 2000-01, step: month}` or `time: {years: ...}`"
        )
    return labels


def _from_texts(texts: Array) -> Array:
    """Return the descriptions of bands as dates or years; 0, 1, ... where they are neither."""
    words = [str(text).strip().lstrip("X").replace(".", "-").replace("_", "-") for text in texts]
    try:
        dates = [parse_date(word)[0] for word in words]
    except ValueError:
        return np.arange(len(words))
    if all(word.isdigit() for word in words):
        return np.array([date.year for date in dates])
    return np.array(dates, dtype="datetime64[ns]")


def _joined(
    group: Sequence[Layer],
    labels: Sequence[Array | None],
    whole: Array | None,
    step: str | None,
    span: Span | None,
) -> Layer:
    """Return layers put together on the rectangle round them and over all their times."""
    lat, lon, places = rectangle(group, span)
    parts: list[Part] = []
    for layer, own, (row, column) in zip(group, labels, places, strict=True):
        for at, first, count in [(0, 0, 1)] if own is None or whole is None else _runs(own, whole):
            parts.append(Part(layer, at, row, column, first, count))
    _require_once(parts, whole, step, span)
    odd = next((layer for layer in group if layer.unit != group[0].unit), None)
    if odd is not None:
        message = (
            f"`{odd.name}` is in `{group[0].unit}` in `{group[0].path.name}`, but in `{odd.unit}` in `{odd.path.name}`"
        )
        raise _error("SQ708", message, span, "files of one series have the same unit")
    blocks = np.array([layer.block for layer in group]).max(axis=0)
    return replace(
        group[0],
        lat=lat,
        lon=lon,
        read=_unread,
        missing=(),
        scale=1.0,
        offset=0.0,
        leading=None if whole is None else "time",
        steps=whole,
        block=(int(blocks[0]), int(blocks[1])),
        label=None,
        calendar=step,
        warp=None,
        parts=tuple(parts),
    )


def _unread(times: Range | None, rows: Range, columns: Range) -> NoReturn:
    raise TypeError("layers put together are read part by part")


def _runs(own: Array, whole: Array) -> list[tuple[int, int, int]]:
    """Return for each stretch of a file's steps that lies without a break in the whole: its place there, its first step
    and its length."""
    positions = np.searchsorted(whole, own)
    inside = np.flatnonzero((positions < whole.size) & (whole[np.minimum(positions, whole.size - 1)] == own))
    if not inside.size:
        return []
    breaks = np.flatnonzero((np.diff(inside) != 1) | (np.diff(positions[inside]) != 1)) + 1
    return [(int(positions[run[0]]), int(run[0]), int(run.size)) for run in np.split(inside, breaks)]


def _require_once(parts: Sequence[Part], whole: Array | None, step: str | None, span: Span | None) -> None:
    """Make sure that no two files hold the same place at the same time."""
    by_step: dict[int, list[Part]] = {}
    for part in parts:
        for at in range(part.step, part.step + part.count):
            for other in by_step.setdefault(at, []):
                _compare(part, other, "" if whole is None else label_text(whole[at], step), span)
            by_step[at].append(part)


def _compare(part: Part, other: Part, label: str, span: Span | None) -> None:
    boxes = [((p.row, p.column), (p.layer.lat.centres.size, p.layer.lon.centres.size)) for p in (other, part)]
    paths = other.layer.path, part.layer.path
    shown = [path.name if paths[0].name != paths[1].name else f"{path.parent.name}/{path.name}" for path in paths]
    names = f"`{shown[0]}` and `{shown[1]}`"
    when = f" of {label}" if label else ""
    if boxes[0] == boxes[1] and _from_one_place(part.layer, other.layer):
        help = "take one out, or let `time: {pattern: ...}` tell their times or, by {name}, their layers apart"
        raise _error("SQ734", f"{names} both hold `{part.layer.name}`{when}", span, help)
    if part.layer.warp is None and meet(boxes[0], boxes[1]):
        raise _error(
            "SQ734", f"{names} overlap in `{part.layer.name}`{when}", span, "tiles of one map lie side by side"
        )


def _from_one_place(a: Layer, b: Layer) -> bool:
    return a.warp is None or b.warp is None or a.warp.place == b.warp.place


def _holes(layer: Layer) -> tuple[Note, ...]:
    """Return a note where tiles do not cover their rectangle at all times."""
    cells = layer.lat.centres.size * layer.lon.centres.size * (1 if layer.steps is None else layer.steps.size)
    covered = sum(p.count * p.layer.lat.centres.size * p.layer.lon.centres.size for p in layer.parts)
    if covered >= cells or any(part.layer.warp is not None for part in layer.parts):
        return ()
    tiles = len({(part.row, part.column) for part in layer.parts})
    message = f"{tiles} tiles of `{layer.name}` cover {100 * covered / cells:.3g} % of the rectangle round them"
    return (Note("SQ735", f"{message}; the rest is missing", Severity.INFO),)


def _error(code: str, message: str, span: Span | None, help: str = "") -> SoilqlError:
    return SoilqlError(Diagnostic(code, message, span, help=help))
