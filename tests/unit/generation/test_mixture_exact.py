"""The mixture's answers against summing over every possible patient."""

import itertools
from functools import cache

import numpy as np
import pytest

from extraction.records import Cohort, InputError
from generation import fit, load_model
from generation.mixture import inference
from generation.mixture.classes import ClassTree, Leaf
from generation.mixture.fitting import newton
from generation.mixture.model import MixtureModel
from generation.mixture.structure import kernel
from generation.randomness import Stream
from tests.support.generation_support import simulated_trial

TOKENS, PARENTS, TWO_ARMS = (3, 2, 4, 3), (-1, 0, 0, 2), (False, False, True, True)
ARMS, CLASSES = 2, 3


@cache
def tree() -> ClassTree:
    rng = np.random.default_rng(5)
    leaves = []
    for tokens, parent, armed in zip(TOKENS, PARENTS, TWO_ARMS, strict=True):
        rows = (TOKENS[parent] if parent >= 0 else 1) + 1
        leaves.append(Leaf(
            parent,
            rng.dirichlet(np.ones(tokens), rows),
            rng.normal(0, 0.5, (ARMS if armed else 1, tokens)),
            rng.normal(0, 0.7, (CLASSES, tokens)),
        ))
    share = rng.dirichlet(np.ones(ARMS), CLASSES)
    return ClassTree(("a", "b", "c", "d"), tuple(leaves), rng.dirichlet(np.ones(CLASSES)), share)


@cache
def every_patient() -> tuple[np.ndarray, np.ndarray]:
    """Each combination of arm and tokens, and its probability, by plain multiplication."""
    cells = np.array(list(itertools.product(range(ARMS), *map(range, TOKENS))))
    chance = np.zeros(len(cells))
    for row, (arm, *tokens) in enumerate(cells):
        for k in range(CLASSES):
            one = tree().weight[k] * tree().arm_share[k, arm]
            for leaf, token in zip(tree().leaves, tokens, strict=True):
                before = tokens[leaf.parent] if leaf.parent >= 0 else 0
                side = arm if leaf.arm_tilt.shape[0] > 1 else 0
                tilts = np.exp(leaf.arm_tilt[side] + leaf.class_tilt[k])
                law = leaf.shared[before] * tilts
                one *= law[token] / law.sum()
            chance[row] += one
    return cells, chance


def _random_evidence(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray]:
    chosen = [name for name in tree().names if rng.random() < 0.6]
    evidence = {}
    for name in chosen:
        share = rng.random(TOKENS[tree().names.index(name)])
        share[rng.random(len(share)) < 0.3] = 0.0
        evidence[name] = share if share.any() else np.ones_like(share)
    return evidence, np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])[rng.integers(3)]


def test_every_patient_together_has_probability_one() -> None:
    assert every_patient()[1].sum() == pytest.approx(1.0, abs=1e-12)
    assert inference.propagate(tree(), {}).probability == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_regions_and_conditionals_equal_brute_force(seed: int) -> None:
    evidence, arms = _random_evidence(np.random.default_rng(seed))
    cells, chance = every_patient()
    weight = chance * arms[cells[:, 0]]
    for name, share in evidence.items():
        weight = weight * share[cells[:, 1 + tree().names.index(name)]]
    found = inference.propagate(tree(), evidence, arms)
    assert found.probability == pytest.approx(weight.sum(), rel=1e-10)
    by_arm = np.bincount(cells[:, 0], weight, minlength=ARMS)
    np.testing.assert_allclose(found.state.sum(axis=1), by_arm, rtol=1e-10)
    for place, name in enumerate(tree().names):
        law = np.bincount(cells[:, 1 + place], weight, minlength=TOKENS[place]) / weight.sum()
        np.testing.assert_allclose(
            inference.marginal(tree(), evidence, name, arms), law, atol=1e-12
        )


def test_likelihoods_equal_brute_force_and_unknown_tokens_are_summed_out() -> None:
    cells, chance = every_patient()
    codes = [cells[:, 1 + j].copy() for j in range(4)]
    np.testing.assert_allclose(
        inference.log_rows(tree(), codes, cells[:, 0]), np.log(chance), rtol=1e-10
    )
    for hidden in ([1], [0], [0, 2], [1, 2, 4], [0, 1, 2, 3, 4]):
        shown = [j for j in range(5) if j not in hidden]
        partial = cells.copy()
        partial[:, hidden] = -1
        same = (cells[:, None, shown] == cells[None, :, shown]).all(axis=2)
        found = inference.log_rows(tree(), [partial[:, 1 + j] for j in range(4)], partial[:, 0])
        np.testing.assert_allclose(np.exp(found), same @ chance, rtol=1e-10)


def test_draws_follow_the_exact_conditional() -> None:
    """Chi-square over 72 cells at a false-alarm rate of 1 in 10,000."""
    from scipy.stats import chi2

    evidence = {"b": np.array([1.0, 0.3]), "d": np.array([1.0, 1.0, 0.0])}
    found = inference.propagate(tree(), evidence)
    n = 40_000
    arm, codes = inference.draw(tree(), found, np.arange(n), Stream(3, "test"))
    cells, chance = every_patient()
    weight = chance * evidence["b"][cells[:, 2]] * evidence["d"][cells[:, 4]]
    flat = np.ravel_multi_index(tuple(cells.T), (ARMS, *TOKENS))
    expected = np.zeros(ARMS * int(np.prod(TOKENS)))
    expected[flat] = n * weight / weight.sum()
    drawn = np.ravel_multi_index((arm, *codes.values()), (ARMS, *TOKENS))
    seen = np.bincount(drawn, minlength=len(expected))
    assert seen[expected == 0].sum() == 0
    kept = expected > 5
    assert seen[~kept].sum() == pytest.approx(expected[~kept].sum(), abs=30)
    statistic = float(((seen - expected)[kept] ** 2 / expected[kept]).sum())
    assert statistic < chi2.ppf(1 - 1e-4, kept.sum() - 1)


