"""JSON Schema of a spec, generated from the parameters of every kind: what editors complete and check against."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from soilql import kinds
from soilql import params as p
from soilql.inputs import Input
from soilql.spec import GRAMMAR_VERSION, SECTION_DOCS, Meta
from soilql.type_words import describe
from soilql.using import Use

_REFERENCE = {"type": "string", "pattern": r"^\s*\$\{.*\}\s*$", "description": "a reference such as ${inputs.name}"}
# Letters of every script, digits and underscores. Editors read `\w` as ASCII, so what is no letter is left out instead.
_NEW_NAME = r"^[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f][^\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f]*$"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a YAML spec.

    Returns
    -------
    dict
        Each block is checked against the schema of its ``kind`` alone, so that an editor blames the right key.
    """
    defs: dict[str, Any] = {"reference": _REFERENCE}
    properties: dict[str, Any] = {
        "soilql": {"const": GRAMMAR_VERSION, "description": "Version of the grammar."},
        "meta": _object(Meta, defs) | {"type": ["object", "null"], "description": SECTION_DOCS["meta"]},
        "inputs": {
            "type": ["object", "null"],
            "description": SECTION_DOCS["inputs"],
            "additionalProperties": {
                "anyOf": [_object(Input, defs), {"type": ["string", "number", "boolean", "array"]}]
            },
        },
    }
    properties["extends"] = {"type": "string", "description": "Spec that this one is built on, relative to the file."}
    properties["use"] = _recipes(defs)
    for section in kinds.SECTIONS:
        properties[section] = _section(section, defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "soilql spec",
        "type": "object",
        "required": ["soilql"],
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "$defs": dict(sorted(defs.items())),
    }


def _recipes(defs: dict[str, Any]) -> dict[str, Any]:
    used = _object(Use, defs)
    used["properties"] |= {
        "inputs": {"type": "object", "description": "values of the recipe's inputs"},
        "recipe": {"type": "object", "description": "the text of the recipe, as `soilql render` writes it"},
    }
    return {
        "type": ["object", "null"],
        "description": "Recipes under an alias; their blocks are `ALIAS::NAME` here.",
        "additionalProperties": {"anyOf": [used, {"type": "string"}]},
    }


def _section(section: str, defs: dict[str, Any]) -> dict[str, Any]:
    names = kinds.names(section)
    branches = []
    snippets = []
    summaries = []
    for name in names:
        kind = kinds.find(section, name)
        assert kind is not None
        schema = _object(kind.params_type, defs)
        summary = kind.doc.partition("\n")[0]
        schema["properties"] = {"kind": {"const": name, "description": summary}, **schema["properties"]}
        schema["required"] = ["kind", *schema.get("required", [])]
        schema["description"] = summary
        defs[f"{section}.{name}"] = schema
        summaries.append(summary)
        snippets.append(_snippet(name, summary, schema["required"][1:]))
        condition = {"properties": {"kind": {"const": name}}, "required": ["kind"]}
        branches.append({"if": condition, "then": {"$ref": f"#/$defs/{section}.{name}"}})
    what = "Kind of the block, which decides what its other keys are."
    kind_names = {"enum": list(names), "description": what, "markdownEnumDescriptions": summaries}
    block = {"type": "object", "required": ["kind"], "properties": {"kind": kind_names}, "allOf": branches}
    return {
        "type": ["object", "null"],
        "description": SECTION_DOCS[section],
        "patternProperties": {"^x-": {}, _NEW_NAME: block},
        "additionalProperties": False,
        # One level down, as an editor would otherwise put no line break behind the name of the section.
        "allOf": [{"defaultSnippets": snippets}],
    }


def _snippet(kind: str, summary: str, required: list[str]) -> dict[str, Any]:
    """Return what an editor puts in for a new block: its kind and the keys that it must have, to be filled in."""
    keys = {key: f"${i}" for i, key in enumerate(required, start=2)}
    return {"label": kind, "description": summary, "body": {"${1:name}": {"kind": kind, **keys}}}


