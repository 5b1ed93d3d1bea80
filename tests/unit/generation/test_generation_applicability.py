import pytest

from extraction.records import InputError, RefusedError
from generation.applicability import applicability, require
from tests.support.generation_support import simulated_trial

TRIAL = simulated_trial(100, seed=1, visits=False)


def test_the_region_is_counted_in_the_arm() -> None:
    verdict = applicability(TRIAL, {"SEX": "F"}, arm="Active")
    assert verdict.n_region == len(TRIAL.where({"SEX": "F", "arm": "Active"}))
    assert verdict.n_train == 100
    assert verdict.allowed


def test_twenty_are_enough_and_nineteen_are_not() -> None:
    ages = TRIAL.subjects["AGE"].sort_values(ignore_index=True)
    for count in (19, 20):
        given = {"AGE": [None, float(ages[count - 1])]}
        verdict = applicability(TRIAL, given)
        assert verdict.allowed == (verdict.n_region >= 20)


def test_a_thin_region_is_refused_with_its_number() -> None:
    with pytest.raises(RefusedError, match="0 of 100"):
        require(TRIAL, {"AGE": [150, 160]})


def test_an_unknown_arm_is_an_input_error() -> None:
    with pytest.raises(InputError, match="absent from the training cohort"):
        require(TRIAL, None, arm="Surgery")


def test_a_patient_rests_on_the_patients_of_the_arm() -> None:
    timeline = TRIAL.timeline(TRIAL.subject_ids[0])
    assert applicability(TRIAL, timeline).n_region == len(TRIAL.where({"arm": timeline.arm}))
