"""Nonlinear least squares against R's nls, NIST's certified values, statsmodels and closed forms."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize_scalar

from soilql.errors import SoilqlError
from soilql.stats.nonlinear import FitStatus, fit_nonlinear
from soilql.stats.starts import LogLinearDesign

T = np.array([-8, -3, 0, 2, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 26, 27, 28], dtype=float)
RS = np.array(
    [279, 320, 451, 461, 615, 512, 783, 714, 751, 1022, 916, 984, 1165, 1448, 1021, 1634, 1627, 1782], dtype=float
)


class ExpPolynomial:
    """a exp(b T + c T^2 + ...)."""

    def __init__(self, t, degree):
        self.powers = np.column_stack([t**k for k in range(1, degree + 1)])

    def value(self, theta):
        return theta[0] * np.exp(self.powers @ theta[1:])

    def jacobian(self, theta):
        e = np.exp(self.powers @ theta[1:])
        return np.column_stack([e, theta[0] * e[:, None] * self.powers])


class Function:
    """A model given by its function alone, with derivatives by the complex step (exact to rounding)."""

    def __init__(self, function):
        self.function = function

    def value(self, theta):
        return np.asarray(self.function(theta), dtype=float)

    def jacobian(self, theta):
        steps = np.asarray(theta, dtype=complex) + 1e-30j * np.eye(len(theta))
        return np.column_stack([np.imag(self.function(step)) / 1e-30 for step in steps])


# R 4.2, nls(Rs ~ a*exp(b*T)) and nls(Rs ~ a*exp(b*T + c*T^2)) stop at a relative offset of 1e-5, which leaves up to
# about 1e-5 standard errors; the second row of numbers is where Gauss-Newton steps of full length come to rest.
R_NLS = {
    1: ([422.92272, 0.0489708753], [422.9227465, 0.04897087249], 290033.314),
    2: ([433.756884, 0.0441922549, 1.50520543e-4], [433.7570097, 0.04419229416, 1.505183421e-4], 288036.766),
}


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("linear", [(), ("a",)], ids=["joint", "projected"])
def test_soil_respiration_as_in_r(degree, linear):
    printed, limit, rss = R_NLS[degree]
    fit = fit_nonlinear(ExpPolynomial(T, degree), RS, ["a", "b", "c"][: degree + 1], linear=linear)
    assert fit.status is FitStatus.CONVERGED
    assert np.all(np.abs(fit.estimates - printed) < 1e-5 * fit.se)
    assert fit.estimates == pytest.approx(limit, rel=1e-9)
    assert round(fit.rss, 3) == rss
    assert fit.relative_offset < 1e-9
    assert fit.n_best >= 0.8 * fit.n_starts
    assert fit.notes == ()


def test_what_r_prints_about_the_fit():
    fit = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"])
    # R's summary() of the same unfinished iterate: SE 41.37651 and 0.0043216981.
    assert fit.se == pytest.approx([41.37651, 0.0043216981], rel=2e-7)
    assert (fit.n, fit.df, fit.rank) == (18, 16, 2)
    assert fit.sigma == pytest.approx(np.sqrt(290033.31396 / 16), rel=1e-9)
    # logLik.nls: -n/2 (log 2 pi + 1 - log n + log RSS); AIC and BIC count the variance.
    assert fit.log_likelihood == pytest.approx(-9 * (np.log(2 * np.pi * 290033.31396 / 18) + 1), rel=1e-10)
    assert fit.aic == pytest.approx(6 - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(3 * np.log(18) - 2 * fit.log_likelihood)
    assert fit.r2 == pytest.approx(1 - 290033.31396 / np.sum((RS - RS.mean()) ** 2), rel=1e-9)
    assert fit.correlation[0, 1] == pytest.approx(fit.covariance[0, 1] / np.prod(fit.se))
    assert np.allclose(np.diag(fit.correlation), 1.0)
    assert np.allclose(fit.fitted + fit.residuals, RS)


@pytest.mark.parametrize("offset", [0.0, 273.15], ids=["celsius", "kelvin"])
@pytest.mark.parametrize("linear", [(), ("a",)], ids=["joint", "projected"])
@pytest.mark.parametrize("driver", [1e-8, 1e8])
@pytest.mark.parametrize("response", [1e-8, 1e8])
def test_units_do_not_matter(driver, response, linear, offset):
    model = ExpPolynomial((T + offset) * driver, 2)
    fit = fit_nonlinear(model, RS * response, ["a", "b", "c"], linear=linear)
    plain = fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"])
    assert fit.status is FitStatus.CONVERGED
    assert fit.rss / response**2 == pytest.approx(plain.rss, rel=1e-9)
    assert fit.estimates[2] * driver**2 == pytest.approx(plain.estimates[2], rel=1e-6)
    assert fit.se[2] * driver**2 == pytest.approx(plain.se[2], rel=1e-6)
    assert np.allclose(fit.fitted / response, plain.fitted, rtol=1e-7)


def test_order_of_rows_does_not_matter():
    order = np.random.default_rng(0).permutation(T.size)
    one = fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"])
    other = fit_nonlinear(ExpPolynomial(T[order], 2), RS[order], ["a", "b", "c"], linear=["a"])
    assert other.estimates == pytest.approx(one.estimates, rel=1e-9)


def _nist():
    """NIST StRD for nonlinear regression, https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml."""
    x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760])
    y = [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78]
    yield (
        "Misra1a",
        lambda b, x=x: b[0] * (1 - np.exp(-b[1] * x)),
        y,
        [2.3894212918e2, 5.5015643181e-4],
        [2.7070075241, 7.2668688436e-6],
        1.2455138894e-1,
    )
    x = np.arange(50.0, 126, 5)
    y = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
    yield (
        "MGH10",
        lambda b, x=x: b[0] * np.exp(b[1] / (x + b[2])),
        y,
        [5.6096364710e-3, 6.1813463463e3, 3.4522363462e2],
        [1.5687892471e-4, 2.3309021107e1, 7.8486103508e-1],
        8.7945855171e1,
    )
    x = np.arange(1.0, 16)
    y = [16.08, 33.83, 65.80, 97.20, 191.55, 326.20, 386.87, 520.53]
    y += [590.03, 651.92, 724.93, 699.56, 689.96, 637.56, 717.41]
    yield (
        "Rat43",
        lambda b, x=x: b[0] / (1 + np.exp(b[1] - b[2] * x)) ** (1 / b[3]),
        y,
        [6.9964151270e2, 5.2771253025, 7.5962938329e-1, 1.2792483859],
        [1.6302297817e1, 2.0828735829, 1.9566123451e-1, 6.8761936385e-1],
        8.7864049080e3,
    )
    x = np.array([9, 14, 21, 28, 42, 57, 63, 70, 79.0])
    yield (
        "Rat42",
        lambda b, x=x: b[0] / (1 + np.exp(b[1] - b[2] * x)),
        [8.93, 10.80, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08],
        [7.2462237576e1, 2.6180768402, 6.7359200066e-2],
        [1.7340283401, 8.8295217536e-2, 3.4465663377e-3],
        8.0565229338,
    )
    x = np.array([4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
    yield (
        "MGH09",
        lambda b, x=x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
        [1.9280693458e-1, 1.9128232873e-1, 1.2305650693e-1, 1.3606233068e-1],
        [1.1435312227e-2, 1.9633220911e-1, 8.0842031232e-2, 9.0025542308e-2],
        3.0750560385e-4,
    )
    x = np.array([1, 2, 3, 5, 7, 10.0])
    yield (
        "BoxBOD",
        lambda b, x=x: b[0] * (1 - np.exp(-b[1] * x)),
        [109, 149, 149, 191, 213, 224],
        [2.1380940889e2, 5.4723748542e-1],
        [1.2354515176e1, 1.0455993237e-1],
        1.1680088766e3,
    )


@pytest.mark.parametrize(("name", "function", "y", "certified", "se", "rss"), list(_nist()), ids=lambda v: str(v)[:8])
@pytest.mark.parametrize("linear", [(), ("b1",)], ids=["joint", "projected"])
def test_nist_certified_values_without_any_start(name, function, y, certified, se, rss, linear):
    names = [f"b{k + 1}" for k in range(len(certified))]
    fit = fit_nonlinear(Function(function), y, names, linear=linear)
    assert fit.status is FitStatus.CONVERGED
    assert fit.estimates == pytest.approx(certified, rel=1e-9)
    assert fit.se == pytest.approx(se, rel=1e-8)
    assert fit.rss == pytest.approx(rss, rel=1e-9)


def test_weights_as_in_statsmodels():
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(30), rng.normal(size=(30, 2))])
    y, w = x @ [3, 2, -1] + rng.normal(size=30), rng.uniform(0.2, 4, 30)
    fit = fit_nonlinear(Function(lambda b: x @ b), y, ["b0", "b1", "b2"], weights=w, linear=["b0", "b1", "b2"])
    peer = sm.WLS(y, x, weights=w).fit()
    assert fit.estimates == pytest.approx(peer.params, rel=1e-10)
    assert fit.covariance == pytest.approx(peer.cov_params(), rel=1e-9)
    assert fit.t_values == pytest.approx(peer.tvalues, rel=1e-9)
    assert fit.p_values == pytest.approx(peer.pvalues, rel=1e-8)
    assert fit.log_likelihood == pytest.approx(peer.llf, rel=1e-10)
    assert fit.r2 == pytest.approx(peer.rsquared, rel=1e-10)
    assert fit.sigma == pytest.approx(np.sqrt(peer.scale), rel=1e-10)


def test_rows_of_weight_zero_are_no_rows():
    y, t = np.append(RS, 1e9), np.append(T, 40.0)
    fit = fit_nonlinear(ExpPolynomial(t, 1), y, ["a", "b"], linear=["a"], weights=np.append(np.ones(18), 0.0))
    assert fit.n == 18
    assert fit.estimates == pytest.approx(R_NLS[1][1], rel=1e-9)
    assert fit.fitted.shape == (19,)


def test_bound_of_a_nonlinear_parameter():
    fit = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.0, 0.04)})
    e = np.exp(0.04 * T)
    assert fit.status is FitStatus.AT_BOUND
    assert "`b` = 0.04" in fit.message
    assert fit.estimates[1] == 0.04
    # With b held, a is the least-squares coefficient of one column.
    assert fit.estimates[0] == pytest.approx(RS @ e / (e @ e), rel=1e-10)
    assert np.isnan(fit.se[1])
    assert fit.se[0] == pytest.approx(fit.sigma / np.sqrt(e @ e), rel=1e-9)


def test_bound_of_a_linear_parameter_makes_the_search_joint():
    fit = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"a": (0.0, 400.0)})
    b = minimize_scalar(lambda b: np.sum((RS - 400 * np.exp(b * T)) ** 2), bracket=(0.04, 0.06), tol=1e-12).x
    assert fit.status is FitStatus.AT_BOUND
    assert fit.estimates == pytest.approx([400.0, b], rel=1e-7)
    assert any("jointly" in note for note in fit.notes)


def test_bounds_that_do_not_bind_change_nothing():
    fit = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"a": (0, np.inf), "b": (-1.0, 1.0)})
    assert fit.status is FitStatus.CONVERGED
    assert fit.estimates == pytest.approx(R_NLS[1][1], rel=1e-9)
    assert fit.notes == ()


@pytest.mark.parametrize("linear", [(), ("a",)], ids=["joint", "projected"])
def test_parameters_that_cannot_be_told_apart_are_named(linear):
    fit = fit_nonlinear(Function(lambda b: b[0] * np.exp(b[1] + b[2] * T)), RS, ["a", "shift", "b"], linear=linear)
    assert fit.status is FitStatus.SINGULAR
    assert "`a` and `shift` cannot be told apart" in fit.message
    assert fit.rank == 2
    assert np.isnan(fit.se[:2]).all()
    # The slope is still known: R's b and its standard error, but for one more degree of freedom spent.
    assert fit.estimates[2] == pytest.approx(0.04897087249, rel=1e-6)
    assert fit.se[2] == pytest.approx(0.0043216980 * np.sqrt(16 / 15), rel=1e-5)


def test_parameter_without_effect_is_named():
    fit = fit_nonlinear(Function(lambda b: b[0] * np.exp(b[1] * T) + 0 * b[2]), RS, ["a", "b", "idle"], linear=["a"])
    assert fit.status is FitStatus.SINGULAR
    assert "`idle`" in fit.message
    assert fit.estimates[:2] == pytest.approx(R_NLS[1][1], rel=1e-6)


def test_too_few_rows():
    fit = fit_nonlinear(ExpPolynomial(T[:2], 1), RS[:2], ["a", "b"])
    assert fit.status is FitStatus.TOO_FEW_ROWS
    assert fit.message == "2 rows for 2 parameters; at least 3 are needed"
    assert np.isnan(fit.estimates).all()
    assert not fit.status.usable


def test_model_that_is_undefined_everywhere():
    fit = fit_nonlinear(Function(lambda b: np.full(18, np.nan) * b[0]), RS, ["a"])
    assert fit.status is FitStatus.FAILED
    assert np.isnan(fit.rss)


def test_exchangeable_terms_are_reported_as_rivals():
    time = np.linspace(0, 10, 40)
    y = 3 * np.exp(-0.3 * time) + 5 * np.exp(-1.5 * time) + 0.01 * np.sin(7 * time)
    fit = fit_nonlinear(
        Function(lambda b: b[0] * np.exp(-b[2] * time) + b[1] * np.exp(-b[3] * time)),
        y,
        ["a1", "a2", "k1", "k2"],
        linear=["a1", "a2"],
    )
    assert fit.status is FitStatus.CONVERGED
    assert any("another optimum fits nearly as well" in note for note in fit.notes)
    swapped = fit.estimates[[1, 0, 3, 2]]
    assert any(np.allclose(theta, swapped, rtol=1e-4) for theta, _ in fit.rivals)


def test_perfect_data():
    fit = fit_nonlinear(
        ExpPolynomial(T, 2), ExpPolynomial(T, 2).value([2.0, 0.1, -1e-3]), ["a", "b", "c"], linear=["a"]
    )
    assert fit.status is FitStatus.CONVERGED
    assert fit.estimates == pytest.approx([2.0, 0.1, -1e-3], rel=1e-10)
    assert fit.n_best > 0


def test_constant_response_has_no_r2():
    fit = fit_nonlinear(ExpPolynomial(T, 1), np.full(18, 5.0), ["a", "b"], linear=["a"])
    assert fit.estimates == pytest.approx([5.0, 0.0], abs=1e-12)
    assert np.isnan(fit.r2)


def test_starts_of_the_user_and_of_logarithms_are_used():
    design = LogLinearDesign(np.column_stack([np.ones(18), T]), exponentiated=(0,))
    one = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], log_linear_start=design, n_starts=0)
    two = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], starts={"a": 300, "b": 0.03}, n_starts=0)
    for fit in (one, two):
        assert fit.status is FitStatus.CONVERGED
        assert fit.estimates == pytest.approx(R_NLS[1][1], rel=1e-9)


def test_searches_end_once_they_agree():
    few = fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"], n_starts=16)
    many = fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], linear=["a"], n_starts=64)
    for fit in (few, many):
        assert (fit.n_starts, fit.n_best) == (4, 4)
        assert fit.estimates == pytest.approx(R_NLS[2][1], rel=1e-9)


def test_searches_go_on_where_they_end_at_different_places():
    # A sine has a local minimum at every few frequencies: no four searches more at the best than elsewhere.
    x = np.linspace(0.0, 10.0, 200)
    y = 2.0 * np.sin(7.0 * x) + 0.05 * np.cos(31.0 * x)
    model = Function(lambda b: b[0] * np.sin(b[1] * x))
    fit = fit_nonlinear(model, y, ["a", "omega"], linear=["a"], bounds={"omega": (0.5, 20.0)}, n_starts=40)
    assert fit.n_starts > 40
    assert fit.estimates == pytest.approx([2.0, 7.0], rel=0.01)


def test_agreement_at_a_bound_does_not_end_the_searches():
    free = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"])
    held = fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], linear=["a"], bounds={"b": (0.0, 0.04)})
    assert held.status is FitStatus.AT_BOUND
    assert (free.n_starts, held.n_starts) == (4, 17)  # the neutral start and 16 from the screen


def test_plateau_is_no_agreement():
    # Far from the decay rate the curve is 0 at all times but the first, whatever the rate: no minimum to agree on.
    time = np.linspace(0.0, 10.0, 30)
    y = 5.0 * np.exp(-0.4 * time)
    fit = fit_nonlinear(Function(lambda b: 5.0 * np.exp(-b[0] * time)), y, ["k"], starts={"k": 1e3}, n_starts=16)
    assert fit.estimates == pytest.approx([0.4], rel=1e-9)
    assert fit.n_best >= 4


def test_same_seed_same_fit():
    fits = [fit_nonlinear(ExpPolynomial(T, 2), RS, ["a", "b", "c"], seed=3) for _ in range(2)]
    assert np.array_equal(fits[0].estimates, fits[1].estimates)


@pytest.mark.parametrize(
    ("kwargs", "code"),
    [
        ({"starts": {"q": 1.0}}, "SQ813"),
        ({"starts": {"b": 9.0}, "bounds": {"b": (0, 1)}}, "SQ813"),
        ({"bounds": {"b": (1, 1)}}, "SQ813"),
        ({"bounds": {"q": (0, 1)}}, "SQ813"),
        ({"linear": ["q"]}, "SQ813"),
        ({"linear": ["b"]}, "SQ813"),
        ({"weights": np.ones(3)}, "SQ811"),
        ({"n_starts": -1}, "SQ813"),
    ],
)
def test_errors(kwargs, code):
    with pytest.raises(SoilqlError) as caught:
        fit_nonlinear(ExpPolynomial(T, 1), RS, ["a", "b"], **kwargs)
    assert caught.value.diagnostics[0].code == code


def test_missing_observations_raise():
    with pytest.raises(SoilqlError, match="SQ812"):
        fit_nonlinear(ExpPolynomial(T, 1), np.where(T > 27, np.nan, RS), ["a", "b"])
