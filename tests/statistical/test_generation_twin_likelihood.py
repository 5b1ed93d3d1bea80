"""The twin's likelihood adds up to one, and its conditions follow the law they are drawn from."""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest

from extraction.records import Cohort, CohortSchema, InputError, Variable
from generation import fit
from generation.twin_model.model import TwinModel

Z = 3.9  # two-sided false-alarm rate 1 in 10,000 a check
LEVELS = ("a", "b", "c")
NAMES = ("X", "Y", "W")
LAW = np.array([  # P(X, Y, W) up to a constant: Y leans to X, W to both
    [[6, 1, 1], [2, 3, 1], [1, 1, 2]],
    [[2, 2, 1], [1, 6, 2], [1, 2, 3]],
    [[1, 1, 1], [1, 3, 3], [1, 2, 8]],
], dtype=float)
LAW /= LAW.sum()


def _cohort(rows: np.ndarray) -> Cohort:
    schema = CohortSchema(study_id="TOY", variables=tuple(
        Variable(name=name, kind="categorical", categories=LEVELS) for name in NAMES
    ))
    table = pd.DataFrame(np.array(LEVELS, dtype=object)[rows], columns=list(NAMES), dtype=object)
    return Cohort.build(schema, table.assign(subject_id=[f"P{k:05d}" for k in range(len(rows))]))


@cache
def toy() -> TwinModel:
    cells = np.random.default_rng(4).choice(27, size=900, p=LAW.ravel())
    model = fit(_cohort(np.column_stack(np.unravel_index(cells, LAW.shape))), seed=3, epochs=40)
    assert isinstance(model, TwinModel)
    return model


def _every_patient() -> Cohort:
    return _cohort(np.array(list(product(range(3), repeat=3))))


@cache
def _by_order() -> dict[tuple[str, ...], np.ndarray]:
    """The model's exact law under each order, shape (3, 3, 3)."""
    orders = [NAMES, ("W", "Y", "X"), ("Y", "X", "W")]
    return {
        o: np.exp(toy().log_prob(_every_patient(), order=o)).reshape(3, 3, 3) for o in orders
    }


def test_under_any_order_all_patients_together_have_probability_one() -> None:
    for law in _by_order().values():
        assert law.sum() == pytest.approx(1.0, abs=1e-6)
    plain = np.exp(toy().log_prob(_every_patient()))
    assert plain == pytest.approx(_by_order()[NAMES].ravel())


def test_the_law_that_was_trained_on_is_found_by_every_order() -> None:
    for law in _by_order().values():
        # Sampling error of 900 patients, and as much again for what the early stop leaves out.
        error = np.sqrt(LAW * (1 - LAW) / 900)
        assert (np.abs(law - LAW) < 2 * Z * error).all()


def test_orders_are_averaged_with_their_error() -> None:
    found = toy().log_prob_orders(_every_patient(), orders=40, seed=1)
    assert found.by_order.shape == (40, 27)
    assert np.exp(found.mean).sum() == pytest.approx(1.0, abs=1e-6)
    share = np.exp(found.by_order)
    assert np.exp(found.mean) == pytest.approx(share.mean(axis=0))
    assert found.se == pytest.approx(share.std(axis=0, ddof=1) / np.sqrt(40) / share.mean(axis=0))
    assert 0 < found.disagreement < 0.3
    again = toy().log_prob_orders(_every_patient(), orders=400, seed=2)
    assert (np.abs(found.mean - again.mean) < Z * np.hypot(found.se, again.se)).all()


def test_an_order_must_name_every_column_once() -> None:
    for order in (("X", "Y"), ("X", "Y", "Y"), ("X", "Y", "Z")):
        with pytest.raises(InputError, match="each drawn baseline column once"):
            toy().log_prob(_every_patient(), order=order)
    with pytest.raises(InputError, match="orders"):
        toy().log_prob_orders(_every_patient(), orders=0)


