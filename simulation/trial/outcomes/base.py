"""What the four kinds of outcome share: patients' latent draws, responses and what a look sees."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]

NEVER = np.inf
"""Time of what never happens."""


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
    """

    values: Floats | None = None
    time: Floats | None = None


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
    exposure
        Count: time for which events were counted.
    """

    included: Booleans
    values: Floats | None = None
    time: Floats | None = None
    event: Floats | None = None
    exposure: Floats | None = None
    facts: dict[str, Any] = field(default_factory=dict)
