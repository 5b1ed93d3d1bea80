"""Time-to-event analyses against R's published figures and independent implementations."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sksurv.datasets import load_aids, load_gbsg2
from sksurv.metrics import concordance_index_censored
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

from simulation.analysis.cox import cox
from simulation.analysis.logrank import logrank
from simulation.analysis.survival import concordance, kaplan_meier


def lung() -> pd.DataFrame:
    spec = find_spec("lifelines")
    assert spec is not None
    assert spec.submodule_search_locations
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "datasets" / "lung.csv")


# R survival 3.5.3: coxph(Surv(time, event) ~ tx + strata(strat2)) on ACTG320. R stops when the log
# likelihood moves by less than 1e-9 of itself, so its hazard ratios hold to about 2e-5.
ACTG320 = [
    ("aids", "time", "censor", (63, 33), (0.49945, 0.32773, 0.76114), 0.504372),
    ("death", "time_d", "censor_d", (18, 8), (0.43192, 0.18780, 0.99336), 0.434971),
]


@pytest.mark.parametrize(("endpoint", "time", "event", "events", "stratified", "plain"), ACTG320)
def test_actg320_hazard_ratios_exact(endpoint, time, event, events, stratified, plain):
    x, y = load_aids(endpoint)
    treated = x["tx"].astype(float).to_numpy()
    seen = y[event].astype(float)
    assert (seen[treated == 0].sum(), seen[treated == 1].sum()) == events
    inside = cox(y[time], seen, {"tx": treated}, x["strat2"].to_numpy()).hazard_ratio("tx")
    assert (inside.estimate, inside.low, inside.high) == pytest.approx(stratified, abs=2e-5)
    assert inside.extra["hazard_ratio"] == "conditional"
    unadjusted = cox(y[time], seen, {"tx": treated}).hazard_ratio("tx")
    assert unadjusted.estimate == pytest.approx(plain, abs=2e-5)
    assert unadjusted.extra["hazard_ratio"] == "marginal"


def test_lung_sex_exact():
    # R survival 3.5.3: survdiff 10.3267; coxph .5880.
    frame = lung()
    dead = (frame["status"] == frame["status"].max()).astype(float)
    assert logrank(frame["time"], dead, frame["sex"]).chi2 == pytest.approx(10.3267, abs=5e-5)
    ratio = cox(frame["time"], dead, {"sex": frame["sex"]}).hazard_ratio("sex")
    assert ratio.estimate == pytest.approx(0.5880, abs=5e-5)


def test_gbsg_hormone_exact():
    # R survival 3.5.3, gbsg: hormone .6949.
    x, y = load_gbsg2()
    hormone = (x["horTh"] == "yes").astype(float)
    fitted = cox(y["time"], y["cens"].astype(float), {"hormone": hormone})
    assert fitted.hazard_ratio("hormone").estimate == pytest.approx(0.6949, abs=5e-5)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("stratified", [False, True])
def test_cox_equals_statsmodels_exact(ties, stratified):
    rng = np.random.default_rng(20)
    x = rng.normal(size=(250, 3))
    time = np.ceil(6 * rng.exponential(np.exp(-0.5 * x[:, 0])))
    censoring = np.ceil(9 * rng.exponential(size=250))
    event = (time <= censoring).astype(float)
    time = np.minimum(time, censoring)
    strata = rng.integers(0, 3, 250) if stratified else None
    other = PHReg(time, x, status=event, strata=strata, ties=ties).fit()
    ours = cox(time, event, {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]}, strata, ties=ties)
    np.testing.assert_allclose(ours.coefficients, other.params, atol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), other.bse, atol=1e-8)
    assert ours.log_likelihood == pytest.approx(other.llf, abs=1e-8)


def test_kaplan_meier_equals_statsmodels_exact():
    frame = lung()
    dead = (frame["status"] == frame["status"].max()).astype(float)
    ours, other = kaplan_meier(frame["time"], dead), SurvfuncRight(frame["time"], dead)
    kept = np.isin(other.surv_times, ours.time)
    np.testing.assert_allclose(ours.survival, other.surv_prob[kept], atol=1e-12)
    np.testing.assert_allclose(ours.se, other.surv_prob_se[kept], atol=1e-12)
    assert ours.median() == 310  # R survival 3.5.3: survfit(Surv(time, status) ~ 1), lung


def test_concordance_equals_scikit_survival_exact():
    frame = lung()
    dead = (frame["status"] == frame["status"].max()).to_numpy()
    age = frame["age"].to_numpy(float)
    ours = concordance(age, frame["time"], dead.astype(float))
    other = concordance_index_censored(dead, frame["time"].to_numpy(), age)
    assert ours.estimate == pytest.approx(other[0], abs=1e-12)
    everyone = np.arange(age.size)
    left_out = np.asarray([
        concordance(age[everyone != i], frame["time"][everyone != i],
                    dead[everyone != i].astype(float)).estimate for i in everyone])
    jackknife = np.sqrt((age.size - 1) * left_out.var())
    assert ours.se == pytest.approx(jackknife, rel=0.03)
