"""The disclosure audit sees what it should, and nothing where there is nothing.

Tolerances are 3.3 standard errors (one false alarm in a thousand a check).
"""

from types import SimpleNamespace

import numpy as np
import pytest

from extraction.records import Cohort, InputError
from generation.evaluation.attacks import Targets, attribute_inferences, linkability, singling_out
from generation.evaluation.auditing import disclosure_audit
from generation.evaluation.membership import attack_areas, halves, likelihood_ratios
from generation.evaluation.tables import tables
from tests.support.generation_support import simulated_trial

N, REFITS = 300, 8


def test_each_patient_is_in_exactly_half_of_the_refits() -> None:
    inside = halves(21, 6, seed=1)
    assert (inside.sum(axis=0) == 3).all()
    assert (inside[::2] == ~inside[1::2]).all()


def test_scores_that_know_nothing_give_one_half() -> None:
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=N) + rng.normal(size=(REFITS, N))
        inside = halves(N, REFITS, seed)
        rarity = rng.random(N)
        attack = attack_areas(likelihood_ratios(scores, inside), inside, rarity, seed)
        found.append((attack.area - 0.5) / attack.se)
    assert abs(np.mean(found)) < 3.3 / np.sqrt(40)
    assert 0.7 < np.std(found, ddof=1) < 1.4


def test_a_score_that_rises_for_members_is_seen() -> None:
    rng = np.random.default_rng(0)
    inside = halves(N, REFITS, 0)
    scores = rng.normal(size=N) * 3 + rng.normal(size=(REFITS, N)) + inside
    attack = attack_areas(likelihood_ratios(scores, inside), inside, rng.random(N), 0)
    assert attack.area - 3.3 * attack.se > 0.56
    assert attack.caught > 0.05


def stub_engine(monkeypatch: pytest.MonkeyPatch, sample) -> None:
    """Replace fitting by a function from training cohort and n to synthetic patients."""

    def fit(train: Cohort, engine: str, seed: int, **options: object) -> SimpleNamespace:
        return SimpleNamespace(
            supports=frozenset(), sample=lambda n, seed: sample(train, n, seed)
        )

    monkeypatch.setattr("generation.registry.fit", fit)


def test_an_engine_that_releases_its_patients_fails_every_attack(monkeypatch) -> None:
    stub_engine(monkeypatch, lambda train, n, seed: train)
    audit = disclosure_audit(simulated_trial(N, seed=5), "copying", REFITS, seed=1)
    assert audit.verdict == "worse"
    assert {m.name for m in audit.metrics} == {
        "audit_membership_sample", "audit_singling_out", "audit_linkability",
        "audit_attribute_inference",
    }
    assert all(m.verdict == "worse" for m in audit.metrics)
    assert all(m.value > m.controls["copy"].value for m in audit.metrics)


def test_an_engine_that_never_saw_the_patients_is_not_accused(monkeypatch) -> None:
    stub_engine(monkeypatch, lambda train, n, seed: simulated_trial(n, seed=seed % 10_000))
    audit = disclosure_audit(simulated_trial(2 * N, seed=6), "stranger", REFITS, seed=1)
    for metric in audit.metrics:
        worth = 0.5 if metric.better == "chance" else 0.0
        assert abs(metric.value - worth) < 3.3 * metric.se, metric.sentence


def test_the_report_holds_no_patient(monkeypatch) -> None:
    trial = simulated_trial(60, seed=2)
    stub_engine(monkeypatch, lambda train, n, seed: train)
    told = str(disclosure_audit(trial, "copying", 4, seed=1).to_dict())
    assert not any(subject in told for subject in trial.subject_ids)


def test_attacks_on_a_copy_and_on_other_people() -> None:
    real, other = simulated_trial(120, seed=1), simulated_trial(120, seed=2)
    pool, stranger = tables([real, other], real=[0])
    targets, inside = Targets(pool), halves(120, 2, 0)[0]
    rng = np.random.default_rng(0)
    assert linkability(targets, pool, inside, rng).mean() > 0.9
    assert linkability(targets, stranger, inside, rng).mean() < 0.3
    assert np.nanmean(attribute_inferences(targets, pool)) > 0.8
    rates = singling_out(targets, pool.take(np.flatnonzero(inside)), inside, rng)
    assert rates[inside].mean() > rates[~inside].mean()


def test_too_little_to_audit_is_refused_with_every_fault() -> None:
    with pytest.raises(InputError) as caught:
        disclosure_audit(simulated_trial(30, seed=1), refits=5)
    assert len(caught.value.faults) == 2
