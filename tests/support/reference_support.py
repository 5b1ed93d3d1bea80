"""Reference figures that were simulated: how far off ours may be.

Every figure of a published or recorded simulation that ours is held against is counted here, so
that one level of 1 % holds over all of them (Bonferroni, two-sided). Seeds were fixed before the
first run.
"""

from math import sqrt
from typing import Final

from scipy.stats import norm

FIGURES: Final = {
    "reference/test_analysis_continuous.py": 4,  # PROCOVA's ratios of variances
    "reference/test_sequential_adaptive.py": 8 + 3,  # sizes changed; best of three arms
    "reference/test_trials_rpact.py": 5 + 24,  # the reference's survival trial; recorded trials
    "statistical/test_survival_delayed.py": 3,
    "statistical/test_trial_adaptive_rules.py": 8 + 3,
    "statistical/test_trial_enrichment_levels.py": 4,
    "statistical/test_trial_response_adaptive.py": 11,
}
Z: Final = float(norm.isf(0.01 / 2 / sum(FIGURES.values())))
"""Combined standard errors that a figure may be off: about 3.8."""


def share_error(ours: float, n: float, theirs: float, other: float) -> float:
    """Distance of two simulated shares in combined standard errors, of n and `other` trials.

    The variance is that of their common share; an infinite number stands for an integral.
    """
    known = theirs if other == float("inf") else (ours * n + theirs * other) / (n + other)
    known = min(max(known, 1e-3), 1 - 1e-3)
    return (ours - theirs) / sqrt(known * (1 - known) * (1 / n + 1 / other))
