"""Survival analyses against R (survival 3.5.3) and cmprsk; exact unless a test says otherwise.

Data: `lung` with dead <- status == 2, arm <- sex == 2, st <- age %% 3, w <- .5 + (age %% 5) / 4,
off <- (age - 60) / 50, cause <- ifelse(dead, 1 + (age %% 3 == 0), 0).
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulation.analysis.competing import (
    cause_specific_cox,
    cumulative_incidence,
    fine_gray,
    fine_gray_batch,
    gray,
    incidence_difference_batch,
)
from simulation.analysis.cox import cox
from simulation.analysis.logrank import Weight, logrank
from simulation.analysis.maxcombo import WEIGHTS, max_combo, max_combo_batch
from simulation.analysis.rmst import curves_batch

# stratified .. peto_stratified: survdiff(Surv(time, dead) ~ arm [+ strata(st)], rho = 0, 1, .5):
#   observed - expected of arm 1, variance, chi-square; three: survdiff(~ st).
# cox_*: coxph(~ arm + age + strata(st) + offset(off), weights = w, ties, robust = TRUE, eps 1e-13):
#   coefficients, diagonal of naive.var, of var, var[1, 2], loglik.
# incidence: survfit(Surv(time, factor(cause)) ~ 1) at 200 and 500 days, pstate and std.err;
#   incidence_arms: ~ arm at 365 days.
# fine_gray: coxph on finegray(etype = "1"), weights fgwt, ties "breslow", cluster id: coefficients,
#   diagonals of naive.var and var. cause_specific: coxph(Surv(time, cause == 1)): coef and se.
# landmark, restricted: survfit(~ arm): at 365 days, and rmean = 365, with standard errors.
# gehan .. modest: sums over summary(survfit(~ 1)) written out in R with these weights of S(t-), n:
#   n, sqrt(n), 1 - S, S (1 - S), 1 / max(S, S(180)): score, variance, z.
R = {
    "stratified": (-20.1254409478, 38.7675796119, 10.4477343543),
    "peto": (-14.806456823, 17.243082667, 12.7141514012),
    "rho_half": (-17.2382173448, 24.2563204754, 12.2506683372),
    "peto_stratified": (-14.0439851467, 17.3129009314, 11.3922859942),
    "three": (5.07437869781,),
    "cox_efron": (
        -0.58396049176, -0.00447871008423, 0.0299344453411, 9.00019358798e-05, 0.0294548970272,
        0.000127219267496, -0.000182344455679, -576.274784811, -570.202694675,
    ),
    "cox_breslow": (
        -0.582112218102, -0.0044715002862, 0.0299353741477, 9.00395402892e-05, 0.0293011339256,
        0.000126801013448, -0.000179296261071, -576.636443664, -570.603696612,
    ),
    "incidence": (0.217227259815, 0.497600990511, 0.0274827710954, 0.0371874713529),
    "incidence_arms": (0.475308051768, 0.337457691042, 0.0453687766104, 0.0556103128015),
    "fine_gray": (
        -0.388841238337, 0.00679756665813, 0.0410221553619, 0.00012263553841, 0.0384121947183,
        0.000129232268656,
    ),
    "cause_specific": (-0.52711485028, 0.0134411437948, 0.202831976984, 0.0110573244303),
    "landmark": (0.336087834639, 0.526463030186, 0.0434235888418, 0.0597368539904),
    "restricted": (241.495085192, 297.465409532, 10.3582264911, 10.7913239788),
    "gehan": (-3148, 794563.539987, -3.53159104813),
    "tarone_ware": (-248.233635117, 4947.18962793, -3.52924126438),
    "late": (-5.61180414746, 9.10187569587, -1.86010326759),
    "both": (-3.29738152309, 1.41853004047, -2.76853444598),
    "modest": (-25.6513417526, 69.1713849104, -3.08423066859),
    "late_plain_correlation": (0.840680223222,),
}


def close(*values: object, at: str, rel: float = 1e-9) -> None:
    """All figures, one after the other, are R's."""
    found = np.concatenate([np.ravel(np.asarray(value, dtype=float)) for value in values])
    assert found == pytest.approx(np.array(R[at]), rel=rel)


@pytest.fixture(scope="module")
def lung() -> pd.DataFrame:
    spec = find_spec("lifelines")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "lung.csv"
    frame = pd.read_csv(path)[["time", "status", "age", "sex"]]
    frame["dead"] = (frame["status"] == frame["status"].max()).astype(float)
    frame["arm"] = (frame["sex"] == frame["sex"].max()).astype(float)
    frame["st"] = frame["age"] % 3
    frame["cause"] = (frame["dead"] * (1 + (frame["st"] == 0))).astype(int)
    return frame


TESTS = {
    "stratified": (Weight(), True),
    "peto": (Weight(rho=1), False),
    "rho_half": (Weight(rho=0.5), False),
    "peto_stratified": (Weight(rho=1), True),
}


@pytest.mark.parametrize("name", TESTS)
def test_exact_log_rank_of_survdiff(lung, name):
    weight, stratified = TESTS[name]
    strata = lung["st"] if stratified else None
    found = logrank(lung["time"], lung["dead"], lung["arm"], strata, weight=weight)
    close(found.difference, found.variance, found.chi2, at=name)


def test_exact_log_rank_of_three_arms(lung):
    close(logrank(lung["time"], lung["dead"], lung["st"]).chi2, at="three")


