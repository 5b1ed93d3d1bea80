"""MMRM over batches: small-sample figures, fallbacks, weights, and what has no answer."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from extraction.records.errors import InputError
from simulation.analysis.continuous import ancova
from simulation.analysis.longitudinal.batch import mmrm_batch
from simulation.analysis.longitudinal.design import FAMILIES, Method
from simulation.analysis.longitudinal.trial import mmrm
from simulation.trial.analyses import Choice, LookData
from simulation.trial.analyses.mmrm import Mmrm
from simulation.trial.outcomes.base import Observed
from tests.support.longitudinal_support import dense_kenward_roger, visits_trial

Y, ARM, BASE, SITE = visits_trial()
RNG = np.random.default_rng(20261122)
VALUES = np.stack([Y, Y[:, ::-1], 2 * Y + RNG.normal(size=Y.shape)])
TREATED = np.stack([ARM, 1 - ARM, ARM])
COLUMNS = np.tile(BASE[None, :, None], (3, 1, 1))


def test_exact_with_complete_data_each_visit_is_its_own_ancova():
    y, arm, base, _ = visits_trial(holes=False)
    found = mmrm(y, arm, {"base": base})
    for place, visit in enumerate(found.visits):
        alone = ancova(y[:, place], arm, {"base": base}, control=0.0).effects["1.0"]
        ours = found.effects[visit]
        assert ours.estimate == pytest.approx(alone.estimate, rel=1e-9)
        assert ours.se == pytest.approx(alone.se, rel=1e-7)
        assert ours.df == pytest.approx(alone.df, rel=1e-6)
        assert ours.p_value == pytest.approx(alone.p_value, rel=1e-6)
        fitted = np.column_stack([np.ones(60), arm, base])
        beta = np.linalg.lstsq(fitted, y[:, place], rcond=None)[0]
        means = [beta @ [1, side, base.mean()] for side in (0, 1)]
        assert found.means[:, place] == pytest.approx(means, rel=1e-9)


@pytest.mark.parametrize("information", ["observed", "expected"])
def test_exact_kenward_roger_is_that_of_the_full_matrices(information):
    method = Method(information=information)
    found = mmrm(Y, ARM, {"base": BASE}, {"late": SITE}, contrasts={"mean": [0.25] * 4},
                 method=method)
    centred = [ARM - ARM.mean(), BASE - BASE.mean()]
    late = SITE - SITE.mean()
    unit = np.eye(4)
    design = np.concatenate(
        [np.tile(unit, (60, 1, 1)), *(c[:, None, None] * unit for c in centred),
         np.broadcast_to(late[:, None, None], (60, 4, 1))], axis=2)
    weights = [*np.eye(4), np.full(4, 0.25)]
    for name, weight in zip((*found.visits, "mean"), weights, strict=True):
        contrast = np.zeros(13)
        contrast[4:8] = weight
        peer = dense_kenward_roger(Y, design, found.sigma, contrast, information == "observed")
        ours = found.effects[name]
        assert (ours.estimate, ours.se, ours.df) == pytest.approx(peer, rel=1e-7)
        assert ours.extra["standard_error"] == "Kenward-Roger"


def test_a_batch_is_row_by_row_the_same_to_the_last_bit():
    whole = mmrm_batch(VALUES, TREATED, COLUMNS)
    for r in range(3):
        one = mmrm_batch(VALUES[r : r + 1], TREATED[r : r + 1], COLUMNS[r : r + 1])
        for name in ("estimate", "se", "df", "sigma", "coefficients", "log_likelihood"):
            assert np.array_equal(getattr(whole, name)[r], getattr(one, name)[0])
    assert whole.estimate[0] == pytest.approx(-whole_of_swapped_arms(), rel=1e-8)


def whole_of_swapped_arms():
    return mmrm_batch(VALUES[:1], 1 - TREATED[:1], COLUMNS[:1]).estimate[0]


def test_those_left_out_and_weights_that_repeat_patients():
    included = RNG.uniform(size=(3, 60)) < 0.8
    masked = mmrm_batch(VALUES, TREATED, COLUMNS, included=included)
    times = RNG.integers(0, 3, (3, 60)).astype(float)
    weighted = mmrm_batch(VALUES, TREATED, COLUMNS, weights=times)
    for r in range(3):
        few = np.flatnonzero(included[r])
        again = np.repeat(np.arange(60), times[r].astype(int))
        for found, rows in ((masked, few), (weighted, again)):
            one = mmrm_batch(VALUES[r, rows][None], TREATED[r, rows][None], COLUMNS[r, rows][None])
            assert found.estimate[r] == pytest.approx(one.estimate[0], rel=1e-8)
            assert found.se[r] == pytest.approx(one.se[0], rel=1e-7)
    assert (masked.n == [np.isfinite(VALUES[r][included[r]]).any(axis=1).sum() for r in range(3)]
            ).all()


def test_units_and_origin_change_nothing_else():
    plain = mmrm_batch(VALUES, TREATED, COLUMNS)
    moved = mmrm_batch(1e4 + 7 * VALUES, TREATED, 100 + 1e3 * COLUMNS)
    assert moved.estimate == pytest.approx(7 * plain.estimate, rel=1e-7)
    assert moved.se == pytest.approx(7 * plain.se, rel=1e-7)
    assert moved.df == pytest.approx(plain.df, rel=1e-6)


def test_fallbacks_are_counted_and_what_has_no_fit_says_nothing():
    # Visits 1 and 4 are never both seen: their covariance has no estimate.
    apart = Y.copy()
    apart[::3, 0] = np.nan
    apart[1::3, 3] = apart[2::3, 3] = np.nan
    nothing = np.full_like(Y, np.nan)
    values = np.stack([apart, Y, nothing])
    found = mmrm_batch(values, np.stack([ARM] * 3), COLUMNS)
    assert found.counts() == {FAMILIES[0]: 1, FAMILIES[1]: 1, FAMILIES[2]: 0, "none": 1}
    assert found.fallback.tolist() == [True, False, False]
    assert found.converged.tolist() == [True, True, False]
    assert np.isfinite(found.se[:2]).all()
    assert np.isnan(found.estimate[2]).all() and (found.z[2] == 0).all()
    strict = mmrm_batch(values, np.stack([ARM] * 3), COLUMNS, method=Method(("unstructured",)))
    assert strict.counts()["none"] == 2


def test_faults_of_one_trial_come_together():
    with pytest.raises(InputError) as caught:
        mmrm(Y, np.full(60, 2.0), {"base": np.r_[np.nan, BASE[1:]]}, visits=["a", "a", "b", "c"])
    assert len(caught.value.faults) == 3
    with pytest.raises(InputError, match="collinear"):
        mmrm(Y, ARM, {"base": BASE, "twice": 2 * BASE})
    with pytest.raises(InputError, match="no value in one of the arms"):
        mmrm(np.where((ARM == 1)[:, None] & (np.arange(4) == 2), np.nan, Y), ARM)
    with pytest.raises(InputError, match="allowed: unstructured"):
        mmrm_batch(VALUES, TREATED[:, :9], method=Method(("toeplitz",)))  # type: ignore[arg-type]


def test_the_trial_analysis_reads_the_last_visit_and_uses_those_who_left():
    analysis = TypeAdapter(Choice).validate_python({"kind": "mmrm", "covariates": ["base"]})
    assert isinstance(analysis, Mmrm) and analysis.takes == ("continuous",)
    arm = np.where(TREATED == 1, 2, np.where(np.arange(60) % 5 == 0, 1, 0))
    there = np.ones((3, 60), dtype=bool)
    there[2] = False
    data = LookData(Observed(there, values=np.moveaxis(VALUES, 2, 0)), arm,
                    np.moveaxis(COLUMNS, 2, 0))
    fit = analysis.fit(data, 2, 0)
    peer = mmrm_batch(VALUES, TREATED, COLUMNS, included=there & (arm != 1))
    assert fit.estimate[:2] == pytest.approx(peer.estimate[:2, 3], rel=1e-12)
    assert fit.se[:2] == pytest.approx(peer.se[:2, 3], rel=1e-12)
    assert fit.z[:2] == pytest.approx(peer.z[:2, 3], rel=1e-12)
    assert fit.n.tolist() == peer.n.tolist()
    assert np.isnan(fit.estimate[2]) and np.isinf(fit.se[2]) and fit.z[2] == 0
    assert fit.information[2] == 0
