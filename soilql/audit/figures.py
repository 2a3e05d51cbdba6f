"""Figures of a paper: rows of a table, typed and checked for what their statistic needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from soilql.audit.cells import Cell, Row, Rows
from soilql.audit.parts import Parts, PartsError, parse_parts, parts_problem
from soilql.errors import Diagnostic, SoilqlError, did_you_mean
from soilql.stats.consistency import MAX_DF
from soilql.stats.printed import Interval, Printed, printed

_TEXTS = ("id", "statistic", "group", "source", "note", "unit")
_DESIGN = ("n", "df", "controls", "detrended")
_SPREAD = ("se", "half_width", "lower", "upper", "level")


@dataclass(frozen=True)
class Form:
    """What a statistic needs and may have beside id, group, source, note and unit."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    words: str


FORMS: dict[str, Form] = {
    "r": Form(("value", "p"), (*_DESIGN, "p_relation", "tails"), "a correlation, simple or partial, with its p"),
    "threshold": Form(("value", "p"), (*_DESIGN, "tails"), "the |r| that is significant at p"),
    "R2": Form(("value",), (*_DESIGN, "p", "p_relation", "predictors", "adjusted"), "a coefficient of determination"),
    "adjusted_R2": Form(("value", "p"), (*_DESIGN, "p_relation", "predictors"), "an adjusted R2 with its p"),
    "t": Form(("value", "p"), (*_DESIGN, "p_relation", "tails"), "Student's t with its p"),
    "F": Form(("value", "p"), (*_DESIGN, "p_relation", "predictors"), "F with its p"),
    "z": Form(("value", "p"), ("p_relation", "tails"), "a normal deviate with its p"),
    "slope": Form(("value",), (*_DESIGN, "p", "p_relation", "tails", "form", *_SPREAD), "a slope with its error and p"),
    "interval": Form(("value",), (*_DESIGN, "p", "p_relation", "tails", "form", *_SPREAD), "an estimate, its interval"),
    "value": Form(("value",), (), "a figure that others are computed from"),
    "sum": Form(("value", "parts"), (), "a total of other figures"),
    "ratio": Form(("value", "parts"), (), "a share, product or other result of figures"),
    "mann_kendall": Form(("p", "n"), ("value", "p_relation"), "a Mann-Kendall p, with S if it is printed"),
}
COLUMNS = tuple(dict.fromkeys((*_TEXTS, *(c for form in FORMS.values() for c in (*form.needs, *form.may)))))
_RELATIONS = {"=": "=", "==": "=", "<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">="}
_P = re.compile(r"(?P<relation>[<>]=?|=|≤|≥)?\s*(?P<number>[^<>=≤≥].*)")
_COUNT = re.compile(r"(?:(?P<relation><=|>=|≤|≥)\s*)?(?P<first>\d+)(?:\s*\.\.\s*(?P<last>\d+))?")
_WORDS = {"no": 0, "false": 0, "yes": 1, "true": 1, "linear": 1}


@dataclass(frozen=True)
class PValue:
    """A printed p: its text, and the range that it stands for."""

    text: str
    interval: Interval
    value: float


@dataclass(frozen=True, eq=False)
class Figure:
    """One printed figure with what is printed beside it.

    Attributes
    ----------
    row : Row
        Its cells.
    n : (int, int) or None
        Fewest and most values it may rest on.
    detrended : int
        Degrees of freedom that detrending took.
    level : float or None
        Of its interval.
    form : str
        ``symmetric``, ``log`` or ``any``: what its interval is said to be.

    The other attributes are the columns of the same names.
    """

    id: str
    statistic: str
    group: str
    row: Row
    value: Printed | None
    p: PValue | None
    n: tuple[int, int] | None
    df: float | None
    controls: int
    predictors: int
    detrended: int
    tails: int
    level: float | None
    form: str
    se: Printed | None
    half_width: Printed | None
    lower: Printed | None
    upper: Printed | None
    adjusted: Printed | None
    parts: Parts | None

    def text(self, column: str) -> str:
        """Return a cell as it was written, or an empty text."""
        cell = self.row.cells.get(column)
        return cell.text if cell else ""


def read_figures(table: Rows) -> tuple[Figure, ...]:
    """Type the rows of a table.

    Raises
    ------
    SoilqlError
        With everything that is wrong in the table: columns (SQ120, SQ704), cells (SQ121 to SQ126, SQ709), ids (SQ109,
        SQ125), expressions (SQ110, SQ201).
    """
    problems = list(table.problems)
    problems += _column_problems(table)
    figures: dict[str, Figure] = {}
    for row in table.rows:
        reader = _Reader(row, problems)
        figure = reader.figure()
        if figure is None:
            continue
        if figure.id in figures:
            first = figures[figure.id].row.cells["id"].span.line
            note = f"first given on line {first}"
            problems.append(Diagnostic("SQ109", f"the id `{figure.id}` is given twice", row.cells["id"].span, note))
        figures.setdefault(figure.id, figure)
    problems += _reference_problems(figures)
    if not table.rows and not problems:
        problems.append(Diagnostic("SQ707", "the table has no rows"))
    if problems:
        raise SoilqlError(sorted(problems, key=Diagnostic.sort_key))
    return tuple(figures.values())


def _column_problems(table: Rows) -> Iterator[Diagnostic]:
    seen = set()
    for column in table.columns:
        if column.text not in COLUMNS and not column.text.startswith("x-"):
            help = did_you_mean(column.text, COLUMNS) or f"the columns are {', '.join(COLUMNS)}"
            yield Diagnostic("SQ120", f"unknown column `{column.text}`", column.span, help=help)
        elif column.text in seen:
            yield Diagnostic("SQ103", f"the column `{column.text}` is given twice", column.span)
        seen.add(column.text)
    for name in ("id", "statistic"):
        if table.columns and name not in seen:
            span = table.columns[0].span
            yield Diagnostic("SQ704", f"the table has no column `{name}`", span, help="add it to the header")


def _reference_problems(figures: dict[str, Figure]) -> Iterator[Diagnostic]:
    for figure in figures.values():
        for name in figure.parts.names if figure.parts else ():
            other = figures.get(name)
            span = figure.row.cells["parts"].span
            if other is None:
                help = did_you_mean(name, figures) or "name the id of another row, or write the number"
                yield Diagnostic("SQ201", f"no figure has the id `{name}`", span, help=help)
            elif other is figure:
                yield Diagnostic("SQ201", f"`{name}` is computed from itself", span, help="name the other figures")
            elif other.value is None:
                yield Diagnostic("SQ201", f"the figure `{name}` has no value", span, help="fill in its `value`")


class _Reader:
    """Types the cells of one row, and gathers what is wrong with them."""

    def __init__(self, row: Row, problems: list[Diagnostic]) -> None:
        self.row = row
        self.cells = row.cells
        self.problems = problems

    def figure(self) -> Figure | None:
        before = len(self.problems)
        id, statistic = self.names()
        if not statistic:
            return None
        self.check_columns(statistic)
        level = self.fraction("level")
        p = self.p()
        form = self.choice("form", ("symmetric", "log", "any"), "symmetric")
        figure = Figure(
            id=id,
            statistic=statistic,
            group=self.text("group"),
            row=self.row,
            value=self.number("value"),
            p=p,
            n=self.count_range(),
            df=self.degrees(),
            controls=self.count("controls", 0),
            predictors=self.count("predictors", 1),
            detrended=self.count("detrended", 0),
            tails=int(self.choice("tails", ("1", "2"), "2")),
            level=level,
            form=form,
            se=self.number("se"),
            half_width=self.number("half_width"),
            lower=self.number("lower"),
            upper=self.number("upper"),
            adjusted=self.number("adjusted"),
            parts=self.parts(),
        )
        self.check_together(figure)
        return figure if len(self.problems) == before else None

    def text(self, column: str) -> str:
        cell = self.cells.get(column)
        return cell.text if cell else ""

    def problem(self, code: str, message: str, column: str, help: str = "", label: str = "") -> None:
        cell = self.cells.get(column)
        self.problems.append(Diagnostic(code, message, cell.span if cell else self.row.span, label, help))

    def names(self) -> tuple[str, str]:
        for column in ("id", "statistic"):
            if not self.text(column):
                self.problem(
                    "SQ121", f"the row has no `{column}`", column, help="every figure has an id and a statistic"
                )
        id, statistic = self.text("id"), self.text("statistic")
        if id and (not re.fullmatch(r"[A-Za-z_]\w*", id) or id == "sqrt"):
            help = "begin with a letter, and go on with letters, digits and underscores: `parts` computes with ids"
            self.problem("SQ125", f"`{id}` is not a name", "id", help=help)
        if statistic and statistic not in FORMS:
            help = did_you_mean(statistic, FORMS) or f"one of {', '.join(FORMS)}"
            self.problem("SQ124", f"unknown statistic `{statistic}`", "statistic", help=help)
            return id, ""
        return id, statistic if id else ""

    def check_columns(self, statistic: str) -> None:
        form = FORMS[statistic]
        for column in form.needs:
            if column not in self.cells:
                message = f"`{statistic}` needs a `{column}`"
                self.problem("SQ121", message, "statistic", help=f"it is {form.words}")
        for column in self.cells:
            if column in COLUMNS and column not in (*_TEXTS, *form.needs, *form.may):
                help = f"`{statistic}` is {form.words}; beside it stand {', '.join((*form.needs, *form.may))}"
                self.problem("SQ126", f"`{column}` means nothing for `{statistic}`", column, help=help)

    def number(self, column: str) -> Printed | None:
        cell = self.cells.get(column)
        if cell is None:
            return None
        try:
            return printed(cell.text)
        except ValueError:
            self.not_a_number(cell, column)
            return None

    def not_a_number(self, cell: Cell, column: str) -> None:
        help = "write it as printed: `0.64`, `85%`, `~85%` for about, `14!` for an exact number"
        if re.fullmatch(r"[-+−]?\d+,\d+", cell.text):
            help = f"the decimal mark is a point: `{cell.text.replace(',', '.')}`"
        self.problem("SQ709", f"a number is expected in `{column}`", column, help, f"`{cell.text}` is not one")

    def fraction(self, column: str) -> float | None:
        number = self.number(column)
        if number is not None and not 0 < number.value < 1:
            self.problem("SQ123", f"`{column}` lies between 0 and 1, or 0% and 100%", column)
            return None
        return None if number is None else number.value

    def p(self) -> PValue | None:
        cell = self.cells.get("p")
        match = _P.fullmatch(cell.text) if cell else None
        if cell is None:
            return None
        apart = self.text("p_relation")
        if apart and apart not in _RELATIONS:
            self.problem("SQ124", f"`{apart}` is no relation", "p_relation", help="one of =, <, <=, >, >=")
            return None
        if match is None:
            self.not_a_number(cell, "p")
            return None
        relation = _RELATIONS[match["relation"] or apart or "="]
        if apart and match["relation"] and _RELATIONS[apart] != relation:
            self.problem("SQ126", f"`p` says {relation} and `p_relation` says {apart}", "p_relation")
            return None
        try:
            number = printed(match["number"])
        except ValueError:
            self.not_a_number(cell, "p")
            return None
        if not 0 <= number.value <= 1:
            self.problem("SQ123", "`p` lies between 0 and 1", "p")
            return None
        return _p_value(number, relation, exact=self.text("statistic") == "threshold")

    def count_range(self) -> tuple[int, int] | None:
        cell = self.cells.get("n")
        if cell is None:
            return None
        match = _COUNT.fullmatch(cell.text)
        if match is None or (match["relation"] and match["last"]):
            self.problem("SQ709", "a number of values is expected in `n`", "n", help="such as `15`, `<=31` or `10..31`")
            return None
        first = int(match["first"])
        last = int(match["last"] or first)
        if match["relation"] in ("<=", "≤"):
            first = 2
        elif match["relation"]:
            last = MAX_DF
        if not 2 <= first <= last <= MAX_DF:
            self.problem("SQ123", f"`n` lies between 2 and {MAX_DF}, the smaller first", "n")
            return None
        return first, last

    def degrees(self) -> float | None:
        number = self.number("df")
        if number is not None and not 0 < number.value <= 1e9:
            self.problem("SQ123", "`df` is above 0", "df")
            return None
        return None if number is None else number.value

    def count(self, column: str, default: int) -> int:
        text = self.text(column).lower()
        if not text:
            return default
        if column == "detrended" and text in _WORDS:
            return _WORDS[text]
        if not re.fullmatch(r"\d{1,4}", text):
            yes = " or yes, no" if column == "detrended" else ""
            self.problem(
                "SQ709", f"a whole number{yes} is expected in `{column}`", column, label=f"`{text}` is not one"
            )
            return default
        if column == "predictors" and int(text) == 0:
            self.problem("SQ123", "`predictors` is at least 1", column)
        return int(text)

    def choice(self, column: str, choices: tuple[str, ...], default: str) -> str:
        text = self.text(column) or default
        if text not in choices:
            self.problem("SQ124", f"`{text}` is not one of {', '.join(choices)}", column)
            return default
        return text

    def parts(self) -> Parts | None:
        cell = self.cells.get("parts")
        if cell is None:
            return None
        try:
            return parse_parts(cell.text)
        except PartsError as error:
            self.problems.append(parts_problem(error, cell.text, cell.span))
            return None

    def check_together(self, figure: Figure) -> None:
        value = figure.value
        if (
            value is not None
            and value.interval.lower > 1
            and figure.statistic in ("r", "threshold", "R2", "adjusted_R2")
        ):
            self.problem("SQ123", f"`{figure.statistic}` is at most 1", "value")
        if value is not None and value.interval.upper < -1 and figure.statistic == "r":
            self.problem("SQ123", "`r` is at least -1", "value")
        if value is not None and value.interval.upper < 0 and figure.statistic in ("R2", "F", "threshold"):
            self.problem("SQ123", f"`{figure.statistic}` is not negative", "value")
        for name in ("se", "half_width"):
            spread = getattr(figure, name)
            if spread is not None and spread.interval.upper <= 0:
                self.problem("SQ123", f"`{name}` is above 0", name)
        if (figure.lower is None) != (figure.upper is None):
            column = "lower" if figure.lower else "upper"
            self.problem("SQ126", "an interval has both a `lower` and an `upper` end", column)
        if figure.statistic == "R2" and figure.p is None and figure.adjusted is None and "p" not in self.cells:
            self.problem("SQ121", "`R2` needs a `p` or an `adjusted`", "statistic", help="alone it fits with anything")
        if figure.statistic in ("slope", "interval"):
            self.check_spread(figure)

    def check_spread(self, figure: Figure) -> None:
        given = [name for name in ("se", "half_width", "lower") if name in self.cells]
        if not given:
            help = "fill in `se`, or `half_width`, or `lower` and `upper`"
            self.problem("SQ121", f"`{figure.statistic}` needs its error", "statistic", help=help)
        if "half_width" in given and "lower" in given:
            self.problem("SQ126", "`half_width` and `lower`, `upper` say the same thing twice", "half_width")
        if given and given != ["se"] and "level" not in self.cells and ("p" in self.cells or "se" in self.cells):
            column = "half_width" if "half_width" in given else "lower"
            self.problem("SQ121", "an interval needs its `level`", column, help="such as 95%")
        if given == ["se"] and "p" not in self.cells:
            help = "fill in `p`, or the interval: alone it fits with anything"
            self.problem("SQ121", f"`{figure.statistic}` has nothing to be compared with", "se", help=help)


def _p_value(number: Printed, relation: str, *, exact: bool) -> PValue:
    shown = f"p {relation} {number.text}"
    if exact:
        return PValue(shown, Interval(number.value, number.value), number.value)
    if relation == "=":
        low, high = number.interval.lower, number.interval.upper
        return PValue(shown, Interval(max(low, 0.0), min(high, 1.0)), number.value)
    if relation.startswith("<"):
        return PValue(shown, Interval(0.0, number.value), number.value)
    return PValue(shown, Interval(number.value, 1.0), number.value)
