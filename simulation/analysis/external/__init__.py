"""External and synthetic controls: weights, matching, borrowing, and when to refuse.

Rooms: `propensity` and `weights` (who resembles whom), `balance`, `matching`, `weighted` (weighted
differences with the variance of an estimated propensity), `doubly_robust` (AIPW, g-computation),
`time_to_event`, `mixtures`, `map_prior`, `power_prior` and `hybrid` (Bayesian borrowing, exact),
`sensitivity` (tipping points, unmeasured confounding), `verdict` (borrow or do not, and why) and
`drift` (what a stopping rule does over replicates). Sizes of single-arm trials with twins as
controls are in `simulation.analysis.planning`.

In every room `treated` is 1 for the trial's treated patients and 0 for the controls; `included`
says who counts, or how often a patient counts (bootstrap resamples are rows of counts).
"""
