"""What every registered engine promises."""

import re
from functools import cache
from typing import Any

import pytest

from extraction.records import Cohort, InputError, RefusedError, conditions
from extraction.records.constraints import violations
from generation import engines, fit, load_model
from generation.assembly import impossible_rows
from generation.engine import ABLE, Model
from generation.registry import engine_class
from tests.support.generation_support import constrained_trial, simulated_trial

pytestmark = pytest.mark.parametrize("engine", engines())
GIVEN = {"SEX": "F", "AGE": [60, 75]}
QUICK: dict[str, dict[str, Any]] = {
    "twin": {"epochs": 20, "members": 2},
    "sdv-ctgan": {"epochs": 1},
    "sdv-tvae": {"epochs": 1},
    "sdv-copulagan": {"epochs": 1},
    "sdv-par": {"epochs": 1},
}
"""Options that fit an engine in a second; what is promised does not hang on them."""


def quick(cohort: Cohort, engine: str, seed: int = 0, progress: Any = None) -> Model:
    return fit(cohort, engine, seed=seed, progress=progress, **QUICK.get(engine, {}))


@cache
def trial() -> Cohort:
    return simulated_trial(150, seed=3)


@cache
def controls() -> Cohort:
    return simulated_trial(70, seed=8).where({"arm": "Placebo"})


@cache
def model(engine: str) -> Model:
    return quick(trial(), engine, seed=11)


@cache
def controls_model(engine: str) -> tuple[Model, list[float]]:
    told: list[float] = []
    return quick(controls(), engine, 4, lambda what, done: told.append(done)), told


def conditional(engine: str) -> bool:
    return "conditions" in engine_class(engine).supports


def a_condition(engine: str) -> dict[str, Any] | None:
    return GIVEN if conditional(engine) else None


def test_a_sample_follows_the_schema_and_says_where_it_is_from(engine: str) -> None:
    sample = model(engine).sample(40, seed=1)
    assert len(sample) == 40
    assert sample.schema == trial().schema
    assert list(sample.subject_ids[:2]) == ["S-000001", "S-000002"]
    assert sample.sources["name"].tolist() == [f"synthetic:{engine}"]
    assert "n_train=150" in sample.sources["action"].iloc[0]
    wanted = {"Baseline", "Week 8", "Week 24"} if engine != "sdv-par" else set()
    assert wanted <= set(sample.observations["visit"]) <= {v.name for v in trial().schema.visits}
    assert sample.events["observed"].isin([True, False]).all()
    assert set(sample.subjects["arm"]) == {"Placebo", "Active"}


def test_no_row_is_impossible(engine: str) -> None:
    sample = model(engine).sample(100 if engine == "sdv-par" else 400, seed=2)
    assert impossible_rows(sample) == 0
    assert sample.validate() == []


def test_the_same_seed_gives_the_same_bytes(engine: str) -> None:
    first, again = (model(engine).sample(30, seed=5).digest() for _ in range(2))
    assert first == again
    assert model(engine).sample(30, seed=6).digest() != first


def test_a_refit_gives_the_same_bytes(engine: str) -> None:
    again = quick(controls(), engine, seed=4)
    assert again.sample(10).digest() == controls_model(engine)[0].sample(10).digest()


def test_the_first_patients_do_not_depend_on_how_many_are_drawn(engine: str) -> None:
    if not engine_class(engine).keyed:
        pytest.skip("this engine states that its draws belong to n and seed")
    few, many = (model(engine).sample(n, GIVEN, seed=7) for n in (10, 300))
    assert few.digest() == many.select(few.subject_ids).digest()


def test_a_range_of_patients_is_that_part_of_one_call(engine: str) -> None:
    if not engine_class(engine).keyed:
        with pytest.raises(InputError, match=r"first: engine .* cannot begin at a later one"):
            model(engine).sample(10, first=5)
        return
    for given in (None, GIVEN):
        part = model(engine).sample(10, given, seed=7, first=5)
        whole = model(engine).sample(15, given, seed=7)
        assert part.subject_ids[0] == "S-000006"
        assert part.digest() == whole.select(whole.subject_ids[5:]).digest()