def _object(cls: type[p.Params], defs: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for field in p.fields(cls):
        schema = _with_bounds(_type(field.type, defs), field)
        if not field.required:  # a key without a value means its default
            schema = _or_null(schema)
        schema |= _doc(field.doc + (f" [{field.unit}]" if field.unit else ""))
        if not field.required and isinstance(field.default, str | int | float | list) and field.default != []:
            schema["default"] = field.default
        properties[field.key] = schema
        if field.required:
            required.append(field.key)
    found: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }
    return found | ({"required": required} if required else {})


def _doc(text: str) -> dict[str, str]:
    """Return a description; with signs of Markdown in it for editors that show them, as others would quote them."""
    return {"description": text} | ({"markdownDescription": text} if "`" in text else {})


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Allow no value; as a type where there is one, so that an editor still blames the right key inside."""
    if "type" not in schema:
        return {"anyOf": _flat([schema, {"type": "null"}])}
    given = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*given, "null"]}


def _with_bounds(schema: dict[str, Any], field: p.Field) -> dict[str, Any]:
    bounds = {
        "minimum": field.minimum,
        "maximum": field.maximum,
        "exclusiveMinimum": field.above,
        "exclusiveMaximum": field.below,
    }
    given = {key: value for key, value in bounds.items() if value is not None}

    def bound(inner: Any) -> Any:
        if isinstance(inner, list):
            return [bound(item) for item in inner]
        if not isinstance(inner, dict):
            return inner
        known = {key: bound(value) if key in ("anyOf", "items") else value for key, value in inner.items()}
        return known | given if inner.get("type") in ("number", "integer") else known

    result: dict[str, Any] = bound(schema)
    return result


def _type(annotation: Any, defs: dict[str, Any]) -> dict[str, Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return {"type": ["string", "number", "boolean"], "title": describe(annotation)}
    if origin in (Union, types.UnionType):
        choices = [arg for arg in get_args(annotation) if arg is not type(None)]
        null = [{"type": "null"}] if len(choices) < len(get_args(annotation)) else []
        return {"anyOf": _flat([_type(choice, defs) for choice in choices] + null)}
    if origin is list:
        item = _type(get_args(annotation)[0], defs)
        return {"anyOf": _flat([{"type": "array", "items": item}, item])}
    if origin is dict:
        key, item = get_args(annotation)
        values = _type(item, defs)
        named = {_NEW_NAME: values} if key is p.NewName else {"^(?!x-)": values}
        return {"type": "object", "patternProperties": {"^x-": {}, **named}, "additionalProperties": False}
    if origin is Literal:
        return {"anyOf": [{"enum": list(get_args(annotation))}, {"$ref": "#/$defs/reference"}]}
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return _nested(annotation, defs)
    return _scalar(annotation)


def _nested(cls: type[p.Params], defs: dict[str, Any]) -> dict[str, Any]:
    name = f"{cls.__module__.rpartition('.')[2]}.{cls.__name__}"
    if name not in defs:
        defs[name] = {}
        defs[name] = _object(cls, defs) | {"description": (cls.__doc__ or "").partition("\n")[0]}
    ref: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
    short = next((field for field in p.fields(cls) if field.key == cls.SHORTHAND), None)
    return ref if short is None else {"anyOf": _flat([ref, _with_bounds(_type(short.type, defs), short)])}


def _scalar(annotation: Any) -> dict[str, Any]:
    reference = {"$ref": "#/$defs/reference"}
    if annotation is int:
        return {"anyOf": [{"type": "integer"}, reference]}
    if annotation is float:
        return {"anyOf": [{"type": "number"}, reference]}
    if annotation is bool:
        return {"anyOf": [{"type": "boolean"}, reference]}
    title = {} if annotation is str else {"title": describe(annotation)}
    if annotation in (str, p.ColumnName, p.UnitText):
        return {"type": ["string", "number", "boolean"], **title}
    return {"type": "string", **title}


def _flat(choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for choice in choices:
        inner = choice["anyOf"] if set(choice) == {"anyOf"} else [choice]
        flat += [item for item in inner if item not in flat]
    return flat
