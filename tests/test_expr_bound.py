"""Programs at fixed data against the interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soilql.errors import SoilqlError
from soilql.expr.bound import BoundProgram
from soilql.expr.derivative import compile_model
from soilql.expr.evaluate import Program
from soilql.expr.parse import Expression, parse_expression, parse_formula

DATA = {
    "T": np.array([-3.0, 0.0, 12.5, np.nan, 40.0]),
    "wet": np.array([True, False, True, False, True]),
    "kind": np.array(["a", "b", None, "a", "b"], dtype=object),
}
ATOMS = ["a", "b", "T", "wet", "2", "0", "0.5", "pi"]
CONDITIONS = ["T > a", "wet", "kind == 'a'", "a <= b", "not (b > T)", "T > 0 and a < b", "a in [1, 2]", "missing(a*T)"]
FORMS = [
    "({0} + {1})", "({0} - {1})", "({0} * {1})", "({0} / {1})", "({0} % {1})", "({0} ^ {1})", "-{0}", "+{0}",
    "exp({0})", "log({0})", "sqrt({0})", "abs({0})", "round({0})", "sign({0})", "I({0})", "min({0}, {1})",
    "max({0}, {1}, 1)", "clip({0}, -1, {1})", "where({2}, {0}, {1})",
]  # fmt: skip


def texts() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda below: st.builds(
            lambda form, one, two, condition: form.format(one, two, condition),
            st.sampled_from(FORMS),
            below,
            below,
            st.sampled_from(CONDITIONS),
        ),
        max_leaves=8,
    )


def interpreted(program: Program, values: dict[str, float]) -> list[object]:
    return program.run({**DATA, **values}, lambda node: None)


@settings(max_examples=300)
@given(st.lists(texts(), min_size=1, max_size=3), st.lists(st.floats(-5, 5), min_size=4, max_size=4))
def test_same_bits_as_the_interpreter_at_every_run(expressions: list[str], numbers: list[float]) -> None:
    program = Program([parse_expression(text).root for text in expressions])
    bound = BoundProgram(program, DATA, ["a", "b"], lambda node: None)
    for a, b in (numbers[:2], numbers[2:]):
        for found, expected in zip(bound.run([a, b]), interpreted(program, {"a": a, "b": b}), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_parameters_come_before_columns_and_constants() -> None:
    program = Program([parse_expression("T + pi").root])
    bound = BoundProgram(program, DATA, ["pi", "T"], lambda node: None)
    assert bound.run([1.0, 2.0]) == [3.0]


def test_what_depends_on_data_alone_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from soilql.expr import operations

    calls = []
    power = np.power
    monkeypatch.setitem(operations.ARITHMETIC, "^", lambda x, y: calls.append(1) or power(x, y))
    model = compile_model(parse_formula("Rs ~ a * exp(b*T + c*T^2)"), ["a", "b", "c"]).bind({"T": np.arange(3.0)})
    for a in (1.0, 2.0, 3.0):
        model.value([a, 0.1, -0.01])
    assert len(calls) == 1


def test_results_may_be_changed_without_harm() -> None:
    model = compile_model(parse_formula("y ~ a*T + 0*a"), ["a"]).bind({"T": np.array([1.0, 2.0])})
    value, jacobian = model.value_and_jacobian([3.0])
    value[:], jacobian[:] = -1.0, -1.0
    value, jacobian = model.value_and_jacobian([3.0])
    np.testing.assert_array_equal(value, [3.0, 6.0])
    np.testing.assert_array_equal(jacobian, [[1.0], [2.0]])


def test_errors_show_their_place() -> None:
    def fails(text: str) -> SoilqlError:
        expression: Expression = parse_expression(text)
        with pytest.raises(SoilqlError) as caught:
            BoundProgram(Program([expression.root]), DATA, ["a"], expression.span).run([1.0])
        return caught.value

    (unknown,) = fails("a * temperature").diagnostics
    assert (unknown.code, unknown.span and unknown.span.start) == ("SQ201", 4)
    (wrong,) = fails("a * kind").diagnostics
    assert wrong.code == "SQ112"
