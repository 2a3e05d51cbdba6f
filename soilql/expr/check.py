"""Names, functions, arity and types of an expression, checked without data and all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from soilql.edits import respelled
from soilql.errors import Diagnostic, Fix, Span, did_you_mean
from soilql.expr import ast
from soilql.expr.ast import Node, to_text
from soilql.expr.functions import CONSTANTS, FUNCTIONS, Function, ValueType
from soilql.expr.parse import Expression

_WITH_ARTICLE = {"number": "a number", "text": "a text", "boolean": "true or false"}


@dataclass(frozen=True)
class Scope:
    """The names an expression may use.

    Attributes
    ----------
    names : mapping of str to ValueType
        Columns, parameters and the like, with their types; "unknown" for a type not known before the data are read.
    open : bool
        True when there may be more names than these, so that an unknown one is no error.
    absent : str
        What an unknown name is not, such as "neither a column of `training` nor a parameter of `rs`".
    hint : str
        How to mend an unknown name that is like no known one.
    """

    names: Mapping[str, ValueType] = field(default_factory=dict)
    open: bool = False
    absent: str = ""
    hint: str = ""


def check(
    expression: Expression, scope: Scope, result: ValueType = "unknown", *, linear: bool = False
) -> list[Diagnostic]:
    """Check an expression against the names it may use.

    Parameters
    ----------
    expression : Expression
        What to check; both sides of a formula are checked.
    scope : Scope
        Known names and their types.
    result : {"number", "text", "boolean", "unknown"}
        Type the whole has to have ("boolean" for a filter); "unknown" accepts any. For a formula, the type of
        its response.
    linear : bool
        True for a formula of terms (a linear model, or the features of a learner), where `:`, `(1 | site)`,
        `C()` and `I()` mean something and `+ - * / ^` between terms are no arithmetic.

    Returns
    -------
    list of Diagnostic
        In order of place: unknown name SQ201, unknown function SQ202, number of arguments SQ111, types SQ112,
        formula algebra outside a linear formula SQ113.

    Examples
    --------
    >>> from soilql.expr.parse import parse_expression
    >>> scope = Scope({"T": "number"}, absent="not a column of `training`")
    >>> for found in check(parse_expression('expp(Tm) > "a"'), scope, "boolean"):
    ...     print(found.code, found.message, "|", found.help)
    SQ202 unknown function `expp` | did you mean `exp`?
    SQ201 unknown name `Tm` | did you mean `T`?
    """
    checker = _Checker(expression, scope, _algebra_nodes(expression.root) if linear else set(), linear)
    root = expression.root
    whole = root.response if isinstance(root, ast.Formula) else root
    types: dict[int, ValueType] = {}

    def visit(node: Node, below: tuple[ValueType, ...]) -> ValueType:
        types[id(node)] = found = checker.visit(node, below)
        return found

    ast.fold(root, visit)
    if isinstance(root, ast.Formula) and not linear:
        checker.want_number(root.predictors, types[id(root.predictors)], "the right side of a formula")
    user = {"boolean": "a filter"}.get(result, "the result" if whole is root else "the response")
    checker.want_result(whole, types[id(whole)], result, user)
    return sorted(checker.found, key=Diagnostic.sort_key)


def _algebra_nodes(root: Node) -> set[int]:
    """Return the ids of the nodes that join terms of a linear formula and do no arithmetic."""
    found: set[int] = set()
    stack = [root.predictors] if isinstance(root, ast.Formula) else []
    while stack:
        node = stack.pop()
        found.add(id(node))
        if isinstance(node, ast.Binary | ast.Unary | ast.Interaction | ast.GroupTerm):
            stack += node.children
    return found


class _Checker:
    def __init__(self, expression: Expression, scope: Scope, algebra: set[int], linear: bool) -> None:
        self.expression = expression
        self.scope = scope
        self.algebra = algebra
        self.linear = linear
        self.found: list[Diagnostic] = []

    def add(
        self, code: str, message: str, node: Node, label: str = "", help: str = "", fixes: tuple[Fix, ...] = ()
    ) -> None:
        self.found.append(Diagnostic(code, message, self.expression.span(node), label, help, fixes=fixes))

    def visit(self, node: Node, below: tuple[ValueType, ...]) -> ValueType:
        """Note what is wrong with one node, given the types of its children, and return its type."""
        match node:
            case ast.Number():
                return "number"
            case ast.Text():
                return "text"
            case ast.Boolean():
                return "boolean"
            case ast.Name():
                return self.name(node)
            case ast.Call():
                return self.call(node, below)
            case ast.Binary() | ast.Unary():
                return self.arithmetic(node, below)
            case ast.Compare():
                self.comparison(node, below)
                return "boolean"
            case ast.Membership():
                for choice, kind in zip(node.choices, below[1:], strict=True):
                    self.comparable(node.operand, below[0], choice, kind)
                return "boolean"
            case ast.Logical() | ast.Not():
                word = node.operator if isinstance(node, ast.Logical) else "not"
                for operand, kind in zip(node.children, below, strict=True):
                    self.want_condition(operand, kind, f"`{word}`")
                return "boolean"
            case ast.Interaction() | ast.GroupTerm():
                self.algebra_in_place(node)
        return "unknown"

    def name(self, node: ast.Name) -> ValueType:
        known = self.scope.names.get(node.name)
        if node.name in CONSTANTS:
            if known is not None:
                message = f"`{node.name}` is both a column and the constant"
                self.add("SQ201", message, node, help="rename the column")
            return "number"
        if known is not None:
            return known
        if node.name in FUNCTIONS:
            help = f"write `{node.name}(...)` to call it"
            self.add("SQ201", f"`{node.name}` is a function, not a value", node, self.scope.absent, help)
        elif not self.scope.open:
            choices = [*self.scope.names, *CONSTANTS, "true", "false"]
            help = did_you_mean(node.name, choices) or self.scope.hint
            fixes = respelled(self.expression.span(node), node.name, choices, safe=False)
            fixes = fixes if all(ast.name_text(fix.replacement) == fix.replacement for fix in fixes) else ()
            message = f"unknown name {ast.quoted_name(node.name)}"
            self.add("SQ201", message, node, self.scope.absent, help, fixes)
        return "unknown"

    def call(self, node: ast.Call, below: tuple[ValueType, ...]) -> ValueType:
        function = FUNCTIONS.get(node.function)
        if function is None:
            self.unknown_function(node)
            return "unknown"
        if function.formula_only and not self.linear:
            help = "write the arithmetic as it stands" if function.name == "I" else "name the column alone"
            self.add("SQ113", f"`{function.name}()` belongs in a linear formula only", node, help=help)
        if not function.accepts(len(below)):
            message = f"`{function.name}` takes {function.arity}, not {len(below)}"
            self.add("SQ111", message, node, function.doc)
        found = self.arguments(function, node, below)
        return "unknown" if function.formula_only and not self.linear else found

    def unknown_function(self, node: ast.Call) -> None:
        name = node.function
        if name in self.scope.names:
            message, help = f"`{name}` is a name, not a function", f"write `{name} * (...)` for a product"
            fixes: tuple[Fix, ...] = ()
        else:
            message, help = f"unknown function `{name}`", did_you_mean(name, FUNCTIONS)
            fixes = respelled(self.expression.span(_head(node)), name, FUNCTIONS, safe=False)
        self.add("SQ202", message, _head(node), help=help, fixes=fixes)

    def arguments(self, function: Function, node: ast.Call, below: Sequence[ValueType]) -> ValueType:
        choices = dict(function.choices)
        same: list[tuple[Node, ValueType]] = []
        for i, (argument, kind) in enumerate(zip(node.arguments, below, strict=True)):
            wanted = function.argument(i)
            if i in choices:
                self.choice(function, argument, choices[i])
            elif wanted == "same":
                same.append((argument, kind))
            elif wanted == "number":
                self.want_number(argument, kind, f"`{function.name}`")
            elif wanted == "boolean":
                self.want_condition(argument, kind, f"`{function.name}`")
            elif wanted == "text" and kind not in ("text", "unknown"):
                self.mismatch(argument, kind, "a text", f"`{function.name}`")
        if function.result == "same":
            return self.common(function, same)
        if function.result == "any":
            return below[0] if below else "unknown"
        return function.result

    def common(self, function: Function, same: Sequence[tuple[Node, ValueType]]) -> ValueType:
        known = [(node, kind) for node, kind in same if kind != "unknown"]
        kinds = {kind for _, kind in known}
        if "text" in kinds and len(kinds) > 1:
            node, kind = next((n, k) for n, k in known if k != known[0][1])
            message = f"`{function.name}` chooses between {_WITH_ARTICLE[known[0][1]]} and {_WITH_ARTICLE[kind]}"
            self.add("SQ112", message, node, "both values need one type")
            return "unknown"
        if len(known) < len(same) or not known:
            return "text" if kinds == {"text"} else "unknown"
        return "number" if "number" in kinds else known[0][1]

    def choice(self, function: Function, argument: Node, choices: Sequence[str]) -> None:
        listed = ", ".join(f'"{choice}"' for choice in choices)
        if not isinstance(argument, ast.Text):
            self.add("SQ112", f"`{function.name}` needs one of {listed} here", argument, "written out, in quotes")
        elif argument.value not in choices:
            help = did_you_mean(argument.value, choices)
            whole = self.expression.span(argument)
            inside = Span(whole.source, whole.start + 1, max(whole.start + 1, whole.end - 1))
            fixes = respelled(inside, argument.value, choices, safe=True)
            message = f"{to_text(argument)} is no choice of `{function.name}`"
            self.add("SQ112", message, argument, f"one of {listed}", help, fixes)

    def arithmetic(self, node: ast.Binary | ast.Unary, below: tuple[ValueType, ...]) -> ValueType:
        if id(node) in self.algebra:
            return "unknown"
        for operand, kind in zip(node.children, below, strict=True):
            self.want_number(operand, kind, f"`{node.operator}`")
        return "number"

    def comparison(self, node: ast.Compare, below: tuple[ValueType, ...]) -> None:
        for i, operator in enumerate(node.operators):
            self.comparable(node.operands[i], below[i], node.operands[i + 1], below[i + 1])
            if operator in ("==", "!=") or "boolean" not in below[i : i + 2]:
                continue
            side = i if below[i] == "boolean" else i + 1
            message = f"`{operator}` on true and false"
            self.add(
                "SQ112", message, node.operands[side], "a condition has no order", "write `and` between conditions"
            )

    def comparable(self, left: Node, left_kind: ValueType, right: Node, right_kind: ValueType) -> None:
        if "unknown" in (left_kind, right_kind) or (left_kind == "text") == (right_kind == "text"):
            return
        message = f"{_shown(left)} is {_WITH_ARTICLE[left_kind]} and {_shown(right)} is {_WITH_ARTICLE[right_kind]}"
        help = ""
        literal, other = (left, right_kind) if isinstance(left, ast.Text) else (right, left_kind)
        if isinstance(literal, ast.Text) and other == "number" and _is_number(literal.value):
            help = f"write `{literal.value}` without quotes"
        elif isinstance(right, ast.Number) and left_kind == "text":
            help = f'write `"{to_text(right)}"` in quotes'
        self.add("SQ112", message, right, "the two never compare", help)

    def want_number(self, node: Node, kind: ValueType, user: str) -> None:
        if kind == "text":
            self.mismatch(node, kind, "a number", user)

    def want_condition(self, node: Node, kind: ValueType, user: str) -> None:
        if kind not in ("boolean", "unknown"):
            help = (
                f"compare it, as in `{_bare(node)} > 0`"
                if kind == "number"
                else f'compare it, as in `{_bare(node)} == "..."`'
            )
            self.mismatch(node, kind, "a condition", user, help)

    def want_result(self, node: Node, kind: ValueType, result: ValueType, user: str) -> None:
        if result == "boolean":
            self.want_condition(node, kind, user)
        elif result == "number":
            self.want_number(node, kind, user)
        elif result == "text" and kind not in ("text", "unknown"):
            self.mismatch(node, kind, "a text", user)

    def mismatch(self, node: Node, kind: ValueType, wanted: str, user: str, help: str = "") -> None:
        self.add(
            "SQ112", f"{user} needs {wanted}, not {_WITH_ARTICLE[kind]}", node, f"this is {_WITH_ARTICLE[kind]}", help
        )

    def algebra_in_place(self, node: ast.Interaction | ast.GroupTerm) -> None:
        if id(node) not in self.algebra:
            what = "`:`" if isinstance(node, ast.Interaction) else "`( | )`"
            message = f"{what} joins terms of a linear formula and means nothing here"
            help = "write `*` for a product" if isinstance(node, ast.Interaction) else ""
            self.add("SQ113", message, node, help=help)


def _head(node: ast.Call) -> ast.Name:
    """Return the function's name as a node of its own, for its place."""
    end = node.start + len(node.function) if node.start >= 0 else -1
    return ast.Name(node.function, start=node.start, end=end)


def _shown(node: Node) -> str:
    text = to_text(node)
    if len(text) > 40:
        return "this"
    return text if isinstance(node, ast.Text) or "`" in text else f"`{text}`"


def _bare(node: Node) -> str:
    text = to_text(node)
    simple = len(text) <= 40 and isinstance(node, ast.Name | ast.Number | ast.Call)
    return text if simple else "..."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
