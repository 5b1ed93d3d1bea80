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
    "endpoint": {"variable": "y", "visit": "w"},
    "n": 60,
    "looks": 2,
    "effect": 0.5,
    "covariates": ["score"],
}
DESIGN = TrialDesign.parse(PLAN)


def _twins(seed: int = 1) -> TwinPopulation:
    x, e = (Stream(seed, "twins").normal(patient=np.arange(100), index=i) for i in (0, 1))
    table = pd.DataFrame({"y": 0.6 * x + 0.8 * e, "score": x})
    return TwinPopulation.from_table(table, "y", ["score"], origin={"n_train": 86})


def test_the_same_bytes_from_every_backend_and_grid(ray_session: object) -> None:
    population = _twins()
    plain = simulate(DESIGN, population, 60, seed=5)
    for options in (
        {"chunk_size": 7},
        {"chunk_size": 1},
        {"execution": "processes", "workers": 2, "chunk_size": 20},
        {"execution": "ray", "workers": 2, "chunk_size": 20},
    ):
        other = simulate(DESIGN, population, 60, seed=5, **options)
        assert other.digest() == plain.digest()
        assert other.to_dict() == plain.to_dict()
    assert simulate(DESIGN, population, 60, seed=6).digest() != plain.digest()


def test_a_folder_resumes_and_refuses_another_trial(tmp_path: Path) -> None:
    first = simulate(DESIGN, _twins(), 20, chunk_size=5, folder=tmp_path)
    told: list[float] = []
    again = simulate(
        DESIGN,
        _twins(),
        20,
        chunk_size=5,
        folder=tmp_path,
        progress=lambda what, fraction: told.append(fraction),
    )
    assert told == [1.0]
    assert again.digest() == first.digest()
    with pytest.raises(InputError, match="payload_sha256"):
        simulate(DESIGN, _twins(seed=2), 20, chunk_size=5, folder=tmp_path)
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert simulate(DESIGN, _twins(), 20, chunk_size=5, folder=moved).digest() == first.digest()


def test_fewer_replicates_are_the_head_of_more() -> None:
    few, many = (simulate(DESIGN, _twins(), n).table for n in (10, 30))
    for name, values in few.items():
        assert np.array_equal(values, many[name][:10], equal_nan=True)


def test_results_are_plain_json_and_name_the_estimand() -> None:
    out = simulate(DESIGN, _twins(), 50).to_dict()
    assert json.loads(json.dumps(out)) == json.loads(json.dumps(out, allow_nan=False))
    assert out["population"]["origin"] == {"n_train": 86}
    assert out["estimand"]["intercurrent_events"] == {"discontinuation": "hypothetical"}
    assert "100 twins and of 86 patients" in out["limits"][1]
    assert "whose visit is due" in out["limits"][2]  # this design has interim looks
    assert [s["effect"] for s in out["scenarios"]] == [0.0, 0.5]
    null = out["scenarios"][0]
    assert sum(s["value"] for s in null["stopping"]) == pytest.approx(null["rejection"]["value"])


def test_characteristics_read_in_one_line() -> None:
    told = repr(simulate(DESIGN, _twins(), 50))
    assert told.startswith("OperatingCharacteristics(") and "50 replicates" in told
    assert "effect 0.5: rejected " in told and "\n" not in told


def test_effects_shift_the_same_patients() -> None:
    design = TrialDesign.parse(PLAN | {"further_effects": [1.0, -0.5], "looks": 1})
    result = simulate(design, ParametricPopulation(correlations={"score": 0.3}), 40)
    estimates = result.table["estimate"] - np.array(design.effects)
    assert np.allclose(estimates, estimates[:, :1], atol=1e-12)
    powers = [result.scenario(effect).rejection.value for effect in (-0.5, 0.0, 0.5, 1.0)]
    assert powers == sorted(powers)
    with pytest.raises(InputError, match="was not simulated"):
        result.scenario(2.0)


