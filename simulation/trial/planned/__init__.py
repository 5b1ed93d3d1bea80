"""A real trial by a plan that was locked before: the simulator's analyses on a cohort.

`plan` and its `parts` are the plan as data, `endpoints` what it reads of each patient, `lock` its
hash and refusals, `reading` who counts and who is left out, `answering` an estimate, `analysing`
all of them and the decisions, `departures` values not missing at random, `views` the figures'
data, `table` and `results` what is written, `rederive` the R script that computes every estimate
anew.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.trial.planned.analysing import Analysed, analyse
    from simulation.trial.planned.lock import Lock, lock_plan, state_of
    from simulation.trial.planned.plan import AnalysisPlan

__all__ = ["Analysed", "AnalysisPlan", "Lock", "analyse", "lock_plan", "state_of"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Analysed": "analysing",
        "AnalysisPlan": "plan",
        "Lock": "lock",
        "analyse": "analysing",
        "lock_plan": "lock",
        "state_of": "lock",
    },
)
