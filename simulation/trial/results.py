"""What a design does under each truth: figures of a scenario and of its hypotheses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from simulation.trial.moments import Measured


@final
@dataclass(frozen=True)
class Accuracy:
    """How estimates and 95 % intervals of one hypothesis fall about the truth.

    Attributes
    ----------
    mean
        Of the estimates.
    bias, rmse
        Against the truth; None where no one figure says it.
    coverage
        Share of intervals that hold the truth.
    """

    mean: Measured
    bias: Measured | None
    rmse: Measured | None
    coverage: Measured | None


@final
@dataclass(frozen=True)
class Borrowed:
    """What becomes of the external controls of one hypothesis in one scenario.

    Attributes
    ----------
    drift
        Of the external controls, as the scenario or the design has it.
    stopped
        Probability that the limits fixed beforehand refuse them.
    reasons
        Probability that each limit is broken, by name; several may be.
    ess
        Mean effective number of external controls that are borrowed, given not stopped.
    rejection, accuracy
        Probability of a rejection, and how estimates fall about the truth, given not stopped.
    """

    drift: float
    stopped: Measured
    reasons: Mapping[str, Measured]
    ess: Measured
    rejection: Measured
    accuracy: Accuracy


@final
@dataclass(frozen=True)
class Chosen:
    """What becomes of one population of an enrichment design where the first look chooses it.

    Attributes
    ----------
    share
        Probability that the trial goes on with it from the first look.
    naive, adjusted
        Ordinary estimates and intervals in those trials, and those given the choice
        (`simulation.trial.adjusted_choice`); None where fewer than two trials went on with it.
    """

    share: Measured
    naive: Accuracy | None
    adjusted: Accuracy | None


@final
@dataclass(frozen=True)
class Tested:
    """What becomes of one hypothesis in one scenario.

    Attributes
    ----------
    rejection
        Probability that it is rejected: its power, or where it is true its type I error.
    null
        Whether it is true in this scenario (`simulation.trial.nulls`); None where that is not
        plain.
    truth
        True effect on the estimate's scale where the scenario gives one figure for all patients;
        None otherwise (effects of subgroups, or that change with time).
    bias, rmse
        Of the estimate at the stop against the truth; stopping early biases it by design.
    coverage
        Share of naive 95 % intervals at the stop that hold the truth.
    mean
        Mean of the estimates at the stop.
    no_estimate
        Share of replicates without one.
    adjusted
        Median-unbiased estimates with stagewise intervals, for group-sequential designs of one
        hypothesis with looks at planned information, and for sizes that follow the effect seen at
        the first of two looks; None elsewhere.
    chosen
        Of enrichment: how often, and how well, its population is estimated once it was chosen.
    borrowing
        Where the analysis takes external controls: their verdict, and figures given not stopped.
    """

    name: str
    rejection: Measured
    truth: float | None
    mean: Measured
    bias: Measured | None
    rmse: Measured | None
    coverage: Measured | None
    no_estimate: float
    adjusted: Accuracy | None = None
    chosen: Chosen | None = None
    null: bool | None = None
    borrowing: Borrowed | None = None


@final
@dataclass(frozen=True)
class ScenarioResult:
    """What the design does under one truth.

    Attributes
    ----------
    any_rejection, all_rejections
        Probability of rejecting at least one hypothesis, and all.
    familywise_error
        Probability of rejecting at least one hypothesis that is true in this scenario; None where
        none is. With one hypothesis it is the type I error.
    efficacy, futility
        Probability of stopping for each at each look: for efficacy with at least one rejection,
        also where the hypotheses that are left are futile; for futility without any.
    n, analysed, screened, duration
        Means at the stop: patients randomised, in the analysis, candidates screened, and time.
    events
        Mean number of events at the stop, all arms together, of the endpoint that
        `further.events_of` names; None where the design tests no time to event.
    arm_patients
        Mean number of patients randomised to each arm by its name, where the rule changes the arms
        of later patients; else empty.
    cost
        Mean cost of a trial, in the unit of the design's costs; None where it states none.
    decisions
        Probability of what the rule decides beside stopping, by words: `drops Low dose`, `raises
        the size`, `goes on with the subgroup alone`.
    short
        Share of replicates that stopped at a look without what it was planned with: patients,
        events, or for looks by time all patients by the last.
    """

    name: str
    hypotheses: tuple[Tested, ...]
    any_rejection: Measured
    all_rejections: Measured
    efficacy: tuple[Measured, ...]
    futility: tuple[Measured, ...]
    n: Measured
    analysed: Measured
    screened: Measured
    duration: Measured
    short: Measured
    familywise_error: Measured | None = None
    cost: Measured | None = None
    decisions: Mapping[str, Measured] = field(default_factory=dict)
    events: Measured | None = None
    arm_patients: Mapping[str, Measured] = field(default_factory=dict)
