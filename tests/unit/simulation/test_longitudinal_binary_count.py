"""Binary outcomes and counts against statsmodels, published intervals and brute force."""

import numpy as np
import pytest
import statsmodels.api as sm
from pydantic import TypeAdapter
from scipy.optimize import minimize_scalar
from statsmodels.stats.proportion import confint_proportions_2indep

from extraction.records.errors import InputError
from simulation.analysis.binary import logistic_odds_ratio, proportions_batch, two_proportions
from simulation.analysis.count import rate_ratio, rate_ratio_batch
from simulation.analysis.regression import regression_batch
from simulation.analysis.standardised import standardised, standardised_batch
from simulation.trial.analyses import Choice, LookData
from simulation.trial.outcomes.base import Observed

RNG = np.random.default_rng(20261122)
SHAPE = (3, 120)
ARM = (RNG.uniform(size=SHAPE) < 0.5).astype(float)
X = RNG.normal(size=(*SHAPE, 2))
HIT = (RNG.uniform(size=SHAPE) < 1 / (1 + np.exp(0.3 - 0.8 * ARM - X[..., 0]))).astype(float)
TIME = RNG.uniform(0.5, 2, SHAPE)
COUNT = RNG.poisson(TIME * np.exp(0.5 - 0.4 * ARM + 0.3 * X[..., 0])
                    * RNG.gamma(1.5, 1 / 1.5, SHAPE)).astype(float)
NAMES = {"difference": "diff", "ratio": "ratio", "odds_ratio": "odds-ratio"}


def columns(r, arm=None):
    return np.column_stack([np.ones(SHAPE[1]), ARM[r] if arm is None else arm, X[r]])


def test_exact_score_limits_of_a_difference():
    """Newcombe (1998), Table II, method 9, examples (a) and (b); restricted maxima by search."""
    printed = {(56, 70, 48, 80): (0.0528, 0.3382), (9, 10, 3, 10): (0.1700, 0.8406)}
    for (x1, n1, x0, n0), limits in printed.items():
        found = two_proportions(x1, n1, x0, n0)
        assert (round(found.low, 4), round(found.high, 4)) == limits
        for limit in (found.low, found.high):
            def lost(p0, delta=limit, table=(x1, n1, x0, n0)):
                a, n, b, m = table
                p1 = p0 + delta
                return -(a * np.log(p1) + (n - a) * np.log1p(-p1) + b * np.log(p0)
                         + (m - b) * np.log1p(-p0))

            best = minimize_scalar(lost, bounds=(1e-9, 1 - limit - 1e-9), method="bounded",
                                   options={"xatol": 1e-12}).x
            p1, p0, n = best + limit, best, n1 + n0
            variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * n / (n - 1)
            z = (x1 / n1 - x0 / n0 - limit) / np.sqrt(variance)
            assert abs(z) == pytest.approx(1.959964, abs=1e-5)


@pytest.mark.parametrize("measure", ["ratio", "odds_ratio"])
def test_fitted_score_limits_are_those_of_statsmodels(measure):
    """Miettinen-Nurminen, statsmodels' root finding: 1e-5."""
    x1, n1, x0, n0 = np.array([[56, 70, 48, 80], [9, 10, 3, 10], [3, 40, 12, 200]]).T
    found = proportions_batch(x1, n1, x0, n0, measure=measure)
    for r in range(3):
        with np.errstate(all="ignore"):
            peer = confint_proportions_2indep(x1[r], n1[r], x0[r], n0[r], method="score",
                                              compare=NAMES[measure], correction=True)
        ours = np.array([found.low[r], found.high[r]])
        assert np.exp(ours) == pytest.approx(peer, rel=1e-5, abs=1e-6)


