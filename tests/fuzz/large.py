"""Specs of any length: one as a large project would have, and texts made to be slow to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from soilql.convert import convert

HEAD = """\
soilql: 1
meta:
  title: Soil respiration by region, every region with its own study
  authors: [A. Smith, B. Jones]

inputs:
  trees: {default: 500, min: 1, doc: trees of every forest}
"""

# One region in each section; about 60 lines in all.
_DATASETS = """\

  # Region {i}: fluxes over the year, of plots that nobody treated.
  srdb_{i}:
    kind: table
    source: registry:srdb-v5
    where: >-
      Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9
      and Ecosystem_type in ["Forest", "Grassland", "Desert"]  and Latitude > -{i} / 1000
    columns:
      Rs: {{from: Rs_annual, unit: g C m-2 yr-1}}
      year: {{expr: floor(Study_midyear)}}
    roles: {{lat: Latitude, lon: Longitude, time: year}}
    average: {{of: Rs, by: [lat, lon, time]}}
  drivers_{i}: {{kind: grid, source: registry:jian2021-drivers}}
  land_{i}: {{kind: grid, source: registry:land-fraction}}
  training_{i}:
    kind: extract
    at: srdb_{i}
    from: drivers_{i}
    method: nearest
"""
_ZONES = """\
  climate_{i}:
    kind: cut
    of: MAT
    breaks: [2, 17]  # degC
    labels: [boreal, temperate, tropical]
"""
_MODELS = """\

  # Temperature and precipitation alone.
  q10_{i}:
    kind: nonlinear
    formula: Rs ~ a * exp(b * MAT) * MAP / (MAP + k)
    data: training_{i}
    params:
      a: {{unit: g C m-2 yr-1, start: 400}}
      b: {{unit: 1/degC, start: 0.05}}
      k: {{unit: mm yr-1, start: 600}}
  linear_{i}: {{kind: linear, formula: log(Rs) ~ MAT * MAP + log(SOC), data: training_{i}}}
  forest_{i}:
    kind: quantile_forest
    formula: Rs ~ MAT + MAP + BMa + BMb + N_deposition + BD + Clay + SOC + EVI
    data: training_{i}
    trees: ${{inputs.trees}}
    min_leaf: 3
    seed: {i}
"""
_VALIDATION = """\
  by_place_{i}: {{kind: kfold, folds: 10, group: site, seed: {i}}}
"""
_ANALYSES = """\

  skill_{i}: {{kind: evaluate, models: [q10_{i}, linear_{i}, forest_{i}], scheme: by_place_{i}, by: climate_{i}}}
  rs_{i}:
    kind: predict
    model: forest_{i}
    on: drivers_{i}
    quantiles: [0.05, 0.25, 0.5, 0.75, 0.95]
    sd: true
    members: 200
  rh_{i}: {{kind: compute, expr: 'rh_from_rs(rs_{i}, "bond-lamberty-2004")'}}
  budget_{i}:
    # rs is what the forest says, rh what is left of it without the roots.
    kind: total
    of: [rs_{i}, rh_{i}]
    by: climate_{i}
    on: drivers_{i}
    bands: [-60, -23.5, 0, 23.5, 66.5, 90]
    land_fraction: land_{i}.land_fraction
