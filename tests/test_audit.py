"""The audit of printed figures: verdicts on real papers, on simulated ones, and on tables that cannot be read."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from soilql.audit import Verdict, audit_file, audit_source
from soilql.errors import SoilqlError, Source

EXAMPLES = Path(__file__).parent.parent / "examples" / "audit"


def audit(text, name="paper.csv"):
    return audit_source(Source(name, text))


def one(columns, row):
    """The only set of a table of one row."""
    (found,) = audit(f"id,statistic,{columns}\na,{row}\n").sets
    return found


def codes(text, name="paper.csv"):
    with pytest.raises(SoilqlError) as caught:
        audit(text, name)
    return [(d.code, d.span.line, d.span.column) for d in caught.value.diagnostics]


@pytest.fixture(scope="module")
def huang():
    return {found.name: found for found in audit_file(EXAMPLES / "huang2020.csv").sets}


@pytest.fixture(scope="module")
def hashimoto():
    return {found.name: found for found in audit_file(EXAMPLES / "hashimoto2023.csv").sets}


def test_thresholds_of_huang_are_those_of_13_degrees_of_freedom(huang):
    # Fig. 6 caption; n = 15, k = 5 with detrending gives nu = 7: .7977/.6664/.5822/.4716/.2596 (exact).
    found = huang["thresholds of Fig. 6"]
    assert found.verdict is Verdict.OTHER
    assert found.joint.degrees.runs == ((13, 13),)
    assert found.joint.reading.key == "simple"
    stated = [round(check.stated.predicted.lower, 4) for check in found.checks]
    assert stated == [0.7977, 0.6664, 0.5822, 0.4716, 0.2596]
    assert {check.stated.nu for check in found.checks} == {7}


def test_correlations_of_huang_fit_as_stated(huang):
    # r = .67 with nu = 7: t = .67 sqrt(7/(1 - .67^2)) = 2.388, p = .0484 (closed form).
    found = huang["partial correlations with temperature"]
    assert found.verdict is Verdict.FITS
    assert found.joint.verdict is Verdict.FITS
    p = 2 * stats.t.sf(0.67 * np.sqrt(7 / (1 - 0.67**2)), 7)
    assert found.checks[0].stated.predicted.lower < p < found.checks[0].stated.predicted.upper


def test_totals_and_shares_of_huang(huang):
    assert huang["regional trends and the global one"].verdict is Verdict.FITS
    assert huang["net change is slope times 14 years"].verdict is Verdict.FITS
    # 1.54 / 70.6 = 2.18 %, printed 3.66 %.
    relative = huang["change relative to the global Rs in 2000"]
    assert relative.verdict is Verdict.MISFIT
    assert relative.checks[0].claim.predicted.lower < 1.54 / 70.6 < relative.checks[0].claim.predicted.upper


def test_temperate_trend_of_huang(huang):
    # An interval that reaches zero at most at its end has p <= 0.05, whatever the degrees of freedom.
    slope, kendall = huang["temperate trend"].checks
    assert slope.verdict is Verdict.MISFIT
    assert not slope.search
    # kendall's S is odd for n = 15: p = .4351 for |S| = 17 and .3795 for 19 (scipy.stats.kendalltau, exact).
    assert kendall.verdict is Verdict.OTHER


def test_weakest_trend_of_hashimoto_fits_as_an_adjusted_r2(hashimoto):
    # R2 = .05 with n = 31: p = .226 by F(1, 29). As adjusted R2: R2 = 1 - .95 * 29/30 = .08167, p = .119; the range
    # of the printed digits goes from .108 to .131 and holds .13.
    (check,) = hashimoto["weakest trend"].checks
    assert check.verdict is Verdict.OTHER
    assert [o.reading.key for o in check.outcomes if o.fits] == ["adjusted"]
    plain = stats.f.sf(0.05 / 0.95 * 29, 1, 29)
    assert check.stated.predicted.lower < plain < check.stated.predicted.upper
    assert check.stated.predicted.lower > 0.135
    assert hashimoto["steepest trend"].verdict is Verdict.FITS
    assert hashimoto["lowest temperature sensitivity"].verdict is Verdict.OPEN


def test_zhu_fits():
    found = audit_file(EXAMPLES / "zhu2024.yaml")
    assert found.clean
    assert [s.verdict for s in found.sets] == [Verdict.FITS] * 3


@pytest.mark.parametrize("name", ["huang2020.csv", "hashimoto2023.csv", "zhu2024.yaml"])
def test_both_outputs_say_the_same(name):
    found = audit_file(EXAMPLES / name, name)
    whole = json.loads(found.json())
    assert [s["verdict"] for s in whole["sets"]] == [s.verdict.value for s in found.sets]
    assert sum(whole["summary"].values()) == len(found.sets)
    for said in whole["sets"]:
        assert f"\n{said['name']}: " in "\n" + found.text()
    assert found.clean == (whole["summary"]["misfit"] + whole["summary"]["other reading"] == 0)


def test_words_for_the_thresholds(huang):
    text = " ".join(audit_file(EXAMPLES / "huang2020.csv").text().split())
    assert "they fit under nu = 13 (n - 2), which is that of a simple correlation with 15 values" in text
    assert "with 5 controls and the linear trend charged" in text


# --- simulated papers -------------------------------------------------------------------------------------------------


def partial(data, k, detrended):
    """Partial correlation of the first two columns given k others and, if asked, time: by residuals, and its p."""
    n = len(data)
    time = [np.arange(n)] if detrended else []
    given = np.column_stack([np.ones(n), *time, data[:, 2 : 2 + k]])
    x, y = (c - given @ np.linalg.lstsq(given, c, rcond=None)[0] for c in (data[:, 0], data[:, 1]))
    r = x @ y / np.sqrt((x @ x) * (y @ y))
    nu = n - 2 - k - bool(detrended)
    return r, nu, 2 * stats.t.sf(abs(r) * np.sqrt(nu / (1 - r * r)), nu)


design = st.tuples(st.integers(10, 80), st.integers(0, 5), st.booleans(), st.integers(0, 2**32 - 1))


@settings(max_examples=60)
@given(design, st.integers(1, 4), st.integers(2, 4))
def test_true_correlations_fit(how, r_digits, p_digits):
    n, k, detrended, seed = how
    r, _, p = partial(np.random.default_rng(seed).normal(size=(n, 7)), k, detrended)
    row = f"r,{r:.{r_digits}f},{p:.{p_digits}f},{n},{k},{'yes' if detrended else 'no'}"
    assert one("value,p,n,controls,detrended", row).verdict is Verdict.FITS


@settings(max_examples=40)
@given(design, st.booleans())
def test_a_wrong_p_is_found(how, smaller):
    n, k, detrended, seed = how
    r, nu, p = partial(np.random.default_rng(seed).normal(size=(n, 7)), k, detrended)
    wrong = p / 2 - 0.01 if smaller else p + 0.05
    assume(0.01 < wrong < 0.98 and abs(r) > 0.02 and nu > 3)
    row = f"r,{r:.4f},{wrong:.3f},{n},{k},{'yes' if detrended else 'no'}"
    found = one("value,p,n,controls,detrended", row)
    assert found.verdict in (Verdict.OTHER, Verdict.MISFIT)


@settings(max_examples=40)
@given(design)
def test_a_simple_p_for_a_partial_correlation_is_named(how):
    n, _, _, seed = how
    r, _, _ = partial(np.random.default_rng(seed).normal(size=(n, 7)), 5, True)
    p = 2 * stats.t.sf(abs(r) * np.sqrt((n - 2) / (1 - r * r)), n - 2)
    found = one("value,p,n,controls,detrended", f"r,{r:.5f},{p:.5f},{n},5,yes")
    assume(found.verdict is not Verdict.FITS)
    assert "simple" in [o.reading.key for o in found.checks[0].outcomes if o.fits]
    assert n - 2 in found.checks[0].search


@settings(max_examples=40)
@given(st.integers(8, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_true_regressions_fit(n, k, seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, k))])
    y = rng.normal(size=n) + x[:, 1]
    beta, (sse,), *_ = np.linalg.lstsq(x, y, rcond=None)
    r2, nu = 1 - sse / np.sum((y - y.mean()) ** 2), n - k - 1
    p = stats.f.sf(r2 / (1 - r2) * nu / k, k, nu)
    adjusted = 1 - (1 - r2) * (n - 1) / nu
    assert one("value,p,adjusted,n,predictors", f"R2,{r2:.2f},{p:.3f},{adjusted:.2f},{n},{k}").verdict is Verdict.FITS
    se = np.sqrt(sse / nu * np.linalg.inv(x.T @ x)[1, 1])
    t = beta[1] / se
    half = stats.t.ppf(0.975, nu) * se
    ends = f"{beta[1] - half:.3f},{beta[1] + half:.3f},95%"
    row = f"slope,{beta[1]:.3f},{2 * stats.t.sf(abs(t), nu):.3f},{se:.3f},{ends},{n},{k - 1}"
    assert one("value,p,se,lower,upper,level,n,controls", row).verdict is Verdict.FITS
    assert one("value,p,df,predictors", f"F,{r2 / (1 - r2) * nu / k:.3f},{p:.4f},{nu},{k}").verdict is Verdict.FITS
    assert one("value,p,df", f"t,{t:.2f},{2 * stats.t.sf(abs(t), nu):.2f},{nu}").verdict is Verdict.FITS


@settings(max_examples=30)
@given(st.integers(4, 25), st.integers(0, 2**32 - 1))
def test_true_mann_kendall_fits(n, seed):
    tau = stats.kendalltau(np.arange(n), np.random.default_rng(seed).normal(size=n), method="exact")
    s = round(tau.statistic * n * (n - 1) / 2)
    assert one("value,p,n", f"mann_kendall,{s}!,{tau.pvalue:.3f},{n}").verdict is Verdict.FITS


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6), st.integers(0, 3))
def test_true_totals_fit(parts, digits):
    terms = " + ".join(f"({part:.{digits}f})" for part in parts)
    assert one("value,parts", f"sum,{sum(parts):.{digits}f},{terms}").verdict is Verdict.FITS
    wrong = sum(parts) + (len(parts) + 3) * 10**-digits
    assert one("value,parts", f"sum,{wrong:.{digits}f},{terms}").verdict is Verdict.MISFIT


# --- readings ---------------------------------------------------------------------------------------------------------


def fitting(found):
    return [o.reading.key for o in found.checks[-1].outcomes if o.fits]


@pytest.mark.parametrize(
    ("columns", "row", "key"),
    [
        # qt(.975, 13) = 2.1604: p = .0250 one-sided.
        ("value,p,df", "t,2.160,0.025,13", "one-sided"),
        ("value,p,n", "t,2.160,0.0500,14", "one sample"),
        # 1.96 standard errors of the normal distribution.
        ("value,p,se,n", "slope,1.960,0.0500,1.000,12", "normal"),
        # 1.0 with a half-width of .2 that is a standard error: t = 5 with 13 gives p = .00024.
        ("value,p,half_width,level,n", "slope,1.00,0.00024,0.200,95%,15", "standard error"),
        # Sqrt(1 - betaincinv(...)) for nu = 8: .6319, the trend not charged.
        ("value,p,n,controls,detrended", "threshold,0.6319,0.05,15,5,yes", "trend not charged"),
        # SE 1.0 and half-width 1.00: one standard error, 68%.
        ("value,se,lower,upper,level,n", "interval,5.0,1.00,4.00,6.00,95%,40", "one se"),
    ],
)
def test_other_readings_are_named(columns, row, key):
    found = one(columns, row)
    assert found.verdict is Verdict.OTHER
    assert key in fitting(found)
    assert key != "stated"


def test_adjusted_r2_of_the_nile():
    # R: lm on Nile, n = 100.
    row = "R2,0.2165,0.2085,0.00000107,100"
    assert one("value,adjusted,p,n", row).verdict is Verdict.FITS
    assert one("value,adjusted,n", "R2,0.2165,0.2165,100").verdict is Verdict.MISFIT
    assert one("value,p,n", "adjusted_R2,0.2085,0.00000107,100").verdict is Verdict.FITS


def test_more_degrees_than_values_are_no_explanation():
    # r = .3 needs nu = 41 for p = .05; 15 values never have them.
    found = one("value,p,n", "r,0.300,0.050,15")
    assert found.verdict is Verdict.MISFIT
    assert 41 in found.checks[0].search


def test_printed_degrees_of_freedom_against_the_number_of_values():
    # F of 4.1 with 3 and 22 has p = .019 (scipy.stats.f); 22 = 26 - 1 - 3.
    rows = {26: Verdict.FITS, 30: Verdict.OTHER, 24: Verdict.OTHER, 22: Verdict.MISFIT}
    for n, verdict in rows.items():
        assert one("value,p,df,predictors,n", f"F,4.1,0.02,22,3,{n}").verdict is verdict


def test_ties_between_degrees_of_freedom_go_to_the_stated_ones():
    # nu = 13 gives p = .050 for r = .514 and .018 for r = .6 (scipy.stats.t).
    (found,) = audit("id,statistic,value,p,n,group\na,r,0.514,0.05,15,g\nb,r,0.6,0.2,15,g\n").sets
    assert (found.joint.best, found.joint.odd) == (13, ("b",))


def test_a_design_that_leaves_no_degrees_of_freedom():
    found = one("value,p,n,controls", "r,0.55,0.08,7,5")
    assert found.verdict is not Verdict.FITS
    assert "no degrees of freedom are left" in audit(
        "id,statistic,value,p,n,controls\na,r,0.67,0.10,7,5\n"
    ).text().replace("\n ", "")


def test_significance_that_the_stated_design_does_not_give():
    text = audit("id,statistic,value,p,n,controls,detrended\na,r,0.55,<0.05,15,5,yes\n").text()
    assert "which is not significant at 0.05" in text


def test_asymmetric_intervals():
    assert one("value,lower,upper", "interval,2.0,1.0,4.0").checks[1].claim.otherwise.endswith("log scale")
    assert one("value,lower,upper", "interval,2.0,1.9,4.0").verdict is Verdict.OTHER
    assert one("value,lower,upper,form", "interval,2.0,1.9,4.0,any").verdict is Verdict.FITS
    assert one("value,lower,upper,form", "interval,2.0,1.0,4.0,log").verdict is Verdict.FITS
    assert one("value,lower,upper", "interval,5.0,1.0,4.0").verdict is Verdict.MISFIT


def test_a_group_that_no_single_nu_fits_names_the_odd_one():
    thresholds = {0.01: 0.6411, 0.05: 0.5140, 0.1: 0.4409, 0.2: 0.3000}  # those of nu = 13, the last one corrupted
    rows = "".join(f"a{i},threshold,{r:.3f},{p},15,g\n" for i, (p, r) in enumerate(thresholds.items()))
    (found,) = audit("id,statistic,value,p,n,group\n" + rows).sets
    assert found.verdict is Verdict.MISFIT
    assert found.joint.odd == ("a3",)
    assert found.joint.best == 13


def test_figures_without_n_share_their_search():
    rows = "".join(f"a{i},threshold,{r},{p},g\n" for i, (r, p) in enumerate([(0.514, 0.05), (0.641, 0.01)]))
    (found,) = audit("id,statistic,value,p,group\n" + rows).sets
    assert found.verdict is Verdict.OPEN
    assert found.joint.degrees.runs == ((13, 13),)


# --- tables that cannot be read ---------------------------------------------------------------------------------------


def test_every_problem_at_its_place():
    text = "id,statistic,valu,p,n\na,r,0.6,<0.05,15\nb,rr,0.6,0.05,15\nc,t,0.6,abc,x\na,z,,0.05,\n"
    assert codes(text) == [
        ("SQ120", 1, 14),
        ("SQ121", 2, 3),
        ("SQ124", 3, 3),
        ("SQ121", 4, 3),
        ("SQ709", 4, 9),
        ("SQ709", 4, 13),
        ("SQ121", 5, 3),
    ]


def test_an_unknown_column_is_guessed():
    with pytest.raises(SoilqlError, match="did you mean `value`") as caught:
        audit("id,statistic,valu\na,value,1\n")
    assert "paper.csv:1:14: error SQ120" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("id,statistic,value,p\na,r,0.5,0.1\na,r,0.5,0.1\n", "SQ109", 3, 1),
        ("id,statistic,value,p\na,r,1.5,0.1\n", "SQ123", 2, 5),
        ("id,statistic,value,p\na,r,0.5,1.1\n", "SQ123", 2, 9),
        ("id,statistic,value,p\na,r,0.5\n", "SQ703", 2, 1),
        ("id,statistic,value,p\na,r,0.5,0.1,7\n", "SQ703", 2, 13),
        ('id,statistic,value,p\na,r,"0,5",0.1\n', "SQ709", 2, 5),
        ('id,statistic,value,p\na,r,"0.5,0.1\n', "SQ703", 2, 5),
        ("statistic,value,p\nr,0.5,0.1\n", "SQ704", 1, 1),
        ("id,statistic,value,parts\na,sum,1,b + 2\n", "SQ201", 2, 9),
        ("id,statistic,value,parts\na,sum,1,a + 2\n", "SQ201", 2, 9),
        ("id,statistic,value,parts\na,sum,1,1 + (2\n", "SQ110", 2, 13),
        ("id,statistic,value,parts\na,sum,1,1 ? 2\n", "SQ110", 2, 11),
        ("id,statistic,value,lower\na,interval,1,0\n", "SQ126", 2, 14),
        ("id,statistic,value,p,lower\na,r,0.5,0.1,0.2\n", "SQ126", 2, 13),
        ("id,statistic,value,p,n\na,r,0.5,0.1,10..5\n", "SQ123", 2, 13),
        ("id,statistic,value\na-b,value,1\n", "SQ125", 2, 1),
        ("id,statistic,value,p,se\na,slope,0.5,0.1,0\n", None, None, None),
        ("id,statistic,value,p,se\na,slope,0.5,0.1,-1\n", "SQ123", 2, 17),
        ("id,statistic,value\na,slope,0.5\n", "SQ121", 2, 3),
    ],
)
def test_diagnostics(text, code, line, column):
    if code is None:
        assert audit(text).sets
    else:
        assert (code, line, column) in codes(text)


def test_delimiters_quotes_comments_and_line_ends():
    text = '# a comment, with commas\r\nid;statistic;value;p;n;source\r\n\r\na;r;0.50;"= 0.06";15;"Fig. 1; ""top"""\r\n'
    (found,) = audit(text).sets
    assert found.verdict is Verdict.FITS
    assert found.checks[0].figure.text("source") == 'Fig. 1; "top"'
    assert found.checks[0].figure.row.span.line == 4


