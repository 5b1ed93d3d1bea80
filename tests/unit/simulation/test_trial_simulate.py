"""simulate: same bytes everywhere, resuming, populations, what comes out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, Variable, VisitWindow
from generation.randomness import Stream
from simulation import TrialDesign, simulate
from simulation.trial import ParametricPopulation, TwinPopulation

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 60,
    "hypotheses": [{"endpoint": "y", "analysis": {"kind": "ancova", "covariates": ["score"]}}],
    "rule": {"kind": "group_sequential", "looks": {"number": 2}},
    "scenarios": [
        {"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]},
        {"name": "large", "effects": [{"arm": "A", "endpoint": "y", "shift": 1.0}]},
    ],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(
    covariates=[{"kind": "normal", "name": "score"}],
    outcomes={"y": {"kind": "continuous", "correlations": {"score": 0.6}}},
    leaving_rate=0.003,
)


def test_the_same_bytes_from_every_backend_and_grid(ray_session: object) -> None:
    plain = simulate(DESIGN, PEOPLE, 60, seed=5)
    for options in (
        {"chunk_size": 7},
        {"chunk_size": 1},
        {"execution": "processes", "workers": 2, "chunk_size": 20},
        {"execution": "ray", "workers": 2, "chunk_size": 20},
    ):
        other = simulate(DESIGN, PEOPLE, 60, seed=5, **options)
        assert other.digest() == plain.digest()
        assert other.to_dict() == plain.to_dict()
    assert simulate(DESIGN, PEOPLE, 60, seed=6).digest() != plain.digest()


def test_a_folder_resumes_and_refuses_another_trial(tmp_path: Path) -> None:
    design, people = _next_trial(), _cohort()
    first = simulate(design, people, 20, chunk_size=5, folder=tmp_path)
    told: list[float] = []
    again = simulate(
        design,
        people,
        20,
        chunk_size=5,
        folder=tmp_path,
        progress=lambda what, fraction: told.append(fraction),
    )
    assert told == [1.0]
    assert again.digest() == first.digest()
    with pytest.raises(InputError, match="payload_sha256"):
        simulate(design, _cohort(90), 20, chunk_size=5, folder=tmp_path)
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert simulate(design, people, 20, chunk_size=5, folder=moved).digest() == first.digest()


def test_fewer_replicates_are_the_head_of_more() -> None:
    few, many = (simulate(DESIGN, PEOPLE, n).table for n in (10, 30))
    for name, values in few.items():
        assert np.array_equal(values, many[name][:10], equal_nan=True)


def test_results_are_plain_json_and_name_the_estimand() -> None:
    out = simulate(DESIGN, PEOPLE, 50).to_dict()
    assert json.loads(json.dumps(out)) == json.loads(json.dumps(out, allow_nan=False))
    assert out["estimands"][0]["intercurrent_events"] == {"discontinuation": "hypothetical"}
    assert "there at once" in out["limits"][1]
    assert [s["name"] for s in out["scenarios"]] == ["no effect", "planned", "large"]
    null = out["scenarios"][0]
    assert sum(s["value"] for s in null["efficacy"]) == pytest.approx(
        null["any_rejection"]["value"]
    )


def test_characteristics_read_in_one_line() -> None:
    result = simulate(DESIGN, PEOPLE, 50)
    told = repr(result)
    assert told.startswith("OperatingCharacteristics(") and "50 replicates" in told
    assert "planned: rejected " in told and "\n" not in told
    assert result.power == result.scenario("planned").any_rejection
    with pytest.raises(InputError, match=r"was not simulated.*did you mean planned"):
        result.scenario("planed")


def test_effects_shift_the_same_patients() -> None:
    fixed = TrialDesign.parse(PLAN | {"rule": {"kind": "fixed"}})
    result = simulate(fixed, PEOPLE, 40)
    estimates = result.table["estimate"][:, :, 0] - np.array([0.0, 0.5, 1.0])
    assert np.allclose(estimates, estimates[:, :1], atol=1e-12)


def test_hypotheses_with_more_than_alpha_together_are_told() -> None:
    def limits(*shares: float) -> str:
        tested = [{"endpoint": "y", "share": share} for share in shares]
        design = TrialDesign.parse(PLAN | {"hypotheses": tested})
        return " ".join(simulate(design, PEOPLE, 5).limits)

    assert "2 hypotheses have 2 times alpha together" in limits(1.0, 1.0)
    assert "times alpha together" not in limits(0.5, 0.5) + limits(1.0)


def test_designs_share_patients() -> None:
    """More patients, other looks or another level leave early fits as they are."""
    base = simulate(TrialDesign.parse(PLAN | {"rule": {"kind": "fixed"}}), PEOPLE, 20)
    rule = {"kind": "group_sequential", "alpha": 0.001, "looks": {"at": [60, 120]}}
    longer = simulate(TrialDesign.parse(PLAN | {"n": 120, "rule": rule}), PEOPLE, 20)
    stopped = longer.table["stage"][:, 2] == 0
    assert stopped.any()
    assert np.allclose(
        longer.table["estimate"][stopped, 2], base.table["estimate"][stopped, 2], rtol=1e-10
    )


def test_a_benefit_downwards_mirrors_one_upwards() -> None:
    """Turning effect and direction round turns the estimates' shift and keeps the level."""
    down = PLAN | {
        "endpoints": [
            {"kind": "continuous", "name": "y", "visits": [30], "higher_is_better": False}
        ],
        "scenarios": [
            {"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": -0.5}]}
        ],
    }
    high, low = simulate(DESIGN, PEOPLE, 400), simulate(TrialDesign.parse(down), PEOPLE, 400)
    gap = high.power.value - low.power.value
    assert abs(gap) <= 4 * np.hypot(high.power.se, low.power.se)
    assert low.scenario("planned").hypotheses[0].mean.value < 0


