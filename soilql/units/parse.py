"""Text of a unit to `Unit`, with the place of what cannot be read."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from soilql.errors import did_you_mean
from soilql.units.core import ONE, Factor, Unit, UnitError, build
from soilql.units.table import DIMENSIONLESS_WORDS, SPELLINGS, SPELT_SUBSTANCES, SYMBOLS

# Letters first turned into ASCII one by one, so that offsets stay those of the user's text.
_ASCII = str.maketrans("−–‑‐⁻⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉µμ·⋅×∗", "-----01234567890123456789uu****")
_SUBSTANCE = "|".join(sorted(SPELT_SUBSTANCES, key=len, reverse=True))
_EXPONENT = (
    r"(?:\s*(?:\^|\*\*)\s*(?P<open>[({])?\s*(?P<caret>[+-]?\d{1,2}(?:/[1-9])?)\s*(?(open)[)}])|(?P<glued>-?\d{1,2}))?"
)
_TOKEN = re.compile(
    rf"(?P<number>\d+(?:\.\d*)?(?:[eE][-+]?\d{{1,2}})?|\.\d+(?:[eE][-+]?\d{{1,2}})?)(?:(?:\^|\*\*)(?P<power>[+-]?\d{{1,2}}))?(?![\w%])"
    rf"|(?P<spaced>(?:deg|degrees?|°)\s+C)(?![\w°])"
    rf"|(?P<per>per\b|/)|(?P<times>\*(?!\*)|\.)|(?P<paren>[()])"
    rf"|(?P<alone>{_SUBSTANCE})(?P<alone_exponent>-?\d+|\^\S+)?(?![\w])"
    rf"|(?P<name>[A-Za-z_°℃%‰]+?)(?P<substance>{_SUBSTANCE})?{_EXPONENT}(?![\w°%^]|-\d|\*\*)"
)
_MAX_DEPTH = 20


class _Parser:
    """One pass over the text; `/` and `per` bind the next factor only, as in UDUNITS."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ascii = text.translate(_ASCII)
        self.at = 0

    def parse(self) -> Unit:
        number, factors = self.product(0)
        return build(number, factors)

    def product(self, depth: int) -> tuple[Fraction, list[Factor]]:
        number, factors, sign, opened = Fraction(1), list[Factor](), 1, self.at
        dangling: tuple[int, int] | None = (opened, opened)
        while (token := self.token()) is not None:
            start, end = token.span()
            if token["paren"] == ")":
                if depth == 0:
                    raise UnitError("`)` without a `(` before it", start, end)
                break
            if token["per"] or token["times"]:
                if dangling and (token["times"] or dangling != (opened, opened)):
                    raise UnitError(f"`{token[0]}` where a unit was expected", start, end)
                dangling, sign = (start, end), -1 if token["per"] else 1
                continue
            if token["alone"]:
                factors = self.tagged(factors, token, dangling is not None)
                continue
            value, new = self.operand(token, depth)
            number *= value**sign
            factors += [f._replace(exponent=f.exponent * sign) for f in new]
            dangling, sign = None, 1
        else:
            if depth:
                raise UnitError("`(` is never closed", opened - 1, opened)
        if dangling:
            raise UnitError("a unit is missing here", *(dangling if any(dangling) else (0, len(self.text))))
        return number, factors

    def token(self) -> re.Match[str] | None:
        while self.at < len(self.ascii) and self.ascii[self.at].isspace():
            self.at += 1
        if self.at == len(self.ascii):
            return None
        match = _TOKEN.match(self.ascii, self.at)
        if match is None:
            end = self.at + len(re.split(r"[\s/*()]", self.ascii[self.at :])[0])
            word = self.text[self.at : end] or self.text[self.at]
            raise self.unknown(word, self.at, max(end, self.at + 1))
        self.at = match.end()
        return match

    def operand(self, token: re.Match[str], depth: int) -> tuple[Fraction, list[Factor]]:
        if token["number"]:
            value = Fraction(token["number"])
            if not value:
                raise UnitError("a unit cannot be zero", *token.span())
            return value ** int(token["power"] or 1), []
        if token["paren"]:
            if depth == _MAX_DEPTH:
                raise UnitError("parentheses nested too deeply", *token.span())
            return self.product(depth + 1)
        if token["spaced"]:
            return Fraction(1), [Factor("degC", "", Fraction(1))]
        return Fraction(1), [self.factor(token)]

    def factor(self, token: re.Match[str]) -> Factor:
        name, substance = token["name"], token["substance"] or ""
        exponent = Fraction(token["caret"] or token["glued"] or 1)
        if name + substance in SPELLINGS:
            return Factor(SPELLINGS[name + substance], "", exponent)
        start = token.start()
        end = token.end("substance") if substance else token.end("name")
        if name not in SPELLINGS:
            raise self.unknown(self.text[start:end], start, end)
        factor = Factor(SPELLINGS[name], "", exponent)
        return self.with_substance(factor, substance, start, end) if substance else factor

    def tagged(self, factors: list[Factor], token: re.Match[str], first: bool) -> list[Factor]:
        start, end = token.span()
        if token["alone_exponent"]:
            help = "put the exponent on the unit: `g-1 C`"
            raise UnitError(f"a substance takes no exponent: `{self.text[start:end]}`", start, end, help)
        if first or not factors or factors[-1].substance:
            help = "did you mean `degC`?" if token["alone"] == "C" else "write a mass or an amount before it: `g C`"
            raise UnitError(f"substance `{token['alone']}` without a unit before it", start, end, help)
        return [*factors[:-1], self.with_substance(factors[-1], token["alone"], start, end)]

    def with_substance(self, factor: Factor, substance: str, start: int, end: int) -> Factor:
        basis = SYMBOLS[factor.symbol].basis
        if basis is None or (basis == "depth" and (substance != "H2O" or abs(factor.exponent) != 1)):
            help = "`C`, `CO2`, `N` follow a mass or an amount (`g C`, `mol CO2`); `H2O` also a depth (`mm H2O`)"
            raise UnitError(f"`{factor.symbol}` cannot be of `{substance}`", start, end, help)
        return factor._replace(substance=SPELT_SUBSTANCES[substance])

    def unknown(self, word: str, start: int, end: int) -> UnitError:
        bare = re.sub(r"[-^\d].*$", "", word.translate(_ASCII)) or word
        if bare in SPELLINGS:
            help = "put a space between units and none inside: `m-2 s-1`"
        else:
            help = (
                did_you_mean(bare, SYMBOLS)
                or did_you_mean(bare, SPELLINGS)
                or "units are written `g C m-2 yr-1`, `umol CO2 m-2 s-1`, `degC`"
            )
        return UnitError(f"unknown unit `{word}`", start, end, help)


@lru_cache(maxsize=4096)
def parse_unit(text: str) -> Unit:
    """Read a unit in the notation of the carbon cycle.

    Parameters
    ----------
    text : str
        Factors side by side or with ``*``, ``·``, ``/``, ``per`` and parentheses; exponents ``m-2``, ``m^-2``,
        ``m**-2``, ``m⁻²``; a substance after a mass or an amount (``g C``, ``gC``, ``mg CO2-C``, ``umol CO2``).

    Returns
    -------
    Unit

    Raises
    ------
    UnitError
        With the offsets of the part that cannot be read.

    Examples
    --------
    >>> parse_unit("µmol CO₂ m⁻² s⁻¹".replace("₂", "2")) == parse_unit("umol CO2/(m2 s)")
    True
    >>> str(parse_unit("MgC ha-1"))
    'Mg C ha-1'
    """
    if not text.strip():
        raise UnitError("empty unit", 0, len(text), "write `1` for a number without a unit")
    if text.strip().translate(_ASCII) in DIMENSIONLESS_WORDS:
        return ONE
    return _Parser(text).parse()