def test_a_region_of_too_few_training_patients_is_refused(engine: str) -> None:
    if not conditional(engine):
        pytest.skip("this engine takes no condition")
    ages = model(engine).sample(400, seed=3).subjects["AGE"]
    few = {"AGE": [float(ages.quantile(share)) for share in (0.92, 0.97)], "SEX": "F"}
    for n in (1, 40):
        with pytest.raises(RefusedError, match=r"at least 20 are needed.*Widen the conditions"):
            model(engine).sample(n, few, seed=n)
    sample, report = model(engine).sample_with_report(5, few, gate=False)
    assert len(sample) == 5
    assert (sample.mask(few) == 1).all()
    assert report.expected_training_patients < 20


def test_a_condition_holds_for_every_patient(engine: str) -> None:
    given = a_condition(engine) or {}
    sample, report = model(engine).sample_with_report(
        20, given or None, arm="Placebo", seed=1, gate=False
    )
    assert (sample.mask({**given, "arm": "Placebo"}) == 1).all()
    assert report.n_train == 150
    assert 0 < report.region_probability < 1
    assert 0 < report.effective_sample_size <= 1
    if not given:
        return
    tree = conditions.parse({"arm": "Active"}, trial().schema)
    assert set(model(engine).sample(20, tree).subjects["arm"]) == {"Active"}


def test_follow_up_can_be_cut(engine: str) -> None:
    sample = model(engine).sample(60, until_day=60.0, seed=1)
    assert sample.subjects["observed_until"].max() <= 60
    assert sample.events["day"].max() <= 60
    assert impossible_rows(sample) == 0


def test_a_saved_model_draws_the_same_patients_or_refuses(engine: str, tmp_path) -> None:
    folder = model(engine).save(tmp_path / "model")
    assert {p.name for p in folder.iterdir()} == {"model.json", "arrays.safetensors"}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    if engine.startswith("sdv"):
        with pytest.raises(InputError, match="refit"):
            load_model(folder)
        return
    loaded = load_model(folder)
    assert loaded.card == model(engine).card
    assert loaded.sample(20, GIVEN, seed=3).digest() == model(engine).sample(
        20, GIVEN, seed=3
    ).digest()
    assert loaded.sample(20, seed=3).digest() == model(engine).sample(20, seed=3).digest()


def test_a_saved_model_holds_no_patient(engine: str, tmp_path) -> None:
    text = (model(engine).save(tmp_path / "model") / "model.json").read_text()
    assert not re.search(r"P\d{5}", text)
    assert '"RACE": "C"' not in text


def test_controls_only_is_recorded_and_bounds_what_can_be_drawn(engine: str) -> None:
    fitted = controls_model(engine)[0]
    assert fitted.card.fit == "controls_only"
    assert model(engine).card.fit == "all_arms"
    assert set(fitted.sample(20).subjects["arm"]) == {"Placebo"}
    with pytest.raises(InputError, match="absent from the training cohort"):
        fitted.sample(5, arm="Active")
    with pytest.raises(InputError, match="absent from the training cohort"):
        fitted.sample(5, {"arm": "Active"} if conditional(engine) else None, arm="Active")


def test_what_it_cannot_do_is_refused_with_the_engine_that_can(engine: str) -> None:
    timeline = trial().timeline(trial().subject_ids[0], until_day=30)
    kind = engine_class(engine)
    for capability, ask in (
        ("timeline", lambda: model(engine).sample(3, timeline)),
        ("dropout", lambda: model(engine).sample(3, dropout=False)),
        ("log_prob", lambda: model(engine).log_prob(trial())),
        ("conditions", lambda: model(engine).sample(3, GIVEN)),
    ):
        assert (engine in ABLE[capability]) == (capability in kind.supports)
        if capability in kind.supports:
            ask()
        else:
            with pytest.raises(InputError, match="use engine 'twin'"):
                ask()


