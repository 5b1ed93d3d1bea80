"""What an audit found, and its verdict by rules that are written here, before any audit is run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from extraction.records import InputError
from extraction.records.files import write_atomically
from generation.engine import ModelCard
from simulation.analysis.estimate import jsonable
from simulation.audit.figures import ALPHA, LEVEL, Performance
from simulation.audit.replicates import model_of

Verdict = Literal["passed", "failed", "not shown"]

FORMAT = 1
MINIMUM_REPLICATES = 200
"""Below this many replicates the verdict is "not shown"."""
COVERAGE_MARGIN = 0.04
"""Coverage fails if its .95 interval (Wilson) excludes .95 +- this."""
SE_RATIO = (0.9, 1.1)
"""The SE ratio fails if its estimate +- 2 Monte Carlo SE lies wholly outside."""
EXCESS_SES = 2.0
"""Type I error fails above .05 + this many Monte Carlo SE (of .05)."""
MOST_BIAS = 0.4
"""Largest bias, in SD of the estimate, when the model is used: there all controls train and the
estimate varies less, so that the audit's own limit is this times the root of the share of the
controls that trained. Above .4 coverage and error rates suffer (Collins, Schafer and Kam, 2001,
Psychol Methods 6, doi 10.1037/1082-989X.6.4.330). Type I error and coverage see a bias only at the
audit's size; it stays where the standard error shrinks with more patients."""
MOST_FAILED = 0.02
"""Share of replicates that may give no estimate."""
RULES = (
    f"Passed if, with at least {MINIMUM_REPLICATES} replicates, the corrected analysis has a type "
    f"I error of at most {ALPHA} + {EXCESS_SES:g} Monte Carlo SE, a coverage whose 95 % interval "
    f"does not exclude {LEVEL} +- {COVERAGE_MARGIN}, an SE ratio whose interval (2 Monte Carlo SE) "
    f"meets {SE_RATIO[0]} to {SE_RATIO[1]}, a bias of at most {MOST_BIAS:g} SD of the estimate "
    "times the root of the share of the controls that trained, and no more than "
    f"{MOST_FAILED:.0%} of replicates without an estimate."
)
_RUN = ("plan", "seed", "replicates", "n_train", "n_synthetic", "refits", "effect")
_IRRELEVANT = ("checkpoint",)  # options that say where a fit is kept, not what is fitted


