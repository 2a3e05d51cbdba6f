"""A new name everywhere at once, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from soilql.errors import Source
from soilql.lint_files import lint_source
from soilql.lsp.documents import document
from soilql.lsp.edits import apply
from soilql.lsp.rename import RefusedError, prepare, rename
from tests.lsp.specs import STUDIES, STUDY_YAML, opened, place

both = pytest.mark.parametrize("name", STUDIES)


def renamed(text: str, part: str, new: str, name: str) -> str:
    doc = document(text, name)
    return apply(text, rename(doc, place(text, part), new))


@both
@pytest.mark.parametrize(
    ("part", "new", "old", "count"),
    [
        ("[formula, li‸ne]", "straight", "line", 2),
        ("[‸formula, line]", "hill", "formula", 3),
        ("${inputs.fo‸lds}", "k_folds", "folds", 2),
        ("(P + ‸k)", "half", "k", 2),
        ("log(R‸s)", "Atmung", "Rs", 3),
        ("‸flux ~ MAT", "respiration", "flux", 2),
    ],
)
def test_every_mention_changes_and_the_study_stays_sound(part: str, new: str, old: str, count: int, name: str) -> None:
    text = STUDIES[name]
    after = renamed(text, part, new, name)
    assert after.count(new) == count
    assert lint_source(Source(name, after), {}) == lint_source(Source(name, text), {}) == []
    # And back: the same text.
    at = after.index(new)
    assert apply(after, rename(document(after, name), at, old)) == text


@both
def test_a_name_outside_of_ascii(name: str) -> None:
    text = STUDIES[name]
    at = text.index("Größe", text.index("simulate", text.index("sites")))
    span, now = prepare(document(text, name), at + 2)
    assert (span.text, now) == ("Größe", "Größe")
    assert "Weite" in apply(text, rename(document(text, name), at, "Weite"))


def refused(text: str, part: str, new: str, name: str = "study.yaml") -> str:
    with pytest.raises(RefusedError) as caught:
        rename(document(text, name), place(text, part), new)
    return str(caught.value)


@both
def test_names_that_are_not_ours_or_cannot_be(name: str) -> None:
    text = STUDIES[name]
    assert "column of the data set `srdb-v5`" in refused(text, "flux ~ M‸AT", "x", name)
    assert "word of the language" in refused(text, "kf‸old", "x", name)
    assert "word of the language" in refused(text, "flo‸or(", "x", name)
    assert "public data set" in refused(text, "registry:sr‸db-v5", "x", name)
    assert "nothing here" in refused(text, "tit‸le", "x", name)
    assert "cannot be a name" in refused(text, "[formula, li‸ne]", "two words", name)
    assert "cannot be a name" in refused(text, "[formula, li‸ne]", "2nd", name)
    assert "word of the language" in refused(text, "[formula, li‸ne]", "null", name)
    assert "word of the language" in refused(text, "(P + ‸k)", "exp", name)


@both
def test_names_that_are_taken(name: str) -> None:
    text = STUDIES[name]
    assert "already a block in `zones`" in refused(text, "[formula, li‸ne]", "climate", name)
    assert "already an input" in refused(text, "${inputs.fo‸lds}", "years", name)
    assert "already a name that `formula` knows" in refused(text, "(P + ‸k)", "T", name)
    assert "already a name that `srdb` knows" in refused(text, "‸flux ~ MAT", "Country", name)


def test_a_copy_of_the_column_of_the_same_name() -> None:
    text = STUDY_YAML.replace("flux: {from: Rs_annual, unit", "Rs_annual: {unit").replace(
        "flux ~ MAT", "Rs_annual ~ MAT"
    )
    assert "write `from: Rs_annual` first" in refused(text, "‸Rs_annual ~ MAT", "flux")


def test_nothing_is_renamed_where_a_mention_could_be_missed() -> None:
    broken = STUDY_YAML.replace("breaks: [10]", "breaks: [10")
    assert "syntax errors" in refused(broken, "[formula, li‸ne]", "straight")
    broken = STUDY_YAML.replace("log(Rs) ~ T + P", "log(Rs) ~ T + * P")
    assert "cannot be read" in refused(broken, "exp(b*‸T) * P / (P + k)", "Temp")


def test_a_name_that_other_names_are_made_of() -> None:
    text = STUDY_YAML.replace("year}\nzones", "year}\n    average: {of: flux, by: [lat, lon]}\nzones")
    text = text.replace("flux ~ MAT + year", "flux ~ flux_n")
    # `flux_n` is made by the average and would be gone.
    assert "would not be sound" in refused(text, "‸flux ~ flux_n", "respiration")


def test_a_name_in_backquotes_and_in_quotes() -> None:
    text = "soilql: 1\nmodels:\n  'm': {kind: nonlinear, data: t, formula: 'y ~ `a` * x', params: [a]}\n"
    text += "datasets: {t: {kind: table, source: x.csv}}\n"
    assert "formula: 'y ~ slope * x', params: [slope]" in renamed(text, "params: [‸a]", "slope", "x.yaml")
    assert "  fit: {" in renamed(text, "'‸m'", "fit", "x.yaml")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(STUDY_YAML, encoding="utf-8")
    (tmp_path / "child.soilql").write_text(
        "soilql 1\nextends = base.yaml\nmodel more = linear(formula = Rs ~ P, data = sites)\n"
    )
    (tmp_path / "user.yaml").write_text(
        "soilql: 1\nuse: {r: base.yaml}\nanalyses: {t: {kind: total, of: 'r::double'}}\n"
    )
    (tmp_path / "other.yaml").write_text("soilql: 1\ndatasets: {sites: {kind: table, source: x.csv}}\n")
    return tmp_path


def test_files_that_build_on_a_spec_change_with_it(files: Path) -> None:
    base = opened(files / "base.yaml", folders=(files,))
    edits = rename(base, place(base.text, "  si‸tes:\n"), "places")
    by_file = {Path(edit.span.source.name).name for edit in edits}
    assert by_file == {"base.yaml", "child.soilql"}
    edits = rename(base, place(base.text, "  dou‸ble:"), "twice")
    assert {Path(edit.span.source.name).name for edit in edits} == {"base.yaml", "user.yaml"}
    assert [edit.span.text for edit in edits] == ["double"] * 3


def test_what_another_file_makes_is_renamed_there(files: Path) -> None:
    child, user = opened(files / "child.soilql"), opened(files / "user.yaml")
    for doc, part in ((child, "data = si‸tes"), (child, "‸Rs ~ P"), (user, "r::dou‸ble")):
        with pytest.raises(RefusedError, match=r"in .*base\.yaml: rename it there"):
            rename(doc, place(doc.text, part), "x")
    edits = rename(user, place(user.text, "'‸r::double"), "recipe")
    assert [edit.span.text for edit in edits] == ["r", "r"]
