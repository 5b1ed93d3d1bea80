"""Group-sequential designs and sample sizes against R.

Source: R package rpact 3.3.4, getDesignGroupSequential(kMax = k, alpha = 0.025, beta = 0.1,
typeOfDesign = "OF" or "P") and getDesignCharacteristics; run independently. Sample sizes for
means: rpact getSampleSizeMeans(alternative = .5, normalApproximation = FALSE / TRUE).
"""

import pytest

from simulation.trial.boundaries import group_sequential, sample_size_means

# family, looks, critical values, sample-size inflation, expected over fixed size at the drift
RPACT = [
    ("obrien_fleming", 2, (2.796510, 1.977431), 1.0071264, 0.851094),
    ("obrien_fleming", 3, (3.471091, 2.454432, 2.004036), 1.0161007, 0.798709),
    ("obrien_fleming", 4, (4.048591, 2.862786, 2.337455, 2.024296), 1.0221630, 0.767397),
    ("obrien_fleming", 5, (4.561742, 3.225639, 2.633723, 2.280871, 2.040073), 1.0264863, 0.750254),
    ("pocock", 2, (2.178272,) * 2, 1.1000825, 0.775933),
    ("pocock", 3, (2.289478,) * 3, 1.1506381, 0.721033),
    ("pocock", 4, (2.361300,) * 4, 1.1831344, 0.697496),
    ("pocock", 5, (2.413180,) * 5, 1.2065805, 0.684938),
]


@pytest.mark.parametrize(("family", "looks", "critical", "inflation", "expected"), RPACT)
def test_rpact_table(
    family: str, looks: int, critical: tuple[float, ...], inflation: float, expected: float
) -> None:
    design = group_sequential(family, looks, alpha=0.025, power=0.9)  # type: ignore[arg-type]
    assert design.critical == pytest.approx(critical, abs=1e-6)
    assert design.inflation == pytest.approx(inflation, abs=1e-6)
    assert design.expected_ratio() == pytest.approx(expected, abs=1e-6)


def test_fixed_design() -> None:
    design = group_sequential(looks=1)
    assert design.critical == pytest.approx((1.959964,), abs=1e-6)
    assert design.fixed_drift**2 == pytest.approx(10.507423, abs=1e-6)
    assert design.inflation == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("method", "size"), [("t", 170.0626), ("normal", 168.1188)])
def test_sample_size_for_means(method: str, size: float) -> None:
    assert sample_size_means(0.5, method=method) == pytest.approx(  # type: ignore[arg-type]
        size, abs=1e-4
    )
