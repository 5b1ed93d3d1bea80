"""Private models: what they refuse, what they spend, and that they still learn."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from extraction.records import Cohort, InputError, RefusedError
from extraction.records.constraints import Order, violations
from generation import fit, load_model
from generation.assembly import impossible_rows
from generation.engine import Model
from generation.privacy.accountant import epsilon_of, exponential_curve
from generation.privacy.card import ledger_of
from generation.privacy.preprocessing import numeric_codec
from generation.privacy.quantiles import private_quantiles
from tests.support.generation_support import simulated_trial

RANGES = {"AGE": (0.0, 120.0), "LAB": (0.0, 40.0), "SCORE": (0.0, 100.0)}
ASKED: dict[str, dict[str, Any]] = {
    "mixture": {},
    "twin-private": {"accept_low_utility": True, "steps": 30},
}


@cache
def trial(n: int = 300, visits: bool = False) -> Cohort:
    """The simulated trial with plausible ranges declared."""
    plain = simulated_trial(n, seed=6, visits=visits)
    variables = tuple(
        v.model_copy(update=dict(zip(("low", "high"), RANGES[v.name], strict=True)))
        if v.name in RANGES else v
        for v in plain.schema.variables
    )
    schema = plain.schema.model_copy(update={"variables": variables})
    return Cohort.build(
        schema, plain.subjects, observations=plain.observations if visits else None,
        events=plain.events,
    )


@cache
def model(engine: str) -> Model:
    return fit(
        trial(), engine, epsilon=2.0, follow_up_days=182.0, noise_seed=3, **ASKED[engine]
    )


@pytest.mark.parametrize("engine", sorted(ASKED))
def test_a_private_model_spends_what_it_was_given_and_says_so(engine: str, tmp_path) -> None:
    ledger = ledger_of(model(engine).card)
    assert ledger is not None
    assert 1.9 < ledger.total() <= 2.0 * (1 + 1e-6)
    assert ledger.delta_budget == pytest.approx(1 / 3000)
    assert model(engine).card.n_by_arm == {}
    assert "withheld" in model(engine).card.data_digest
    sample, report = model(engine).sample_with_report(50, {"SEX": "F"}, seed=1)
    assert (sample.mask({"SEX": "F"}) == 1).all()
    assert impossible_rows(sample) == 0
    assert ledger.noise_seeded
    assert any("not differentially private: the noise" in note for note in report.notes)
    loaded = load_model(model(engine).save(tmp_path / "m"))
    assert loaded.sample(20, seed=2).digest() == model(engine).sample(20, seed=2).digest()
    np.testing.assert_array_equal(loaded.log_prob(trial()), model(engine).log_prob(trial()))
    assert '"noise_seed"' not in (tmp_path / "m" / "model.json").read_text()


@pytest.mark.parametrize("engine", sorted(ASKED))
def test_what_cannot_be_kept_private_is_refused(engine: str) -> None:
    open_ended = simulated_trial(60, seed=1)
    with pytest.raises(RefusedError) as told:
        fit(open_ended, engine, epsilon=0.1, delta=0.1, **ASKED[engine])
    said = " ".join(told.value.faults)
    for fault in ("AGE: no plausible range", "follow_up_days", "next to nothing below 0.3", "1/n"):
        assert fault in said


def test_the_private_twin_refuses_a_small_epsilon_with_few_patients() -> None:
    with pytest.raises(RefusedError, match="accept_low_utility"):
        fit(trial(), "twin-private", epsilon=2.0, follow_up_days=182.0)


def test_noise_is_new_at_every_fit_unless_a_test_fixes_it() -> None:
    one, two = (
        fit(trial(), "mixture", seed=1, epsilon=2.0, follow_up_days=182.0) for _ in range(2)
    )
    made, report = one.sample_with_report(30, seed=1)
    assert made.digest() != two.sample(30, seed=1).digest()
    ledger = ledger_of(one.card)
    assert ledger is not None and not ledger.noise_seeded
    assert any(note.startswith("differentially private: epsilon 2") for note in report.notes)
    assert any("try software" in note for note in report.notes)


def test_with_much_budget_the_private_mixture_finds_the_effect_and_the_marginals() -> None:
    """z = 3.9 standard errors of the trial (2,000 patients) and of 20,000 synthetic ones."""
    real = trial(2000)
    private = fit(real, "mixture", epsilon=50.0, follow_up_days=182.0, noise_seed=1)
    made = private.sample(20_000, seed=1)

    def rate(cohort: Cohort, arm: str) -> tuple[float, float]:
        rows = cohort.endpoint("event")[(cohort.subjects["arm"] == arm).to_numpy()]
        return float(np.log(rows["observed"].sum() / rows["day"].sum())), float(
            1 / rows["observed"].sum()
        )

    effects = []
    for cohort in (real, made):
        (a, va), (p, vp) = rate(cohort, "Active"), rate(cohort, "Placebo")
        effects.append((a - p, va + vp))
    allowed = 3.9 * np.sqrt(effects[0][1] + effects[1][1])
    assert abs(effects[0][0] - effects[1][0]) < allowed
    assert effects[1][0] < -allowed
    ages = [c.subjects["AGE"].to_numpy(dtype=float) for c in (real, made)]
    assert abs(ages[0].mean() - ages[1].mean()) < 3.9 * 8 / np.sqrt(2000) + 0.3


def test_private_quantiles_cut_equal_shares_and_never_leave_the_range() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(50, 10, 4000)
    edges = private_quantiles(values, 0.0, 200.0, 3, 1, 1.0, rng)
    assert len(edges) == 8 + 2 + 1
    assert edges[0] == 0.0
    assert edges[-1] == 200.0
    assert (np.diff(edges) > 0).all()
    inner = np.histogram(values, edges)[0] / 4000
    assert inner[1:-1].max() < 0.16
    nobody = private_quantiles(np.zeros(0), 0.0, 1.0, 2, 0, 1.0, rng)
    assert ((nobody >= 0) & (nobody <= 1)).all()


def test_private_quantiles_keep_their_promise_at_one_patient() -> None:
    """Chance of any small set of edges changes by at most e^epsilon when a patient is added."""
    draws = {}
    for added in (0, 1):
        values = np.sort(np.append([2.0, 4.0, 6.0], [9.0] * added))
        rng = np.random.default_rng(added)
        cut = [private_quantiles(values, 0.0, 10.0, 1, 0, 0.5, rng)[1] for _ in range(6000)]
        draws[added] = np.histogram(cut, np.linspace(0, 10, 6))[0]
    ratio = np.log(draws[1] / draws[0])
    noise = 3.9 * np.sqrt(1 / draws[0] + 1 / draws[1])
    assert (np.abs(ratio) < 0.5 + noise).all()
    assert epsilon_of(exponential_curve(0.5), 1e-12) > 0


def test_a_bin_of_one_grid_cell_is_an_atom_and_end_bins_thin_out() -> None:
    codec = numeric_codec("X", np.array([-0.5, 8.6, 9.4, 20.0, 99.5]), 1.0, thin=True)
    assert codec.atom.tolist() == [False, True, False, False] or codec.atom.sum() <= 1
    assert (np.diff(codec.knots, axis=1) >= 0).all()
    assert codec.knots[-1, 6] < (codec.edges[-2] + codec.edges[-1]) / 2


def test_planned_visits_are_private_columns_too() -> None:
    """The lag-one correlation of the score is .8; half of it is asked at this noise."""
    real = trial(600, visits=True)
    private = fit(real, "mixture", epsilon=20.0, follow_up_days=182.0, noise_seed=2)
    made = private.sample(3000, seed=1)
    assert made.validate() == []
    now, before = (
        made.at_visit("SCORE", visit).to_numpy(dtype=float) for visit in ("Week 8", "Baseline")
    )
    both = np.isfinite(now) & np.isfinite(before)
    assert np.corrcoef(now[both], before[both])[0, 1] > 0.4
    with pytest.raises(RefusedError, match="fitted anew"):
        private.refitted(real, seed=1)


def test_what_a_private_model_may_not_read_is_taken_from_the_schema() -> None:
    """Categories that no patient has are known; bins reach over the declared range."""
    private = fit(trial(), "mixture", epsilon=5.0, follow_up_days=182.0, noise_seed=4)
    codecs = private.columns.codecs
    assert codecs["RACE"].categories == ("A", "B", "C")
    assert codecs["AGE"].edges[[0, -1]] == pytest.approx([0.0, 120.0], abs=0.1)


@pytest.mark.parametrize("engine", sorted(ASKED))
def test_the_card_of_a_private_model_counts_nobody_who_breaks_a_constraint(engine: str) -> None:
    schema = trial().schema.model_copy(update={"constraints": (Order(columns=("AGE", "LAB")),)})
    declared = Cohort.build(schema, trial().subjects, events=trial().events)
    options = {"epsilon": 2.0, "follow_up_days": 182.0, **ASKED[engine]}
    private = fit(declared, engine, **options)
    assert violations(declared)["violating"].item() > 0
    assert set(private.card.metrics) == {"constraint_rate"}


@pytest.mark.parametrize("engine", sorted(ASKED))
def test_a_private_model_of_controls_forecasts_no_other_arm(engine: str) -> None:
    controls = trial().where({"arm": "Placebo"})
    options = {"epsilon": 2.0, "follow_up_days": 182.0, **ASKED[engine]}
    private = fit(controls, engine, **options)
    assert private.card.arms == ("Placebo",)
    assert private.card.fit == "controls_only"
    assert set(private.sample(40, seed=1).subjects["arm"]) == {"Placebo"}
    with pytest.raises(InputError, match="'Active' is absent"):
        private.sample(5, arm="Active")


def test_a_narrow_bin_beside_a_wide_end_bin_has_finite_values() -> None:
    edges = np.array([-0.5, 900.5, 901.5, 902.5, 1_000_000.5])
    codec = numeric_codec("X", edges, 1.0, thin=True)
    assert np.isfinite(codec.knots).all()
    assert codec.knots[0, 0] == edges[0]
    assert codec.knots[-1, -1] == edges[-1]
    drawn = codec.decode(np.full(3, 3), np.array([0.0, 0.5, 1 - 1e-12]))
    assert ((drawn >= 902) & (drawn <= 1_000_000.5)).all()


def test_options_of_the_other_kind_of_mixture_are_refused() -> None:
    """Whoever gives a delta alone may believe the model private."""
    with pytest.raises(InputError, match="option delta: has no effect without epsilon") as told:
        fit(trial(), "mixture", delta=1e-5, follow_up_days=182.0)
    assert len(told.value.faults) == 2
    with pytest.raises(InputError, match="option classes: has no effect with epsilon"):
        fit(trial(), "mixture", epsilon=2.0, follow_up_days=182.0, classes=4)


@pytest.mark.parametrize("engine", sorted(ASKED))
def test_values_over_time_without_planned_visits_are_not_dropped(engine: str) -> None:
    planned = trial(60, visits=True)
    unplanned = planned.schema.model_copy(update={"visits": ()})
    cohort = Cohort.build(
        unplanned, planned.subjects, observations=planned.observations.assign(visit=None),
        events=planned.events,
    )
    with pytest.raises(RefusedError, match="without planned visits"):
        fit(cohort, engine, epsilon=5.0, follow_up_days=182.0, **ASKED[engine])
