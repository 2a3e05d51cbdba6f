"""The vocabulary in which a kind declares its parameters: one source for binding, schema and documentation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, get_type_hints

from soilql.values import ValueType

if TYPE_CHECKING:
    from soilql.expr.parse import Expression
else:
    Expression = Any  # keeps lark out of programs that only look at parameters


#: What is wrong with a block, and its key.
Problem: TypeAlias = tuple[str, str]


class Params:
    """Base of a kind's parameters: a frozen dataclass whose fields are made by :func:`param`.

    ``SHORTHAND`` may name the field that a bare scalar or list stands for, so that ``Rs: Rs_annual`` means
    ``Rs: {from: Rs_annual}``. ``POSITIONAL`` names the fields that the mini-language writes without their names, in
    order; without it these are the required ones.
    """

    SHORTHAND: ClassVar[str | None] = None
    POSITIONAL: ClassVar[tuple[str, ...]] = ()

    def problems(self) -> Iterator[Problem]:
        """Yield what does not fit together, each with the key that is to blame, or an empty one.

        Said are those that stand first, one for each key. Where a parameter does not fit by itself, what is asked
        before it is read counts all the same.
        """
        yield from ()


@dataclass(frozen=True)
class Field:
    """One declared parameter.

    Attributes
    ----------
    name : str
        Attribute of the Params object.
    key : str
        Key in the spec; differs from the name only for Python's keywords (``from_`` is ``from``).
    type : Any
        Annotated type.
    required : bool
        Whether the spec must give it.
    default : Any
        Value when it is not given.
    doc : str
        One sentence for people.
    minimum, maximum, above, below : float or None
        Bounds: inclusive, inclusive, exclusive, exclusive.
    unit : str
        Unit of a number, for the documentation.
    in_key : bool
        Whether it changes the result, and so the node's key.
    """

    name: str
    key: str
    type: Any
    required: bool
    default: Any
    doc: str
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    unit: str = ""
    in_key: bool = True


def param(
    default: Any = dataclasses.MISSING,
    *,
    doc: str,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    unit: str = "",
    in_key: bool = True,
) -> Any:
    """Declare a parameter of a kind.

    Parameters
    ----------
    default : Any, optional
        Required when left out. Lists and mappings may be given as they are; they must not be changed afterwards.
    doc : str
        One sentence for people.
    ge, le, gt, lt : float, optional
        Bounds of a number, or of each number of a list.
    unit : str
        Unit of a number, for the documentation.
    in_key : bool
        False for what cannot change the result (titles, colours).
    """
    metadata = {"doc": doc, "bounds": (ge, le, gt, lt), "unit": unit, "in_key": in_key}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def fields(cls: type[Params]) -> tuple[Field, ...]:
    """Return the declared parameters of a Params class, in order."""
    known: Any = cls
    return _fields(known)


@cache
def _fields(cls: Any) -> tuple[Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for f in dataclasses.fields(cls):
        ge, le, gt, lt = f.metadata["bounds"]
        default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
        required = default is dataclasses.MISSING
        found.append(
            Field(
                f.name,
                f.name.rstrip("_"),
                hints[f.name],
                required,
                None if required else default,
                f.metadata["doc"],
                ge,
                le,
                gt,
                lt,
                f.metadata["unit"],
                f.metadata["in_key"],
            )
        )
    return tuple(found)


class Ref(str):
    """Name of another block; ``name.variable`` picks one variable of it."""

    accepts: ClassVar[frozenset[ValueType]] = frozenset()

    @property
    def block(self) -> str:
        """Name of the block referred to."""
        return self.partition(".")[0]

    @property
    def variable(self) -> str | None:
        """Variable picked, or None for the whole block."""
        return self.partition(".")[2] or None


class TableRef(Ref):
    """Reference to a block whose value is a table."""

    accepts = frozenset({ValueType.TABLE})


class GridRef(Ref):
    """Reference to a block whose value is a grid."""

    accepts = frozenset({ValueType.GRID})


class DataRef(Ref):
    """Reference to a block whose value is a table or a grid."""

    accepts = frozenset({ValueType.TABLE, ValueType.GRID})


class ModelRef(Ref):
    """Reference to a model."""

    accepts = frozenset({ValueType.MODEL})


class ZonesRef(Ref):
    """Reference to a partition."""

    accepts = frozenset({ValueType.ZONES})


class SchemeRef(Ref):
    """Reference to a scheme of folds."""

    accepts = frozenset({ValueType.SCHEME})


class DataSource(str):
    """Where data come from: ``registry:NAME``, or a path or glob relative to the spec."""

    @property
    def registry(self) -> str | None:
        """Name in the registry, or None for a path."""
        return self.removeprefix("registry:") if self.startswith("registry:") else None


class UnitText(str):
    """A unit in the notation of :mod:`soilql.units`."""


class ColumnName(str):
    """Name of a column or grid variable; checked against the data it belongs to by the kind."""


class NewName(str):
    """A name that the block gives to something new: a letter or underscore, then letters, digits, underscores."""


@dataclass(frozen=True)
class ExprRole:
    """What an expression-typed parameter is for: names in ``blocks`` are blocks, in the others columns."""

    role: Literal["value", "filter", "formula", "blocks"]


Expr: TypeAlias = Annotated[Expression, ExprRole("value")]
Filter: TypeAlias = Annotated[Expression, ExprRole("filter")]
Formula: TypeAlias = Annotated[Expression, ExprRole("formula")]
BlockExpr: TypeAlias = Annotated[Expression, ExprRole("blocks")]
