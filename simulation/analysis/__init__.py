"""Statistical analyses of trials: arrays in, estimates with intervals out.

Rooms: `estimate` (what every analysis returns), `continuous` (ANCOVA, t, dose response),
`survival` and `cox` (time to event), `prognostic` (cross-fitted covariate adjustment), `procova`
(scores locked on a historical trial), `external_control` and `borrowing` (effects against controls
of another origin, and when to refuse them), `sequential` (group-sequential and adaptive designs),
`sample_size`, `sample_size_events` and `sample_size_survival` (size and power), `multiplicity` and
`multiplicity_dunnett` (several hypotheses at one level).
"""
