"""Figures by name are those of the operating characteristics, in surfaces and curves too."""

from typing import Any

import pytest

from extraction.records import InputError
from simulation.operating_characteristics import surfaces
from simulation.operating_characteristics.curve import power_curve
from simulation.operating_characteristics.figures import asked_figure, figure_names, measured
from simulation.trial import ParametricPopulation, TrialDesign, simulate

PLAN: dict[str, Any] = {
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "time_to_event", "name": "OS"}],
    "n": 60,
    "time_unit": "month",
    "enrolment": {"ramp": [{"start": 0, "rate": 10}]},
    "rule": {"kind": "group_sequential", "looks": {"by": "events", "at": [15, 30]}},
    "scenarios": [
        {"name": "works", "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.5}]},
        {
            "name": "late",
            "effects": [
                {
                    "arm": "A",
                    "endpoint": "OS",
                    "hazard_ratio": [{"start": 0, "ratio": 1}, {"start": 3, "ratio": 0.5}],
                }
            ],
        },
    ],
}
DESIGN = TrialDesign.parse(PLAN)
PEOPLE = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 10}})
HYPOTHESIS = DESIGN.tested[0].name
MEDIAN = "population.outcomes.OS.median"


def test_every_figure_is_that_of_the_operating_characteristics() -> None:
    found = simulate(DESIGN, PEOPLE, 120, seed=4)
    works = found.scenario("works")
    tested = works.hypotheses[0]
    assert tested.adjusted is not None
    wanted: dict[str, Any] = {
        "power": works.any_rejection,
        "type_one_error": found.type_one_error,
        "expected_n": works.n,
        "duration": works.duration,
        "efficacy at look 1": works.efficacy[0],
        "futility at look 1": works.futility[0],
        "bias": tested.bias,
        f"coverage {HYPOTHESIS}": tested.coverage,
        "adjusted bias": tested.adjusted.bias,
        "adjusted coverage": tested.adjusted.coverage,
        "estimate": tested.mean,
        "rejection": tested.rejection,
    }
    for name, figure in wanted.items():
        asked = asked_figure(DESIGN, name)
        now = measured(DESIGN, found.table, asked.figure, asked.scenario)
        assert now.value == pytest.approx(figure.value, rel=1e-12), name
        assert now.se == pytest.approx(figure.se, rel=1e-12), name
    ends = measured(DESIGN, found.table, "stop at look 1", "works").value
    assert ends == works.efficacy[0].value + works.futility[0].value
    squared = measured(DESIGN, found.table, f"mse {HYPOTHESIS}", "works").value
    assert tested.rmse is not None and squared == pytest.approx(tested.rmse.value**2, rel=1e-12)


def test_every_name_can_be_asked_for_and_has_words() -> None:
    for name in figure_names(DESIGN):
        asked = asked_figure(DESIGN, name, "no effect" if "error" in name else "works")
        assert asked.figure == name and asked.label


def test_a_familywise_error_needs_a_true_hypothesis() -> None:
    with pytest.raises(InputError, match="needs a hypothesis that is true"):
        asked_figure(DESIGN, "familywise_error", "works")


def test_what_is_none_or_has_no_truth_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean bias"):
        asked_figure(DESIGN, "biass")
    with pytest.raises(InputError, match="needs one true effect"):
        asked_figure(DESIGN, "coverage", "late")
    assert asked_figure(DESIGN, "power", "late").scenario == "late"


def test_figures_of_a_surface_share_one_simulation() -> None:
    over = {"n": [50, 60], MEDIAN: [8, 12]}
    asked = ("power", "type_one_error", "bias")
    told: list[float] = []
    found = surfaces(
        DESIGN,
        PEOPLE,
        over=over,
        figures=asked,
        replicates=40,
        seed=4,
        progress=lambda _, share: told.append(share),
    )
    assert list(found) == list(asked) and all(len(frame) == 4 for frame in found.values())
    changed = TrialDesign.parse(PLAN | {"n": 50})
    people = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})
    alone = simulate(changed, people, 40, seed=4)
    cell = {name: frame.iloc[1] for name, frame in found.items()}
    assert cell["power"]["value"] == alone.power.value
    assert cell["type_one_error"]["value"] == alone.type_one_error.value
    bias = alone.scenario("works").hypotheses[0].bias
    assert bias is not None and cell["bias"]["se"] == pytest.approx(bias.se, rel=1e-12)
    assert told == sorted(told) and told[-1] == 1.0


def test_cells_are_the_same_in_processes() -> None:
    asked: dict[str, Any] = {"over": {"n": [50, 60], MEDIAN: [8, 12]}, "replicates": 30}
    serial = surfaces(DESIGN, PEOPLE, **asked)["power"]
    spread = surfaces(DESIGN, PEOPLE, **asked, execution="processes", workers=2, chunk_size=7)
    assert serial.equals(spread["power"])


def test_the_cost_is_that_of_patients_candidates_and_time() -> None:
    amounts = {"fixed": 100.0, "per_patient": 2.0, "per_screened": 0.5, "per_time": 10.0}
    priced = TrialDesign.parse(PLAN | {"costs": amounts})
    found = simulate(priced, PEOPLE, 60, seed=4)
    works = found.scenario("works")
    cost = measured(priced, found.table, "cost", "works")
    parts = 2.0 * works.n.value + 0.5 * works.screened.value + 10 * works.duration.value
    assert cost.value == pytest.approx(100 + parts, rel=1e-12) and cost.se > 0
    assert found.digest() == simulate(DESIGN, PEOPLE, 60, seed=4).digest()
    assert "cost" not in figure_names(DESIGN)
    assert asked_figure(priced, "cost").label == "expected cost in money units"
    assert "In money units: 100 in any case, 2 for each patient" in " ".join(priced.describe())
    with pytest.raises(InputError, match="per_patient"):
        TrialDesign.parse(PLAN | {"costs": {"per_patient": -1}})


def test_a_curve_takes_further_figures() -> None:
    curve = power_curve(
        DESIGN, PEOPLE, factors=(1.0,), figures=("stop at look 1", "bias"), replicates=60, seed=4
    )
    works = simulate(DESIGN, PEOPLE, 60, seed=4).scenario("works")
    assert curve["stop at look 1"].iloc[-1] == works.efficacy[0].value + works.futility[0].value
    assert works.hypotheses[0].bias is not None
    assert curve["bias_se"].iloc[-1] == pytest.approx(works.hypotheses[0].bias.se, rel=1e-12)
    with pytest.raises(InputError, match="take a surface"):
        power_curve(DESIGN, PEOPLE, figures=("type_one_error",), replicates=20)