def test_yaml_keeps_printed_digits():
    text = "- {id: a, statistic: r, value: 0.50, p: < 0.06, n: 15}\n- id: b\n  statistic: value\n  value: 1.0\n"
    (found,) = audit(text, "x.yaml").sets
    assert found.checks[0].claim.shown == "r = 0.50, p < 0.06"
    assert ("SQ120", 1, 25) in codes("- {id: a, statistic: r, valu: 0.5}\n", "x.yaml")
    assert ("SQ121", 1, 1) in codes("figures: []\n", "x.yaml")
    assert ("SQ122", 1, 3) in codes("- a\n", "x.yml")


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(SoilqlError, match="SQ701"):
        audit_file(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("id,statistic\né".encode("latin-1"))
    with pytest.raises(SoilqlError, match="SQ702"):
        audit_file(tmp_path / "latin.csv")
    with pytest.raises(SoilqlError, match="SQ707"):
        audit("id,statistic\n")


@settings(max_examples=150)
@given(st.text(alphabet='ab,;\t"#\n\r0.5<%!~ -+rRtp', max_size=60), st.sampled_from(["x.csv", "x.yaml"]))
def test_no_text_crashes_the_reader(rest, name):
    header = "id,statistic,value,p,n,parts\n" if name == "x.csv" else ""
    try:
        audit(header + rest, name).text()
    except SoilqlError as error:
        assert error.diagnostics
