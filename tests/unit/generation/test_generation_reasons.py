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
        (np.arange(people) + 0.5) / people, True,
    )
    share = {name: float(np.mean(drawn == name)) for name in fitted.reasons}
    assert abs(share["DEATH"] - 1 / 30) < 0.002
    assert abs(share[OTHER] - 4 / 30) < 0.002
    assert share["DONE"] < 0.002


def test_without_rare_reasons_there_is_no_other() -> None:
    fitted = fit_reasons(_arrays(["DONE"] * 9 + ["LEFT"] * 6), ("A",), np.array([1] * 9 + [0] * 6))
    assert fitted.reasons == ["DONE", "LEFT"]
