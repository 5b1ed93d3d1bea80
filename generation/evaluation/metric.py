"""What an evaluation says: metrics beside their controls, verdicts and plain sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from extraction.records.errors import InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from generation.evaluation.tables import Floats
    from generation.evaluation.uses import Audit, UseVerdict

REPORT_VERSION = 2

Verdict = Literal["within real-against-real", "worse", "not shown", "insufficient to show"]
WITHIN: Verdict = "within real-against-real"
WORSE: Verdict = "worse"
NOT_SHOWN: Verdict = "not shown"
INSUFFICIENT: Verdict = "insufficient to show"

Group = Literal[
    "fidelity",
    "longitudinal",
    "survival",
    "missingness",
    "subgroups",
    "utility",
    "calibration",
    "privacy",
    "validity",
]


@dataclass(frozen=True)
class Control:
    """What the same metric gives for a sample whose quality is known.

    Parameters
    ----------
    value
        Mean over the control's draws.
    low, high
        95 % interval of a draw (or of the value, for an area with a known error); None where
        there is a single draw.
    """

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, draws: Floats) -> Control:
        """Mean and normal 95 % range of several draws, NaN where none is defined."""
        known = draws[np.isfinite(draws)]
        if len(known) < 2:
            return cls(float(known[0]) if len(known) else math.nan)
        mean, spread = float(known.mean()), 1.96 * float(known.std(ddof=1))
        return cls(mean, mean - spread, mean + spread)

    @classmethod
    def around(cls, value: float, se: float) -> Control:
        """A value with its normal 95 % interval."""
        return cls(value, value - 1.96 * se, value + 1.96 * se)


@dataclass(frozen=True)
class Metric:
    """One measure of synthetic patients.

    Parameters
    ----------
    name, group, label
        Stable name, the kind of question it answers and words for a reader.
    value, se
        The measure and its standard error; NaN where it is not defined.
    better
        Which way is good: "higher", "lower" or "chance" (.5).
    controls
        The same measure for "copy" (training patients drawn with replacement), "independent"
        (columns drawn independently), "real" (real against real) and "planted" (real patients
        with an error of stated size), as far as they make sense.
    verdict, sentence
        The finding, as a fixed phrase and in words.
    details
        Figures behind the value, JSON-able.
    replicates
        Bootstrap replicates of the value that share their resampled real patients with every
        other engine's, for paired differences; empty where there are none. Not exported.
    own_se
        Standard error that the replicates leave out: what comes from the synthetic patients
        alone and is independent between engines. Not exported.
    limits
        95 % interval where the normal one does not hold (a rare share: none of n does not mean
        never); None takes the value and its standard error.
    """

    name: str
    group: Group
    label: str
    value: float
    se: float
    better: Literal["higher", "lower", "chance"]
    controls: Mapping[str, Control]
    verdict: Verdict
    sentence: str
    details: Mapping[str, Any] = field(default_factory=dict)
    replicates: Floats = field(default_factory=lambda: np.empty(0), repr=False, compare=False)
    own_se: float = 0.0
    limits: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return (
            f"Metric({self.name} {self.value:.3f} [{self.low:.3f}, {self.high:.3f}], "
            f"better {self.better}: {self.verdict})"
        )

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - 1.96 * self.se if self.limits is None else self.limits[0]

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + 1.96 * self.se if self.limits is None else self.limits[1]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form; what is not defined is None."""
        return {
            "name": self.name,
            "group": self.group,
            "label": self.label,
            "value": plain(self.value),
            "se": plain(self.se),
            "low": plain(self.low),
            "high": plain(self.high),
            "better": self.better,
            "controls": {
                name: {"value": plain(c.value), "low": plain(c.low), "high": plain(c.high)}
                for name, c in self.controls.items()
            },
            "verdict": self.verdict,
            "sentence": self.sentence,
            "details": plain(self.details),
        }


@dataclass(frozen=True)
class Evaluation:
    """All metrics of one synthetic cohort (or of one engine over all folds).

    Parameters
    ----------
    engine
        Name of the engine, "" where it is not known.
    sizes
        Patients: "synthetic" as given, "train", "holdout" and "compared" (synthetic patients,
        of one fold, that enter distances).
    folds
        1 for a single split.
    """

    engine: str
    seed: int
    folds: int
    sizes: Mapping[str, int]
    metrics: tuple[Metric, ...]

    def __getitem__(self, name: str) -> Metric:
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise unknown("evaluation: metric", name, [metric.name for metric in self.metrics])

    def __repr__(self) -> str:
        counts = Counter(metric.verdict for metric in self.metrics)
        told = ", ".join(
            f"{counts[v]} {v}" for v in (WITHIN, WORSE, NOT_SHOWN, INSUFFICIENT) if counts[v]
        )
        sizes, folds = self.sizes, f", {self.folds} folds" if self.folds > 1 else ""
        return (
            f"Evaluation({self.engine or 'unnamed engine'}{folds}: {sizes['synthetic']} synthetic "
            f"against {sizes['holdout']} held-out patients, {sizes['train']} trained on; "
            f"{len(self.metrics)} metrics: {told})"
        )

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))

    def __contains__(self, name: object) -> bool:
        return any(metric.name == name for metric in self.metrics)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One plain sentence a metric."""
        return tuple(metric.sentence for metric in self.metrics)

    def verdict_for(self, use: str, audit: Audit | None = None) -> UseVerdict:
        """Whether the synthetic patients suit a use.

        Parameters
        ----------
        use
            "exploration", "software_testing" or "augment_control_arm".
        audit
            Inference audit of the planned analysis (`simulation.audit.inference_audit`); without
            one that passed nothing augments a control arm.

        Returns
        -------
        UseVerdict
            "suited", "not suited" or "not shown", with reasons; by the rules in
            `generation.evaluation.uses.RULES`.

        Raises
        ------
        InputError
            For an unknown use.
        """
        from generation.evaluation.uses import verdict_for

        return verdict_for(self, use, audit)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form without NaN, for reports, the command line and HTTP.

        `uses` are the verdicts without an inference audit.
        """
        from generation.evaluation.uses import USES

        return {
            "report_version": REPORT_VERSION,
            "engine": self.engine,
            "seed": self.seed,
            "folds": self.folds,
            "sizes": dict(self.sizes),
            "caution": (
                f"Synthetic patients carry no information beyond the {self.sizes['train']} "
                "patients behind them; a test on synthetic rows without a variance correction "
                "is invalid."
            ),
            "uses": {use: self.verdict_for(use).to_dict() for use in USES},
            "metrics": [metric.to_dict() for metric in self.metrics],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a metric: value, its interval, the controls and the verdict."""
        import pandas as pd

        names = ("copy", "independent", "real", "planted")
        rows = [
            {
                "metric": m.name,
                "group": m.group,
                "value": m.value,
                "low": m.low,
                "high": m.high,
                **{c: m.controls[c].value if c in m.controls else np.nan for c in names},
                "verdict": m.verdict,
                "sentence": m.sentence,
            }
            for m in self.metrics
        ]
        return pd.DataFrame(rows)


def unknown(what: str, name: str, known: Iterable[str]) -> InputError:
    """Error for a name that is not among the known ones."""
    names = list(known)
    return InputError(f"{what} {name!r}; there are {', '.join(names)}{nearest(str(name), names)}")


def plain(value: Any) -> Any:
    """Numbers, text, lists and dicts that JSON knows; NaN and infinities become None.

    Examples
    --------
    >>> plain({"a": float("nan"), "b": np.int64(3)})
    {'a': None, 'b': 3}
    """
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value