def _cohort(n: int = 60) -> Cohort:
    schema = CohortSchema(
        study_id="S",
        variables=(
            Variable(name="SEX", kind="binary", categories=("F", "M")),
            Variable(name="ADAS", kind="continuous", role="longitudinal"),
        ),
        visits=(
            VisitWindow(name="Baseline", day=0, low=-7, high=1),
            VisitWindow(name="Week 24", day=168, low=150, high=190),
        ),
        arms=("Placebo", "Active"),
        control_arm="Placebo",
    )
    ids = [f"p{i:03d}" for i in range(n)]
    subjects = pd.DataFrame(
        {
            "study_id": "S",
            "subject_id": ids,
            "arm": ["Placebo" if i % 3 else "Active" for i in range(n)],
            "SEX": ["F" if i % 2 else "M" for i in range(n)],
        }
    )
    base = 25 + Stream(2, "cohort").normal(patient=np.arange(n))
    change = 2 + Stream(3, "cohort").normal(patient=np.arange(n))
    rows = [
        {"study_id": "S", "subject_id": ids[i], "day": day, "variable": "ADAS", "value": value}
        for i in range(n)
        for day, value in ((0.0, base[i]), (168.0, base[i] + change[i]))
        if day == 0 or i % 5
    ]
    return Cohort.build(schema, subjects, pd.DataFrame(rows).assign(status="observed"))


def _next_trial(**changes: Any) -> TrialDesign:
    plan: dict[str, Any] = PLAN | {
        "arms": [{"name": "Placebo", "control": True}, {"name": "Active"}],
        "endpoints": [
            {
                "kind": "continuous",
                "name": "ADAS",
                "visits": [168],
                "at": ["Week 24"],
                "change_from": "Baseline",
                "higher_is_better": False,
            }
        ],
        "hypotheses": [{"endpoint": "ADAS", "analysis": {"kind": "ancova", "covariates": ["SEX"]}}],
        "scenarios": [
            {"name": "planned", "effects": [{"arm": "Active", "endpoint": "ADAS", "shift": -1.0}]}
        ],
    }
    return TrialDesign.parse(plan | changes)


def test_a_model_gives_twins_under_control() -> None:
    from generation import fit

    model = fit(_cohort(120), engine="cart", seed=0)
    design = _next_trial()
    result = simulate(design, model, 30, seed=4)
    assert result.population["rows"] == 2000
    assert result.population["origin"]["n_train"] == 80  # the controls of 120
    known = model.card
    model.card = known.model_copy(update={"n_by_arm": {}})
    origin = TwinPopulation.from_model(model, design, 100).describe()["origin"]
    assert "n_train" not in origin and origin["n_train_all_arms"] == 120
    model.card = known
    assert result.digest() == simulate(design, model, 30, seed=4).digest()


def test_a_cohort_gives_its_controls_as_twins() -> None:
    design = _next_trial()
    population = TwinPopulation.from_cohort(_cohort(), design)
    assert population.describe()["rows"] == 40
    result = simulate(design, _cohort(), 50)
    assert result.digest() == simulate(design, population, 50).digest()
    assert 0.7 < result.table["analysed"][:, 0].mean() / 60 < 0.9
    whole = simulate(_next_trial(dropout={"kind": "none"}), _cohort(), 20)
    assert whole.table["analysed"][:, 0].max() == 60


def test_a_value_within_its_window_counts_though_the_patient_left_before_the_day() -> None:
    cohort = _cohort()
    kept = TwinPopulation.from_cohort(cohort, _next_trial()).known("outcome.ADAS@0").size
    left = cohort.subjects.assign(observed_until=160.0, end_reason="WITHDRAWAL BY SUBJECT")
    days = cohort.observations["day"].clip(upper=160.0)
    early = Cohort.build(cohort.schema, left, cohort.observations.assign(day=days))
    result = simulate(_next_trial(), early, 200)
    share = result.table["analysed"][:, 0].mean() / 60
    assert abs(share - kept / 40) < 4 * np.sqrt(share * (1 - share) / 60 / 200)


def test_what_a_cohort_lacks_is_told() -> None:
    hypotheses = [{"endpoint": "ADAS", "analysis": {"kind": "ancova", "covariates": ["SEXX"]}}]
    with pytest.raises(InputError, match=r"SEXX.*did you mean SEX\?"):
        simulate(_next_trial(hypotheses=hypotheses), _cohort(), 5)
    with pytest.raises(InputError, match="a str came"):
        simulate(DESIGN, "patients", 10)  # type: ignore[arg-type]


def test_event_times_of_twins_come_back_under_no_effect() -> None:
    """A table's own times are drawn under control; half the hazard lengthens each of them."""
    from simulation.trial.population.tables import hazard_of

    time = np.arange(1.0, 101.0)
    table = pd.DataFrame({"outcome.OS.time": time, "outcome.OS.event": 1.0, "leaves": np.nan})
    schema = CohortSchema(study_id="S", variables=())
    design = TrialDesign.parse(
        {
            "arms": PLAN["arms"],
            "n": 200,
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "scenarios": [
                {"name": "half", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.5}]}
            ],
            "rule": {"kind": "fixed", "looks": {"by": "events", "at": [150], "latest": 100}},
        }
    )
    law = hazard_of(table, design.endpoints[0])
    assert np.allclose(law.inverse(law.at(time)), time)
    result = simulate(design, TwinPopulation(table, schema, {"n_train": 100}), 200)
    mean = result.scenario("half").hypotheses[0].mean
    # The one-step estimate is pulled towards 0 at large effects; its sign and size must show.
    assert -0.8 < mean.value < -0.5