def test_a_benefit_downwards_mirrors_one_upwards() -> None:
    """Turning every outcome and the effect round turns the estimates and keeps the decisions."""
    x = Stream(9, "mirror").normal(patient=np.arange(100))
    up = TwinPopulation.from_table(pd.DataFrame({"y": x}), "y")
    down = TwinPopulation.from_table(pd.DataFrame({"y": -x}), "y")
    plan = PLAN | {"covariates": []}
    high = simulate(TrialDesign.parse(plan), up, 100)
    low = simulate(TrialDesign.parse(plan | {"effect": -0.5}), down, 100)
    assert np.array_equal(high.table["rejected"], low.table["rejected"])
    assert np.allclose(high.table["estimate"], -low.table["estimate"], atol=1e-12)


def test_all_faults_of_a_call_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        simulate(DESIGN, ParametricPopulation(), 0)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["covariates", "replicates"]
    with pytest.raises(InputError, match="a str came"):
        simulate(DESIGN, "patients", 10)  # type: ignore[arg-type]


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


NEXT_TRIAL = PLAN | {
    "arms": [{"name": "Placebo", "control": True}, {"name": "Active"}],
    "endpoint": {"variable": "ADAS", "visit": "Week 24", "change_from": "Baseline"},
    "covariates": ["SEX", "ADAS@Baseline"],
    "effect": -1.0,
}


def test_a_model_gives_twins_under_control() -> None:
    from generation import fit

    model = fit(_cohort(120), engine="cart", seed=0)
    result = simulate(TrialDesign.parse(NEXT_TRIAL), model, 30, seed=4)
    assert result.population["rows"] == 2000
    assert result.population["origin"]["n_train"] == 80  # the controls of 120
    assert "all_arms: 120 patients of S (Placebo 80, Active 40)" in repr(model)
    assert "\n" not in repr(model) and repr(model.card) in repr(model)
    known = model.card
    model.card = known.model_copy(update={"n_by_arm": {}})
    older = TwinPopulation.from_model(model, TrialDesign.parse(NEXT_TRIAL), 50)
    origin = older.describe()["origin"]
    assert "n_train" not in origin and origin["n_train_all_arms"] == 120
    model.card = known
    assert result.digest() == simulate(TrialDesign.parse(NEXT_TRIAL), model, 30, seed=4).digest()


def test_a_cohort_gives_its_controls_as_twins() -> None:
    design = TrialDesign.parse(NEXT_TRIAL)
    population = TwinPopulation.from_cohort(_cohort(), design)
    assert population.describe()["rows"] == 40
    assert population.describe()["left_before_visit"] == pytest.approx(0.2)
    assert population.centre == pytest.approx(2, abs=0.6)
    result = simulate(design, _cohort(), 50)
    assert result.digest() == simulate(design, population, 50).digest()
    assert 0.7 < result.table["completers"][:, 0].mean() / 60 < 0.9


def test_a_misspelt_covariate_is_met_by_the_nearest_name() -> None:
    design = TrialDesign.parse(NEXT_TRIAL | {"covariates": ["SEXX"]})
    with pytest.raises(InputError, match=r"SEXX is not in the schema.*did you mean SEX\?"):
        simulate(design, _cohort(), 5)
    with pytest.raises(InputError, match=r"did you mean score\?"):
        simulate(
            TrialDesign.parse(PLAN | {"covariates": ["scor"]}),
            ParametricPopulation(correlations={"score": 0.3}),
            5,
        )


@pytest.mark.parametrize(
    ("covariate", "fault"),
    [("ADAS@Week 24", "after randomisation"), ("ADAS", "no baseline variable")],
)
def test_only_what_is_known_at_randomisation_is_a_covariate(covariate: str, fault: str) -> None:
    design = TrialDesign.parse(NEXT_TRIAL | {"covariates": [covariate]})
    with pytest.raises(InputError, match=fault):
        TwinPopulation.from_cohort(_cohort(), design)
