"""Units of a formula's parameters, by unification over its tree.

Every node has a unit: a product of powers of units that are known and of unknowns. Terms that are added, and the two
sides of a formula, have equal units; what stands inside ``exp`` or in an exponent is a plain number. That gives a
system of equations, linear in the exponents, which is solved by elimination with exact fractions.

A literal number takes whatever unit makes its place consistent (``T - 10``, ``E/8.314``) and is plain where nothing
says otherwise, so that only what cannot be right is reported. ``log`` of a quantity is the logarithm of its number:
its unit is remembered, and given back by ``exp``. A temperature in degC counts as an interval in products.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from soilql.expr import ast
from soilql.expr.ast import Node
from soilql.expr.functions import CONSTANTS
from soilql.formula.drivers import readable
from soilql.formula.tape import constant
from soilql.units import Unit, UnitError, parse_unit

if TYPE_CHECKING:
    from soilql.expr.parse import Expression

ONE = parse_unit("1")
_DEGC = parse_unit("degC")
_RADIAN = parse_unit("rad")
ANNUAL_CARBON = "g C m-2 yr-1"

_PLAIN_ARGUMENT = frozenset({"exp", "expm1", "sin", "cos", "tan", "tanh"})
_SAME_UNIT = frozenset({"abs", "floor", "ceil", "round", "I"})
_JOINED = frozenset({"min", "max", "clip"})
_TRIGONOMETRIC = frozenset({"sin", "cos", "tan"})
_LARGEST_EXPONENT = 20
_LARGEST_DENOMINATOR = 12


@dataclass(frozen=True)
class Problem:
    """One contradiction between units.

    Attributes
    ----------
    kind : {"sum", "response", "argument", "exponent", "declared"}
        What disagrees: two terms; the two sides; the argument of a function; a power; a parameter's stated unit.
    node : Node
        The term, argument or name to blame.
    other : Node or None
        What it is added to or compared with.
    found, expected : Unit or None
        Its unit and the one it should have; None where an unknown is left in both, and they only differ by `factor`.
    factor : Unit
        `found` divided by `expected`.
    name : str
        Function or parameter concerned.
    """

    kind: Literal["sum", "response", "argument", "exponent", "declared"]
    node: Node
    other: Node | None
    found: Unit | None
    expected: Unit | None
    factor: Unit
    name: str = ""


@dataclass(frozen=True)
class Inference:
    """Units of the parameters.

    Attributes
    ----------
    units : dict of str to Unit or None
        Unit of each parameter; None where the formula does not determine it.
    problems : tuple of Problem
        Contradictions, in order of place.
    """

    units: dict[str, Unit | None]
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Monomial:
    """A known unit times powers of unknowns."""

    unit: Unit = ONE
    powers: Mapping[str, Fraction] = field(default_factory=dict)

    def times(self, other: _Monomial, power: Fraction | int = 1) -> _Monomial:
        powers = dict(self.powers)
        for name, exponent in other.powers.items():
            powers[name] = powers.get(name, Fraction(0)) + exponent * power
        unit = self.unit if other.unit == ONE else self.unit * _interval(other.unit) ** Fraction(power)
        return _Monomial(unit, {name: exponent for name, exponent in powers.items() if exponent})


def _interval(unit: Unit) -> Unit:
    """Return a unit with a point of the Celsius scale turned into an interval."""
    return (unit**2) ** Fraction(1, 2) if unit.offset else unit


@dataclass(frozen=True)
class _Type:
    """The unit of a node; `log` is the unit of what a logarithm was taken of, None for a plain value."""

    value: _Monomial
    log: _Monomial | None = None


@dataclass(frozen=True)
class _Equation:
    kind: Literal["sum", "response", "argument", "exponent", "declared"]
    node: Node
    other: Node | None
    left: _Monomial
    right: _Monomial
    name: str = ""


class _System:
    """Equations between monomials, solved for one unknown after the other."""

    def __init__(self) -> None:
        self.solved: dict[str, _Monomial] = {}

    def reduce(self, monomial: _Monomial) -> _Monomial:
        """Return a monomial without the unknowns that are solved for."""
        while name := next((n for n in monomial.powers if n in self.solved), ""):
            power = monomial.powers[name]
            rest = _Monomial(monomial.unit, {n: p for n, p in monomial.powers.items() if n != name})
            monomial = rest.times(self.solved[name], power)
        return monomial

    def equate(self, left: _Monomial, right: _Monomial) -> Unit | None:
        """Note that two monomials are equal; return by what they differ where they cannot be."""
        quotient = self.reduce(left.times(right, -1))
        if not quotient.powers:
            return None if agrees(quotient.unit) else quotient.unit
        # Numbers take the unit that is left over before parameters and columns do.
        name = max(quotient.powers, key=lambda n: (n.startswith("#"), n))
        power = quotient.powers[name]
        rest = _Monomial(quotient.unit, {n: p for n, p in quotient.powers.items() if n != name})
        self.solved[name] = _Monomial().times(rest, -1 / power)
        return None

    def unit(self, monomial: _Monomial) -> Unit | None:
        """Return the unit of a monomial if nothing in it is unknown."""
        found = self.reduce(monomial)
        return None if found.powers else found.unit


def agrees(factor: Unit) -> bool:
    """Return whether two quantities whose units differ by this factor can be added as they are.

    A substance that only one of them names is no difference; carbon against carbon dioxide is one.

    Examples
    --------
    >>> agrees(parse_unit("g C m-2") / parse_unit("g m-2")), agrees(parse_unit("%"))
    (True, False)
    """
    named = {substance.exponent > 0 for substance in factor.substances}
    return factor.is_dimensionless and abs(float(factor.scale) - 1) < 1e-9 and len(named) < 2


def infer(
    expression: Expression | Node,
    units: Mapping[str, str | None],
    params: Mapping[str, str | None] | Iterable[str],
    *,
    constants: Iterable[str] = (),
    result: str | None = None,
) -> Inference:
    """Infer the units of a formula's parameters, and find what cannot agree.

    Parameters
    ----------
    expression : Expression or Node
        A formula, or an expression whose unit is `result`.
    units : mapping of str to str or None
        Units of the columns; None, or no entry, where it is not known.
    params : mapping of str to str or None, or iterable of str
        Parameters, with the units declared for them.
    constants : iterable of str
        Names of fixed numbers, which like literals take any unit and are plain where nothing says otherwise.
    result : str, optional
        Unit of an expression that is no formula.

    Returns
    -------
    Inference

    Examples
    --------
    >>> from soilql.expr.parse import parse_formula
    >>> formula = parse_formula("Rs ~ a * exp(b*T + c*T^2) * P / (P + k)")
    >>> columns = {"Rs": "g C m-2 yr-1", "T": "degC", "P": "mm yr-1"}
    >>> {name: str(unit) for name, unit in infer(formula, columns, "abck").units.items()}
    {'a': 'g C m-2 yr-1', 'b': 'degC-1', 'c': 'degC-2', 'k': 'mm yr-1'}
    >>> infer(parse_formula("Rs ~ a * exp(T)"), columns, ["a"]).problems[0].kind
    'argument'
    """
    root = expression if isinstance(expression, Node) else expression.root
    declared = dict(params) if isinstance(params, Mapping) else dict.fromkeys(params)
    names = tuple(constants)
    reader = _Reader(units, frozenset(declared), frozenset(names))
    try:
        reader.read(root, result)
        return _solve(root, reader, declared, names)
    except (UnitError, OverflowError):  # exponents beyond any unit: nothing can be said
        return Inference(dict.fromkeys(declared), ())


def _solve(root: Node, reader: _Reader, declared: Mapping[str, str | None], constants: Iterable[str]) -> Inference:
    system = _System()
    problems = []
    order = ("exponent", "argument", "response", "sum")
    for equation in sorted(reader.equations, key=lambda one: order.index(one.kind)):
        problems += _impose(system, equation)
    for name, text in declared.items():
        unit = readable(text)
        place = next((n for n in ast.walk(root) if isinstance(n, ast.Name) and n.name == name), None)
        if unit is not None and place is not None:
            known, stated = _Monomial(ONE, {name: Fraction(1)}), _Monomial(_interval(unit))
            problems += _impose(system, _Equation("declared", place, None, stated, known, name))
    for scaled, ratio in reader.ratios:
        if system.equate(ratio, _Monomial()) is None:
            system.equate(scaled, _Monomial())
    plain_first = sorted(reader.literals.items(), key=lambda item: item[1] != 1)
    for name in (*(name for name, _ in plain_first), *constants):
        system.equate(_Monomial(ONE, {name: Fraction(1)}), _Monomial())
    points = _points(root, reader.units, declared)
    found = {name: _shown(system.unit(_Monomial(ONE, {name: Fraction(1)})), name in points) for name in declared}
    return Inference(found, tuple(sorted(problems, key=lambda p: (p.node.start, p.node.end))))


def _impose(system: _System, equation: _Equation) -> list[Problem]:
    factor = system.equate(equation.left, equation.right)
    if factor is None:
        return []
    if equation.kind in ("argument", "exponent"):
        bare = factor.is_dimensionless and abs(float(factor.scale) - 1) < 1e-9
        if bare or (equation.name in _TRIGONOMETRIC and agrees(factor / _RADIAN)):
            return []
    found, expected = system.unit(equation.left), system.unit(equation.right)
    return [Problem(equation.kind, equation.node, equation.other, found, expected, factor, equation.name)]


def _shown(unit: Unit | None, is_point: bool) -> Unit | None:
    if unit is None:
        return None
    if is_point and unit.dimensions == _DEGC.dimensions and unit.scale == _DEGC.scale:
        return _DEGC
    return ONE if agrees(unit) and not unit.substances else unit


def _points(root: Node, units: Mapping[str, Unit | None], params: Iterable[str]) -> set[str]:
    """Return the parameters that are subtracted from, or chosen beside, a temperature in degC: points on its scale."""
    names = set(params)
    found = set()
    for node in ast.walk(root):
        joined = isinstance(node, ast.Binary) and node.operator == "-"
        if joined or (isinstance(node, ast.Call) and node.function in _JOINED):
            inside = {child.name for child in node.children if isinstance(child, ast.Name)}
            if any((unit := units.get(name)) is not None and unit.offset for name in inside):
                found |= inside & names
    return found


class _Reader:
    """Walks a tree once, gives every node its type, and notes what has to be equal."""

    def __init__(self, units: Mapping[str, str | None], params: frozenset[str], constants: frozenset[str]) -> None:
        self.units = {name: readable(text) for name, text in units.items()}
        self.params = params
        self.constants = constants
        self.equations: list[_Equation] = []
        self.literals: dict[str, float] = {}
        # Logarithms times something, with what they are taken of: of ratios, where nothing says otherwise.
        self.ratios: list[tuple[_Monomial, _Monomial]] = []
        self.fresh = 0

    def read(self, root: Node, result: str | None) -> None:
        if not isinstance(root, ast.Formula):
            found, unit = ast.fold(root, self.visit), readable(result)
            if unit is not None:
                self.equate("response", root, None, found.value, _Monomial(_interval(unit)))
            return
        left, right = ast.fold(root.response, self.visit), ast.fold(root.predictors, self.visit)
        self.equate("response", root.predictors, root.response, right.value, left.value)
        if left.log is not None and right.log is not None:
            self.equate("response", root.predictors, root.response, right.log, left.log)

    def equate(
        self,
        kind: Literal["sum", "response", "argument", "exponent"],
        node: Node,
        other: Node | None,
        left: _Monomial,
        right: _Monomial,
        name: str = "",
    ) -> None:
        self.equations.append(_Equation(kind, node, other, left, right, name))

    def unknown(self, mark: str = "?") -> _Monomial:
        self.fresh += 1
        return _Monomial(ONE, {f"{mark}{self.fresh}": Fraction(1)})

    def visit(self, node: Node, below: tuple[_Type, ...]) -> _Type:
        match node:
            case ast.Number(number):
                found = self.unknown("#")
                self.literals[next(iter(found.powers))] = number
                return _Type(found)
            case ast.Name(name):
                return _Type(self.named(name))
            case ast.Unary(operator, _):
                return below[0] if operator == "+" else _Type(below[0].value, _power(below[0].log, -1))
            case ast.Binary("+" | "-" as operator, left, right):
                self.equate("sum", right, left, below[1].value, below[0].value, operator)
                return _Type(below[0].value, _joined(below[0].log, below[1].log, 1 if operator == "+" else -1))
            case ast.Binary("*" | "/" as operator, left, right):
                value = below[0].value.times(below[1].value, 1 if operator == "*" else -1)
                return _Type(value, self.scaled_log(node, left, right, below))
            case ast.Binary("%", left, right):
                self.equate("sum", right, left, below[1].value, below[0].value, "%")
                return _Type(below[0].value)
            case ast.Binary("^", base, exponent):
                return _Type(self.power(base, exponent, below))
            case ast.Call():
                return self.call(node, below)
            case _:
                return _Type(self.unknown())

    def named(self, name: str) -> _Monomial:
        if name in self.params or name in self.constants:
            return _Monomial(ONE, {name: Fraction(1)})
        unit = self.units.get(name)
        if unit is not None:
            return _Monomial(_interval(unit))
        return _Monomial() if name in CONSTANTS else _Monomial(ONE, {f"`{name}": Fraction(1)})

    def scaled_log(self, node: Node, left: Node, right: Node, below: tuple[_Type, ...]) -> _Monomial | None:
        if below[0].log is None and below[1].log is None:
            return None
        which, number = (0, constant(right)) if below[1].log is None else (1, constant(left))
        if number is None or (which == 1 and isinstance(node, ast.Binary) and node.operator == "/"):
            scaled = self.unknown()
            self.ratios += [(scaled, part.log) for part in below if part.log is not None]
            return scaled
        exact = _fraction(number if isinstance(node, ast.Binary) and node.operator == "*" else 1 / (number or 1))
        return self.unknown() if exact is None else _power(below[which].log, exact)

    def power(self, base: Node, exponent: Node, below: tuple[_Type, ...]) -> _Monomial:
        number = constant(exponent)
        if number is not None:
            exact = _fraction(number)
            return self.unknown() if exact is None else _Monomial().times(below[0].value, exact)
        self.equate("exponent", exponent, base, below[1].value, _Monomial(), "^")
        if any(name not in self.params and name not in self.constants for name in ast.names(exponent)):
            # A base with a unit would give each row a unit of its own.
            self.equate("exponent", base, exponent, below[0].value, _Monomial(), "^")
            return _Monomial()
        return _Monomial() if below[0].value == _Monomial() else self.unknown()

    def call(self, node: ast.Call, below: tuple[_Type, ...]) -> _Type:
        function, arguments = node.function, node.arguments
        if function in _PLAIN_ARGUMENT:
            self.equate("argument", arguments[0], None, below[0].value, _Monomial(), function)
            return _Type((below[0].log or _Monomial()) if function == "exp" else _Monomial())
        if function in _SAME_UNIT:
            return below[0] if function == "I" else _Type(below[0].value)
        if function == "sqrt":
            return _Type(_Monomial().times(below[0].value, Fraction(1, 2)))
        if function == "sign":
            return _Type(_Monomial())
        if function.startswith("log"):
            return _Type(_Monomial(), below[0].value if function == "log" else self.unknown())
        if function in _JOINED or function == "where":
            first = 1 if function == "where" else 0
            for i in range(first + 1, len(below)):
                self.equate("sum", arguments[i], arguments[first], below[i].value, below[first].value, function)
            return _Type(below[first].value)
        if function == "rh_from_rs":
            return _Type(_Monomial(parse_unit(ANNUAL_CARBON)))
        return _Type(self.unknown())


def _power(log: _Monomial | None, power: Fraction | int) -> _Monomial | None:
    return None if log is None else _Monomial().times(log, power)


def _joined(left: _Monomial | None, right: _Monomial | None, sign: int) -> _Monomial | None:
    if left is None and right is None:
        return None
    return (left or _Monomial()).times(right or _Monomial(), sign)


def _fraction(number: float) -> Fraction | None:
    """Return a number as an exponent of a unit; None for one that no unit has."""
    exact = Fraction(number).limit_denominator(_LARGEST_DENOMINATOR)
    if abs(number) > _LARGEST_EXPONENT or abs(float(exact) - number) > 1e-9:
        return None
    return exact
