"""The numbers of classes are used as if they were measured.

A climate type or a class of land cover is a name that happens to be written as a number: class 8 is not twice class 4.
A sum, a slope or a split by size of such numbers means nothing, and changes with the order in which somebody listed the
classes. Write `C(x)` in a formula, use zones of kind `classes`, or compare with single classes.

Stevens (1946), doi:10.1126/science.103.2684.677.

Bad::

    formula: Rs ~ MAT + Climate_type

Good::

    formula: Rs ~ MAT + C(Climate_type)
"""

from __future__ import annotations

from collections.abc import Iterator

from soilql import design, lineage
from soilql.errors import Diagnostic, Severity, Span
from soilql.expr import ast
from soilql.kinds import Block
from soilql.params import Ref
from soilql.spec import Spec

CODE = "SQ639"
TITLE = "class numbers used as numbers"


def check(spec: Spec) -> Iterator[Diagnostic]:
    """Yield a warning for each class used as a number in a formula, a cut, or an expression."""
    for model in design.models(spec):
        formula, data = model.params.formula, str(model.params.data)
        help = "make zones of kind `classes` of it" if model.kind == "nonlinear" else "write `C({})`"
        for node in _as_number(formula.formula.predictors, bare=True):
            if _is_class(spec, data, node.name):
                yield _warning(node.name, formula.span(node), help.format(node.name))
    for block in design.blocks(spec, "compute"):
        for node in _as_number(block.params.expr.root, bare=False):
            ref = Ref(node.name)
            if ref.variable is not None and _is_class(spec, ref.block, ref.variable):
                yield _warning(ref.variable, block.params.expr.span(node), "compare it with single classes")
    yield from _derived(spec)
    yield from _cuts(spec)


def _warning(name: str, span: Span, help: str) -> Diagnostic:
    message = f"`{name}` holds numbers of classes, which are no quantities"
    return Diagnostic(CODE, message, span, help=help, severity=Severity.WARNING)


def _derived(spec: Spec) -> Iterator[Diagnostic]:
    for block in design.blocks(spec, "grid", "table"):
        made = block.params.derive if block.kind == "grid" else block.params.columns
        for one in made.values():
            for node in _as_number(one.expr.root, bare=False) if one.expr is not None else ():
                if _is_class(spec, block.name, node.name):
                    yield _warning(node.name, one.expr.span(node), "compare it with single classes")


def _cuts(spec: Spec) -> Iterator[Diagnostic]:
    users: dict[str, list[Block]] = {}
    for block in spec.blocks.values():
        users.setdefault(str(getattr(block.params, "by", None)), []).append(block)
    for zones in design.blocks(spec, "cut"):
        name = str(zones.params.of)
        data = [
            str(ref)
            for user in users.get(zones.name, ())
            for key in ("data", "on")
            if (ref := getattr(user.params, key, None))
        ]
        if any(_is_class(spec, Ref(ref).block, name) for ref in data):
            yield _warning(name, zones.span("of"), "use zones of kind `classes`")


def _as_number(root: ast.Node, *, bare: bool) -> Iterator[ast.Name]:
    """Yield the names that arithmetic is done with; with `bare`, also those that stand alone."""
    stack = [(root, bare)]
    while stack:
        node, counts = stack.pop()
        if isinstance(node, ast.Name) and counts:
            yield node
        if isinstance(node, ast.Compare | ast.Membership | ast.GroupTerm):
            continue
        if isinstance(node, ast.Call) and node.function in ("C", "missing"):
            continue
        inner = counts or isinstance(node, ast.Binary | ast.Unary | ast.Call)
        stack += [(child, inner) for child in reversed(node.children)]


def _is_class(spec: Spec, block: str, column: str) -> bool:
    origin = lineage.copies(spec, block, column)
    found = None if origin is None else lineage.variable(spec, origin)
    source = None if origin is None else spec.block(origin.block)
    if source is not None and source.kind == "grid":
        stated = [one.categorical for name, one in source.params.variables.items() if name == column]
        if stated and stated[0] is not None:
            return bool(stated[0])
    return found is not None and found.type == "category"
