"""External controls in a design: who they are, what is refused, and equal replicates."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import InputError
from generation.randomness import Stream
from simulation.analysis.external.borrowed_mean import map_batch
from simulation.analysis.external.weights import weights_batch
from simulation.operating_characteristics.figures import asked_figure, replicate_values
from simulation.operating_characteristics.tables import long_table
from simulation.operating_characteristics.vary import varied
from simulation.trial import ParametricPopulation, TrialDesign, TwinPopulation, simulate
from simulation.trial.analyses import KINDS
from simulation.trial.analyses.base import External
from simulation.trial.analyses.borrowing import REASONS, Mean, outside_of
from simulation.trial.analyses.robust_map import RobustMap
from simulation.trial.conduct import with_external
from simulation.trial.population.base import Place
from simulation.trial.replay import replay

ROOT = Path(__file__).parents[3]
PEOPLE: dict[str, Any] = {
    "kind": "parametric",
    "covariates": [
        {"kind": "normal", "name": "age", "mean": 60, "sd": 10},
        {"kind": "category", "name": "sex", "categories": ["F", "M"], "shares": [0.5, 0.5]},
    ],
    "outcomes": {
        "y": {"kind": "continuous", "correlations": {"age": 0.4}},
        "response": {"kind": "binary", "probability": 0.4},
    },
}
HYBRID: dict[str, Any] = {
    "arms": [{"name": "C", "control": True}, {"name": "A", "allocation": 2}],
    "n": 90,
    "endpoints": [
        {"kind": "continuous", "name": "y"}, {"kind": "binary", "name": "response", "visit": 1}
    ],
    "dropout": {"kind": "share", "share": 0.1, "by": 1},
    "population": PEOPLE,
    "external_controls": {"n": 120},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]},
        {"name": "drifts", "external_drift": -0.5},
    ],
}  # fmt: skip
ALONE: dict[str, Any] = HYBRID | {
    "arms": [{"name": "C", "control": True, "allocation": 0}, {"name": "A"}]
}
BESIDE = [name for name, held in KINDS.items() if held.external == "beside"]
INSTEAD = [name for name, held in KINDS.items() if held.external == "instead"]


def _design(plan: dict[str, Any], kind: str, endpoint: str = "y", **more: Any) -> TrialDesign:
    given = {k: more.pop(k) for k in list(more) if k not in ("rule", "external_controls", "n")}
    if kind not in ("external_difference",):
        given.setdefault("covariates", ["age", "sex"])
    held = {"endpoint": endpoint, "analysis": {"kind": kind, **given}}
    return TrialDesign.parse(plan | {"hypotheses": [held]} | more)


@pytest.mark.parametrize("endpoint", ["y", "response"])
@pytest.mark.parametrize("kind", [*BESIDE, *INSTEAD])
def test_no_chunk_size_changes_a_byte_and_a_replay_is_its_row(kind: str, endpoint: str) -> None:
    plan = HYBRID if kind in BESIDE else ALONE
    rule = {"kind": "group_sequential", "looks": {"number": 2}}
    design = _design(plan, kind, endpoint, rule=rule)
    whole = simulate(design, replicates=24)
    assert whole.digest() == simulate(design, replicates=24, chunk_size=1).digest()
    assert whole.digest() == simulate(design, replicates=24, chunk_size=7).digest()
    again = replay(design, replicate=17, scenario="drifts")
    for name, values in whole.table.items():
        np.testing.assert_array_equal(again.row[name], values[17, 2], err_msg=name)


def test_weights_of_a_replicate_hang_on_no_other() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, 80, 2))
    arm = (rng.random((20, 80)) < 1 / (1 + np.exp(-x[..., 0]))).astype(float)
    count = (rng.random((20, 80)) < 0.9).astype(float)
    for target in ("att", "entropy"):
        whole = weights_batch(arm, x, target, count).weights  # type: ignore[arg-type]
        for r in (0, 7, 19):
            one = slice(r, r + 1)
            alone = weights_batch(arm[one], x[one], target, count[one])  # type: ignore[arg-type]
            np.testing.assert_array_equal(alone.weights[0], whole[r])


@pytest.mark.parametrize("endpoint", ["y", "response"])
def test_refused_controls_leave_the_plain_analysis(endpoint: str) -> None:
    never = {"stop": {"min_conflict_p": 1.0}, "covariates": []}
    borrowed = simulate(_design(HYBRID, "robust_map", endpoint, **never), replicates=60)
    plain = {"kind": "ancova"} if endpoint == "y" else {
        "kind": "proportions", "measure": "odds_ratio"
    }  # fmt: skip
    alone = {k: v for k, v in HYBRID.items() if k != "external_controls"}
    alone |= {"scenarios": HYBRID["scenarios"][:1]}
    own = simulate(
        TrialDesign.parse(alone | {"hypotheses": [{"endpoint": endpoint, "analysis": plain}]}),
        replicates=60,
    )
    assert (borrowed.table["refused"] > 0).all() and (borrowed.table["external_ess"] == 0).all()
    for name in ("estimate", "se", "rejected", "n", "duration"):
        np.testing.assert_array_equal(borrowed.table[name][:, :2], own.table[name])
    told = borrowed.scenario("works").hypotheses[0].borrowing
    assert told is not None and told.stopped.value == 1 and np.isnan(told.rejection.value)


def test_the_verdict_of_the_first_look_is_kept() -> None:
    rule = {"kind": "group_sequential", "looks": {"at": [30, 90]}}
    design = _design(HYBRID, "power_prior", rule=rule)
    early = _design(HYBRID, "power_prior", rule={"kind": "fixed", "looks": {"at": [30]}})
    late = simulate(design, replicates=200).table["refused"]
    np.testing.assert_array_equal(late, simulate(early, replicates=200).table["refused"])
    assert 0 < (late > 0).mean() < 1


def test_refused_single_arm_makes_no_claim() -> None:
    found = simulate(_design(ALONE, "external_difference", stop={"min_ess": 121}), replicates=40)
    assert np.isnan(found.table["estimate"]).all() and not found.table["rejected"].any()
    held = found.scenario("works").hypotheses[0]
    assert held.no_estimate == 1 and held.borrowing is not None
    assert held.borrowing.reasons["effective size"].value == 1
    assert set(held.borrowing.reasons) == set(REASONS)


def test_given_not_stopped_is_the_share_of_those() -> None:
    found = simulate(_design(HYBRID, "power_prior"), replicates=400)
    place, table = 2, found.table
    on = table["refused"][:, place, 0] == 0
    told = found.scenarios[place].hypotheses[0].borrowing
    assert told is not None and told.drift == -0.5
    assert told.stopped.value == pytest.approx(1 - on.mean())
    assert told.rejection.value == pytest.approx(table["rejected"][on, place, 0].mean())
    assert told.accuracy.bias is not None
    assert told.accuracy.bias.value == pytest.approx(table["estimate"][on, place, 0].mean())
    assert told.ess.value == pytest.approx(table["external_ess"][on, place, 0].mean())


def test_a_fixed_cohort_is_the_same_in_every_replicate() -> None:
    design = _design(ALONE, "external_difference", external_controls={"n": 120, "fixed": True})
    anew = _design(ALONE, "external_difference")
    fixed, drawn = (simulate(d, replicates=300).table["estimate"][:, 0, 0] for d in (design, anew))
    # var(treated mean) alone, against var(treated) + var(controls): 1/90 and 1/90 + 1/120.
    assert np.var(fixed) < 0.8 * np.var(drawn)
    digests = {simulate(design, replicates=20, chunk_size=c).digest() for c in (3, 20)}
    assert len(digests) == 1


def test_twins_count_as_the_patients_behind_them() -> None:
    """Exact: k twins of n patients leave 1 + k / n times the variance of k patients."""
    y = np.arange(50.0)[None]
    ones = np.ones((1, 50))
    plain = outside_of(External("continuous", y, np.empty((0, 1, 50))), ones)
    twins = outside_of(External("continuous", y, np.empty((0, 1, 50)), n_train=25), ones)
    assert plain.variance[0] == pytest.approx(y.var(ddof=1) / 50)
    assert twins.variance[0] == pytest.approx(y.var(ddof=1) * (1 / 50 + 1 / 25))
    assert twins.n[0] == pytest.approx(1 / (1 / 50 + 1 / 25))


def test_the_robust_prior_is_that_of_the_batch() -> None:
    own = Mean.of("continuous", np.array([30.0]), np.array([0.3]), np.array([29.0]))
    outside = Mean.of("continuous", np.array([100.0]), np.array([0.0]), np.array([99.0]))
    law = RobustMap(tau_scale=0.3, vague_weight=0.1).posterior(own, outside)
    prior = map_batch(np.array([[0.0]]), np.array([[0.1]]), np.array([0.3]))
    expected = prior.robust(0.1, np.array([0.0]), np.array([1.0])).update(own.value, own.se)
    assert law.mean == pytest.approx(expected.mean) and law.sd == pytest.approx(expected.sd)
    assert 0 < law.mean[0] < 0.3


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (HYBRID | {"external_controls": {}}, ["external_controls.n"]),
        (HYBRID | {"external_controls": {"n": 50, "population": {"kind": "twin"}}},
         ["population"]),
        (HYBRID | {"external_controls": {"n": 50, "fixed": True, "spread": 1}}, ["one drift"]),
        (HYBRID, ["no analysis uses them"]),
        ({k: v for k, v in HYBRID.items() if k != "external_controls"},
         ["nobody drifts without external_controls"]),
        ({k: v for k, v in ALONE.items() if k != "external_controls"},
         ["C.allocation: nobody is randomised to the control", "nobody drifts"]),
        (ALONE, ["ancova needs randomised controls", "external_difference"]),
        (ALONE | {"hypotheses": [{"endpoint": "y", "analysis": {"kind": "robust_map"}}]},
         ["beside own ones, and there are none"]),
        (HYBRID | {"hypotheses": [{"endpoint": "y", "analysis": {"kind": "external_aipw"}}],
                   "external_controls": {"n": 50, "n_train": 30}},
         ["in place of own ones", "name some", "twins are none"]),
        (HYBRID | {"hypotheses": [
            {"endpoint": "y", "analysis": {"kind": "power_prior"},
             "subgroup": {"name": "old", "where": {"age": [60, 90]}}}],
            "rule": {"kind": "reestimation", "looks": {"number": 2}, "maximum": 120,
                     "size": {"kind": "conditional_power", "power": 0.9}}},
         ["leave `subgroup` out", "reestimation adapts"]),
        (HYBRID | {"arms": [{"name": "C", "control": True}, {"name": "A", "allocation": 0}]},
         ["A.allocation: 0 came"]),
        (HYBRID | {"hypotheses": [{"endpoint": "y", "analysis": {
            "kind": "power_prior", "power": 0, "stop": {"min_overlap": 2}}}]},
         ["power", "min_overlap"]),
    ],
)  # fmt: skip
def test_faults_are_told_at_once(plan: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        TrialDesign.parse(plan)
    for part in words:
        assert any(part in fault for fault in caught.value.faults), caught.value.faults


def test_another_population_must_have_what_is_asked() -> None:
    other = {
        "kind": "parametric",
        "covariates": [
            {"kind": "category", "name": "sex", "categories": ["M", "F"], "shares": [0.5, 0.5]}
        ],
        "outcomes": {"response": {"kind": "binary", "probability": 0.4}},
    }
    design = _design(HYBRID, "power_prior", external_controls={"n": 50, "population": other})
    with pytest.raises(InputError) as caught:
        simulate(design, replicates=2)
    told = "\n".join(caught.value.faults)
    assert "no such outcome" in told and "'age' is not in it" in told and "other categories" in told
    assert all(fault.startswith("external_controls.population") for fault in caught.value.faults)


def test_too_few_eligible_controls_are_told() -> None:
    old = PEOPLE | {"covariates": [
        {"kind": "normal", "name": "age", "mean": 90, "sd": 5}, PEOPLE["covariates"][1]
    ]}  # fmt: skip
    given = {"external_controls": {"n": 50, "population": old}, "eligibility": {"age": [50, 68]}}
    design = _design(HYBRID | given, "power_prior")
    with pytest.raises(InputError, match=r"too few candidates|none of"):
        simulate(design, replicates=1)


def _twins(n_train: int | None = None) -> TwinPopulation:
    """A table of 300 twins with the covariates and the first outcome of the plan."""
    people = ParametricPopulation(**PEOPLE)
    place = Place(Stream(0, "table"), np.zeros((1, 1), dtype=np.int64), np.arange(300)[None])
    base = people.baseline(place)
    endpoint = TrialDesign.parse(HYBRID | {"external_controls": None, "scenarios": []}).endpoints[0]
    values = people.latent(endpoint, place, base).values
    assert values is not None
    columns = {name: held[0] for name, held in base.values.items()}
    table = pd.DataFrame(columns | {"outcome.y@0": values[-1, 0], "leaves": np.nan})
    origin = {} if n_train is None else {"n_train": n_train}
    return TwinPopulation(table, people.baseline_schema, origin)


def test_twins_of_a_model_travel_beside_the_trials_population() -> None:
    one = HYBRID | {"endpoints": HYBRID["endpoints"][:1]}
    source = {"n": 80, "population": {"kind": "model", "model": "controls"}, "n_train": 60}
    design = _design(one, "power_prior", external_controls=source)
    with pytest.raises(InputError, match="with_external"):
        simulate(design, replicates=2)
    both = with_external(design, None, _twins(60))
    assert both.describe()["external"]["rows"] == 300
    whole = simulate(design, both, replicates=12)
    apart = simulate(design, both, replicates=12, chunk_size=4, execution="processes", workers=2)
    assert whole.digest() == apart.digest()
    row = replay(design, both, replicate=5, scenario="works").row
    np.testing.assert_array_equal(row["estimate"], whole.table["estimate"][5, 1])


@pytest.mark.parametrize("stated", [None, 61])
def test_no_twin_counts_as_a_patient(stated: int | None) -> None:
    one = HYBRID | {"endpoints": HYBRID["endpoints"][:1]}
    source = {"n": 80, "population": {"kind": "model", "model": "controls"}, "n_train": stated}
    design = _design(one, "power_prior", external_controls=source)
    with pytest.raises(InputError, match="60 patients are behind the model"):
        simulate(design, with_external(design, None, _twins(60)), replicates=2)


def test_the_example_is_told_in_plain_language() -> None:
    design = TrialDesign.read(ROOT / "examples" / "hybrid.yaml")
    told = " ".join(design.describe())
    for part in (
        "200 patients who were not randomised stand beside the randomised Control",
        "Each replicate draws them anew",
        "own controls alone are analysed",
        "p under 0.1",
        "external controls drift by -2",
    ):
        assert part in told
    alone = " ".join(_design(ALONE, "external_difference").describe())
    assert "nobody is randomised" in alone and "no claim is made" in alone


def test_the_verdict_is_a_figure_that_grids_and_tables_take() -> None:
    design = _design(HYBRID, "power_prior")
    found = simulate(design, replicates=50)
    told = found.scenario("drifts").hypotheses[0].borrowing
    assert told is not None
    table = long_table(found).set_index(["scenario", "figure"]).loc["drifts"]
    assert table.loc["stopped", "value"] == told.stopped.value
    assert table.loc["given_on_rejection", "value"] == told.rejection.value
    asked = asked_figure(design, "stopped", "drifts")
    values = replicate_values(design, found.table, asked.figure, "drifts")
    assert asked.share and values.mean() == told.stopped.value
    harder, people = varied(design, None, {"external_controls.drift": -9.0})
    assert simulate(harder, people, replicates=20).table["refused"][:, 0].all()