def audit_key(model: str, data_digest: str) -> str:
    """Key of what an audit speaks for: SHA-256 of engine, version, options and the data's digest.

    Parameters
    ----------
    model
        Canonical text of `simulation.audit.replicates.model_of`.
    data_digest
        Digest of the controls that the audit drew from, and that the model was fitted to.
    """
    kind = json.loads(model)
    kind["options"] = {k: v for k, v in kind["options"].items() if k not in _IRRELEVANT}
    text = json.dumps([kind, data_digest], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def key_of(card: ModelCard) -> str:
    """Key of the audits that speak for a model."""
    return audit_key(model_of(card), card.data_digest)


@dataclass(frozen=True)
class InferenceAudit:
    """What replacing real controls by synthetic ones did to a planned analysis.

    Attributes
    ----------
    key
        What it speaks for: `audit_key` of engine, version, options and data.
    about
        How it was run: source ("real controls" or "linear oracle"), engine, options, plan,
        replicates, seed, n_train, n_treated, n_synthetic, refits, effect, truth.
    performance
        By method: ``real`` (the same number of real controls), ``naive``, ``corrected`` and, with
        refits, ``over_refits``.
    """

    key: str
    about: Mapping[str, Any]
    performance: Mapping[str, Performance]

    @property
    def analysis(self) -> str:
        """The planned analysis that it speaks for, in words: "mean of ADAS@Week 24"."""
        plan = self.about["plan"]
        given = f" with {', '.join(plan['covariates'])}" if plan.get("covariates") else ""
        horizon = plan.get("horizon_days")
        until = f" to day {horizon:g}" if horizon else ""
        return f"{plan['analysis']} of {plan['target']}{given}{until}"

    @property
    def judged(self) -> str:
        """The method that the verdict is about."""
        return "over_refits" if "over_refits" in self.performance else "corrected"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Rules that were not met, in words; empty when all were."""
        trained, other = self.about["n_train"], self.about["n_treated"]
        return tuple(_broken(self.performance[self.judged], trained / (trained + other)))

    @property
    def verdict(self) -> Verdict:
        """By `RULES`; too few replicates show nothing, neither pass nor fail of a rule by luck."""
        if self.performance[self.judged].replicates < MINIMUM_REPLICATES:
            return "not shown"
        return "failed" if self.reasons else "passed"

    @property
    def passed(self) -> bool:
        """Whether the verdict is "passed"."""
        return self.verdict == "passed"

    @property
    def weight(self) -> tuple[int, bool]:
        """Replicates, and whether it did not pass: of two audits the greater one counts."""
        return int(self.about["replicates"]), not self.passed

    @property
    def detectable(self) -> float:
        """Type I error that this many replicates would have failed with probability .8."""
        n = max(self.performance[self.judged].replicates, 1)
        limit = ALPHA + EXCESS_SES * np.sqrt(ALPHA * (1 - ALPHA) / n)
        grid = np.linspace(limit, 1, 2000)
        seen = grid - 0.8416 * np.sqrt(grid * (1 - grid) / n)
        return float(grid[np.argmax(seen >= limit)])

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings in plain words."""
        judged, plain = self.performance[self.judged], self.performance["naive"]
        said = [
            f"{self.analysis}, {self.about['source']}: {self.about['n_train']} training controls, "
            f"{self.about['n_synthetic']} synthetic ones, {self.about['n_treated']} "
            f"pseudo-treated, {judged.replicates} replicates.",
            f"Naive: type I error {plain.type_one_error} at nominal {ALPHA}; the formula says "
            f"{plain.expected_type_one_error:.3f}. Coverage {plain.coverage}.",
            f"{self.judged.replace('_', ' ').capitalize()}: type I error {judged.type_one_error}, "
            f"coverage {judged.coverage}, SE ratio {judged.se_ratio}, bias {judged.bias} "
            f"({abs(judged.bias.value) / judged.sd:.2f} SD of the estimate), which together "
            f"explain a type I error of {judged.explained_type_one_error:.3f}; power "
            f"{judged.power}; with as many real controls {self.performance['real'].power}.",
            f"Verdict: {self.verdict}."
            + "".join(f" {reason}" for reason in self.reasons)
            + (f" Fewer than {MINIMUM_REPLICATES} replicates." if self.verdict == "not shown"
               else f" A type I error of {self.detectable:.2f} would have failed with "
                    "probability .8."),
        ]
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able mapping; `from_dict` reads it back, the verdict anew from the figures."""
        plain: dict[str, Any] = jsonable({
            "format": FORMAT,
            "key": self.key,
            "about": dict(self.about),
            "performance": {k: v.to_dict() for k, v in self.performance.items()},
            "verdict": self.verdict,
            "judged": self.judged,
            "reasons": list(self.reasons),
            "sentences": list(self.sentences),
            "rules": RULES,
        })
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` gave.

        Raises
        ------
        InputError
            If it is no audit, or one of another version.
        """
        if values.get("format") != FORMAT:
            raise InputError("audit: not an inference audit of this version; run it again")
        found = {k: Performance.from_dict(_nan(v)) for k, v in values["performance"].items()}
        return cls(values["key"], values["about"], found)

    def write(self, folder: Path | str) -> Path:
        """Write as JSON into a folder; one file for each key, planned analysis and way of running.

        An audit that is run again with another seed does not replace the first.
        """
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        run = json.dumps({k: self.about.get(k) for k in _RUN}, sort_keys=True).encode()
        name = f"audit-{self.key[:12]}-{hashlib.sha256(run).hexdigest()[:8]}.json"
        text = json.dumps(self.to_dict(), indent=1, sort_keys=True, allow_nan=False)
        write_atomically(place / name, text.encode())
        return place / name


def read_audits(folder: Path | str, key: str) -> list[InferenceAudit]:
    """Audits in a folder that speak for one kind of model; files that are none are left out."""
    found = []
    for path in sorted(Path(folder).glob(f"audit-{key[:12]}-*.json")):
        try:
            audit = InferenceAudit.from_dict(json.loads(path.read_text("utf-8")))
        except (ValueError, KeyError, TypeError):
            continue
        if audit.key == key:
            found.append(audit)
    return found


def speaking(audits: Sequence[InferenceAudit]) -> list[InferenceAudit]:
    """The audit that speaks for each planned analysis: that of the most replicates.

    Of several with as many the worst, so that no analysis passes by being audited until it does.
    """
    chosen: dict[str, InferenceAudit] = {}
    for audit in audits:
        plan = json.dumps(audit.about["plan"], sort_keys=True)
        if plan not in chosen or audit.weight > chosen[plan].weight:
            chosen[plan] = audit
    return list(chosen.values())


def _broken(found: Performance, share: float) -> list[str]:
    """Rules not met where this share of the controls trained."""
    n = max(found.replicates, 1)
    limit = ALPHA + EXCESS_SES * np.sqrt(ALPHA * (1 - ALPHA) / n)
    said = []
    if not found.type_one_error.value <= limit:
        said.append(f"The type I error is {found.type_one_error}, above {limit:.3f}.")
    low, high = found.interval("coverage")
    if not (low <= LEVEL + COVERAGE_MARGIN and high >= LEVEL - COVERAGE_MARGIN):
        said.append(f"The coverage is {found.coverage}, its interval {low:.3f} to {high:.3f}.")
    ratio, reach = found.se_ratio, 2 * found.se_ratio.se
    if not (ratio.value + reach >= SE_RATIO[0] and ratio.value - reach <= SE_RATIO[1]):
        said.append(f"The SE ratio is {ratio}.")
    bias = abs(found.bias.value) / found.sd if found.sd > 0 else float("nan")
    most = MOST_BIAS * np.sqrt(share)
    if not bias <= most:
        said.append(f"The bias is {bias:.2f} SD of the estimate, above {most:.2f}.")
    if found.failed > MOST_FAILED * (found.failed + found.replicates):
        said.append(f"{found.failed} replicates gave no estimate.")
    return said


def _nan(node: Any) -> Any:
    """JSON's null as NaN again."""
    if isinstance(node, Mapping):
        return {k: _nan(v) for k, v in node.items()}
    return float("nan") if node is None else node
