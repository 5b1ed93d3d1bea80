"""External and synthetic controls: weights, matching, borrowing, and when to refuse.

Rooms: `propensity` and `weights` (who resembles whom), `balance`, `matching`, `weighted` (weighted
differences with the variance of an estimated propensity), `doubly_robust` (AIPW, g-computation),
`time_to_event`, `mixtures`, `map_prior`, `power_prior` and `hybrid` (Bayesian borrowing, exact),
`sensitivity` (tipping points, unmeasured confounding) and `verdict` (borrow or do not, and why).

In every room `treated` is 1 for the trial's treated patients and 0 for the controls; `included`
says who counts, or how often a patient counts (bootstrap resamples are rows of counts).
"""
