"""A rare-disease trial of 30 patients that borrows historical controls, and what it refuses.

Run: python examples/rare-disease.py

Response rates of four small historical control groups become a prior (meta-analytic-predictive),
made robust by a vague part. Twenty patients are treated and ten are controls of their own. All
operating characteristics are exact: sums over every possible result, no simulation.
"""

from extraction.records import InputError, RefusedError
from simulation.analysis.external.hybrid import DriftTable, HybridDesign, drift_table
from simulation.analysis.external.map_prior import map_binary
from simulation.analysis.external.mixtures import BetaMixture, beta_mixture
from simulation.analysis.external.sensitivity import conflict_binary
from simulation.analysis.planning import SingleArmPlan

RESPONDERS, PATIENTS = [3, 2, 4, 1], [15, 12, 18, 9]
TREATED, CONTROLS = 20, 10
BENEFIT = 0.40
DRIFTS = [-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.2]
CAP = 0.05
"""Largest type I error (one-sided) that is accepted anywhere on the grid of drifts."""
THRESHOLDS = (0.95, 0.96, 0.975, 0.985, 0.99)
VAGUE = beta_mixture([1.0], [1.0], [1.0])


def prior(weight: float) -> BetaMixture:
    """Robust prior of the control rate: the weight is that of the vague part."""
    learnt = map_binary(RESPONDERS, PATIENTS, tau_scale=1.0).beta_mixture(2)
    return learnt.robust(weight, 1.0, 1.0)


def characteristics(weight: float, threshold: float) -> DriftTable:
    """Type I error and power over drifts of the control rate."""
    design = HybridDesign(TREATED, CONTROLS, prior(weight), VAGUE, threshold)
    return drift_table(design, sum(RESPONDERS) / sum(PATIENTS), BENEFIT, DRIFTS)


def calibrated(weight: float) -> float | None:
    """The least strict threshold whose type I error stays within the cap; None if none does."""
    for threshold in THRESHOLDS:
        if characteristics(weight, threshold).worst_type_one <= CAP:
            return threshold
    return None


def power_alone_within_cap() -> float:
    """Power without borrowing at the least strict threshold within the cap, no drift."""
    alone = (HybridDesign(TREATED, CONTROLS, VAGUE, VAGUE, value) for value in THRESHOLDS)
    rate = sum(RESPONDERS) / sum(PATIENTS)
    tables = (drift_table(design, rate, BENEFIT, DRIFTS) for design in alone)
    kept = next(table for table in tables if table.worst_type_one <= CAP)
    return float(kept.power[DRIFTS.index(0.0)])


def require_agreement(responders: int) -> None:
    """Go on only where the trial's own controls agree with the prior.

    Raises
    ------
    RefusedError
        If a count no likelier than theirs had a chance below .1 beforehand.
    """
    p = conflict_binary(prior(0.2), responders, CONTROLS)
    if p < 0.1:
        raise RefusedError(
            f"borrowing refused: {responders} of {CONTROLS} own controls responded; the prior "
            f"gave a count like that a chance of {p:.3f}; at least 0.1 was asked for beforehand"
        )


def main() -> None:
    """Print priors, operating characteristics, one analysis and the refusals."""
    learnt = map_binary(RESPONDERS, PATIENTS)
    print(f"{sum(RESPONDERS)} of {sum(PATIENTS)} historical controls responded; prior of the next "
          f"trial's rate {learnt.mean:.3f} (SD {learnt.sd:.3f})")
    alone = power_alone_within_cap()
    for weight in (0.2, 0.5):
        threshold = calibrated(weight)
        if threshold is None:
            print(f"robust weight {weight}: refused, type I error above {CAP} at every threshold")
            continue
        table = characteristics(weight, threshold)
        print(f"robust weight {weight}: worth {prior(weight).ess_moment():.0f} patients; success "
              f"above {threshold}; power gained without drift {table.gain:+.3f} beside the largest "
              f"type I error {table.worst_type_one:.3f}")
    print(f"without borrowing, held to the same {CAP}: power {alone:.3f}; the gain that borrowing "
          f"has beyond a looser threshold is {table.power[DRIFTS.index(0.0)] - alone:+.3f}")
    weight, threshold = 0.5, calibrated(0.5)
    assert threshold is not None
    table = characteristics(weight, threshold)
    print("\ndrift   type I  alone   power  alone   bias of the control rate")
    for row in zip(table.drift, table.type_one, table.type_one_alone, table.power,
                   table.power_alone, table.bias, strict=True):
        print("{:+.2f}   {:.3f}   {:.3f}   {:.3f}  {:.3f}   {:+.3f}".format(*row))
    require_agreement(2)
    own = prior(weight).update(2, CONTROLS)
    chance = VAGUE.update(12, TREATED).probability_above(own)
    print(f"\n12 of 20 treated and 2 of 10 own controls: P(treatment > control) = {chance:.4f}, "
          f"control rate {own.mean:.3f}, 95 % interval "
          f"{own.interval()[0]:.3f} to {own.interval()[1]:.3f}")
    print("\nRefused:")
    for refused in (lambda: require_agreement(7),
                    lambda: SingleArmPlan(1.0, 1.0, 30, 1000).sample_size(0.4)):
        try:
            refused()
        except InputError as error:
            print(f"- {error}")


if __name__ == "__main__":
    main()