def test_sets_as_conditions_are_met_as_the_exact_law_says() -> None:
    given = {"X": ["a", "c"], "W": ["b", "c"]}
    cohort, report = toy().sample_with_report(4000, given, seed=5)
    people = cohort.subjects
    assert set(people["X"]) <= {"a", "c"}
    assert set(people["W"]) <= {"b", "c"}
    orders = list(_by_order().values())
    region = [law[[0, 2]][:, :, [1, 2]] for law in orders]
    # Orders of the net differ a little: the exact answers under the orders span the tolerance.
    exact = np.array([part.sum() for part in region])
    error = np.sqrt(exact.mean() * (1 - exact.mean()) / 256)
    assert abs(report.region_probability - exact.mean()) < Z * error + np.ptp(exact)
    assert 0.5 < report.effective_sample_size <= 1
    for variable, axis, levels in (("X", 0, ("a", "c")), ("Y", 1, LEVELS), ("W", 2, ("b", "c"))):
        other = tuple(k for k in range(3) if k != axis)
        shares = np.array([part.sum(axis=other) / part.sum() for part in region])
        for k, level in enumerate(levels):
            p = shares[:, k].mean()
            # One of 16 candidates is kept: their weights correlate patients no further.
            error = np.sqrt(p * (1 - p) / 4000)
            assert abs((people[variable] == level).mean() - p) < Z * error + np.ptp(shares[:, k])


@cache
def normal() -> TwinModel:
    """A bivariate normal law of correlation .6."""
    rng = np.random.default_rng(8)
    a = rng.normal(size=1500)
    b = 0.6 * a + 0.8 * rng.normal(size=1500)
    schema = CohortSchema(study_id="PAIR", variables=tuple(
        Variable(name=name, kind="continuous") for name in ("A", "B")
    ))
    table = pd.DataFrame({"subject_id": [f"P{k:05d}" for k in range(1500)], "A": a, "B": b})
    model = fit(Cohort.build(schema, table), seed=1, members=2, epochs=30)
    assert isinstance(model, TwinModel)
    return model


def test_an_interval_shifts_the_other_column_as_regression_says() -> None:
    cohort, report = normal().sample_with_report(4000, {"A": [0.5, 1.5]}, seed=2)
    a, b = cohort.subjects["A"].to_numpy(), cohort.subjects["B"].to_numpy()
    assert ((a >= 0.5) & (a <= 1.5)).all()
    # Exact: P(.5 < A < 1.5) = .2417; E[B | A] = .6 A; sd(B | A) = .8. The training sample's own
    # error (1,500 patients, some 360 of them in the interval) and the draws' add up.
    assert abs(report.region_probability - 0.2417) < Z * np.sqrt(0.2417 * 0.7583 / 1500)
    error = 0.8 * np.sqrt(1 / 360 + 1 / 4000)
    assert abs(b.mean() - 0.6 * a.mean()) < Z * error
    assert abs(b.std() - np.hypot(0.8, 0.6 * a.std())) < Z * 0.8 / np.sqrt(2 * 360)


def test_two_intervals_have_their_joint_probability() -> None:
    from scipy.stats import multivariate_normal

    law = multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]])
    corners = [((1.0, 1.0), 1), ((-9.0, 1.0), -1), ((1.0, -9.0), -1), ((-9.0, -9.0), 1)]
    # P(A < 1, B < 1), from its corners.
    exact = sum(sign * law.cdf(np.array(corner)) for corner, sign in corners)
    _, report = normal().sample_with_report(500, {"A": [None, 1], "B": [None, 1]}, seed=3)
    # 256 patients with 16 candidates each stand behind the figure, and 1,500 behind the model.
    error = np.sqrt(exact * (1 - exact) * (1 / 256 + 1 / 1500))
    assert abs(report.region_probability - exact) < Z * error
    assert report.effective_sample_size > 0.5
