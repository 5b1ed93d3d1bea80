"""The inference audit: what synthetic controls do to the planned analysis of a trial.

`inference_audit` runs it on real controls with any engine, `oracle_audit` in a model that is known
exactly. An engine with its options on its data passes by the rules of `result.RULES`.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.audit.audit import inference_audit, inference_audits, oracle_audit
    from simulation.audit.plan import PlannedAnalysis
    from simulation.audit.result import InferenceAudit, key_of, read_audits, speaking

__all__ = ["InferenceAudit", "PlannedAnalysis", "inference_audit", "inference_audits", "key_of",
           "oracle_audit", "read_audits", "speaking"]

__getattr__, __dir__ = lazy(__name__, {
    "InferenceAudit": "result",
    "PlannedAnalysis": "plan",
    "inference_audit": "audit",
    "inference_audits": "audit",
    "key_of": "result",
    "oracle_audit": "audit",
    "read_audits": "result",
    "speaking": "result",
})
