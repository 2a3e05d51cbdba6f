"""What each operator and function does to numpy values; `evaluate` says what holds for all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from soilql.expr import ast
from soilql.expr.ast import Node

Value: TypeAlias = Any
Mask: TypeAlias = Any  # a boolean array, or one boolean


class WrongTypeError(Exception):
    """A value has a type that the operation cannot take."""


def from_column(value: Any, name: str) -> Value:
    """Return a column or an array as the language computes with it.

    Parameters
    ----------
    value : array, pandas.Series or scalar
        Numbers, booleans or texts. A dask array is returned as it is.
    name : str
        For the error.

    Returns
    -------
    numpy.ndarray, dask.array.Array or scalar
        float64 for numbers, bool for conditions without missing values, else object; NaN where a number is masked.

    Raises
    ------
    TypeError
        For values that carry named dimensions, which arithmetic without them could misalign, and for dates.

    Examples
    --------
    >>> from_column(np.array([1, 2], dtype="int16"), "x")
    array([1., 2.])
    """
    if hasattr(value, "dims"):
        raise TypeError(f"`{name}` has named dimensions: give its array after aligning it with the others")
    if hasattr(value, "__dask_graph__") or isinstance(value, str):
        return value
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(float), np.nan)
    dtype = getattr(value, "dtype", None)
    if dtype is not None and not isinstance(dtype, np.dtype):
        value = _from_extension(value, str(dtype))
    array = np.asarray(value)
    if array.dtype.kind in "UST":
        array = array.astype(object)
    if array.dtype.kind not in "biufO":
        raise TypeError(f"`{name}` holds values of type {array.dtype}, neither numbers, conditions nor texts")
    if array.dtype.kind == "O":
        array = _from_objects(array)
    elif array.dtype.kind in "iuf":
        array = array.astype(np.float64, copy=False)
    return array if array.ndim or array.dtype == object else array.item()


def _from_extension(value: Any, dtype: str) -> npt.NDArray[Any]:
    """Return a pandas column of an extension type as floats where it holds numbers, else as objects."""
    if dtype.lower().startswith(("int", "uint", "float")):
        numbers: npt.NDArray[Any] = value.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers
    return np.asarray(value, dtype=object)


def _kind(array: npt.NDArray[Any]) -> str:
    """Return what an object array holds: "text", "boolean", "number", "nothing" (all missing), or "mixed"."""
    from pandas.api.types import infer_dtype

    found = infer_dtype(array.ravel(), skipna=True)
    kinds = {"string": "text", "boolean": "boolean", "empty": "nothing"}
    numbers = ("integer", "floating", "mixed-integer-float", "decimal")
    return "number" if found in numbers else kinds.get(found, "mixed")


def _from_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    kind = _kind(array)
    if kind == "number":
        return _as_float(array)
    if kind == "boolean" and not is_missing(array).any():
        return array.astype(bool)
    return array


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    numbers = np.full(array.shape, np.nan)
    present = ~is_missing(array)
    numbers[present] = array[present].astype(np.float64)
    return numbers


def _is_object(value: Value) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype == object)


def is_missing(value: Value) -> Mask:
    """Return where a value is missing: NaN, None or pandas' NA."""
    if _is_object(value):
        import pandas as pd

        return pd.isna(value)
    return np.isnan(value)


def as_number(value: Value) -> Value:
    """Return a value as floats; conditions count as 0 and 1."""
    if not _is_object(value):
        return np.asarray(value, dtype=np.float64) if isinstance(value, np.ndarray) else float(value)
    if isinstance(value, str) or _kind(value) not in ("boolean", "nothing"):
        raise WrongTypeError("arithmetic needs numbers, and this is a text")
    return _as_float(value)


