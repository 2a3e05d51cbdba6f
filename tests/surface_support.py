"""Trees and specs made at random for the tests of the two surfaces."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from soilql import kinds
from soilql import params as p
from soilql.errors import Source
from soilql.inputs import Input
from soilql.source import Entry, Mapping, Node, Scalar, Sequence, resolve
from soilql.spec import Meta

_NOWHERE = Source("<made>", "").span(0, 0)

PLAIN = ("1", "-2.5", "1e-3", "0x1F", ".inf", "-.INF", ".nan", "true", "False", "null", "10_0", "12:30", "no", "None")
WORDS = (
    "a",
    "Rs_annual",
    "registry:srdb-v5",
    "${inputs.x}",
    "g C m-2 yr-1",
    "1/degC",
    "Soil respiration, annual",
    "by",
)
EXPRESSIONS = (
    "x", "a*exp(b*T)", 'x > 0 and kind in ["a, b", \'c\']', "`two words` + (1 | site)", "-2^2 < x", "f(g[1], {2})",
    'rh_from_rs(rs, "bond-lamberty-2004")', "a == b", "lat <= 3 or not y", "Rs ~ MAT + MAP:x", '"a" == x',
    "(a + b) * c", "'a' == 'b'",
    " and ".join(f"column_{i} > {i}" for i in range(12)),
)  # fmt: skip
NASTY = (
    "", " ", "#", "a #b", "a: b", "a:", "- a", "-", "?", "|", "| x", "'", '"', "it's", "a'b'", "[", "]", "{a",
    "a]", "a,b", "=", "a = b", "a=b", "~", "<<", "&a", "*a", "!t", "%d", "@", "`", "\\", "\\n", "a\nb", "a\n",
    "\na", "a\n\n b\n", " a\n", "\t", "a\tb", "\x00", "\x85", "\u2028", "\ufeff", "é", "名前", "---", "...",
    "a  b", "a ", "true", "1", "1e3", "null", "f(", "(a", "a)", "x [g m-2]", "x in [a]", "word " * 40,
    "word  " * 40, "null\n", "model x = 3", "table(",
)  # fmt: skip


def scalar(text: str, quoted: bool = False) -> Scalar:
    """Return a scalar that stands nowhere."""
    return Scalar(text if quoted else resolve(text), text, _NOWHERE, '"' if quoted else "")


def node(value: Any) -> Node:
    """Return nested dicts and lists of scalars as a tree that stands nowhere."""
    if isinstance(value, dict):
        return Mapping(tuple(Entry(scalar(key, quoted=True), node(inner)) for key, inner in value.items()), _NOWHERE)
    if isinstance(value, list):
        return Sequence(tuple(map(node, value)), _NOWHERE)
    assert isinstance(value, Scalar)
    return value


texts = st.one_of(st.sampled_from(WORDS + EXPRESSIONS + NASTY + PLAIN), st.text(max_size=12))
scalars = st.one_of(st.sampled_from(PLAIN).map(scalar), texts.map(lambda text: scalar(text, quoted=True)))
keys = st.one_of(st.sampled_from(("kind", "default", "x-a", "$remove", "a", "b")), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)
_SECTIONS = ("inputs", *kinds.SECTIONS)
roots = st.dictionaries(
    st.one_of(st.sampled_from(("soilql", "meta", "use", *_SECTIONS, "dataset", "input")), keys),
    st.one_of(values, st.dictionaries(keys, st.dictionaries(keys, values, max_size=4), max_size=3)),
    max_size=5,
).map(node)


def of_type(annotation: Any) -> st.SearchStrategy[Any]:
    """Return values of the shape of a parameter, right or wrong in meaning."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return st.sampled_from(EXPRESSIONS).map(lambda text: scalar(text, quoted=True))
    if origin in (Union, UnionType):
        return st.one_of([of_type(choice) for choice in get_args(annotation)])
    if origin is list:
        inner = of_type(get_args(annotation)[0])
        return st.one_of(inner, st.lists(inner, max_size=4))
    if origin is dict:
        return st.dictionaries(st.one_of(names, st.sampled_from(NASTY)), of_type(get_args(annotation)[1]), max_size=3)
    if origin is Literal:
        return st.sampled_from(get_args(annotation)).map(lambda text: scalar(str(text)))
    if isinstance(annotation, type) and issubclass(annotation, p.Params):
        return params_of(annotation)
    if annotation is type(None):
        return st.just(scalar("null"))
    return scalars


names = st.sampled_from(("Rs", "year", "MAT", "by", "of", "unit", "kind", "x-note", "Größe", "two words"))


@st.composite
def params_of(draw: st.DrawFn, cls: type[p.Params], first: str | None = None) -> Any:
    """Draw a mapping with some of the parameters of a class, mostly in their order."""
    declared = list(p.fields(cls))
    if draw(st.integers(0, 4)) == 0:
        declared = draw(st.permutations(declared))
    value: dict[str, Any] = {} if first is None else {"kind": scalar(first)}
    for field in declared:
        if (field.required and draw(st.integers(0, 9))) or draw(st.booleans()):
            value[field.key] = draw(of_type(field.type))
    if draw(st.integers(0, 9)) == 0:
        value["x-note"] = draw(values)
    return value


@st.composite
def specs(draw: st.DrawFn) -> Node:
    """Draw a spec of blocks of the kinds that there are."""
    root: dict[str, Any] = {"soilql": scalar("1"), "meta": draw(params_of(Meta))}
    root["inputs"] = draw(st.dictionaries(names, of_type(Input), max_size=3))
    for section in kinds.SECTIONS:
        blocks: dict[str, Any] = {}
        for name in draw(st.lists(names, max_size=2, unique=True)):
            kind = draw(st.sampled_from(kinds.names(section)))
            found = kinds.find(section, kind)
            assert found is not None
            blocks[name] = draw(params_of(found.params_type, kind))
        root[section] = blocks
    return node(root)
