"""What the four kinds of outcome share: patients' latent draws, responses and what a look sees."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, final

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator

from simulation.analysis.estimate import STRATEGIES

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

NEVER = np.inf
"""Time of what never happens."""


def _known(events: dict[str, str]) -> dict[str, str]:
    wrong = [strategy for strategy in events.values() if strategy not in STRATEGIES]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no strategy; allowed are {', '.join(STRATEGIES)}")
    return events


Strategies = Annotated[dict[str, str], AfterValidator(_known)]
"""Strategies of intercurrent events, ICH E9(R1)."""


def rows_of(values: Any, which: Booleans) -> Any:
    """Some replicates of an array (..., R, N); what all of them share, or None, stays."""
    if values is None or values.ndim < 2 or values.shape[-2] != len(which):
        return values
    return np.compress(which, values, axis=-2)


@final
@dataclass(frozen=True)
class Latent:
    """One outcome of every patient under control, before any arm acts on it.

    Arrays are (R, N) over replicates and patients; which are there depends on the kind.

    Attributes
    ----------
    values
        Continuous: the values at the visits under control, (V, R, N).
    uniform, log_odds
        Binary: the event happens where the uniform lies below expit(log_odds).
    arrivals
        Count: control-scale times of successive events, (J, R, N), infinite beyond.
    hazard, scale
        Time to event: cumulative control hazard at which the event comes (unit exponential
        under the model), and each patient's hazard relative to the law's.
    law
        Time to event: cumulative control hazard of the law, and its inverse.
    """

    values: Floats | None = None
    uniform: Floats | None = None
    log_odds: Floats | None = None
    arrivals: Floats | None = None
    hazard: Floats | None = None
    scale: Floats | None = None
    law: Any = None


@final
@dataclass(frozen=True)
class Response:
    """One outcome of every patient under the arm that he was given.

    Attributes
    ----------
    values
        Continuous (V, R, N); binary 0 or 1, or count, (1, R, N).
    time
        Time to event since randomisation, (R, N); infinite where it never comes.
    leaves
        Until when the outcome is followed, (R, N), where that differs from leaving the trial.
    stops
        When treatment stops, (R, N); None where it never does.
    other
        Time to the event of a competing cause, (R, N); None where there is none.
    """

    values: Floats | None = None
    time: Floats | None = None
    leaves: Floats | None = None
    stops: Floats | None = None
    other: Floats | None = None

    def lost(self, leaves: Floats) -> Floats:
        """Until when the outcome is followed, where patients leave the trial at given times."""
        return leaves if self.leaves is None else self.leaves

    @classmethod
    def by_arm(cls, responses: "list[Response]") -> "Response":
        """Those under every arm, with a leading axis of arms."""
        names = ("values", "time", "leaves", "stops", "other")
        held = ([getattr(response, name) for response in responses] for name in names)
        return cls(*(None if every[0] is None else np.stack(every) for every in held))

    def under(self, arm: Indices) -> "Response":
        """Of those `by_arm`, each patient's under his arm (R, N)."""
        from simulation.kernels.arms import of_arm

        return self._each(
            lambda held: of_arm(held, arm) if held.ndim == 4 else of_arm(held[:, None], arm)[0]
        )

    def rows(self, which: Booleans) -> "Response":
        """Those of some replicates."""
        return self._each(lambda held: rows_of(held, which))

    def head(self, patients: int) -> "Response":
        """Those of the first patients."""
        return self._each(lambda held: held[..., :patients])

    def _each(self, change: Callable[[Any], Any]) -> "Response":
        held = (self.values, self.time, self.leaves, self.stops, self.other)
        return Response(*(None if values is None else change(values) for values in held))


def switched(before: Response, after: Response, due: Any, stops: Floats) -> Response:
    """Values of one response at times due until treatment stops, then those of another."""
    assert before.values is not None and after.values is not None
    return Response(values=np.where(stops >= due, before.values, after.values))


@final
@dataclass(frozen=True)
class Observed:
    """One endpoint as a look sees it, over (R, N).

    Attributes
    ----------
    included
        Whose data count: randomised, and for outcomes at a visit due by the look.
    values
        (V, R, N), NaN where missing.
    time, event
        Follow-up since randomisation, and 1.0 where it ended with the event.
    other
        1.0 where it ended with the event of a competing cause; None where there is none.
    exposure
        Count: time for which events were counted.
    """

    included: Booleans
    values: Floats | None = None
    time: Floats | None = None
    event: Floats | None = None
    exposure: Floats | None = None
    other: Floats | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@final
@dataclass(frozen=True)
class Followed:
    """A time-to-event endpoint before a look cuts it, for analyses that do so themselves.

    Attributes are the parameters of `simulation.kernels.survival.cut_rows`.
    """

    time: Floats
    entry: Floats
    leaves: Floats
    cut: Floats
    randomised: Booleans
    longest: float
