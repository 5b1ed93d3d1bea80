"""Locked scores, borrowing rules and cross-fitting: what they allow and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest

from extraction.records.errors import InputError, RefusedError
from simulation.analysis.borrowing import (
    BorrowingRule,
    assess_borrowing,
    effective_size,
    odds_weights,
    range_overlap,
)
from simulation.analysis.cox import fit_cox_score
from simulation.analysis.external_control import (
    bootstrap_se,
    control_mean_variance,
    cross_fitted_controls,
    doubly_robust_effect,
    naive_synthetic_test,
    synthetic_control_test,
)
from simulation.analysis.procova import (
    AnalysisLog,
    lock_cox_score,
    lock_linear_score,
    lock_model,
    procova,
)
from simulation.analysis.prognostic import (
    LearnerScorer,
    RidgeScorer,
    cross_fitted_adjustment,
    null_labels,
    null_type_one_error,
    stratified_folds,
    trial_data,
)
from simulation.analysis.ridge import baseline_features, ridge_learner
from simulation.analysis.survival_score import assess_survival_score

SCORE = lock_linear_score("OLD", ("x",), np.asarray([2.0]), np.asarray([1.0]), np.asarray([1.0]),
                          data_digest="d0")


def log(score=SCORE, read_first=False):
    entries = AnalysisLog()
    if read_first:
        entries = entries.add("outcomes read", "NEW")
    entries = entries.add("score locked", "OLD", score.digest)
    return entries if read_first else entries.add("outcomes read", "NEW")


def linear_trial(n=90, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    arm = np.asarray(["control", "low", "high"])[np.arange(n) % 3]
    y = 2 * x[:, 0] + x[:, 1] + (arm == "high") + rng.normal(size=n)
    return x, trial_data(y, arm, {"x3": x[:, 3]}, control="control")


def test_a_locked_score_is_accepted_and_used():
    x, trial = linear_trial()
    values = SCORE.score({"x": x[:, 0]})
    np.testing.assert_allclose(values, 2 * (x[:, 0] - 1))
    result = procova(trial, SCORE, values, log(), "NEW", target_digest="d1")
    assert result.variance_ratio["high"] < 0.6
    assert result.partial_correlation.low > 0.5
    assert result.effects["high"].extra["score_digest"] == SCORE.digest


@pytest.mark.parametrize(("score", "entries", "study", "digest", "reason"), [
    (replace(SCORE, content={**SCORE.content, "coefficients": [3.0]}), log(), "NEW", "",
     "does not match its hash"),
    (SCORE, log(read_first=True), "NEW", "", "before the score was locked"),
    (SCORE, AnalysisLog(), "NEW", "", "no entry locks"),
    (SCORE, AnalysisLog().add("score locked", "OLD", SCORE.digest), "NEW", "",
     "no entry says when the outcomes of NEW were read"),
    (SCORE, log(), "NEWER", "", "no entry says when the outcomes of NEWER were read"),
    (SCORE, AnalysisLog().add("score locked", "OLD", SCORE.digest)
     .add("score used", "NEW", SCORE.digest).add("outcomes read", "NEW"), "NEW", "",
     "used in NEW before its outcomes"),
    (SCORE, log(), "OLD", "", "learnt on OLD"),
    (SCORE, log(), "RENAMED", "d0", "learnt on OLD"),
    (SCORE, AnalysisLog(tuple(reversed(log().entries))), "NEW", "", "chain of hashes"),
])
def test_a_score_is_refused(score, entries, study, digest, reason):
    with pytest.raises(RefusedError, match=reason):
        score.check(entries, study, digest)


def test_an_honest_log_is_intact_and_listed():
    entries = log().add("score used", "NEW", SCORE.digest, at="2026-11-22T09:00Z")
    assert entries.intact()
    assert [line["action"] for line in entries.to_list()] == [
        "score locked", "outcomes read", "score used"]


def test_a_locked_model_folder_must_not_change(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    score = lock_model("OLD", tmp_path)
    score.check(log(score), "NEW", folder=tmp_path)
    with pytest.raises(RefusedError, match="folder"):
        score.check(log(score), "NEW")
    (tmp_path / "model.json").write_text("{ }")
    with pytest.raises(RefusedError, match="folder"):
        score.check(log(score), "NEW", folder=tmp_path)
    with pytest.raises(InputError, match="no formula"):
        score.score({})


def test_a_cox_score_keeps_its_values_when_locked():
    rng = np.random.default_rng(5)
    columns = {"a": rng.normal(size=80), "b": rng.normal(size=80)}
    time = rng.exponential(np.exp(-columns["a"]))
    score = fit_cox_score(columns, time, np.ones(80))
    np.testing.assert_allclose(lock_cox_score("OLD", score).score(columns), score.score(columns))
    judged = assess_survival_score(score.score(columns), time, np.ones(80), np.arange(80) % 2)
    assert judged.concordance.estimate > 0.6
    assert judged.concordance_in_strata is None
    with pytest.raises(InputError, match="same for every patient"):
        assess_survival_score(np.zeros(80), time, np.ones(80), np.arange(80) % 2)


ENDPOINT = {"event": "death"}


def columns(rng, mean, n=400):
    return {"cd4": rng.normal(mean, 1, n), "age": rng.normal(0, 1, n)}


def test_like_trials_may_be_borrowed_from():
    rng = np.random.default_rng(1)
    verdict = assess_borrowing(columns(rng, 0.2), columns(rng, 0), ENDPOINT, ENDPOINT,
                               BorrowingRule())
    assert verdict.accepted
    verdict.require()
    assert verdict.ess > 300
    assert abs(verdict.weighted_smd["cd4"]) < 0.05
    assert verdict.to_dict()["rule_digest"] == BorrowingRule().digest


def test_every_reason_of_a_refusal_is_given():
    rng = np.random.default_rng(2)
    target = {**columns(rng, -4), "karnofsky": np.zeros(400)}
    verdict = assess_borrowing(target, columns(rng, 0), ENDPOINT, {"event": "AIDS or death"},
                               BorrowingRule())
    with pytest.raises(RefusedError) as error:
        verdict.require()
    text = " ".join(error.value.faults)
    for part in ("one trial only", "mean difference -", "range", "effective sample", "endpoint"):
        assert part in text
    assert all(fault.startswith("borrowing refused") for fault in error.value.faults)


def test_trials_without_a_common_column_are_refused():
    with pytest.raises(InputError, match="in common"):
        assess_borrowing({"a": [1.0]}, {"b": [1.0]}, ENDPOINT, ENDPOINT, BorrowingRule())


def test_odds_weights_balance_the_means():
    rng = np.random.default_rng(3)
    target, old = rng.normal(0.5, 1, (300, 2)), rng.normal(0, 1, (600, 2))
    weights = odds_weights(target, old)
    np.testing.assert_allclose(np.average(old, axis=0, weights=weights), target.mean(axis=0),
                               atol=0.05)
    assert 1 <= effective_size(weights) <= 600
    assert (range_overlap(target, old) > 0.9).all()


def test_synthetic_controls_count_as_those_they_came_from():
    assert control_mean_variance(4.0, 80, 10**9) == pytest.approx(4.0 / 80)
    assert control_mean_variance(4.0, 80, 80, copies=4, tau2=0.1) == pytest.approx(
        4 * (1 / 80 + 1 / 320) + 0.1)
    assert control_mean_variance(4.0, 80, 80, pooled=True) == pytest.approx(4 * 1.25 / 80)


def test_the_naive_test_is_labelled_invalid():
    rng = np.random.default_rng(4)
    treated, made = rng.normal(size=86), rng.normal(size=2_000)
    naive = naive_synthetic_test(treated, made, 86)
    honest = synthetic_control_test(treated, made, 86)
    assert "INVALID" in naive.method
    assert naive.extra["valid"] is False
    assert honest.se / naive.se == pytest.approx(np.sqrt(2), rel=0.1)
    wide = synthetic_control_test(treated, made, 86, tau2=1.0)
    assert wide.se > 1
    pooled = synthetic_control_test(treated, made, 86, controls=made[:86])
    assert pooled.extra["n_train"] == 86
    with pytest.raises(InputError, match="n_train = 86"):
        synthetic_control_test(treated, made, 86, controls=made[:80])


def test_doubly_robust_effect_repairs_a_biased_model():
    rng = np.random.default_rng(6)
    y1, y0 = rng.normal(3, 1, 200), rng.normal(1, 1, 300)
    biased = doubly_robust_effect(y1, np.full(200, 9.0), y0, np.full(300, 9.0))
    assert biased.estimate == pytest.approx(y1.mean() - y0.mean())
    assert biased.extra["model_correction"] == pytest.approx(y0.mean() - 9)
    with pytest.raises(InputError, match="weights"):
        doubly_robust_effect(y1, y1, y0, y0, -np.ones(300))


def test_the_refitting_bootstrap_agrees_with_the_influence_function():
    rng = np.random.default_rng(7)
    x1, x0 = rng.normal(0.3, 1, (150, 2)), rng.normal(0, 1, (200, 2))
    y1 = x1 @ [1.0, 0.5] + rng.normal(size=150)
    y0 = x0 @ [1.0, 0.5] + rng.normal(size=200)
    folds = np.arange(200) % 5
    m0, m1 = cross_fitted_controls(x0, y0, x1, ridge_learner, folds)
    effect = doubly_robust_effect(y1, m1, y0, m0, odds_weights(x1, x0))
    refitted = bootstrap_se(x1, y1, x0, y0, ridge_learner, rng=rng, weigher=odds_weights)
    # A bootstrap standard error over 200 resamples errs by 5 %; 3.3 of these and 5 % of bias.
    assert refitted == pytest.approx(effect.se, rel=0.215)
    with pytest.raises(InputError, match="20 refits"):
        bootstrap_se(x1, y1, x0, y0, ridge_learner, rng=rng, replicates=5)


def test_folds_hold_every_arm_and_labels_keep_strata():
    rng = np.random.default_rng(8)
    arms = np.arange(60) % 3
    folds = stratified_folds(np.tile(arms, (5, 1)), 4, rng)
    for arm in range(3):
        assert (np.stack([(folds[:, arms == arm] == k).sum(axis=1) for k in range(4)]) == 5).all()
    strata = np.repeat([1, 0], 30)
    labels = null_labels(arms, 7, rng, strata)
    for s in (0, 1):
        expected = np.sort(arms[strata == s])
        assert (np.sort(labels[:, strata == s], axis=1) == expected).all()
    assert (labels != arms).any()


def test_a_held_out_outcome_never_reaches_its_own_score():
    x, trial = linear_trial()
    arms, folds = trial.arms[None], (np.arange(trial.y.size) % 5)[None]
    changed = trial.y.copy()
    changed[folds[0] == 2] += 100.0
    for train in ("controls", "all_arms"):
        for build in (RidgeScorer, lambda *a: LearnerScorer(a[0], a[1], ridge_learner, a[2])):
            before = build(x, trial.y, train)(arms, folds)[0]
            after = build(x, changed, train)(arms, folds)[0]
            np.testing.assert_allclose(after[folds[0] == 2], before[folds[0] == 2])
            assert not np.allclose(after, before)


def test_cross_fitting_gains_where_baseline_tells():
    x, trial = linear_trial(180)
    result = cross_fitted_adjustment(trial, RidgeScorer(x, trial.y), rng=np.random.default_rng(9))
    assert result.variance_ratio["high"].shape == (20,)
    assert result.summary()["variance_ratio[high]"]["high"] < 0.5
    assert result.partial_correlation.mean() > 0.7
    assert result.effects["high"].se < result.plain["high"].se
    with pytest.raises(InputError, match="folds"):
        cross_fitted_adjustment(trial, RidgeScorer(x, trial.y), rng=np.random.default_rng(1),
                                folds=61)


def test_null_rates_do_not_depend_on_chunks():
    x, trial = linear_trial()
    one, two = (null_type_one_error(trial, RidgeScorer(x, trial.y), rng=np.random.default_rng(3),
                                    replicates=150, chunk=chunk) for chunk in (40, 150))
    assert one == two


def test_collinear_covariates_of_a_trial_are_refused():
    x = np.arange(9.0)
    with pytest.raises(InputError, match="same"):
        trial_data(x, np.arange(9) % 3, {"x": x, "same": 1 - x}, control=0)


def test_ridge_scores_do_not_hold_the_treatment_effect():
    x, trial = linear_trial(180)
    folds = np.arange(180)[None] % 5
    shifted = trial.y + 50.0 * (trial.arms == 1)
    before = RidgeScorer(x, trial.y)(trial.arms[None], folds)
    after = RidgeScorer(x, shifted)(trial.arms[None], folds)
    np.testing.assert_allclose(after, before, atol=1e-8)


def test_baseline_features_flag_what_is_missing():
    table = baseline_features({"a": [1.0, np.nan, 3.0]}, {"sex": ["F", "F", "M"]})
    np.testing.assert_allclose(table, [[1, 0, 0], [2, 1, 0], [3, 0, 1]])


def test_baseline_features_survive_what_nobody_measured():
    table = baseline_features({"never": np.full(3, np.nan), "a": [1.0, 2.0, 3.0]},
                              {"sex": np.asarray(["F", None, "F"], dtype=object)})
    np.testing.assert_allclose(table, [[1, 0], [2, 1], [3, 0]])
    assert baseline_features({"never": np.full(3, np.nan)}).shape == (3, 0)


def test_an_endpoint_stated_nowhere_is_not_the_same():
    columns = {"age": np.random.default_rng(12).normal(size=200)}
    verdict = assess_borrowing(columns, columns, {}, {}, BorrowingRule())
    assert not verdict.accepted and "stated for neither" in verdict.reasons[0]


def test_weighted_controls_get_the_larger_of_two_variances():
    rng = np.random.default_rng(11)
    y1, y0, w = np.zeros(40), rng.normal(size=30), rng.exponential(size=30)
    effect = doubly_robust_effect(y1, y1, y0, np.zeros(30), w)
    others = ~np.eye(30, dtype=bool)
    left_out = np.asarray([np.average(y0[kept], weights=w[kept]) for kept in others])
    whole = np.average(y0, weights=w)
    jackknife = 29 / 30 * ((left_out - whole) ** 2).sum()
    alike = y0.var(ddof=1) * (w**2).sum() / w.sum() ** 2
    assert np.isclose(effect.se**2, max(jackknife, alike))
    equal = doubly_robust_effect(y1, y1, y0, np.zeros(30))
    assert np.isclose(equal.se**2, y0.var(ddof=1) / 30)


def test_one_heavy_control_gives_no_variance():
    y1, y0 = np.arange(5.0), np.arange(4.0)
    with pytest.raises(InputError, match="effective sample size below 2"):
        doubly_robust_effect(y1, y1, y0, np.zeros(4), np.asarray([1.0, 0.01, 0.0, 0.0]))
    with pytest.raises(InputError, match="tau2"):
        synthetic_control_test(y1, y0, 4, tau2=-1.0)
