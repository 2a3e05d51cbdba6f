"""One small study on both surfaces, and how tests point into a text: at the mark in a part of it."""

from __future__ import annotations

from pathlib import Path

from soilql.convert import convert
from soilql.lsp.documents import Document, document

MARK = "‸"

STUDY_YAML = """\
soilql: 1
meta: {title: Größe und Zahl}
inputs:
  folds: {default: 5, min: 2, doc: folds of the test}
  years: {default: 2000-2003, type: range}
datasets:
  planet:
    kind: simulate
    seed: 1
    grid: {resolution: 30}
    variables:
      T: {expr: 15 - lat / 3, unit: degC}
      P: {expr: 800 + 2 * lon, unit: mm yr-1}
  sites:
    kind: simulate
    seed: 2
    on: planet
    sites: 40
    years: ${inputs.years.all}
    columns:
      Größe: {expr: T + 1, unit: degC}
      Rs: {expr: 400 * exp(0.05*T) * P / (P + 500), unit: g C m-2 yr-1}
  srdb:
    kind: table
    source: registry:srdb-v5
    where: Rs_annual > 0 and Manipulation == "None" and Annual_coverage >= 0.9
    columns:
      flux: {from: Rs_annual, unit: g C m-2 yr-1}
      year: {expr: floor(Study_midyear)}
    roles: {lat: Latitude, lon: Longitude, time: year}
zones:
  climate:
    kind: cut
    of: T
    breaks: [10]
    labels: [cold, warm]
models:
  formula:
    kind: nonlinear
    formula: Rs ~ a * exp(b*T) * P / (P + k)
    params:
      a: {start: 400, bounds: [0, 5000]}
      b: {unit: 1/degC}
      k: 600
    data: sites
  line: {kind: linear, formula: log(Rs) ~ T + P, data: sites}
  field: {kind: linear, formula: flux ~ MAT + year, data: srdb}
validation:
  by_place: {kind: kfold, folds: '${inputs.folds}', group: site}
analyses:
  skill: {kind: evaluate, models: [formula, line], scheme: by_place, by: climate}
  rs: {kind: predict, model: formula, on: planet, members: 100}
  double: {kind: compute, expr: 2 * rs, unit: g C m-2 yr-1}
  budget: {kind: total, of: [rs, double]}
"""
STUDY_MINI = convert(STUDY_YAML, "yaml", "soilql")
STUDIES = {"study.yaml": STUDY_YAML, "study.soilql": STUDY_MINI}


def marked(text: str) -> tuple[str, int]:
    """Return a text without its mark, and where that stood."""
    assert text.count(MARK) == 1, text
    return text.replace(MARK, ""), text.index(MARK)


def place(text: str, part: str) -> int:
    """Return the offset of the mark in a part of a text, which stands there once."""
    bare, at = marked(part)
    assert text.count(bare) == 1, f"{bare!r} stands {text.count(bare)} times"
    return text.index(bare) + at


def replaced(text: str, old: str, new: str) -> tuple[str, int]:
    """Return a text with a part of it replaced by one with a mark, and where the mark stood."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return marked(text.replace(old, new))


def opened(path: Path, text: str | None = None, **known: object) -> Document:
    """Return the document of a file."""
    return document(path.read_text(encoding="utf-8") if text is None else text, str(path), **known)
