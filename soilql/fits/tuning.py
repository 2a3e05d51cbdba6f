"""A search for the best hyperparameters: what it goes over, checked without data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any, Literal

from soilql import params as p
from soilql.bind import Binder
from soilql.edits import respelled
from soilql.errors import Diagnostic, did_you_mean
from soilql.kinds import Block
from soilql.params import ColumnName, NewName, Problem, param
from soilql.source import Mapping as MappingNode
from soilql.source import Scalar
from soilql.source import Sequence as SequenceNode

Metric = Literal["RMSE", "R2", "MAE"]

#: Folds of single rows, also where the table has sites.
ROWS = "rows"
#: More candidates than this are not listed.
MOST = 100_000


@dataclass(frozen=True)
class Range(p.Params):
    """Numbers between two ends."""

    low: float = param(doc="Least value.")
    high: float = param(doc="Greatest value.")
    log: bool = param(False, doc="Whether equal ratios rather than equal differences are as likely or as far apart.")
    steps: int | None = param(None, ge=2, le=1000, doc="Number of values, both ends included; a grid needs it.")

    def problems(self) -> Iterator[Problem]:
        if not self.low < self.high:
            yield "`low` is not below `high`", "low"
        if self.log and self.low <= 0:
            yield "on a log scale both ends are above 0", "low"

    def at(self, share: float) -> float:
        """Return the value at a share of the way from the low to the high end.

        Examples
        --------
        >>> round(Range(0.01, 100, True).at(0.5), 12), Range(0, 10).at(0.25)
        (1.0, 2.5)
        """
        if not self.log:
            return self.low + share * (self.high - self.low)
        return math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low)))


@dataclass(frozen=True)
class Tune(p.Params):
    """What is searched, by which folds, and what is best."""

    over: dict[NewName, list[float | int | bool | str | list[int]] | Range] = param(
        doc="Values to try of parameters of this block: {C: [1, 10, 100], epsilon: {low: 0.01, high: 1, log: true}}. "
        "List the simplest first: it wins a tie."
    )
    search: Literal["grid", "random"] = param(
        "grid",
        doc="`grid`: every combination; `random`: `trials` combinations drawn at random (Bergstra & Bengio 2012).",
    )
    trials: int = param(50, ge=1, le=10_000, doc="Number of combinations that a random search draws.")
    folds: int = param(5, ge=2, doc="Number of folds by which a combination is tried, inside the training rows.")
    group: ColumnName | None = param(
        None,
        doc="Role or column whose equal values stay in one fold. Default: `site` where the table has sites or places; "
        f"`{ROWS}` shuffles single rows.",
    )
    metric: Metric = param(
        "RMSE", doc="What makes the best: least `RMSE` or `MAE`, or largest `R2`, each as the mean over folds."
    )
    then: Metric | None = param(
        None, doc="What decides between equals: by default `R2`, or `RMSE` after `R2`; then the one listed first."
    )
    nested: bool = param(
        True,
        doc="Whether a test by folds searches anew in each; `false` keeps what was best on all rows, so that scores "
        "are optimistic.",
    )
    seed: int = param(1, ge=0, doc="Seed of the folds and of a random search.")

    def problems(self) -> Iterator[Problem]:
        if not self.over:
            yield "`over` names no parameter to search", "over"
        if self.then == self.metric:
            yield f"`then` is `{self.then}` as well, which decides nothing", "then"

    @property
    def second(self) -> Metric:
        """What decides between candidates of equal score."""
        return self.then or ("RMSE" if self.metric == "R2" else "R2")

    @property
    def count(self) -> int:
        """Number of combinations that are tried."""
        sizes = [len(axis) if isinstance(axis, list) else axis.steps or 1 for axis in self.over.values()]
        return math.prod(sizes) if self.search == "grid" else self.trials


@dataclass(frozen=True)
class Axis:
    """One parameter of a search.

    Attributes
    ----------
    name : str
        Of the parameter.
    values : tuple
        Values to try, in the order given; empty for a range without steps.
    range : Range or None
        Ends, where the spec gives them.
    whole : bool
        Whether only whole numbers are allowed.
    least, most : float or None
        Bounds of the parameter itself.
    """

    name: str
    values: tuple[Any, ...]
    range: Range | None = None
    whole: bool = False
    least: float | None = None
    most: float | None = None

    def at(self, share: float) -> Any:
        """Return the value at a share, 0 to 1, of the way through the axis."""
        if self.values:
            return self.values[min(int(share * len(self.values)), len(self.values) - 1)]
        assert self.range is not None
        value = self.range.at(share)
        return round(value) if self.whole else value


def axes(block: Block, tunable: Sequence[str]) -> tuple[list[Axis], list[Diagnostic]]:
    """Return what a search goes over, each value bound as the parameter itself would be, and what does not fit.

    Parameters
    ----------
    block : Block
        A learner with `tune`.
    tunable : sequence of str
        Its parameters that may be searched.
    """
    tune: Tune = block.params.tune
    fields = {field.key: field for field in p.fields(type(block.params)) if field.key in tunable}
    found: list[Axis] = []
    problems: list[Diagnostic] = []
    for name, given in tune.over.items():
        field = fields.get(str(name))
        if field is None:
            problems.append(_unknown(block, str(name), fields))
            continue
        node = block.node_at("tune", "over", str(name))
        whole = _is_whole(field)
        if isinstance(given, Range):
            values, said = _range_values(given, field, block, tune, node, whole)
            found.append(Axis(field.name, values, given, whole, field.minimum, field.maximum))
        else:
            values, said = _listed(field, node)
            found.append(Axis(field.name, values, None, whole, field.minimum, field.maximum))
        problems += said
    return found, problems


def candidates(found: Sequence[Axis], tune: Tune) -> list[dict[str, Any]]:
    """Return the combinations of a search, in order: of a grid the last parameter changes fastest.

    Examples
    --------
    >>> tune = Tune({"C": [1.0, 10.0], "gamma": [0.1]})
    >>> candidates([Axis("C", (1.0, 10.0)), Axis("gamma", (0.1,))], tune)
    [{'C': 1.0, 'gamma': 0.1}, {'C': 10.0, 'gamma': 0.1}]
    """
    names = [axis.name for axis in found]
    if tune.search == "grid":
        return [dict(zip(names, values, strict=True)) for values in islice(product(*(a.values for a in found)), MOST)]
    import numpy as np

    shares = np.random.default_rng(tune.seed).random((tune.trials, len(found)))
    drawn = [{axis.name: axis.at(float(share)) for axis, share in zip(found, row, strict=True)} for row in shares]
    return [one for i, one in enumerate(drawn) if one not in drawn[:i]]


def check(block: Block, tunable: Sequence[str]) -> Iterator[Diagnostic]:
    """Say what does not fit in the search of a block, without data."""
    tune: Tune = block.params.tune
    found, problems = axes(block, tunable)
    yield from problems
    if problems:
        return
    if tune.search == "grid":
        yield from _impossible(block, found, tune)


def _impossible(block: Block, found: Sequence[Axis], tune: Tune) -> Iterator[Diagnostic]:
    """Say which combination of a grid the block itself could not have."""
    for one in islice(candidates(found, tune), 1000):
        for problem, _ in replace(block.params, **one).problems():
            words = ", ".join(f"{name}: {value}" for name, value in one.items())
            message = f"the combination {{{words}}} cannot be: {problem}"
            yield Diagnostic("SQ126", message, block.span("tune", "over"))
            return


def _unknown(block: Block, name: str, fields: dict[str, p.Field]) -> Diagnostic:
    over = block.node_at("tune", "over")
    entry = over.entry(name) if isinstance(over, MappingNode) else None
    span = block.span("tune", "over") if entry is None else entry.key.span
    other = [field.key for field in p.fields(type(block.params))]
    message = f"`{block.kind}` has no parameter `{name}` to search"
    if name in other:
        message = f"`{name}` is nothing to search: it says what is modelled and not how"
    help = did_you_mean(name, fields) or f"what can be searched: {', '.join(fields)}"
    fixes = respelled(span, name, list(fields), safe=True) if entry is not None and name not in other else ()
    return Diagnostic("SQ120", message, span, help=help, fixes=fixes)


def _listed(field: p.Field, node: Any) -> tuple[tuple[Any, ...], list[Diagnostic]]:
    nodes = node.items if isinstance(node, SequenceNode) else (node,)
    binder = Binder()
    values = [binder.field(field, one) for one in nodes]
    problems = list(binder.diagnostics)
    if not nodes:
        problems.append(Diagnostic("SQ126", f"`{field.key}` lists no value to try", node.span))
    for i, value in enumerate(values if not problems else ()):
        if value in values[:i]:
            message = f"`{field.key}` lists {nodes[i].span.text.strip()} twice"
            problems.append(Diagnostic("SQ126", message, nodes[i].span, help="leave one out"))
    return tuple(values), problems


def _range_values(
    given: Range, field: p.Field, block: Block, tune: Tune, node: Any, whole: bool
) -> tuple[tuple[Any, ...], list[Diagnostic]]:
    assert isinstance(node, MappingNode)
    ends = [inner for inner in (node.get("low"), node.get("high")) if isinstance(inner, Scalar)]
    if not _is_number(field):
        message = f"`{field.key}` is no number: list the values to try"
        return (), [Diagnostic("SQ122", message, node.span)]
    binder = Binder()
    for end in ends:
        binder.field(field, end)
    problems = list(binder.diagnostics)
    if given.steps is None and tune.search == "grid":
        message = f"a grid needs the number of values of `{field.key}`"
        help = "add `steps: 5`, list the values, or write `search: random`"
        problems.append(Diagnostic("SQ126", message, node.span, help=help))
    if given.steps is None or problems:
        return (), problems
    values = [given.at(i / (given.steps - 1)) for i in range(given.steps)]
    return tuple(dict.fromkeys(round(value) if whole else value for value in values)), problems


def _is_whole(field: p.Field) -> bool:
    from typing import get_args

    types = get_args(field.type) or (field.type,)
    return int in types and float not in types


def _is_number(field: p.Field) -> bool:
    from typing import get_args

    types = get_args(field.type) or (field.type,)
    return int in types or float in types
