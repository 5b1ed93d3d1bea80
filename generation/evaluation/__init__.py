"""Judge synthetic patients: fidelity, utility, privacy, each beside its controls."""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from generation.evaluation.auditing import DisclosureAudit, disclosure_audit
    from generation.evaluation.crossing import compare, cross_evaluate
    from generation.evaluation.evaluation import evaluate
    from generation.evaluation.metric import Evaluation, Metric
    from generation.evaluation.uses import UseVerdict

__all__ = [
    "DisclosureAudit",
    "Evaluation",
    "Metric",
    "UseVerdict",
    "compare",
    "cross_evaluate",
    "disclosure_audit",
    "evaluate",
]

__getattr__, __dir__ = lazy(__name__, {
    "DisclosureAudit": "auditing",
    "Evaluation": "metric",
    "Metric": "metric",
    "UseVerdict": "uses",
    "compare": "crossing",
    "cross_evaluate": "crossing",
    "disclosure_audit": "auditing",
    "evaluate": "evaluation",
})
