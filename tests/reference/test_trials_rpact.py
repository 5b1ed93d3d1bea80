"""Simulated group-sequential trials beside rpact 3.3.4.

`python -m benchmarks.oracle_r_trials` does this for as many random trials as wished where R is at
hand; the lines below are five of what its script wrote (seed 20261123). Means and rates are rpact's
integrals (getPowerMeans with normalApproximation = TRUE, getPowerRates), survival its
getSimulationSurvival (4,000). Ours: 4,000 trials, seed 20261123.
"""

import pytest

from benchmarks.oracle_r_trials import Trial
from simulation.trial import ParametricPopulation, TrialDesign, simulate
from tests.support.reference_support import FIGURES, Z, share_error

RECORDED = (
    "rates|0.5,1.0|asHSD|-4.7|0.14|2|600|0.52,0.43|0.539063953946,547.398739689561|"
    "0.0836687434569,0.4553952104891|0.0916687909112",
    "survival|0.5,1.0|asKD|1.3||1|300|0.57,210.00|0.9780000000,300.0000000000,22.4943756028|"
    "0.696,0.282|0",
    "means|0.4,0.7,0.8,1.0|asP|0||2|1200|0.15,0.00|0.601777173,938.354483348|"
    "0.2499390315804,0.1925081129818,0.0516103833704,0.1077196450674|0,0,0",
    "survival|0.3,1.0|WT|0.33||2|300|0.77,210.00|0.4355000000,298.1608055000,31.7312422889|"
    "0.07975,0.35575|0",
    "means|0.3,0.9,1.0|asHSD|-0.1||1|1200|0.17,0.00|0.801319914636,963.095834344328|"
    "0.2025906598381,0.5560667537059,0.0426625010919|0,0",
)


def test_recorded_trials_simulated_4000() -> None:
    errors = [
        (line[:40], name, error)
        for line in RECORDED
        for name, error in Trial.of(line).compared(4_000, 20261123).items()
    ]
    assert FIGURES["reference/test_trials_rpact.py"] == 5 + len(errors)
    assert [held for held in errors if abs(held[2]) > Z] == []


def test_the_survival_trial_of_the_reference_simulated_5000() -> None:
    """getSimulationSurvival (10,000): median 12, HR .7, accrual 12, 491 patients, looks at 111.43,
    222.86 and 334.29 events (rounded up), Lan-DeMets O'Brien-Fleming: power .8976, type I error
    .0246. Its formula's stages are .0337932 .5265137 .3396931: Schoenfeld's, of first order, and
    within .01 of what is simulated (fitted)."""
    design = TrialDesign.parse(
        {
            "time_unit": "month",
            "arms": [{"name": "C", "control": True}, {"name": "A"}],
            "n": 491,
            "enrolment": {"duration": 12},
            "endpoints": [{"kind": "time_to_event", "name": "OS"}],
            "rule": {
                "kind": "group_sequential", "boundary": "lan_demets_obrien_fleming",
                "looks": {"by": "events", "at": [112, 223, 335], "information": [1 / 3, 2 / 3, 1]},
            },
            "scenarios": [
                {"name": "planned",
                 "effects": [{"arm": "A", "endpoint": "OS", "hazard_ratio": 0.7}]}
            ],
        }
    )
    people = ParametricPopulation(outcomes={"OS": {"kind": "time_to_event", "median": 12}})
    assert design.rule.critical(0.025) == pytest.approx((3.710303, 2.511427, 1.993047), abs=6e-7)
    found = simulate(design, people, 5_000, seed=20261123)
    level = found.scenario("no effect").any_rejection.value
    planned = found.scenario("planned")
    assert abs(share_error(planned.any_rejection.value, 5_000, 0.8976, 10_000)) <= Z
    assert abs(share_error(level, 5_000, 0.0246, 10_000)) <= Z
    for measured, stage in zip(planned.efficacy, (0.0337932, 0.5265137, 0.3396931), strict=True):
        assert abs(measured.value - stage) <= 0.01 + Z * measured.se
