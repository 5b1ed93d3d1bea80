"""Rare reasons for the end of observation."""

import numpy as np

from generation.assembly import TrialArrays
from generation.twin_model.reasons import OTHER, fit_reasons


def _arrays(reasons: list[str | None]) -> TrialArrays:
    n = len(reasons)
    return TrialArrays({}, np.full(n, "A", object), np.zeros(n), np.array(reasons, object), {})


def test_rare_reasons_become_other_and_declared_causes_stay() -> None:
    given = ["DONE"] * 40 + ["LEFT"] * 20 + ["MOVED"] * 2 + ["LOST"] * 2 + ["DEATH"] + [None] * 5
    phase = np.array([1] * 40 + [0] * 30)
    fitted = fit_reasons(_arrays(given), ("A",), phase, frozenset({"DEATH"}))
    assert fitted.reasons == ["DEATH", "DONE", "LEFT", OTHER]
    people = 4000
    drawn = fitted.draw(
        np.full(people, "A", object), np.zeros(people, np.int64),
        (np.arange(people) + 0.5) / people, True, np.zeros(people),
    )
    share = {name: float(np.mean(drawn == name)) for name in fitted.reasons}
    assert abs(share["DEATH"] - 1 / 30) < 0.002
    assert abs(share[OTHER] - 4 / 30) < 0.002
    assert share["DONE"] < 0.002


def test_without_rare_reasons_there_is_no_other() -> None:
    fitted = fit_reasons(_arrays(["DONE"] * 9 + ["LEFT"] * 6), ("A",), np.array([1] * 9 + [0] * 6))
    assert fitted.reasons == ["DONE", "LEFT"]


def test_without_visits_the_day_tells_who_completed() -> None:
    """80 patients leave in the first 100 days, 80 complete about day 180; exactly, no error."""
    until = np.concatenate([np.linspace(1, 100, 80), np.linspace(175, 185, 80)])
    given: list[str | None] = ["LEFT"] * 80 + ["DONE"] * 80
    phase = np.zeros(160, np.int64)
    fitted = fit_reasons(_arrays(given), ("A",), phase, until=until)
    day = np.array([5.0, 50.0, 99.0, 176.0, 184.0])
    n = len(day)
    drawn = fitted.draw(np.full(n, "A", object), phase[:n], np.full(n, 0.5), True, day)
    assert drawn.tolist() == ["LEFT"] * 3 + ["DONE"] * 2


def test_few_patients_have_no_spells() -> None:
    given: list[str | None] = ["DONE"] * 20
    fitted = fit_reasons(_arrays(given), ("A",), np.ones(20, np.int64), until=np.arange(20.0))
    assert len(fitted.edges) == 0
