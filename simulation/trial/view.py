"""What a look may see of the replicates in work, and what is kept of those that stop at it."""

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from simulation.trial.analyses.base import Fit, LookData
from simulation.trial.design import Tested, TrialDesign
from simulation.trial.further import EVENTS, events_of
from simulation.trial.outcomes import observe
from simulation.trial.outcomes.base import (
    NEVER,
    Booleans,
    Floats,
    Followed,
    Indices,
    Observed,
)
from simulation.trial.outcomes.time_to_event import followed
from simulation.trial.present import Present
from simulation.trial.rules import ArmSummary, State

Arrays = dict[str, np.ndarray[Any, Any]]


@final
@dataclass(frozen=True)
class View:
    """What a look may see.

    Attributes
    ----------
    present, cut
        Replicates, and the look's time (R, 1).
    counted
        Patients (R, N) whom it counts.
    begun
        Patients (R, N) in the trial by then: beside the counted those who are still followed.
    short
        Replicates (R,) in which the events that it waits for have not come.
    """

    present: Present
    cut: Floats
    counted: Booleans
    begun: Booleans
    short: Booleans

    def rows(self, which: Booleans) -> "View":
        """Some of the replicates."""
        return View(
            self.present.rows(which), self.cut[which], self.counted[which], self.begun[which],
            self.short[which],
        )

    def observed(self, endpoint: Any) -> Observed:
        """An endpoint as the look sees it."""
        held = self.present
        return observe(
            endpoint, held.responses[endpoint.name], held.enrolled.entry, held.leaves, self.cut,
            self.counted,
        )

    def followed(self, endpoint: Any, among: Booleans | None) -> Followed | None:
        """A time-to-event endpoint that the look is to cut, among some; None with other causes."""
        held = self.present
        response = held.responses[endpoint.name]
        if response.time is None or response.other is not None:
            return None
        counted = self.counted if among is None else self.counted & among
        return followed(
            endpoint, response, held.enrolled.entry, held.leaves, self.cut, counted
        )

    def events(self, endpoint: Any, rows: Indices, sorted_: bool) -> Floats:
        """Events of a time-to-event endpoint in some replicates, all arms together.

        `sorted_` says that the looks wait for just these events, whose times are sorted already.
        """
        from simulation.kernels.enrolment import came_rows
        from simulation.kernels.survival import event_rows

        held, response = self.present, self.present.responses[endpoint.name]
        if sorted_ and held.events is not None:
            return np.asarray(came_rows(rows, held.events, self.cut))
        longest = NEVER if endpoint.follow_up is None else endpoint.follow_up
        other = response.time if response.other is None else response.other
        return np.asarray(event_rows(
            rows, response.time, other, held.enrolled.entry, response.lost(held.leaves), self.cut,
            self.counted, longest,
        ))

    def unfinished(self, tested: Tested, observed: Observed) -> Observed:
        """Add patients whose last visit is still to come, for analyses of all visits."""
        if not tested.analysis.every_visit:
            return observed
        first = self.present.enrolled.entry + tested.endpoint.visits[0]
        return replace(observed, included=self.begun & (first <= self.cut))

    def summary(self, tested: Tested, arms: int) -> ArmSummary:
        """Outcomes of every arm on a hypothesis' endpoint."""
        held, endpoint = self.present, tested.endpoint
        # Nobody after the last patient who counts is looked at.
        last = int(np.flatnonzero(self.counted.any(axis=0))[-1]) + 1
        observed = observe(
            endpoint, held.responses[endpoint.name].head(last), held.enrolled.entry[:, :last],
            held.leaves[:, :last], self.cut, self.counted[:, :last],
        )
        arm = held.arm[:, :last]
        data = LookData(observed, arm, np.empty((0, *arm.shape)))
        return ArmSummary.of(data, arms, endpoint.kind, endpoint.sign)


@final
class Ended:
    """What is known of each replicate when it stops, (R,), and of each hypothesis, (R, H)."""

    def __init__(self, design: TrialDesign, replicates: int) -> None:
        self.rule, self.arms, self.replicates = design.rule, len(design.arms), replicates
        self.arrays: Arrays = {}
        self._first: Arrays = {}
        self._counted = events_of(design)
        self._borrows = design.external_controls is not None

    def begin(self, fits: tuple[Fit, ...]) -> None:
        """Keep estimates of the first look, (R, H), on which later patients depend."""
        self._first["first_estimate"] = np.stack([fit.estimate for fit in fits], axis=1)
        self._first["first_se"] = np.stack([fit.se for fit in fits], axis=1)

    def fill(
        self, which: Booleans, view: View, fits: tuple[Fit, ...], state: State, at_once: bool
    ) -> None:
        """Keep what replicates have used by the look at which they stop; fits are theirs alone."""
        from simulation.kernels.enrolment import used_rows

        enrolled, rows = view.present.enrolled, np.flatnonzero(which)
        n, screened = used_rows(
            rows, enrolled.entry, view.counted, view.cut, at_once, state.size,
            enrolled.place.patients,
        )
        found = {
            "stage": state.stage[which],
            "reason": state.reason[which],
            "n": n,
            "duration": view.cut[rows, 0],
            "analysed": np.max([fit.n for fit in fits], axis=0),
            "screened": screened,
            "rejected": state.rejected[which],
            "estimate": np.stack([fit.estimate for fit in fits], axis=1),
            "se": np.stack([fit.se for fit in fits], axis=1),
            "information": np.stack([fit.information for fit in fits], axis=1),
        }
        at = view.present.at[rows]
        if self._borrows:
            found |= _borrowed(fits)
        if self._counted is not None:
            found[EVENTS] = view.events(self._counted, rows, not self.rule.narrows)
        if self.rule.adapts:
            there = np.arange(view.present.arm.shape[1]) < n[:, None]
            given = np.where(there, view.present.arm[rows], -1)
            by_arm = [(given == k).sum(axis=1) for k in range(self.arms)]
            found["arm_n"] = np.stack(by_arm, axis=1).astype(np.float64)
        if self.rule.looks.by == "events":
            found["short"] = view.short[which]
        found |= {name: values[at] for name, values in self._first.items()}
        if state.narrowed is not None:
            found["narrowed"] = state.narrowed[which]
        found |= {name: decided[which] for name, decided in self.rule.decided(state).items()}
        for name, values in found.items():
            if name not in self.arrays:
                self.arrays[name] = np.zeros((self.replicates, *values.shape[1:]), values.dtype)
            self.arrays[name][at] = values


def _borrowed(fits: tuple[Fit, ...]) -> Arrays:
    """Verdict on external controls and how many are worth, (R, H); 0 where none are asked for."""
    return {
        name: np.stack([fit.more.get(name, np.zeros(len(fit.n))) for fit in fits], axis=1)
        for name in ("refused", "external_ess")
    }