WRITTEN = {
    "gehan": Weight("gehan"),
    "tarone_ware": Weight("tarone_ware"),
    "late": Weight(gamma=1),
    "both": Weight(rho=1, gamma=1),
    "modest": Weight("modest", until=180),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_exact_weights_written_out_in_r(lung, name):
    found = logrank(lung["time"], lung["dead"], lung["arm"], weight=WRITTEN[name])
    close(found.difference, found.variance, found.z, at=name)


def test_exact_tests_and_correlation_of_max_combo(lung):
    found = max_combo(lung["time"], lung["dead"], lung["arm"])
    tests = found.extra["tests"]
    assert tests["Fleming-Harrington(0, 1)"] == pytest.approx(R["late"][2], rel=1e-9)
    assert tests["Fleming-Harrington(1, 1)"] == pytest.approx(R["both"][2], rel=1e-9)
    assert found.extra["chosen"] == "Fleming-Harrington(1, 0)"
    assert tests[found.extra["chosen"]] ** 2 == pytest.approx(R["peto"][2], rel=1e-9)
    rows = [lung[name].to_numpy(dtype=float)[None] for name in ("time", "dead", "arm")]
    correlation = max_combo_batch(*rows, weights=WEIGHTS[:2]).correlation[0]
    assert correlation[0, 1] == pytest.approx(R["late_plain_correlation"][0], rel=1e-9)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_exact_weighted_stratified_cox_with_offset_and_robust_variance(lung, ties):
    fit = cox(
        lung["time"], lung["dead"], {"arm": lung["arm"], "age": lung["age"]}, lung["st"],
        ties=ties, weights=0.5 + lung["age"] % 5 / 4, offset=(lung["age"] - 60) / 50, robust=True,
    )
    naive = cox(
        lung["time"], lung["dead"], {"arm": lung["arm"], "age": lung["age"]}, lung["st"],
        ties=ties, weights=0.5 + lung["age"] % 5 / 4, offset=(lung["age"] - 60) / 50,
    )
    variance = fit.covariance
    close(
        fit.coefficients, np.diag(naive.covariance), np.diag(variance), variance[0, 1],
        fit.null_log_likelihood, fit.log_likelihood, at=f"cox_{ties}", rel=2e-9,
    )


def test_exact_cumulative_incidence_and_its_jackknife_variance(lung):
    curve = cumulative_incidence(lung["time"], lung["cause"])
    places = np.searchsorted(curve.time, [200, 500], side="right") - 1
    close(curve.at([200, 500]), curve.se[places], at="incidence")
    rows = [lung[name].to_numpy()[None] for name in ("cause", "arm")]
    days = lung["time"].to_numpy(dtype=float)[None]
    found = incidence_difference_batch(days, *rows, horizon=365)
    zero, one, se_zero, se_one = R["incidence_arms"]
    assert found.estimate[0] == pytest.approx(one - zero, rel=1e-9)
    assert found.se[0] == pytest.approx(np.hypot(se_zero, se_one), rel=1e-9)


def test_exact_hazards_of_one_cause(lung):
    columns = {"arm": lung["arm"], "age": lung["age"]}
    table = np.column_stack([lung["arm"], lung["age"]])[None]
    found = fine_gray_batch(
        lung["time"].to_numpy(dtype=float)[None], lung["cause"].to_numpy()[None], table,
        known_weights=True,
    )
    close(
        found.coefficients, np.diag(found.naive[0]), np.diag(found.covariance[0]), at="fine_gray",
        rel=1e-8,
    )
    fit = cause_specific_cox(lung["time"], lung["cause"], columns)
    close(fit.coefficients, np.sqrt(np.diag(fit.covariance)), at="cause_specific")


def test_exact_landmark_and_restricted_mean(lung):
    rows = [lung[name].to_numpy(dtype=float)[None] for name in ("time", "dead", "arm")]
    found = curves_batch(*rows, 365.0)
    close(found.survival, np.sqrt(found.survival_variance), at="landmark")
    close(found.mean, np.sqrt(found.mean_variance), at="restricted")


# cmprsk 2.2-11: cuminc(time, cause, arm[, st])$Tests, causes 1 and 2: statistic, p;
# crr(rank(time, ties.method = "first"), cause, cbind(arm, age), failcode, gtol = 1e-12):
# coefficients, standard errors; ranks, since it takes ties of deaths and censoring otherwise.
GRAY = {
    False: ((3.238507170898, 0.0719261474906), (0.514576432508, 0.4731644361834)),
    True: ((6.15965646364, 0.0130696589335), (3.75515436120, 0.0526449346326)),
}
CRR = {
    1: (-0.388802014068368, 0.006784431235418, 0.19632911198293, 0.01138435394867),
    2: (-0.24465987616036, 0.01588076183269, 0.29196281207756, 0.01428610068053),
}


@pytest.mark.parametrize("stratified", GRAY)
def test_exact_gray_of_cmprsk(lung, stratified):
    strata = lung["st"] if stratified else None
    for interest, (chi2, p_value) in enumerate(GRAY[stratified], start=1):
        found = gray(lung["time"], lung["cause"], lung["arm"], strata, interest)
        assert found.chi2 == pytest.approx(chi2, rel=1e-9)
        assert found.p_value == pytest.approx(p_value, rel=1e-9)


@pytest.mark.parametrize("interest", CRR)
def test_exact_fine_gray_of_cmprsk(lung, interest):
    columns = {"arm": lung["arm"], "age": lung["age"]}
    day = lung["time"].rank(method="first")
    fit = fine_gray(day, lung["cause"], columns, interest)
    found = [*fit.coefficients, *np.sqrt(np.diag(fit.covariance))]
    assert found == pytest.approx(CRR[interest], rel=1e-7)
