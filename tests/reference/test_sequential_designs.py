"""Group-sequential designs, exact to the printed digits of R.

Source: R package rpact 3.3.4, getDesignGroupSequential(kMax = k, alpha = 0.025, beta = 0.1,
typeOfDesign = "OF", "P", "asOF", "asP", "asHSD" with gammaA = -4; sided = 2 with alpha = 0.05;
typeBetaSpending = "bsOF", bindingFutility = FALSE or TRUE) and getDesignCharacteristics.
"""

import numpy as np
import pytest

from simulation.analysis.sequential import group_sequential

# boundary, looks, critical values, sample-size inflation, expected over fixed size at the drift
RPACT = [
    ("obrien_fleming", 2, (2.796510, 1.977431), 1.0071264, 0.851094),
    ("obrien_fleming", 3, (3.471091, 2.454432, 2.004036), 1.0161007, 0.798709),
    ("obrien_fleming", 4, (4.048591, 2.862786, 2.337455, 2.024296), 1.0221630, 0.767397),
    ("obrien_fleming", 5, (4.561742, 3.225639, 2.633723, 2.280871, 2.040073), 1.0264863, 0.750254),
    ("pocock", 2, (2.178272,) * 2, 1.1000825, 0.775933),
    ("pocock", 3, (2.289478,) * 3, 1.1506381, 0.721033),
    ("pocock", 4, (2.361300,) * 4, 1.1831344, 0.697496),
    ("pocock", 5, (2.413180,) * 5, 1.2065805, 0.684938),
    ("lan_demets_obrien_fleming", 2, (2.962588, 1.968596), 1.0034179, 0.876726),
    ("lan_demets_obrien_fleming", 3, (3.710303, 2.511427, 1.993047), 1.0118528, 0.811472),
    ("lan_demets_obrien_fleming", 4, (4.332634, 2.963132, 2.359044, 2.014090), 1.0182800, 0.777299),
    ("lan_demets_obrien_fleming", 5, (4.876885, 3.357012, 2.680280, 2.289817, 2.031032),
     1.0230783, 0.758667),
    ("lan_demets_pocock", 2, (2.156999, 2.200977), 1.1110466, 0.776517),
    ("lan_demets_pocock", 3, (2.279428, 2.294911, 2.295940), 1.1542202, 0.721157),
    ("lan_demets_pocock", 5, (2.437977, 2.426814, 2.410194, 2.396649, 2.386000),
     1.1923317, 0.684017),
]

SPENDING = {"family": "beta_spending", "spending": "lan_demets_obrien_fleming"}


@pytest.mark.parametrize(("boundary", "looks", "critical", "inflation", "expected"), RPACT)
def test_rpact_table_exact(
    boundary: str, looks: int, critical: tuple[float, ...], inflation: float, expected: float
) -> None:
    design = group_sequential(boundary, looks, alpha=0.025, power=0.9)
    # Half a unit of the last digit printed, and what the printing itself may have rounded twice.
    assert design.critical == pytest.approx(critical, abs=5.1e-7)
    assert design.inflation == pytest.approx(inflation, abs=5.1e-8)
    assert design.expected_ratio() == pytest.approx(expected, abs=5.1e-7)


def test_hwang_shih_decani_exact() -> None:
    design = group_sequential({"family": "hwang_shih_decani", "gamma": -4}, 3)
    assert design.critical == pytest.approx((3.010739, 2.546531, 1.999226), abs=5.1e-7)
    assert design.inflation == pytest.approx(1.015197, abs=5.1e-7)


def test_unequal_looks_exact() -> None:
    design = group_sequential("lan_demets_obrien_fleming", (0.5, 0.75, 1.0))
    assert design.critical == pytest.approx((2.962588, 2.359018, 2.014084), abs=5.1e-7)
    assert design.inflation == pytest.approx(1.018276, abs=5.1e-7)


def test_futility_that_does_not_bind_exact() -> None:
    design = group_sequential("lan_demets_obrien_fleming", 3, futility=SPENDING)
    assert design.critical == pytest.approx((3.710303, 2.511427, 1.993047), abs=5.1e-7)
    assert design.futility == pytest.approx((-0.69454, 1.00246), abs=5e-6)
    assert design.inflation == pytest.approx(1.059393, abs=5.1e-7)
    # getDesignCharacteristics: $power, $futilityProbabilities, $averageSampleNumber1, 01 and 0
    assert design.cumulative_power() == pytest.approx((0.03720879, 0.58453151, 0.9), abs=1e-7)
    assert design.stops_below()[:2] == pytest.approx((0.004386101, 0.039568233), abs=1e-7)
    drifts = design.drift * np.array([1.0, 0.5, 0.0])
    assert design.expected_ratio(drifts) == pytest.approx(
        (0.8227671, 0.8686718, 0.6733313), abs=2e-7
    )


def test_futility_that_binds_exact() -> None:
    design = group_sequential(
        "lan_demets_obrien_fleming", 3, futility={**SPENDING, "binding": True}
    )
    assert design.critical == pytest.approx((3.71030, 2.51139, 1.95878), abs=5.1e-6)
    assert design.futility == pytest.approx((-0.71337, 0.97584), abs=5.1e-6)
    assert design.inflation == pytest.approx(1.038787, abs=5.1e-7)


def test_errors_spent_exact() -> None:
    design = group_sequential("lan_demets_obrien_fleming", 3)
    assert design.alpha_spent == pytest.approx((0.0001035, 0.0060484, 0.025), abs=5e-8)
    assert design.cumulative_power() == pytest.approx((0.03379, 0.56031, 0.9), abs=5e-6)


@pytest.mark.parametrize(
    ("boundary", "critical", "squared_drift", "expected"),
    [
        ({"family": "wang_tsiatis", "delta": 0.25},
         (2.741136491, 2.305011849, 2.082813325), 11.03068, 0.7452863),
        ({"family": "haybittle_peto", "interim": 3},
         (3.0, 3.0, 1.975097601), 10.57655, 0.8336827),
        ({"family": "hwang_shih_decani", "gamma": 2},
         (2.195369762, 2.299831383, 2.422648795), 12.79331, 0.7274733),
        ({"family": "kim_demets", "rho": 2.0},
         (2.772921295, 2.347272210, 2.061913647), 10.93978, 0.749805),
        ({"family": "kim_demets", "rho": 1.0}, None, None, None),
    ],
)
def test_two_sided_exact(
    boundary: dict[str, object], critical: tuple[float, ...] | None, squared_drift: float,
    expected: float,
) -> None:
    design = group_sequential(boundary, 3, alpha=0.05, power=0.9, sided=2)
    if critical is None:  # linear spending, one third each
        assert design.alpha_spent == pytest.approx((0.05 / 3, 0.1 / 3, 0.05), abs=1e-9)
        return
    assert design.critical == pytest.approx(critical, abs=2e-8)
    assert design.drift**2 == pytest.approx(squared_drift, abs=5e-6)
    assert design.expected_ratio() == pytest.approx(expected, abs=1e-7)


def test_fixed_design_exact() -> None:
    design = group_sequential(looks=1)
    assert design.critical == pytest.approx((1.959964,), abs=1e-6)
    assert design.fixed_drift**2 == pytest.approx(10.507423, abs=1e-6)
    assert design.inflation == pytest.approx(1.0, abs=1e-9)