def test_exact_newcombe_examples():
    """Newcombe (1998), Stat Med 17, 873-890, Table II, method 10, examples (a) to (d)."""
    printed = {(56, 70, 48, 80): (0.0524, 0.3339), (9, 10, 3, 10): (0.1705, 0.8090),
               (10, 10, 0, 20): (0.6791, 1.0), (5, 56, 0, 29): (-0.0381, 0.1926)}
    for (x1, n1, x0, n0), limits in printed.items():
        found = two_proportions(x1, n1, x0, n0, interval="newcombe")
        assert (round(found.low, 4), round(found.high, 4)) == limits


def test_arms_without_events_have_one_sided_score_limits():
    found = two_proportions(4, 50, 0, 50, measure="ratio")
    assert np.isinf(found.estimate) and np.isinf(found.high) and 0.5 < found.low < 1.5
    none = two_proportions(0, 84, 0, 84)
    assert none.estimate == 0 and none.p_value == 1 and none.high == pytest.approx(-none.low)
    assert 0.03 < none.high < 0.06
    with pytest.raises(InputError) as caught:
        two_proportions(5, 4, 0, 0, measure="ratio", interval="newcombe")
    assert len(caught.value.faults) == 3


def test_exact_regressions_are_those_of_statsmodels():
    laws = {"logistic": (HIT, sm.families.Binomial()), "poisson": (COUNT, sm.families.Poisson())}
    for law, (y, family) in laws.items():
        found = regression_batch(law, y, ARM, X)
        for r in range(3):
            x = found.columns[r]
            peer = sm.GLM(y[r], x, family).fit(tol=1e-14)
            robust = sm.GLM(y[r], x, family).fit(tol=1e-14, cov_type="HC0")
            assert found.coefficients[r] == pytest.approx(peer.params, rel=1e-7, abs=1e-9)
            assert found.naive[r] == pytest.approx(peer.cov_params(), rel=1e-6, abs=1e-10)
            assert found.robust[r] == pytest.approx(robust.cov_params(), rel=1e-6, abs=1e-10)


def test_fitted_negative_binomial_is_that_of_statsmodels():
    """Both by maximum likelihood; 1e-4 of statsmodels' optimiser."""
    found = rate_ratio_batch(COUNT, ARM, X, exposure=TIME)
    for r in range(3):
        peer = sm.NegativeBinomial(COUNT[r], columns(r), exposure=TIME[r]).fit(
            disp=0, method="bfgs", maxiter=500, gtol=1e-8)
        assert found.coefficients[r, 1:] == pytest.approx(peer.params[1:-1], abs=1e-4)
        assert found.dispersion[r] == pytest.approx(peer.params[-1], abs=1e-4)
        law = sm.families.NegativeBinomial(alpha=found.dispersion[r])
        known = sm.GLM(COUNT[r], found.columns[r], law, exposure=TIME[r]).fit(tol=1e-14)
        assert found.naive[r] == pytest.approx(known.cov_params(), rel=1e-5, abs=1e-9)
        one = rate_ratio(COUNT[r], ARM[r], {"a": X[r, :, 0], "b": X[r, :, 1]}, exposure=TIME[r])
        assert np.log(one.estimate) == pytest.approx(found.coefficients[r, 1], rel=1e-9)
    even = rate_ratio_batch(np.tile([1.0, 2.0], (1, 60)), ARM[:1])
    assert even.dispersion[0] == 0 and even.converged[0]


