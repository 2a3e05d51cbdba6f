"""R's formula algebra: from the right side of a formula to terms, random groups and plain features.

The rules are those of R's `terms.formula` (Chambers & Hastie 1992, Statistical Models in S, ch. 2):
`a*b` is `a + b + a:b`; `a/b` is `a + a:b`; `(a+b)^2` crosses a sum with itself; `-` removes terms; `-1` or `+0`
removes the intercept. Terms are ordered by their degree and, within a degree, by appearance. Where R goes on in
silence although something else was meant, here is a diagnostic: `T^2` (R reads `T`), removing what is not there,
the response among its predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from soilql.edits import replaced
from soilql.errors import Diagnostic, Fix, SoilqlError
from soilql.expr import ast
from soilql.expr.ast import Node, to_text
from soilql.expr.parse import Expression
from soilql.expr.simplify import value_of


@dataclass(frozen=True)
class Term:
    """A main effect (one factor) or an interaction (several).

    Attributes
    ----------
    factors : tuple of Node
        Columns or calls, in the order in which the formula first names them.
    """

    factors: tuple[Node, ...]

    @property
    def label(self) -> str:
        """The term as R writes it, such as ``MAT:C(biome)``."""
        return ":".join(to_text(factor) for factor in self.factors)


@dataclass(frozen=True)
class Group:
    """Effects that vary between the levels of a grouping, from `(effects | group)`.

    Attributes
    ----------
    terms : tuple of Term
        Effects that vary, the intercept left out.
    intercept : bool
        Whether the intercept varies.
    group : Term
        The grouping; several factors for nested groups.
    """

    terms: tuple[Term, ...]
    intercept: bool
    group: Term


@dataclass(frozen=True)
class Terms:
    """A linear formula taken apart.

    Attributes
    ----------
    response : Node
        The left side.
    terms : tuple of Term
        In R's order.
    intercept : bool
        Whether there is one.
    groups : tuple of Group
        Random effects.
    """

    response: Node
    terms: tuple[Term, ...]
    intercept: bool
    groups: tuple[Group, ...]


def terms(formula: Expression) -> Terms:
    """Expand a linear formula as R does.

    Parameters
    ----------
    formula : Expression
        From `parse_formula`.

    Returns
    -------
    Terms
        Response, terms, intercept and groups.

    Raises
    ------
    SoilqlError
        With every SQ113: arithmetic outside `I()`, an exponent that is no small whole number, something removed that
        is not there, the response among its predictors, misplaced groups.

    Examples
    --------
    >>> from soilql.expr.parse import parse_formula
    >>> found = terms(parse_formula("log(Rs) ~ MAT*MAP + C(biome) + (1 | site)"))
    >>> [term.label for term in found.terms], found.intercept, found.groups[0].group.label
    (['MAT', 'MAP', 'C(biome)', 'MAT:MAP'], True, 'site')
    """
    root = formula.formula
    algebra = _Algebra(formula)
    expanded = algebra.expand(root.predictors)
    response = to_text(root.response)
    for term in expanded.terms:
        if response in term:
            algebra.add("the response stands among its own predictors", algebra.variables[response])
    groups = tuple(group for node in algebra.groups for group in _expand_group(algebra, node))
    found_terms = algebra.ordered(expanded.terms)
    if not found_terms and not expanded.intercept and not groups and not algebra.found:
        algebra.add("a formula without terms and intercept", root.predictors)
    algebra.raise_found()
    return Terms(root.response, found_terms, expanded.intercept, groups)


def _expand_group(algebra: _Algebra, node: ast.GroupTerm) -> Iterable[Group]:
    effects = algebra.expand(node.effects, nested=True)
    before = len(algebra.found)
    grouping = algebra.expand(node.group, nested=True)
    if not grouping.terms and len(algebra.found) == before:
        algebra.add("a group term without a grouping column", node.group, help="write `(1 | site)`")
    for term in algebra.ordered(grouping.terms):
        yield Group(algebra.ordered(effects.terms), effects.intercept, term)


# A term is the set of the texts of its factors; a dict keeps a set of terms in order of appearance.
_Key = frozenset[str]


@dataclass(frozen=True)
class _Sum:
    """Terms so far, and whether the intercept is in: None where nothing was said of it."""

    terms: dict[_Key, None]
    stated: bool | None = None

    @property
    def intercept(self) -> bool:
        return self.stated is not False


class _Algebra:
    def __init__(self, formula: Expression) -> None:
        self.formula = formula
        self.variables: dict[str, Node] = {}
        self.groups: list[ast.GroupTerm] = []
        self.found: list[Diagnostic] = []

    def add(self, message: str, node: Node, label: str = "", help: str = "", fixes: tuple[Fix, ...] = ()) -> None:
        self.found.append(Diagnostic("SQ113", message, self.formula.span(node), label, help, fixes=fixes))

    def raise_found(self) -> None:
        if self.found:
            raise SoilqlError(sorted(self.found, key=Diagnostic.sort_key))

    def ordered(self, keys: Iterable[_Key]) -> tuple[Term, ...]:
        """Return terms by degree, then by appearance, with factors in the order of the variables."""
        position = {text: i for i, text in enumerate(self.variables)}
        by_degree = sorted(keys, key=len)
        return tuple(Term(tuple(self.variables[t] for t in sorted(key, key=position.__getitem__))) for key in by_degree)

    def expand(self, node: Node, nested: bool = False) -> _Sum:
        """Return the terms of a node; groups are noted on the way, or are an error where `nested`."""
        top = _summands(node)
        inside = {id(n) for n in top}

        def visit(current: Node, below: tuple[_Sum, ...]) -> _Sum:
            if isinstance(current, ast.GroupTerm):
                if nested or id(current) not in inside:
                    self.add("a group term is a summand of its own", current, help="write `... + (1 | site)`")
                else:
                    self.groups.append(current)
                return _Sum({})
            return self._combine(current, below)

        return _fold_algebra(node, visit)

    def _combine(self, node: Node, below: tuple[_Sum, ...]) -> _Sum:
        match node:
            case ast.Number(value):
                return self._constant(node, value)
            case ast.Name() | ast.Call():
                return self._variable(node)
            case ast.Binary("+"):
                stated = below[0].stated if below[1].stated is None else below[1].stated
                return _Sum(below[0].terms | below[1].terms, stated)
            case ast.Binary("-"):
                return self._remove(node, below[0], below[1])
            case ast.Unary(operator):
                return below[0] if operator == "+" else self._remove(node, _Sum({}), below[0])
            case ast.Binary("*" | "/") | ast.Interaction():
                return self._crossing(node, below)
            case ast.Binary("^", base, exponent):
                return self._power(node, base, exponent, below[0])
            case _:
                self.add("this is no term of a formula", node, help=f"write `I({to_text(node)})`")
        return _Sum({})

    def _constant(self, node: Node, value: float) -> _Sum:
        if value in (0.0, 1.0):
            return _Sum({}, bool(value))
        self.add("a number is no term of a formula", node, "only `0` and `1` mean something: the intercept")
        return _Sum({})

    def _variable(self, node: Node) -> _Sum:
        text = to_text(node)
        self.variables.setdefault(text, node)
        return _Sum({frozenset((text,)): None})

    def _remove(self, node: Node, left: _Sum, right: _Sum) -> _Sum:
        removed = node.children[-1]
        stated = left.stated if right.stated is None else not right.stated
        absent = [key for key in right.terms if key not in left.terms]
        if absent:
            labels = " + ".join(term.label for term in self.ordered(absent))
            help = "write `I(...)` for arithmetic" if isinstance(node, ast.Unary) else ""
            self.add(f"`{labels}` is removed but was not there", removed, "`-` removes terms", help)
        return _Sum({key: None for key in left.terms if key not in right.terms}, stated)

    def _crossing(self, node: Node, below: tuple[_Sum, ...]) -> _Sum:
        if not below:
            message = "arithmetic between terms means crossing them, and a number has no part in that"
            self.add(message, node, help=f"write `I({to_text(node).replace(':', ' * ')})` for arithmetic")
            return _Sum({})
        left, right = below
        for side, part in zip(node.children, below, strict=True):
            if part.stated is not None:
                self.add("the intercept has no part in a crossing", side, help="write it as a summand of its own")
        if isinstance(node, ast.Interaction):
            return _Sum(self._cross(node, left, right))
        if isinstance(node, ast.Binary) and node.operator == "/":
            within = _Sum({frozenset().union(*left.terms): None})
            return _Sum(left.terms | self._cross(node, within, right))
        return _Sum(left.terms | right.terms | self._cross(node, left, right))

    def _cross(self, node: Node, left: _Sum, right: _Sum) -> dict[_Key, None]:
        if len(left.terms) * len(right.terms) > _MAX_TERMS:
            self.add(f"more than {_MAX_TERMS} terms", node, help="cross fewer columns at once")
            return {}
        return {a | b: None for a in left.terms for b in right.terms}

    def _power(self, node: Node, base: Node, exponent: Node, terms: _Sum) -> _Sum:
        times = value_of(exponent)
        if len(terms.terms) == 1 and times is not None:
            term = to_text(base)
            self.add(f"`{to_text(node)}` crosses `{term}` with itself, which is `{term}` again", node,
                     "`^` is no power between terms", f"write `I({to_text(node)})` for the power",
                     self._as_is(node))  # fmt: skip
        elif times is None or times < 1 or times != int(times) or times > _MAX_POWER or not terms.terms:
            message = f"the power of a sum of terms is a whole number from 1 to {_MAX_POWER}"
            self.add(message, exponent, help=f"write `I({to_text(node)})` for arithmetic")
        elif terms.stated is not None:
            self.add("the intercept inside a power", base, help="write `+ 0` outside of the parentheses")
        else:
            crossed = terms
            for _ in range(int(times) - 1):
                crossed = _Sum(crossed.terms | self._cross(node, crossed, terms))
            return crossed
        return _Sum({})

    def _as_is(self, node: Node) -> tuple[Fix, ...]:
        """Return the edit that makes a part of the formula arithmetic."""
        written = self.formula.text[max(0, node.start) : max(0, node.end)]
        return replaced(self.formula.span(node), written, f"I({written})", safe=True)


_MAX_POWER = 9
_MAX_TERMS = 10_000


def _summands(node: Node) -> list[Node]:
    """Return what a right side adds up, from left to right."""
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if isinstance(current, ast.Binary) and current.operator in "+-":
            # What is removed is no summand.
            stack += [current.right, current.left] if current.operator == "+" else [current.left]
        else:
            found.append(current)
    return found


def _fold_algebra(node: Node, visit: Callable[[Node, tuple[_Sum, ...]], _Sum]) -> _Sum:
    """Fold over the nodes that join terms, from left to right; calls and groups are leaves."""
    order: list[tuple[Node, bool]] = [(node, False)]
    values: list[_Sum] = []
    while order:
        current, ready = order.pop()
        children = _joined(current)
        if children and not ready:
            order.append((current, True))
            order += [(child, False) for child in reversed(children)]
            continue
        below = tuple(values[len(values) - len(children) :])
        del values[len(values) - len(children) :]
        values.append(visit(current, below))
    return values[0]


def _joined(node: Node) -> tuple[Node, ...]:
    match node:
        case ast.Binary("^", base, _):
            return (base,)
        case ast.Binary("*" | "/") | ast.Interaction() if any(value_of(side) is not None for side in node.children):
            return ()
        case ast.Binary("+" | "-" | "*" | "/") | ast.Unary() | ast.Interaction():
            return node.children
    return ()


def features(formula: Expression) -> tuple[Node, ...]:
    """Return the features of a learner: the summands of the right side.

    Parameters
    ----------
    formula : Expression
        From `parse_formula`.

    Returns
    -------
    tuple of Node
        Columns and calls such as ``log(MAP)`` or ``I(MAT^2)``, in the order given.

    Raises
    ------
    SoilqlError
        With every SQ113: anything but `+` between features, a feature given twice, the response as a feature.

    Examples
    --------
    >>> from soilql.expr.parse import parse_formula
    >>> features(parse_formula("Rs ~ MAT + log(MAP)"))
    (<Name MAT>, <Call log(MAP)>)
    """
    root = formula.formula
    response = to_text(root.response)
    found: list[Diagnostic] = []
    seen: dict[str, Node] = {}
    for node, removed in _added(root.predictors):
        text = to_text(node)
        message, help = _not_a_feature(node, text, removed)
        if not message and text in seen:
            message, help = f"the feature `{text}` is given twice", "leave one out"
        elif not message and text == response:
            message = "the response stands among its own predictors"
        if message:
            found.append(Diagnostic("SQ113", message, formula.span(node), help=help))
        seen.setdefault(text, node)
    if found:
        raise SoilqlError(sorted(found, key=Diagnostic.sort_key))
    return tuple(seen.values())


def _added(node: Node) -> list[tuple[Node, bool]]:
    """Return what a right side adds up, from left to right, and whether it stands after a `-`."""
    found: list[tuple[Node, bool]] = []
    stack = [(node, False)]
    while stack:
        current, removed = stack.pop()
        if not removed and isinstance(current, ast.Binary) and current.operator in "+-":
            stack += [(current.right, current.operator == "-"), (current.left, False)]
        elif isinstance(current, ast.Unary) and isinstance(current.operand, ast.Number):
            found.append((current.operand, removed))
        else:
            found.append((current, removed))
    return found


def _not_a_feature(node: Node, text: str, removed: bool) -> tuple[str, str]:
    """Return what is wrong with a summand, and how to mend it; empty texts for a plain feature."""
    if isinstance(node, ast.Number):
        return "a learner has no intercept", "leave it out"
    if removed:
        return "the features of a learner are joined by `+` only", "leave out what is not meant"
    if isinstance(node, ast.Name | ast.Call):
        return "", ""
    if isinstance(node, ast.GroupTerm):
        return "a learner has no random effects", "leave the group out, or use a linear model"
    if isinstance(node, ast.Interaction) or (isinstance(node, ast.Binary) and node.operator == "*"):
        return "a learner finds interactions itself", f"write the columns with `+`, or `I({text.replace(':', ' * ')})`"
    return "the features of a learner are joined by `+` only", f"write `I({text})` for arithmetic"
