"""What is known of a thing that a spec names, as Markdown for a hover or beside a completion."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from soilql import registry
from soilql.errors import Diagnostic, SoilqlError
from soilql.explain import codes
from soilql.expr.functions import CONSTANTS, FUNCTIONS, Function
from soilql.kinds import Block, Kind, Schema
from soilql.lsp.documents import Study
from soilql.lsp.names import Named
from soilql.params import Field, fields
from soilql.source import Mapping as MappingNode
from soilql.source import Node, Scalar, plain
from soilql.spec import SECTION_DOCS
from soilql.type_words import bounds_text, describe, number_text

_MOST_COLUMNS = 40
_MOST_CLASSES = 12
_BEFORE_CODE = re.compile(r"::[ \t]*$", re.MULTILINE)
_REST_CODE = re.compile(r"``([^`]+)``")

#: What the top-level keys without a section of blocks are.
KEY_DOCS: Mapping[str, str] = {
    "soilql": "Version of the grammar: 1.",
    "extends": "One parent spec, by its path; what this file says wins, `$remove` leaves out.",
    "use": "Recipes under an alias; their blocks are `alias::name`.",
    **SECTION_DOCS,
}


def prose(text: str) -> str:
    """Return documentation as Markdown: indented examples become fenced ones.

    Examples
    --------
    >>> print(prose("Bad::\\n\\n    a: 1"))
    Bad:
    <BLANKLINE>
    ```yaml
    a: 1
    ```
    """
    parts: list[str] = []
    for paragraph in textwrap.dedent(text).strip("\n").split("\n\n"):
        lines = paragraph.splitlines()
        if lines and all(line.startswith("    ") for line in lines):
            code = textwrap.dedent(paragraph)
            if parts and parts[-1].startswith("```"):  # a blank line inside an example
                parts[-1] = f"{parts[-1][: -len('```')]}\n{code}\n```"
            else:
                parts.append(f"```yaml\n{code}\n```")
        else:
            parts.append(_REST_CODE.sub(r"`\1`", _BEFORE_CODE.sub(":", paragraph)))
    return "\n\n".join(parts)


def code_text(code: str) -> str:
    """Return what a code means; empty for one that there is not."""
    title, _, why = codes().get(code, "").partition("\n\n")
    return f"**{title}**\n\n{prose(why)}" if title else ""


def section_text(section: str) -> str:
    """Return what a top-level key is for."""
    return f"**{section}**\n\n{KEY_DOCS[section]}" if section in KEY_DOCS else ""


def kind_text(kind: Kind) -> str:
    """Return what a kind does, with its parameters."""
    lines = [f"**{kind.name}**, a kind of `{kind.section}`", "", prose(kind.module.__doc__ or ""), ""]
    declared = sorted(fields(kind.params_type), key=lambda field: not field.required)
    return "\n".join([*lines, *(f"- `{field.key}`{_need(field)}: {_facts(field)}" for field in declared)])


def _need(field: Field) -> str:
    return " (required)" if field.required else ""


def _facts(field: Field) -> str:
    facts = [describe(field.type)]
    if words := bounds_text(field):
        facts.append(words)
    if field.unit:
        facts.append(f"in {field.unit}")
    if not field.required and (default := default_text(field.default)):
        facts.append(f"default `{default}`")
    return ", ".join(facts)


def field_facts(field: Field) -> str:
    """Return type, bounds, unit and default of a parameter in one line."""
    return _facts(field) + (", required" if field.required else "")


def field_text(field: Field) -> str:
    """Return what a parameter is."""
    return f"**{field.key}**: {field_facts(field)}\n\n{field.doc}"


def default_text(value: object) -> str:
    """Return a default as it is written; empty where nothing stands for it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(default_text, value))}]" if value else ""
    return value if isinstance(value, str) else ""


def signature(function: Function) -> str:
    """Return how a function is called.

    Examples
    --------
    >>> signature(FUNCTIONS["clip"]), signature(FUNCTIONS["min"])
    ('clip(number, number, number) -> number', 'min(number, number, ...) -> number')
    """
    arguments = [function.argument(i) for i in range(max(function.minimum, len(function.arguments)))]
    more = ", ..." if function.maximum is None else ""
    return f"{function.name}({', '.join(arguments)}{more}) -> {function.result}"


def function_text(name: str) -> str:
    """Return what a function or constant of the expression language is."""
    if name in CONSTANTS:
        return f"**{name}**: the constant {CONSTANTS[name]!r}"
    function = FUNCTIONS[name]
    lines = [f"```text\n{signature(function)}\n```", function.doc]
    for position, texts in function.choices:
        lines.append(f"argument {position + 1} is " + " or ".join(f'`"{text}"`' for text in texts))
    return "\n\n".join(lines)


def input_text(name: str, declared: Node | None) -> str:
    """Return what an input is, from its declaration."""
    given = plain(declared)
    facts = given if isinstance(given, dict) else {"default": given}
    lines = [f"**{name}**: an input of the spec"]
    default = facts.get("default")
    if default is not None:
        lines.append(f"default `{default_text(default) or default}`")
    for key, words in (("min", "at least {}"), ("max", "at most {}"), ("choices", "one of {}")):
        if (value := facts.get(key)) is not None:
            shown = ", ".join(f"`{item}`" for item in value) if isinstance(value, list) else f"`{value}`"
            lines.append(words.format(shown))
    if isinstance(facts.get("doc"), str):
        lines.append(facts["doc"])
    lines.append(f"Used as `${{inputs.{name}}}`, set with `--set {name}=...`.")
    return "\n\n".join(lines)


