"""What the parts of an analysis plan must be to each other; each check names what it needs."""

from __future__ import annotations

from typing import Any, Final

from extraction.records.errors import nearest
from simulation.analysis.multiplicity import MOST
from simulation.trial.design.competing import cause_fault
from simulation.trial.design.partial import Check

_KINDS: Final = ("analyses.endpoint", "analyses.analysis", "endpoints.name", "endpoints.kind")
_QUESTIONS: Final = (*_KINDS, "analyses.name", "analyses.arm", "analyses.censoring_weights",
                     "treated", "control", "covariates", "strata")  # fmt: skip


def _twice(where: str, names: list[str]) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    return [f"{where}: the name {name!r} stands twice; names must differ" for name in repeated]


def _endpoint_faults(plan: Any) -> list[str]:
    """Analyses of endpoints that are none, or of another kind than they take."""
    known = {endpoint.name: endpoint for endpoint in plan.endpoints}
    faults = []
    for k, held in enumerate(plan.analyses):
        where, analysis = f"analyses[{k}]", held.analysis
        if analysis is not None and analysis.external:
            faults.append(
                f"{where}.analysis: {analysis.kind} is for simulated trials; say "
                "external_controls, and give the own controls' analysis here"
            )
        if held.endpoint not in known:
            faults.append(
                f"{where}.endpoint: {held.endpoint!r} is no endpoint; there are {', '.join(known)}"
                f"{nearest(held.endpoint, known)}"
            )
        elif analysis is not None and known[held.endpoint].kind not in analysis.takes:
            faults.append(
                f"{where}.analysis: {analysis.kind} takes {' or '.join(analysis.takes)}, and "
                f"{held.endpoint!r} is {known[held.endpoint].kind}"
            )
        elif analysis is not None and (fault := cause_fault(analysis, known[held.endpoint])):
            faults.append(
                f"{where}.analysis: {fault} (an endpoint's `causes` say which count; the others "
                "compete)"
            )
    return faults


def _arm_faults(plan: Any) -> list[str]:
    return [
        f"analyses[{k}].arm: {held.arm!r} is no treated arm: {', '.join(plan.treated)}"
        f"{nearest(held.arm, plan.treated)}"
        for k, held in enumerate(plan.analyses)
        if held.arm is not None and held.arm not in plan.treated
    ]


def _missing_faults(plan: Any) -> list[str]:
    kinds = {e.name: e.kind for e in plan.endpoints}
    fit = [a.name for a in plan.analyses if kinds.get(a.endpoint) == "continuous"]
    return [
        f"missing_data[{k}].analysis: {held.analysis!r} is no analysis of a continuous "
        f"endpoint: {', '.join(fit) or 'there is none'}{nearest(held.analysis, fit)}"
        for k, held in enumerate(plan.missing_data)
        if held.analysis not in fit
    ]


def _external_faults(plan: Any) -> list[str]:
    given = plan.external_controls
    return [] if given is None else list(given.plan_faults(plan))


def _weight_faults(plan: Any) -> list[str]:
    """Analyses that cannot be weighted by the probability of being seen."""
    return list(
        dict.fromkeys(
            f"analysis {q.planned!r}, censoring_weights: {fault}"
            for q in plan.questions
            if q.censoring is not None
            for fault in [q.censoring.fault(q.analysis, q.endpoint)]
            if fault is not None
        )
    )


def _hypothesis_faults(plan: Any) -> list[str]:
    twice = _twice("analyses", [question.id for question in plan.questions])
    tested = [question for question in plan.questions if question.tested]
    if not any(question.role == "primary" for question in tested):
        return [*twice, "analyses: none is primary; one question decides the trial; mark it"]
    many = len(tested)
    if plan.multiplicity is None:
        return twice if many == 1 else [
            *twice,
            f"multiplicity: missing, and {many} hypotheses are tested; say how they share alpha, "
            "or mark the supporting ones sensitivity or exploratory",
        ]  # fmt: skip
    weights = plan.multiplicity.weights
    if plan.multiplicity.procedure == "graph" and len(weights) != many:
        names = ", ".join(question.id for question in tested)
        return [*twice, f"multiplicity.weights: {len(weights)} came; {many} are tested, in this "
                        f"order: {names}"]  # fmt: skip
    more = [f"multiplicity: {many} hypotheses; at most {MOST}"] if many > MOST else []
    return twice + more


CHECKS: Final = (
    Check(
        ("endpoints.name",),
        lambda p: _twice("endpoints", [e.name for e in p.endpoints]),
        ("endpoints.name",),
    ),
    Check(
        ("analyses.name",),
        lambda p: _twice("analyses", [a.name for a in p.analyses]),
        ("analyses.name",),
    ),
    Check(
        ("treated", "control"), lambda p: _twice("treated", [*p.treated, p.control]), ("control",)
    ),
    Check(("scores.name",), lambda p: _twice("scores", [s.name for s in p.scores])),
    Check(
        ("missing_data.analysis", "analyses.name", "analyses.endpoint", "endpoints.name",
         "endpoints.kind"),
        _missing_faults,
    ),
    Check(
        ("external_controls", "analyses.name", "analyses.role", "endpoints.endpoint", *_KINDS),
        _external_faults,
        despite=("external_controls.limits", "external_controls.covariates"),
    ),
    Check(
        (*_KINDS, "endpoints.causes"),
        _endpoint_faults,
        ("analyses.endpoint", "analyses.analysis"),
    ),
    Check(("analyses.arm", "treated"), _arm_faults, ("analyses.arm",)),
    Check((*_QUESTIONS, "endpoints.causes"), _weight_faults),
    Check((*_QUESTIONS, "analyses.role", "multiplicity"), _hypothesis_faults),
)  # fmt: skip
"""In this order; what one finds spoils what later ones would rest on."""
