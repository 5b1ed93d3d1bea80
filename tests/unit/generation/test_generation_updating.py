"""A model is brought up to date with later patients, or stays as it was."""

from functools import cache

import numpy as np
import pytest

from extraction.records import Cohort, InputError
from generation import fit, load_model
from generation.engine import Model
from tests.support.generation_support import simulated_trial


@cache
def earlier() -> Cohort:
    return simulated_trial(160, seed=21, visits=False)


@cache
def model() -> Model:
    return fit(earlier(), "twin", seed=1, members=1, epochs=12)


def later(seed: int, years: float = 0.0, n: int = 160) -> Cohort:
    """Other patients, some years older."""
    frame = simulated_trial(n, seed=seed, visits=False).to_table()
    frame["AGE"] = frame["AGE"] + years
    frame["subject_id"] = [f"Q{k:05d}" for k in range(n)]
    return Cohort.from_table(frame, earlier().schema, study_id="SIM")


def test_a_population_that_moved_gives_a_new_version(tmp_path) -> None:
    outcome = model().update(later(5, years=6.0), seed=2, earlier=earlier())
    assert outcome.kept
    assert outcome.gain > 0
    assert outcome.gain == pytest.approx(outcome.score_after - outcome.score_before)
    assert "AGE" in outcome.drift.moved
    card = outcome.model.card
    assert (card.version, card.updated_from) == (2, model().card.data_digest)
    assert card.n_train == len(earlier()) + len(later(5)) - outcome.held_out
    assert card.replayed == 0
    again = load_model(outcome.model.save(tmp_path / "second"))
    assert again.card == card
    assert again.sample(5, seed=1).digest() == outcome.model.sample(5, seed=1).digest()
    ages = [m.sample(800, seed=3).subjects["AGE"].mean() for m in (model(), outcome.model)]
    assert ages[1] - ages[0] > 1.5


def test_without_the_earlier_patients_the_model_stands_for_them_and_says_so() -> None:
    outcome = model().update(later(5, years=6.0), seed=2)
    assert outcome.model.card.replayed == len(earlier())


def test_a_version_that_forecasts_worse_is_not_kept(monkeypatch) -> None:
    stale = fit(simulated_trial(40, seed=77, visits=False, hazard_ratio=8.0), "twin",
                members=1, epochs=1)
    monkeypatch.setattr(type(model()), "refitted", lambda *_: stale)
    monkeypatch.setattr(
        type(model()), "log_prob", lambda self, cohort: np.full(len(cohort), -float(self is stale))
    )
    outcome = model().update(later(9), seed=2)
    assert not outcome.kept
    assert outcome.model is model()
    assert "stays as it was" in outcome.sentence


def test_the_same_update_gives_the_same_model() -> None:
    first, again = (model().update(later(5, years=6.0, n=60), seed=4) for _ in range(2))
    assert first.to_dict() == again.to_dict()
    assert first.model.sample(5).digest() == again.model.sample(5).digest()


def test_an_update_that_cannot_be_is_refused_with_every_reason() -> None:
    other = simulated_trial(12, seed=3)
    with pytest.raises(InputError) as caught:
        model().update(other, earlier=later(3))
    told = "\n".join(caught.value.faults)
    assert "12 new patients" in told
    assert "schema is not the model's" in told
    assert "data_digest" in told


def test_patients_that_were_learnt_from_are_not_new() -> None:
    with pytest.raises(InputError, match="holds patients of the earlier cohort"):
        model().update(earlier(), earlier=earlier())


def test_patients_who_bring_nothing_new_are_refused() -> None:
    """They would count twice in n_train."""
    with pytest.raises(InputError, match="is the one that the model was fitted to"):
        model().update(earlier())
    with pytest.raises(InputError, match="holds synthetic patients"):
        model().update(model().sample(60, seed=3))


def test_an_engine_without_updates_names_one_that_has_them() -> None:
    with pytest.raises(InputError, match="use engine 'twin'"):
        fit(earlier(), "cart").update(later(5))
