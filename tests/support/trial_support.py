"""Two small designs and their patients, for tests that simulate in several processes."""

from simulation.trial import ParametricPopulation, TrialDesign

_PLAN = {
    "name": "plain",
    "arms": [{"name": "P", "control": True}, {"name": "A"}],
    "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
    "n": 40,
    "scenarios": [{"name": "planned", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
}
DESIGNS = {
    "plain": TrialDesign.parse(_PLAN),
    "looks": TrialDesign.parse(
        _PLAN | {"name": "looks", "rule": {"kind": "group_sequential", "looks": {"number": 2}}}
    ),
}
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})
