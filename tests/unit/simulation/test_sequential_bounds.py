"""Group-sequential bounds: joint normal law, unequal looks, observed information, refusals."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from extraction.records.errors import InputError
from simulation.analysis.sequential import SequentialPlan, group_sequential
from simulation.analysis.sequential.observed import observed_bounds
from simulation.analysis.sequential.quadrature import PRECISE, Precision, crossing

SHAPES = ["obrien_fleming", "pocock", "wang_tsiatis"]
SPENDING = ["lan_demets_obrien_fleming", "lan_demets_pocock", "hwang_shih_decani", "kim_demets"]
BETA = {"family": "beta_spending", "spending": "kim_demets"}


@pytest.mark.parametrize("boundary", [*SHAPES, *SPENDING])
@pytest.mark.parametrize("rates", [(0.3, 0.95, 1.0), (0.1, 0.11, 0.6, 1.0), (0.99, 1.0)])
def test_level_and_power_are_kept_at_any_looks_exact(
    boundary: str, rates: tuple[float, ...]
) -> None:
    design = group_sequential(boundary, rates, alpha=0.01, power=0.8)
    assert design.stages(0.0).sum() == pytest.approx(0.01, abs=1e-11)
    assert design.alpha_spent[-1] == pytest.approx(0.01, abs=1e-11)
    assert design.stages().sum() == pytest.approx(0.8, abs=1e-9)
    assert 1.0 <= design.inflation < 1.35
    assert design.information() < design.information(0.0) <= 1.0


@pytest.mark.parametrize("rates", [(0.3, 1.0), (0.5, 1.0), (0.9, 1.0), (0.99, 1.0)])
@pytest.mark.parametrize("theta", [-1.0, 0.0, 3.2])
def test_two_looks_follow_the_bivariate_normal_law_exact(
    rates: tuple[float, float], theta: float
) -> None:
    critical = (2.4, 2.0)
    root = np.sqrt(rates[0])
    law = multivariate_normal(theta * np.sqrt(rates), [[1.0, root], [root, 1.0]])
    up, down = crossing(critical, (-np.inf, -np.inf), rates, theta)
    assert up.sum() == pytest.approx(1 - law.cdf(critical), abs=1e-7)
    assert down.sum() == 0.0
    up, down = crossing(critical, (-0.3, -np.inf), rates, theta)
    inside = law.cdf(critical) - law.cdf((-0.3, 2.0))
    assert 1 - up.sum() - down.sum() == pytest.approx(inside, abs=1e-7)


def test_a_finer_quadrature_changes_nothing_exact() -> None:
    fine = Precision.of(24, 3.0, 9.0)
    arguments = ((2.2, 2.9, 2.0, 1.9), (-1.0, 0.2, -np.inf, -3.0), (0.1, 0.12, 0.6, 1.0))
    for theta in (-4.0, 0.0, 3.0, 9.0):
        ours = crossing(*arguments, theta, PRECISE)
        assert np.allclose(ours, crossing(*arguments, theta, fine), rtol=0, atol=1e-13)


def test_a_skipped_look_changes_nothing_exact() -> None:
    skipped, _ = crossing([np.inf, 1.96], [-np.inf] * 2, [0.5, 1.0], 1.0)
    direct, _ = crossing([1.96], [-np.inf], [1.0], 1.0)
    assert skipped == pytest.approx([0.0, direct[0]], abs=1e-13)


def test_many_drifts_at_once_are_each_drift() -> None:
    design = group_sequential("kim_demets", 4, futility=BETA)
    drifts = np.array([-12.0, -1.0, 0.0, 2.5, 14.0])
    together = design.stages(drifts)
    for row, theta in zip(together, drifts, strict=True):
        assert row == pytest.approx(design.stages(theta), abs=1e-13)
    assert design.information(drifts) == pytest.approx([design.information(t) for t in drifts])


def test_conditional_power_futility_stops_at_that_conditional_power_exact() -> None:
    from simulation.analysis.sequential.conditional import conditional_power

    design = group_sequential(
        "lan_demets_obrien_fleming", 3,
        futility={"family": "conditional_power", "bounds": (0.2, 0.3)},
    )
    for look, wanted in enumerate((0.2, 0.3)):
        chance = conditional_power(design, look, [design.futility[look]], design.drift)
        assert chance == pytest.approx([wanted], abs=1e-8)
    assert design.stages().sum() == pytest.approx(0.9, abs=1e-9)


def test_binding_futility_lowers_critical_values_and_keeps_the_level_exact() -> None:
    for boundary in (*SPENDING, "obrien_fleming", "haybittle_peto"):
        given = {"family": "z", "bounds": (-0.2, 0.6)}
        loose = group_sequential(boundary, 3, futility=given)
        bound = group_sequential(boundary, 3, futility={**given, "binding": True})
        assert bound.critical[-1] < loose.critical[-1]
        assert bound.alpha_spent[-1] == pytest.approx(0.025, abs=1e-11)
        assert bound.stages(0.0).sum() == pytest.approx(0.025, abs=1e-11)
        assert loose.alpha_spent[-1] == pytest.approx(0.025, abs=1e-11)
        assert loose.stages(0.0).sum() < 0.025


def test_custom_spending_spends_what_it_says_exact() -> None:
    plan = {"family": "custom_spending", "cumulative": (0.0, 0.3, 1.0)}
    design = group_sequential(plan, (0.2, 0.7, 1.0))
    assert design.critical[0] == np.inf
    assert design.alpha_spent == pytest.approx((0.0, 0.0075, 0.025), abs=1e-12)


def test_observed_information_as_planned_gives_the_planned_bounds_fitted_1e8() -> None:
    for futility in (None, BETA, {**BETA, "binding": True}, {"family": "z", "bounds": (0.0, 0.5)}):
        design = group_sequential("lan_demets_pocock", (0.4, 0.7, 1.0), futility=futility)
        found = observed_bounds(design, [design.rates])
        assert found.critical[0] == pytest.approx(design.critical, abs=2e-8)
        assert found.futility[0, :2] == pytest.approx(design.lower[:2], abs=2e-8)


@pytest.mark.parametrize("boundary", ["lan_demets_obrien_fleming", "obrien_fleming", "pocock"])
@pytest.mark.parametrize("sided", [1, 2])
def test_the_level_is_kept_at_any_information_exact(boundary: str, sided: int) -> None:
    design = group_sequential(boundary, 3, sided=sided, alpha=0.05)
    information = np.array([[0.2, 0.5, 0.8], [0.4, 0.7, 1.3], [0.33, 0.34, 1.0]])
    found = observed_bounds(design, information)
    for times, critical in zip(information, found.critical, strict=True):
        lower = -critical if sided == 2 else np.full(3, -np.inf)
        up, down = crossing(critical, lower, times, 0.0)
        assert up.sum() + (down.sum() if sided == 2 else 0.0) == pytest.approx(0.05, abs=2e-8)


def test_bounds_know_nothing_of_later_looks_exact() -> None:
    design = group_sequential("kim_demets", 4, futility={**BETA, "binding": True})
    rng = np.random.default_rng(5)
    information = np.cumsum(rng.uniform(0.1, 0.4, (40, 4)), axis=1)
    whole = observed_bounds(design, information)
    for looks in (1, 2, 3):
        part = observed_bounds(design, information[:, :looks])
        assert np.allclose(part.critical, whole.critical[:, :looks], atol=1e-7)
        assert np.allclose(part.futility, whole.futility[:, :looks], atol=1e-7)


def test_a_trial_that_ends_early_spends_the_rest_exact() -> None:
    design = group_sequential("lan_demets_obrien_fleming", 4)
    found = observed_bounds(design, [[0.3, 0.6], [0.3, 0.6]], final=[True, False])
    assert found.critical[0, 0] == pytest.approx(found.critical[1, 0], abs=1e-12)
    up, _ = crossing(found.critical[0], (-np.inf, -np.inf), (0.3, 0.6), 0.0)
    assert up.sum() == pytest.approx(0.025, abs=1e-8)
    assert found.critical[0, 1] < found.critical[1, 1]


def test_observed_information_is_checked() -> None:
    design = group_sequential("pocock", 2)
    with pytest.raises(InputError) as caught:
        observed_bounds(design, [[0.5, 0.4, np.nan]])
    assert len(caught.value.faults) == 2


def test_all_faults_of_a_plan_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        SequentialPlan.parse(
            {
                "boundary": {"family": "custom_spending", "cumulative": (0.5, 1.0)},
                "futility": {"family": "z", "bounds": (0.0, 0.1)}, "rates": (0.5, 0.9),
                "alpha": 0.7, "power": 0.6, "sided": 1,
            }
        )
    text = str(caught.value)
    for word in ("rates", "alpha", "power", "futility.bounds"):
        assert word in text
    with pytest.raises(InputError, match="sided"):
        group_sequential("pocock", 3, futility=BETA, sided=2)
    with pytest.raises(InputError, match="binding"):
        group_sequential("pocock", 3, futility={**BETA, "binding": True})
    with pytest.raises(InputError, match="interim"):
        group_sequential({"family": "haybittle_peto", "interim": 1.0}, 3)
    with pytest.raises(InputError):
        group_sequential("haybittle", 3)


def test_a_plan_is_data() -> None:
    plan = SequentialPlan.parse({"boundary": "pocock", "rates": (0.5, 1.0), "futility": BETA})
    assert SequentialPlan.parse(plan.model_dump()) == plan
    assert SequentialPlan.model_validate_json(plan.model_dump_json()) == plan
