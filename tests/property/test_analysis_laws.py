"""What must hold for any trial: meanings of the analyses, as properties."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from simulation.analysis.continuous import ancova
from simulation.analysis.cox import cox
from simulation.analysis.logrank import logrank, logrank_batch
from simulation.analysis.planning import power, sample_size
from simulation.analysis.procova import AnalysisLog
from simulation.analysis.survival import concordance, kaplan_meier

N = 24
TIMES = hnp.arrays(np.float64, N, elements=st.integers(0, 30).map(float))
EVENTS = hnp.arrays(np.float64, N, elements=st.sampled_from([0.0, 1.0])).filter(lambda e: e.sum())
ARMS = np.arange(N) % 2
settings.register_profile("analysis", max_examples=40, deadline=None)
QUICK = settings.get_profile("analysis")


@settings(QUICK)
@given(TIMES, EVENTS)
def test_survival_never_rises_and_stays_within_its_bounds(time, event):
    curve = kaplan_meier(time, event)
    assert (np.diff(curve.survival) <= 0).all()
    assert (curve.low <= curve.survival + 1e-12).all()
    assert (curve.survival <= curve.high + 1e-12).all()
    assert ((curve.low >= 0) & (curve.high <= 1)).all()


@settings(QUICK)
@given(TIMES, EVENTS)
def test_swapping_arms_flips_the_sign_of_the_logrank(time, event):
    one, two = logrank(time, event, ARMS), logrank(time, event, 1 - ARMS)
    assert one.z == pytest.approx(-two.z, abs=1e-9)
    assert one.chi2 == pytest.approx(two.chi2, abs=1e-9)


@settings(QUICK)
@given(TIMES, EVENTS, st.integers(0, 2**16))
def test_a_batch_is_its_trials_whatever_their_order(time, event, seed):
    order = np.random.default_rng(seed).permutation(N)
    strata = (np.arange(N) // 2) % 3
    batch = logrank_batch(np.stack([time, time[order]]), np.stack([event, event[order]]),
                          np.stack([ARMS, ARMS[order]]).astype(float),
                          np.stack([strata, strata[order]]))
    assert batch.z[0] == pytest.approx(batch.z[1], abs=1e-9)
    assert batch.chi2[0] == pytest.approx(logrank(time, event, ARMS, strata).chi2, abs=1e-9)


@settings(QUICK)
@given(EVENTS, st.integers(0, 2**16))
def test_logrank_is_the_score_test_of_cox_without_ties(event, seed):
    rng = np.random.default_rng(seed)
    time, strata = rng.exponential(size=N), rng.integers(0, 2, N)
    arm = rng.permutation(ARMS)
    # Each arm needs an event while the other one is at risk, or no finite hazard ratio exists.
    for side in (0, 1):
        assume(any(
            event[i] and arm[i] == side
            and ((time >= time[i]) & (strata == strata[i]) & (arm != side)).any()
            for i in range(N)
        ))
    test = logrank(time, event, arm, strata)
    fitted = cox(time, event, {"arm": arm}, strata)
    assert fitted.score_chi2 == pytest.approx(test.chi2, rel=1e-6, abs=1e-9)


@settings(QUICK)
@given(TIMES, EVENTS, st.integers(0, 2**16))
def test_concordance_mirrors_when_the_score_is_reversed(time, event, seed):
    rng = np.random.default_rng(seed)
    time = time + rng.random(N)
    last = time.argmax()
    event = event.copy()
    event[time.argmin()], event[last] = 1.0, 0.0
    score = rng.normal(size=N)
    up, down = concordance(score, time, event), concordance(-score, time, event)
    assert up.estimate == pytest.approx(1 - down.estimate, abs=1e-12)
    assert up.se == pytest.approx(down.se, abs=1e-12)


@settings(QUICK)
@given(st.integers(0, 2**16), st.floats(-50, 50), st.floats(0.1, 10))
def test_ancova_moves_with_units_and_forgets_shifts(seed, shift, scale):
    rng = np.random.default_rng(seed)
    y, base = rng.normal(size=N), rng.normal(size=N)
    plain = ancova(y, ARMS, {"base": base}, control=0).effects["1"]
    moved = ancova(scale * y + shift, ARMS, {"base": base - shift}, control=0).effects["1"]
    swapped = ancova(y, ARMS, {"base": base}, control=1).effects["0"]
    assert moved.estimate == pytest.approx(scale * plain.estimate, rel=1e-6, abs=1e-9)
    assert moved.p_value == pytest.approx(plain.p_value, rel=1e-6, abs=1e-9)
    assert swapped.estimate == pytest.approx(-plain.estimate, rel=1e-9, abs=1e-12)


@settings(QUICK)
@given(st.floats(0.2, 1.5), st.floats(0, 0.9))
def test_the_planned_size_reaches_its_power_and_a_score_never_costs_patients(effect, rho):
    size = sample_size(effect, 1.0, rho=rho)
    assert power(effect, 1.0, size, rho=rho) == pytest.approx(0.9, abs=1e-6)
    assert size <= sample_size(effect, 1.0) + 1e-9


@settings(QUICK)
@given(st.lists(st.sampled_from(["score locked", "outcomes read"]), min_size=2, max_size=6),
       st.integers(0, 5))
def test_no_entry_can_leave_the_log_unseen(actions, place):
    log = AnalysisLog()
    for number, action in enumerate(actions):
        log = log.add(action, f"S{number}")
    assert log.intact()
    cut = place % (len(actions) - 1)
    assert not AnalysisLog(log.entries[:cut] + log.entries[cut + 1:]).intact()