"""
_SECTIONS = {
    "datasets": _DATASETS,
    "zones": _ZONES,
    "models": _MODELS,
    "validation": _VALIDATION,
    "analyses": _ANALYSES,
}
_LINES = sum(text.count("\n") for text in _SECTIONS.values())


def realistic(lines: int) -> str:
    """Return a YAML spec of about so many lines, in which every region has a study of its own."""
    regions = max(1, round((lines - 15) / _LINES))
    parts = [HEAD]
    for section, text in _SECTIONS.items():
        parts += [f"\n{section}:\n", *(text.format(i=i) for i in range(1, regions + 1))]
    return "".join(parts)


def realistic_soilql(lines: int) -> str:
    """Return the mini-language text of `realistic`; a little longer or shorter."""
    return convert(realistic(lines), "yaml", "soilql")


# --- texts made to be slow --------------------------------------------------------------------------------------------


def _spec(section: str, text: str) -> str:
    return f"soilql: 1\n{section}:\n{text}"


def _model(formula: str, rest: str = "") -> str:
    table = "datasets:\n  t: {kind: table, source: t.csv, columns: {y: {from: y, unit: 1}, x: {from: x, unit: 1}}}\n"
    return f"soilql: 1\n{table}models:\n  m: {{kind: nonlinear, formula: '{formula}', data: t{rest}}}\n"


def _joined(n: int, between: str, item: Callable[[int], str]) -> str:
    return between.join(map(item, range(n)))


def _laughs() -> Iterator[str]:
    yield "  a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    i = 1
    while True:
        yield f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n"
        i += 1


#: Texts by what is large in them, from a number that they grow with.
NASTY: Mapping[str, tuple[str, Callable[[int], str]]] = {
    "a formula of many terms": (
        "yaml",
        lambda n: _model("y ~ " + _joined(n, " + ", lambda i: f"{i}*x"), ", params: []"),
    ),
    "a formula of many names": (
        "yaml",
        lambda n: _model(
            "y ~ " + _joined(n, " + ", lambda i: f"p{i}*x"), f", params: [{_joined(n, ', ', lambda i: f'p{i}')}]"
        ),
    ),
    "a condition of many parts": (
        "yaml",
        lambda n: _spec(
            "datasets",
            "  t: {kind: table, source: t.csv, where: '" + _joined(n, " and ", lambda i: f"x > {i}") + "'}\n",
        ),
    ),
    "a linear formula of many terms": (
        "yaml",
        lambda n: (
            "soilql: 1\ndatasets: {t: {kind: table, source: t.csv}}\nmodels:\n"
            "  m: {kind: linear, data: t, formula: 'y ~ " + _joined(n, " + ", lambda i: f"x{i}") + "'}\n"
        ),
    ),
    "powers on powers": ("yaml", lambda n: _model("y ~ x" + "^2" * n)),
    "signs before a number": ("yaml", lambda n: _model("y ~ " + "-" * n + "x")),
    "wrong operators": ("yaml", lambda n: _model("y ~ " + "x && " * n + "x")),
    "unknown names in a formula": (
        "yaml",
        lambda n: _model("y ~ " + _joined(n, " + ", lambda i: f"q{i}"), ", params: [a]"),
    ),
    "keys in one mapping": ("yaml", lambda n: _spec("x-a", _joined(n, "", lambda i: f"  k{i}: {i}\n"))),
    "unknown keys in a block": (
        "yaml",
        lambda n: _spec("validation", "  f:\n    kind: kfold\n" + _joined(n, "", lambda i: f"    fold{i}: {i}\n")),
    ),
    "the same key again": ("yaml", lambda n: _spec("x-a", "  k: 1\n" * n)),
    "unknown top-level keys": ("yaml", lambda n: "soilql: 1\n" + _joined(n, "", lambda i: f"dataset{i}: {i}\n")),
    "unknown references": (
        "yaml",
        lambda n: _spec("analyses", _joined(n, "", lambda i: f"  a{i}: {{kind: predict, model: m{i}, on: g{i}}}\n")),
    ),
    "blocks in a chain": (
        "yaml",
        lambda n: _spec(
            "analyses",
            "  a0: {kind: predict, model: m, on: g}\n"
            + _joined(n, "", lambda i: f"  a{i + 1}: {{kind: compute, expr: a{i} + 1}}\n"),
        ),
    ),
    "blocks in a circle": (
        "yaml",
        lambda n: _spec("analyses", _joined(n, "", lambda i: f"  a{i}: {{kind: compute, expr: a{(i + 1) % n} + 1}}\n")),
    ),
    "blocks without a kind": ("yaml", lambda n: _spec("models", _joined(n, "", lambda i: f"  m{i}: {{}}\n"))),
    "nested lists": ("yaml", lambda n: _spec("x-a", "  a: " + "[" * n + "]" * n + "\n")),
    "nested mappings": ("yaml", lambda n: _spec("x-a", _joined(n, "", lambda i: " " * (i + 2) + "a:\n"))),
    "nested parentheses": ("yaml", lambda n: _model("y ~ " + "(" * n + "x" + ")" * n)),
    "a long list": ("yaml", lambda n: _spec("x-a", f"  a: [{_joined(n, ', ', str)}]\n")),
    "a list of many lines": ("yaml", lambda n: _spec("x-a", "  a:\n" + _joined(n, "", lambda i: f"  - {i}\n"))),
    "a long text": ("yaml", lambda n: _spec("x-a", f"  a: {'word ' * n}\n")),
    "a long folded text": ("yaml", lambda n: _spec("x-a", "  a: >-\n" + "    word after word\n" * n)),
    "a long quoted text": ("yaml", lambda n: _spec("x-a", "  a: '" + "it''s a\n    word " * n + "'\n")),
    "comments": ("yaml", lambda n: _spec("x-a", "  # a 'comment' of \"one\" line: [\n" * n + "  a: 1\n")),
    "comments between items": ("yaml", lambda n: _spec("x-a", "  a:\n" + "  - 1\n    # one\n  # two\n" * n)),
    "suppressions": (
        "yaml",
        lambda n: _spec("x-a", _joined(n, "", lambda i: f"  a{i}: 1  # soilql: ignore[SQ620] x\n")),
    ),
    "anchors and merges": (
        "yaml",
        lambda n: _spec(
            "x-a", "  b: &b {folds: 5}\n" + _joined(n, "", lambda i: f"  a{i}: &a{i}\n    <<: *b\n    k: *b\n")
        ),
    ),
    "merges in a chain": (
        "yaml",
        lambda n: _spec(
            "x-a", "  m0: &m0 {k: 1}\n" + _joined(n, "", lambda i: f"  m{i + 1}: &m{i + 1} {{<<: *m{i}}}\n")
        ),
    ),
    "aliases of aliases": ("yaml", lambda n: _spec("x-a", "".join(islice(_laughs(), min(n, 40))))),
    "documents": ("yaml", lambda n: "soilql: 1\n" + "---\na: 1\n" * n),
    "quotes that do not close": (
        "yaml",
        lambda n: _spec("x-a", _joined(n, "", lambda i: f'  a{i}: it\'s "so" a\' "b\n')),
    ),
    "tags": ("yaml", lambda n: _spec("x-a", _joined(n, "", lambda i: f"  a{i}: !t 1\n"))),
    "inputs": (
        "yaml",
        lambda n: (
            _spec("inputs", _joined(n, "", lambda i: f"  i{i}: {i}\n"))
            + "x-a:\n"
            + _joined(n, "", lambda i: f"  a{i}: ${{inputs.i{i}}}\n")
        ),
    ),
    "unknown inputs": (
        "yaml",
        lambda n: _spec(
            "validation", _joined(n, "", lambda i: f"  f{i}: {{kind: kfold, folds: '${{inputs.i{i}}}'}}\n")
        ),
    ),
    "statements": (
        "soilql",
        lambda n: "soilql 1\n" + _joined(n, "", lambda i: f"validation f{i} = kfold(folds = 5)\n"),
    ),
    "statements that are none": (
        "soilql",
        lambda n: "soilql 1\n" + _joined(n, "", lambda i: f"modle f{i} = kfold()\n"),
    ),
    "arguments": (
        "soilql",
        lambda n: f"soilql 1\nvalidation f = kfold({_joined(n, ', ', lambda i: f'k{i} = {i}')})\n",
    ),
    "arguments without a name": ("soilql", lambda n: f"soilql 1\nvalidation f = kfold({_joined(n, ', ', str)})\n"),
    "brackets that do not close": (
        "soilql",
        lambda n: "soilql 1\n" + _joined(n, "", lambda i: f"validation f{i} = kfold(folds = (5\n"),
    ),
    "nested brackets": ("soilql", lambda n: "soilql 1\nx-a = " + "[" * n + "]" * n + "\n"),
    "nested brackets in a value": ("soilql", lambda n: "soilql 1\nx-a = f" + "(" * n + ")" * n + "\n"),
    "steps": (
        "soilql",
        lambda n: (
            "soilql 1\ndataset t = table(t.csv)\n"
            + _joined(n, "", lambda i: f"  | columns c{i} = a [g m-2], d{i} = a + {i}\n")
        ),
    ),
    "a step of many columns": (
        "soilql",
        lambda n: (
            "soilql 1\ndataset t = table(t.csv)\n  | columns "
            + _joined(n, ",\n      ", lambda i: f"c{i} = a + {i} [g m-2]")
            + "\n"
        ),
    ),
    "a condition on many lines": (
        "soilql",
        lambda n: (
            "soilql 1\ndataset t = table(t.csv)\n  | where x > 0"
            + _joined(n, "", lambda i: f"\n      and x > {i}  # {i}")
            + "\n"
        ),
    ),
    "a text on many lines": ("soilql", lambda n: 'soilql 1\nmeta(title = "a' + "\n  word" * n + '")\n'),
    "quotes in a value": ("soilql", lambda n: "soilql 1\nx-a = a'b " + "'c\"d` " * n + "\n"),
    "comments and blanks": ("soilql", lambda n: "soilql 1\n" + "# a comment\n\n" * n + "x-a = 1\n"),
    "blanks at the end of a value": ("soilql", lambda n: "soilql 1\nx-a = b" + " \n" * n + "x-c = 1\n"),
    "apostrophes": ("soilql", lambda n: "soilql 1\n" + _joined(n, "", lambda i: f"x-a{i} = 'it\n")),
}