@pytest.mark.parametrize("measure", NAMES)
def test_exact_standardised_effect_and_its_jackknife(measure):
    """Point by refitting in statsmodels; robust variance within 6 % of the jackknife's."""
    found = standardised_batch(HIT, ARM, X, measure=measure)
    summary = {"difference": lambda a, b: a - b, "ratio": lambda a, b: np.log(a / b),
               "odds_ratio": lambda a, b: np.log(a / (1 - a)) - np.log(b / (1 - b))}[measure]

    fit = sm.GLM(HIT[0], columns(0), sm.families.Binomial()).fit(tol=1e-12)
    risks = [fit.predict(columns(0, np.full(SHAPE[1], side))).mean() for side in (1.0, 0.0)]
    assert found.estimate[0] == pytest.approx(summary(*risks), rel=1e-8)
    assert (found.risk_treated[0], found.risk_control[0]) == pytest.approx(risks, rel=1e-8)
    n = SHAPE[1]
    without = standardised_batch(
        np.tile(HIT[:1], (n, 1)), np.tile(ARM[:1], (n, 1)), np.tile(X[:1], (n, 1, 1)),
        included=~np.eye(n, dtype=bool), measure=measure).estimate
    jackknife = np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum())
    assert found.se[0] == pytest.approx(jackknife, rel=0.06)
    jacobian = []
    for side, risk in zip((1.0, 0.0), risks, strict=True):
        x = columns(0, np.full(n, side))
        each = fit.predict(x)
        jacobian.append((each * (1 - each)) @ x / n)
        assert 0 < risk < 1
    if measure == "difference":
        gradient = jacobian[0] - jacobian[1]
        delta = standardised_batch(HIT, ARM, X, variance="delta")
        expected = np.sqrt(gradient @ fit.cov_params() @ gradient)
        assert delta.se[0] == pytest.approx(expected, rel=1e-6)


def test_exact_without_covariates_the_standardised_difference_is_walds():
    found = standardised(HIT[0], ARM[0])
    arm = ARM[0] == 1
    plain = two_proportions(int(HIT[0, arm].sum()), int(arm.sum()), int(HIT[0, ~arm].sum()),
                            int((~arm).sum()), interval="wald")
    for name in ("estimate", "se", "low", "high", "p_value"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-9)


def test_single_trials_are_rows_of_the_batch_and_name_their_effect():
    table = {"a": X[0, :, 0], "b": X[0, :, 1]}
    marginal = standardised(HIT[0], ARM[0], table, measure="odds_ratio")
    conditional = logistic_odds_ratio(HIT[0], ARM[0], table)
    batch = standardised_batch(HIT, ARM, X, measure="odds_ratio")
    assert marginal.extra["log"] == pytest.approx(batch.estimate[0], rel=1e-12)
    assert marginal.extra["effect"] == "marginal"
    assert conditional.extra["odds_ratio"] == "conditional"
    assert abs(np.log(marginal.estimate)) < abs(np.log(conditional.estimate))
    with pytest.raises(InputError, match="no finite"):
        logistic_odds_ratio(ARM[0], ARM[0])
    with pytest.raises(InputError, match="no finite rate ratio"):
        rate_ratio(COUNT[0] * ARM[0], ARM[0])


def test_trial_analyses_leave_out_third_arms_and_say_nothing_where_there_is_nothing():
    arm = np.where(ARM == 1, 2, np.where(np.arange(SHAPE[1]) % 4 == 0, 1, 0))
    there = np.ones(SHAPE, dtype=bool)
    there[2] = False
    covariates = np.moveaxis(X, 2, 0)
    hits = np.where(np.arange(SHAPE[1]) % 7 == 3, np.nan, HIT)
    binary = LookData(Observed(there, values=hits[None]), arm, covariates)
    counts = LookData(Observed(there, values=COUNT[None], exposure=TIME), arm, covariates)
    peers = {
        "standardised": (binary, standardised_batch(hits, ARM, X, included=there & (arm != 1))
                         .estimate),
        "count_regression": (counts, rate_ratio_batch(
            COUNT, ARM, X, exposure=TIME, included=there & (arm != 1)).coefficients[:, 1]),
    }
    for kind, (data, peer) in peers.items():
        analysis = TypeAdapter(Choice).validate_python({"kind": kind})
        fit = analysis.fit(data, 2, 0)
        assert fit.estimate[:2] == pytest.approx(peer[:2], rel=1e-10)
        assert fit.z[:2] == pytest.approx(fit.estimate[:2] / fit.se[:2], rel=1e-12)
        assert np.isnan(fit.estimate[2]) and np.isinf(fit.se[2]) and fit.z[2] == 0
