"""Which columns are proposed as arm and endpoints, and what is said where none are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from extraction.records.roles import propose_roles

N = 60
TIMES, EVENTS = np.arange(1, N + 1), [0, 1] * (N // 2)


@pytest.mark.parametrize(
    "name", ["arm", "ARMCD", "TRT01P", "Treatment", "treatment_arm", "rx", "group", "studyArm"]
)
def test_an_arm_is_known_by_its_name_and_few_values(name: str) -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * (N // 2), name: ["a", "b", "c"] * (N // 3)})
    found = propose_roles(frame)
    assert found.arm == name and f"PROPOSED arm: column {name}" in dict(found.hints)["arm"]


@pytest.mark.parametrize(
    "name", ["prior_treatment", "age_group", "treatment date", "risk group", "blood group", "fin"]
)
def test_other_columns_are_no_arm_and_the_option_is_named(name: str) -> None:
    found = propose_roles(pd.DataFrame({name: ["a", "b", "c"] * (N // 3), "age": TIMES}))
    told = dict(found.hints)["arm"]
    assert found.arm is None and "give --arm" in told and name in told and "age:" not in told


def test_an_arm_of_many_values_is_none() -> None:
    assert propose_roles(pd.DataFrame({"group": TIMES})).arm is None


@pytest.mark.parametrize(
    ("time", "event"),
    [
        ("time", "status"),
        ("days", "cens"),
        ("os_time", "os_event"),
        ("pfs", "pfs_status"),
        ("futime", "death"),
        ("t", "relapse"),
        ("surv months", "died of it"),  # the only ones, though their names leave more
    ],
)
def test_a_time_and_an_event_are_paired(time: str, event: str) -> None:
    frame = pd.DataFrame({time: TIMES, event: EVENTS, "age": TIMES + 30.5})
    assert propose_roles(frame).pairs == ((time, event),)


def test_several_endpoints_are_paired_by_what_their_names_share() -> None:
    frame = pd.DataFrame(
        {"time": TIMES, "time_d": TIMES, "censor": EVENTS, "censor_d": EVENTS, "tx": EVENTS}
    )
    found = propose_roles(frame)
    assert set(found.pairs) == {("time", "censor"), ("time_d", "censor_d")}
    assert found.arm == "tx"
    assert propose_roles(frame, ["tx", "time", "censor"]).pairs == (("time_d", "censor_d"),)


def test_values_decide_too_and_what_has_no_partner_is_told() -> None:
    strange = pd.DataFrame({"time": TIMES - 20, "status": ["good", "bad"] * (N // 2)})
    assert propose_roles(strange).pairs == ()
    assert "give --time and --event" in dict(propose_roles(strange).hints)["endpoint"]
    alone = propose_roles(pd.DataFrame({"event": EVENTS, "age": TIMES}))
    assert "event without a time of its own" in dict(alone.hints)["endpoint"]
    adam = propose_roles(pd.DataFrame({"AVAL time": TIMES, "CNSR": EVENTS}))
    assert adam.pairs == () and "0 is the event" in dict(adam.hints)["endpoint"]
