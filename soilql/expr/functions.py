"""The functions and constants of the expression language: one typed table, read by checks, docs and evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

ValueType = Literal["number", "text", "boolean", "unknown"]
# "any" takes a value of every type; arguments marked "same" share one type, which is that of the result.
ArgumentType = Literal["number", "text", "boolean", "any", "same"]


@dataclass(frozen=True, slots=True)
class Function:
    """One function.

    Attributes
    ----------
    name : str
        As it is called.
    arguments : tuple of ArgumentType
        Types by position; the last one holds for all further arguments.
    minimum : int
        Least number of arguments.
    maximum : int or None
        Largest number of arguments; None for any number.
    result : ArgumentType
        Type of the result.
    doc : str
        One line.
    choices : tuple of (int, tuple of str)
        For arguments that are one of a closed list of texts, written out: position from 0 and list.
    formula_only : bool
        True for functions that mean something in a linear formula only.
    """

    name: str
    arguments: tuple[ArgumentType, ...]
    minimum: int
    maximum: int | None
    result: ArgumentType
    doc: str
    choices: tuple[tuple[int, tuple[str, ...]], ...] = ()
    formula_only: bool = False

    def argument(self, position: int) -> ArgumentType:
        """Return the type of the argument at a position from 0."""
        return self.arguments[min(position, len(self.arguments) - 1)]

    def accepts(self, count: int) -> bool:
        """Return whether a call may have this number of arguments."""
        return count >= self.minimum and (self.maximum is None or count <= self.maximum)

    @property
    def arity(self) -> str:
        """The number of arguments in words.

        Examples
        --------
        >>> FUNCTIONS["clip"].arity, FUNCTIONS["min"].arity
        ('3 arguments', 'at least 2 arguments')
        """
        if self.maximum is None:
            return f"at least {self.minimum} arguments"
        if self.minimum != self.maximum:
            return f"{self.minimum} to {self.maximum} arguments"
        return f"{self.minimum} argument{'' if self.minimum == 1 else 's'}"


def _numeric(name: str, doc: str) -> Function:
    return Function(name, ("number",), 1, 1, "number", doc)


def _search(name: str, doc: str) -> Function:
    return Function(name, ("text", "text"), 2, 2, "boolean", doc)


RH_EQUATIONS = ("bond-lamberty-2004", "subke-2006")

_TABLE = (
    _numeric("exp", "e to the power of x"),
    _numeric("log", "natural logarithm; -inf at 0, missing below"),
    _numeric("log10", "logarithm to base 10"),
    _numeric("log2", "logarithm to base 2"),
    _numeric("log1p", "log(1 + x), exact for small x"),
    _numeric("expm1", "exp(x) - 1, exact for small x"),
    _numeric("sqrt", "square root; missing for negative x"),
    _numeric("abs", "absolute value"),
    _numeric("sin", "sine of x in radians"),
    _numeric("cos", "cosine of x in radians"),
    _numeric("tan", "tangent of x in radians"),
    _numeric("tanh", "hyperbolic tangent"),
    _numeric("floor", "largest integer not above x"),
    _numeric("ceil", "smallest integer not below x"),
    _numeric("round", "nearest integer, halves to the even one"),
    _numeric("sign", "-1, 0 or 1"),
    Function("min", ("number",), 2, None, "number", "smallest of the arguments, element by element"),
    Function("max", ("number",), 2, None, "number", "largest of the arguments, element by element"),
    Function("clip", ("number", "number", "number"), 3, 3, "number", "x limited to the range from lo to hi"),
    Function("where", ("boolean", "same", "same"), 3, 3, "same", "a where the condition holds, b elsewhere"),
    Function("missing", ("any",), 1, 1, "boolean", "true where the value is missing (NaN, or no text)"),
    Function("lower", ("text",), 1, 1, "text", "the text in lower case"),
    Function("upper", ("text",), 1, 1, "text", "the text in upper case"),
    _search("startswith", "true where the first text begins with the second"),
    _search("endswith", "true where the first text ends with the second"),
    _search("contains", "true where the second text is part of the first"),
    Function(
        "rh_from_rs",
        ("number", "text"),
        2,
        2,
        "number",
        "annual heterotrophic from annual total respiration, g C m-2 yr-1, by a published equation, within 0 and Rs",
        choices=((1, RH_EQUATIONS),),
    ),
    Function(
        "ndvi",
        ("number",),
        2,
        2,
        "number",
        "vegetation index (nir - red)/(nir + red) of reflectances nir, red, doi:10.1016/0034-4257(79)90013-0",
    ),
    Function(
        "evi",
        ("number",),
        3,
        3,
        "number",
        "enhanced vegetation index 2.5 (nir - red)/(nir + 6 red - 7.5 blue + 1) of reflectances from 0 to 1 nir, red, "
        "blue, doi:10.1016/S0034-4257(02)00096-2",
    ),
    Function(
        "lswi",
        ("number",),
        2,
        2,
        "number",
        "surface water index (nir - swir)/(nir + swir) of reflectances nir, swir, doi:10.1016/j.rse.2004.03.010",
    ),
    Function("C", ("any",), 1, 1, "any", "the column as a factor, in a linear formula", formula_only=True),
    Function("I", ("number",), 1, 1, "number", "arithmetic as it stands, in a formula", formula_only=True),
)

FUNCTIONS: dict[str, Function] = {function.name: function for function in _TABLE}

CONSTANTS: dict[str, float] = {"pi": math.pi}
