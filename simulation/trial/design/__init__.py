"""The design of a trial, as data."""

from simulation.trial.design.arms import Arm
from simulation.trial.design.enrolment import Enrolment
from simulation.trial.design.scenarios import NO_EFFECT, Scenario
from simulation.trial.design.trial import Hypothesis, Tested, TrialDesign

__all__ = ["NO_EFFECT", "Arm", "Enrolment", "Hypothesis", "Scenario", "Tested", "TrialDesign"]