def as_condition(value: Value) -> Mask:
    """Return a value as booleans, false where missing."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, np.ndarray) and value.dtype == bool):
        return value
    if isinstance(value, np.ndarray) and value.dtype == object and _kind(value) in ("boolean", "nothing"):
        return np.where(is_missing(value), False, value).astype(bool)
    raise WrongTypeError(f"a condition is needed here, and this is {'a text' if _is_object(value) else 'a number'}")


def as_text(value: Value) -> Value:
    """Return a value that has to be texts."""
    if isinstance(value, str) or (_is_object(value) and _kind(value) in ("text", "nothing", "mixed")):
        return value
    raise WrongTypeError("a text is needed here")


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _compare(symbol: str, left: Value, right: Value) -> Mask:
    compare = _COMPARISONS[symbol]
    if not _is_object(left) and not _is_object(right):
        found = compare(left, right)
        return found & ~(is_missing(left) | is_missing(right)) if symbol == "!=" else found
    return _on_present(lambda a, b: _compare_objects(compare, a, b), bool, False, left, right)


def _compare_objects(compare: Callable[[Any, Any], Any], left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Mask:
    kinds = {_kind(np.asarray(side, dtype=object)) for side in (left, right)}
    if "text" in kinds and kinds - {"text", "nothing"}:
        raise WrongTypeError("a text is compared with a number")
    return compare(left, right).astype(bool)


def _on_present(
    compute: Callable[..., Any], dtype: type, absent: object, *values: Value
) -> npt.NDArray[Any] | bool | object:
    """Apply a function to the elements where no value is missing; elsewhere the result is `absent`."""
    arrays = np.broadcast_arrays(*(np.asarray(value, dtype=object) for value in values))
    present = ~reduce(np.logical_or, (np.asarray(is_missing(np.atleast_1d(array))) for array in arrays))
    result: npt.NDArray[Any] = np.full(present.shape, absent, dtype=dtype)
    result[present] = compute(*(np.atleast_1d(array)[present] for array in arrays))
    return result if arrays[0].ndim else result[0]


def _chain(node: Node, *operands: Value) -> Mask:
    assert isinstance(node, ast.Compare)
    links = [_compare(s, a, b) for s, a, b in zip(node.operators, operands[:-1], operands[1:], strict=True)]
    return reduce(np.logical_and, links)


def _membership(node: Node, operand: Value, *choices: Value) -> Mask:
    assert isinstance(node, ast.Membership)
    found = reduce(np.logical_or, [_compare("==", operand, choice) for choice in choices])
    return np.logical_not(found | is_missing(operand)) if node.negated else found


def _logical(node: Node, *operands: Value) -> Mask:
    assert isinstance(node, ast.Logical)
    join = np.logical_and if node.operator == "and" else np.logical_or
    return reduce(join, [as_condition(operand) for operand in operands])


def _unary(node: Node, operand: Value) -> Value:
    assert isinstance(node, ast.Unary)
    number = as_number(operand)
    return -number if node.operator == "-" else number


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.mod,
    "^": np.power,
}


def _binary(node: Node, left: Value, right: Value) -> Value:
    assert isinstance(node, ast.Binary)
    return ARITHMETIC[node.operator](as_number(left), as_number(right))


def _numeric(function: Callable[..., Any]) -> Callable[..., Value]:
    return lambda node, *values: function(*map(as_number, values))


def _choose(node: Node, condition: Value, then: Value, otherwise: Value) -> Value:
    if _is_object(then) != _is_object(otherwise):
        then, otherwise = (
            as_number(v) if not isinstance(v, str) and (not _is_object(v) or _kind(v) in ("nothing", "boolean")) else v
            for v in (then, otherwise)
        )
        if _is_object(then) or _is_object(otherwise):
            raise WrongTypeError("`where` chooses between a text and a number")
    if _is_object(then):
        then, otherwise = np.asarray(then, dtype=object), np.asarray(otherwise, dtype=object)
    return np.where(as_condition(condition), then, otherwise)


def _textual(function: Callable[..., Any], dtype: type, absent: object) -> Callable[..., Value]:
    each = np.frompyfunc(function, 1 if dtype is object else 2, 1)
    return lambda node, *values: _on_present(each, dtype, absent, *map(as_text, values))


def _rh_from_rs(node: Node, rs: Value, equation: Value) -> Value:
    from soilql.stats.heterotrophic import rh_from_rs

    return rh_from_rs(as_number(rs), as_text(equation))


def _index(name: str) -> Callable[..., Value]:
    def compute(node: Node, *values: Value) -> Value:
        from soilql.stats import vegetation

        return getattr(vegetation, name)(*map(as_number, values))

    return compute


def _folded(function: Callable[[Any, Any], Any]) -> Callable[..., Value]:
    return lambda node, *values: reduce(function, map(as_number, values))


_AS_IN_NUMPY = (
    "exp", "log", "log10", "log2", "log1p", "expm1", "sqrt", "abs",
    "sin", "cos", "tan", "tanh", "floor", "ceil", "sign",
)  # fmt: skip
#: Functions of one number that numpy has under the same name.
NUMERIC: dict[str, Callable[..., Any]] = {name: getattr(np, name) for name in _AS_IN_NUMPY}

OPERATIONS: dict[Any, Callable[..., Value]] = {
    ast.Unary: _unary,
    ast.Binary: _binary,
    ast.Compare: _chain,
    ast.Membership: _membership,
    ast.Logical: _logical,
    ast.Not: lambda node, value: np.logical_not(as_condition(value)),
    **{name: _numeric(function) for name, function in NUMERIC.items()},
    "round": _numeric(np.rint),
    "min": _folded(np.minimum),
    "max": _folded(np.maximum),
    "clip": _numeric(lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    "where": _choose,
    "missing": lambda node, value: is_missing(value),
    "lower": _textual(str.lower, object, None),
    "upper": _textual(str.upper, object, None),
    "startswith": _textual(str.startswith, bool, False),
    "endswith": _textual(str.endswith, bool, False),
    "contains": _textual(operator.contains, bool, False),
    "rh_from_rs": _rh_from_rs,
    **{name: _index(name) for name in ("ndvi", "evi", "lswi")},
    "C": lambda node, value: value,
    "I": _numeric(lambda x: x),
}