def test_likelihoods_of_patients_with_other_columns_are_refused(engine: str) -> None:
    if engine not in ABLE["log_prob"]:
        return
    fewer = trial().with_schema(trial().schema.keep(["AGE"]))
    with pytest.raises(InputError, match=r"lacks baseline variables of the model: .*SEX"):
        model(engine).log_prob(fewer)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        ({"n": 0}, "n: must be"),
        ({"n": 5, "seed": "one"}, "seed: must be"),
        ({"n": 5, "until_day": -1.0}, "until_day: must be"),
        ({"n": 5, "until_day": float("nan")}, "until_day: must be"),
        ({"n": 5, "given": {"exists": {"kind": "adverse_event"}}}, "models draw no episodes"),
        ({"n": 5, "given": {"SCORE@Week 24": ">=50"}, "until_day": 60}, "after until_day=60"),
        ({"n": 5, "given": {"SCORE@Week 8": ">=900"}}, "no"),
        ({"n": 5, "given": {"AGE": [300, 400]}}, "no patient of this model"),
        ({"n": 5, "given": {"arm": "Placebo"}, "arm": "Active"}, "contradicts"),
    ],
)
def test_a_request_it_cannot_meet_is_an_input_error(engine: str, ask: dict, told: str) -> None:
    if "given" in ask and not conditional(engine):
        told = "cannot sample under a condition"
    with pytest.raises(InputError, match=re.escape(told)):
        model(engine).sample(**ask)


def test_unknown_options_and_tiny_cohorts_are_refused(engine: str) -> None:
    with pytest.raises(InputError, match="option depth"):
        fit(trial(), engine, depth=3)
    with pytest.raises(InputError, match="12 patients"):
        fit(simulated_trial(12), engine)


def test_values_over_time_without_planned_visits_are_drawn_or_refused(engine: str) -> None:
    """Flat columns have no place for them: to leave them out in silence would lose data."""
    planned = simulated_trial(40, seed=2)
    cohort = Cohort.build(
        planned.schema.model_copy(update={"visits": ()}), planned.subjects,
        observations=planned.observations.assign(visit=None), events=planned.events,
    )
    if engine in ("twin", "sdv-par"):
        assert len(quick(cohort, engine).sample(20, seed=1).observations) > 20
        return
    with pytest.raises(InputError, match=r"without planned visits.*use engine 'twin'"):
        quick(cohort, engine)


@pytest.mark.parametrize("odd", ["no visits", "no events, constant and missing"])
def test_any_tidy_cohort_is_fitted_without_tuning(engine: str, odd: str) -> None:
    cohort = simulated_trial(30, seed=5, visits=odd != "no visits", events=odd == "no visits")
    if odd != "no visits":
        subjects = cohort.subjects.assign(LAB=float("nan"), AGE=7.0, SEX="F")
        cohort = Cohort.build(
            cohort.schema, subjects, observations=cohort.observations, events=cohort.events
        )
    elif engine in ("sdv-ctgan", "sdv-tvae", "sdv-copulagan"):
        pytest.skip("the same table as sdv-gaussian-copula's")
    if engine == "sdv-par" and odd == "no visits":
        with pytest.raises(InputError, match=r"have visits.*use engine 'twin'"):
            quick(cohort, engine)
        return
    sample = quick(cohort, engine).sample(25, seed=1)
    assert impossible_rows(sample) == 0
    if odd != "no visits":
        assert set(sample.subjects["AGE"].dropna()) <= {7.0}
        assert sample.subjects["LAB"].isna().all()


def test_declared_constraints_hold_and_their_rate_is_told(engine: str) -> None:
    cohort = constrained_trial(60, seed=2)
    fitted = quick(cohort, engine)
    broken = violations(cohort).set_index("kind")["violating"]
    assert (broken.drop("none_after") == 0).all()
    assert fitted.card.metrics["training patients violating nothing after event"] == float(
        broken["none_after"]
    )
    sample, report = fitted.sample_with_report(30, seed=1)
    assert violations(sample)["violating"].sum() == 0
    assert violations(sample).set_index("kind")["checked"].drop("none_after").min() > 5
    assert 0 < report.constraint_rate <= 1
    assert 0 < fitted.card.metrics["constraint_rate"] <= 1
    assert "until declared constraints hold" in sample.sources["action"].iloc[0]
    assert sample.validate() == []
    if fitted.keyed:
        few = fitted.sample(5, seed=1)
        assert few.digest() == sample.select(few.subject_ids).digest()


def test_progress_is_told(engine: str) -> None:
    told = controls_model(engine)[1]
    assert told
    assert all(0 <= done <= 1 for done in told)
