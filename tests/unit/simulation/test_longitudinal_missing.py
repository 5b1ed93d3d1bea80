"""Reference-based imputation: what each assumption implies, and whose draws are whose."""

import numpy as np
import pytest

from extraction.records.errors import InputError
from simulation.analysis.continuous import ancova
from simulation.analysis.longitudinal.trial import mmrm
from simulation.analysis.missing import ASSUMPTIONS, _fill, _reference_means, reference_based
from tests.support.longitudinal_support import visits_trial

Y, ARM, BASE, _ = visits_trial(patients=200)
# Only gaps after the last value: what follows dropout alone.
SEEN = np.isfinite(Y)[:, ::-1].cumsum(axis=1)[:, ::-1] > 0
WHOLE = visits_trial(patients=200, holes=False)[0]
MONOTONE = np.where(SEEN, WHOLE, np.nan)


def effect(assumption, **more):
    return reference_based(MONOTONE, ARM, {"base": BASE}, assumption=assumption, **more)[0]


def test_exact_complete_values_leave_ancova():
    found = reference_based(WHOLE, ARM, {"base": BASE}, imputations=3)[0]
    peer = ancova(WHOLE[:, -1], ARM, {"base": BASE}, control=0.0).effects["1.0"]
    assert found.estimate == pytest.approx(peer.estimate, rel=1e-9)
    assert found.se == pytest.approx(peer.se, rel=1e-9)


def test_simulated_missing_at_random_is_mmrm_and_references_shrink_it():
    """100 imputations: within 4 Monte Carlo standard errors sqrt(between / m) < 0.06 of MMRM."""
    peer = mmrm(MONOTONE, ARM, {"base": BASE}).effects["visit 4"]
    found = {name: effect(name) for name in ASSUMPTIONS}
    random = found["missing_at_random"]
    assert abs(random.estimate - peer.estimate) < 0.24
    assert random.se == pytest.approx(peer.se, rel=0.15)
    jumped, copied = found["jump_to_reference"], found["copy_reference"]
    assert jumped.estimate < found["copy_increments"].estimate < random.estimate
    assert jumped.estimate < copied.estimate < random.estimate


def test_exact_reference_means_by_last_visit():
    own, control = np.array([[[1.0, 3, 6]] * 3]), np.array([[[0.0, 1, 2]] * 3])
    last = np.array([-1, 0, 1])
    rows = {name: _reference_means(own, control, last, name)[0].tolist() for name in ASSUMPTIONS}
    assert rows["jump_to_reference"] == [[0, 1, 2], [1, 1, 2], [1, 3, 2]]
    assert rows["copy_increments"] == [[0, 1, 2], [1, 2, 3], [1, 3, 4]]
    assert rows["copy_reference"] == [[0, 1, 2]] * 3
    assert rows["missing_at_random"] == [[1, 3, 6]] * 3


def test_exact_draws_given_what_was_seen():
    sigma = np.array([[[4.0, 1.2], [1.2, 1.0]]])
    noise = np.array([[[9.0, 1.0]]])
    filled = _fill(np.array([[3.0, np.nan]]), np.array([[[1.0, 10.0]]]), sigma, noise)
    assert filled[0, 0, 0] == 3
    assert filled[0, 0, 1] == pytest.approx(10 + 0.3 * 2 + np.sqrt(1 - 1.2**2 / 4))


def test_delta_moves_the_estimate_by_the_share_of_treated_imputed():
    deltas = (0.0, -1.0, -2.0)
    found = reference_based(MONOTONE, ARM, assumption="missing_at_random", deltas=deltas,
                            imputations=10)
    share = np.isnan(MONOTONE[ARM == 1, -1]).mean()
    for delta, one in zip(deltas, found, strict=True):
        assert one.estimate == pytest.approx(found[0].estimate + delta * share, rel=1e-9)
    again = reference_based(MONOTONE, ARM, assumption="missing_at_random", imputations=10)[0]
    assert again.estimate == found[0].estimate


def test_faults_come_together():
    with pytest.raises(InputError) as caught:
        reference_based(Y, np.ones(200), assumption="worst_case", imputations=1)
    assert len(caught.value.faults) == 3