def test_a_kernel_keeps_to_its_run_of_tokens() -> None:
    weights = kernel(6, [(0, 3), (3, 5)], 1.5)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights[0, 3] == 0 == weights[4, 5]
    assert weights[5, 5] == 1


def test_newton_finds_the_tilt_that_meets_the_observed_counts() -> None:
    basis = np.array([[1.0], [0.0], [-1.0]])
    shared, observed = np.full((1, 1, 3), 1 / 3), np.array([[60.0, 30.0, 10.0]])
    tilt = np.zeros((1, 3))
    for _ in range(20):
        table = shared * np.exp(tilt)[:, None]
        table /= table.sum(axis=-1, keepdims=True)
        tilt = newton(tilt, basis, observed, np.array([[100.0]]), table, 1e-9)
    assert (table[0, 0] @ basis)[0] == pytest.approx(0.5, abs=1e-6)


@cache
def model() -> MixtureModel:
    fitted = fit(simulated_trial(400, seed=4), "mixture", seed=2)
    assert isinstance(fitted, MixtureModel)
    return fitted


def test_questions_in_the_fields_terms() -> None:
    asked = {"SEX": "F", "AGE": [60, 75]}
    whole = model().region_probability(asked)
    parts = [model().region_probability({**asked, "arm": a}) for a in ("Placebo", "Active")]
    assert whole == pytest.approx(sum(parts))
    report = model().sample_with_report(20, asked)[1]
    assert report.region_probability == pytest.approx(whole)
    assert report.effective_sample_size == 1.0
    law = model().conditional(asked, "SCORE@Week 8")
    assert len(law) == len(model().token_labels("SCORE@Week 8"))
    assert law.sum() == pytest.approx(1.0)
    assert model().conditional(asked, "arm") == pytest.approx([0.5, 0.5], abs=1e-9)
    high = model().conditional_mean({"SCORE@Baseline": ">=60"}, "SCORE@Week 8")
    low = model().conditional_mean({"SCORE@Baseline": "<=40"}, "SCORE@Week 8")
    assert high > 52
    assert low < 48


def test_an_endpoint_can_be_asked_for_by_its_tokens() -> None:
    labels = model().token_labels("endpoint event")
    event = np.array([label.startswith("event ") for label in labels], dtype=float)
    chance = [
        model().region_probability({"arm": arm}, tokens={"endpoint event": event})
        / model().region_probability({"arm": arm})
        for arm in ("Placebo", "Active")
    ]
    assert chance[0] > chance[1]
    with pytest.raises(InputError, match="one share for each token"):
        model().region_probability(tokens={"endpoint event": np.ones(2)})
    with pytest.raises(InputError, match="is not a column"):
        model().conditional(None, "HEIGHT")
    with pytest.raises(InputError, match="not a numeric column"):
        model().conditional_mean(None, "SEX")


def test_a_loaded_mixture_answers_the_same(tmp_path) -> None:
    loaded = load_model(model().save(tmp_path / "m"))
    trial = simulated_trial(60, seed=9)
    np.testing.assert_array_equal(loaded.log_prob(trial), model().log_prob(trial))


def test_the_number_of_classes_can_be_given_and_is_kept() -> None:
    fitted = fit(simulated_trial(200, seed=1), "mixture", classes=3)
    assert fitted.card.metrics["classes"] == 3
    with pytest.raises(InputError, match="option classes"):
        fit(simulated_trial(60), "mixture", classes="many")
    with pytest.raises(InputError, match="option classes"):
        fit(simulated_trial(60), "mixture", classes=0)


def test_an_update_keeps_the_bins_and_begins_from_the_classes() -> None:
    later = simulated_trial(300, seed=14)
    after = model().refitted(later, seed=1)
    assert after.columns is model().columns
    assert after.card.n_train == 300
    assert after.log_prob(later).mean() > model().log_prob(later).mean()


def test_two_bounds_on_one_visit_are_met_together() -> None:
    """Rows of trees are conjunctions: the last one must not stand for all."""
    low, high = ({"test": {"name": "SCORE", "visit": "Week 8", side: number}}
                 for side, number in ((">=", 40), ("<=", 50)))
    both = model().region_probability({"SCORE@Week 8": [40, 50]})
    assert 0.01 < both < 0.9
    for order in ([low, high], [high, low]):
        assert model().region_probability({"all": order}) == pytest.approx(both, rel=1e-12)
        assert model().region_probability({"all": [{"all": order}]}) == pytest.approx(
            both, rel=1e-12
        )


def test_patients_without_visits_have_a_likelihood() -> None:
    """Missing visits are tokens like any other."""
    trial = simulated_trial(40, seed=3)
    nobody = Cohort.build(trial.schema, trial.subjects, events=trial.events)
    found = model().log_prob(nobody)
    assert np.isfinite(found).all()
    with_one = Cohort.build(
        trial.schema, trial.subjects, observations=trial.observations.iloc[:1], events=trial.events
    )
    np.testing.assert_allclose(found[1:], model().log_prob(with_one)[1:], rtol=1e-12)