# --- blocks -----------------------------------------------------------------------------------------------------------


def block_text(study: Study, name: str) -> str:
    """Return what a block does, and its columns or variables as far as they are known."""
    block = study.spec.block(name)
    if block is None:
        entry = study.entry(name)
        kind = entry.value.get("kind") if entry is not None and isinstance(entry.value, MappingNode) else None
        return f"**{name}**, {kind.text if isinstance(kind, Scalar) else 'a block'} (not complete)" if entry else ""
    lines = [f"**{name}**: {block.kind}, in `{block.section}`", study.spec.kind(block).describe(block.params)]
    lines += _model_lines(block, study)
    schema = study.spec.schema(name)
    if schema is not None and schema.variables:
        lines.append("\n".join(_columns(schema)))
    return "\n\n".join(lines)


def _model_lines(block: Block, study: Study) -> Iterator[str]:
    from soilql.formula.typeset import explain_model

    if not hasattr(block.params, "formula"):
        return
    try:
        shown = explain_model(block, study.spec).split("\n", 2)[-1]
    except SoilqlError:
        return
    yield f"```text\n{shown}\n```"


def _columns(schema: Schema) -> Iterator[str]:
    yield "| name | unit | |"
    yield "| --- | --- | --- |"
    for i, (name, variable) in enumerate(schema.variables.items()):
        if i == _MOST_COLUMNS:
            yield f"| ... and {len(schema.variables) - i} more | | |"
            return
        roles = [role for role, column in schema.roles.items() if column == name]
        facts = [*(f"the {role}" for role in roles), _short(variable.description)]
        type = "text" if variable.type == "text" else variable.unit or ""
        yield f"| `{name}` | {type} | {'; '.join(filter(None, facts))} |"
    if schema.open:
        yield "| ... | | more are known when the data are read |"


def _short(text: str, longest: int = 80) -> str:
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= longest else text[: longest - 3] + "..."


def named_text(named: Named, study: Study) -> str:
    """Return what a column, variable, parameter or constant is: unit, type, range, and where it comes from."""
    known = named.registered
    parameter = _parameter(named, study)
    unit = named.variable.unit if parameter is None else parameter[0]
    head = f"**{named.name}**"
    type = named.variable.type if named.variable.type != "unknown" else ""
    facts = [fact for fact in (type if type != "number" or not unit else "", f"`{unit}`" if unit else "") if fact]
    lines = [": ".join([head, ", ".join(facts)]) if facts else head]
    if text := named.variable.description or (known.description if known is not None else ""):
        lines.append(text)
    if known is not None and known.range is not None:
        lines.append(f"from {known.range[0]:g} to {known.range[1]:g}")
    if known is not None and known.categories:
        listed = [f"{number} {label}" for number, label in known.categories.items()]
        more = f" ... {len(listed) - _MOST_CLASSES} more" if len(listed) > _MOST_CLASSES else ""
        lines.append(f"classes: {', '.join(listed[:_MOST_CLASSES])}{more}")
    lines.append(_where_from(named) if parameter is None else f"a parameter of `{named.owner}`{parameter[1]}")
    return "\n\n".join(filter(None, lines))


def _where_from(named: Named) -> str:
    if named.made is not None:
        field = named.made.field
        written = _written(named.made.value)
        what = f"{field.key} of" if field is not None else "made by"
        return f"in `{what} {named.owner}`: `{named.name}{written}`" if written else f"{what} `{named.owner}`"
    if named.entry is not None:
        return f"from `{named.owner}`: {named.entry.title} (`registry:{named.entry.name}`)"
    return f"made by `{named.owner}`" if named.owner else ""


def _written(value: Node | None) -> str:
    """Return how a new column is defined, on one line."""
    if isinstance(value, MappingNode):
        expression = value.get("expr") or value.get("from")
        return f" = {_one_line(expression)}" if isinstance(expression, Scalar) else ""
    return f" = {_one_line(value)}" if isinstance(value, Scalar) and value.text else ""


def _one_line(scalar: Scalar) -> str:
    return _short(" ".join(scalar.text.split()).replace("`", "'"))


def _parameter(named: Named, study: Study) -> tuple[str | None, str] | None:
    """Return the unit of a formula's parameter and what else is known of it; None for what is no parameter."""
    from soilql.formula.model import infer_model, of_block
    from soilql.formula.words import unit_text

    block = study.spec.block(named.owner)
    if named.made is None or block is None or not hasattr(block.params, "formula"):
        return None
    model = of_block(block, study.spec)
    if model is None or named.name not in model.parameters:
        return None
    one = model.parameters[named.name]
    inferred = None if one.unit else infer_model(model).units.get(named.name)
    facts = ["its unit follows from the formula"] if inferred is not None else []
    facts += [f"start {one.start:g}"] if one.start is not None else []
    facts += [f"from {one.bounds.low:g} to {one.bounds.high:g}"] if one.bounds is not None else []
    unit = one.unit or (None if inferred is None else unit_text(inferred))
    return unit, "".join(f"; {fact}" for fact in facts)


def data_set_text(name: str) -> str:
    """Return what a public data set holds."""
    try:
        entry = registry.find(name)
    except SoilqlError as error:
        return _problem(error.diagnostics[0])
    lines = [f"**{entry.title}**", f"`registry:{entry.name}`, a {entry.kind}; licence {entry.licence}"]
    lines += [entry.citation_text(), *map(str, entry.notes), f"{len(entry.variables)} columns or layers"]
    return "\n\n".join(lines)


def _problem(found: Diagnostic) -> str:
    return f"{found.message}: {found.help}" if found.help else found.message
