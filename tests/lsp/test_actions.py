"""What can be done about findings."""

from __future__ import annotations

import pytest

from soilql.lsp.actions import Action, actions, fix_all
from soilql.lsp.diagnostics import findings
from soilql.lsp.documents import document
from soilql.lsp.edits import apply
from tests.lsp.specs import STUDIES, STUDY_YAML


def offered(text: str, name: str, code: str) -> list[Action]:
    doc = document(text, name)
    one = next(one for one in findings(doc) if one.found.code == code)
    return [action for action in actions(doc, one.span.start, one.span.end) if action.finding is one]


@pytest.mark.parametrize("name", STUDIES)
def test_a_certain_fix_is_preferred_and_mends(name: str) -> None:
    text = STUDIES[name].replace("kfold", "kfolds")
    fix = offered(text, name, "SQ205")[0]
    assert (fix.title, fix.preferred) == ("Replace `kfolds` by `kfold`", True)
    assert apply(text, fix.edits) == STUDIES[name]


@pytest.mark.parametrize("name", STUDIES)
def test_an_uncertain_fix_says_so(name: str) -> None:
    text = STUDIES[name].replace("scheme: by_place", "scheme: by_plac").replace("scheme = by_place", "scheme = by_plac")
    fix = offered(text, name, "SQ203")[0]
    assert (fix.title, fix.preferred) == ("Replace `by_plac` by `by_place` (may change what was meant)", False)
    assert apply(text, fix.edits) == STUDIES[name]


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_finding_is_accepted_for_a_reason(name: str, end: str) -> None:
    text = STUDIES[name].replace("group: site", "seed: 2").replace("group = site", "seed = 2").replace("\n", end)
    before = [one.found.code for one in findings(document(text, name))]
    accept = next(one for one in offered(text, name, "SQ620") if one.title == "Accept SQ620 here, for a reason")
    after = apply(text, accept.edits)
    assert "# soilql: ignore[SQ620] say why" + end in after
    left = [one.found.code for one in findings(document(after, name))]
    assert len(left) < len(before)
    assert "SQ620" not in left and not {"SQ690", "SQ691", "SQ692"} & set(left)


def test_an_unknown_name_cannot_be_accepted() -> None:
    titles = [one.title for one in offered(STUDY_YAML.replace("exp(b*T)", "exp(b*To)"), "x.yaml", "SQ201")]
    assert not any(title.startswith("Accept") for title in titles)
    assert titles[-1] == "Explain SQ201"


def test_all_that_is_certain_at_once() -> None:
    text = STUDY_YAML.replace("kfold", "kfolds").replace("members:", "member:")
    doc = document(text)
    whole = fix_all(doc)
    assert whole is not None and whole.title == "Mend 2 findings of soilql"
    assert apply(text, whole.edits) == STUDY_YAML
    assert fix_all(document(STUDY_YAML)) is None
