"""The inference audit: what synthetic controls do to the planned analysis of a trial.

`inference_audit` runs it on real controls with any engine, `oracle_audit` in a model that is known
exactly. An engine with its options on its data passes by the rules of `result.RULES`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.audit.audit import inference_audit, inference_audits, oracle_audit
    from simulation.audit.plan import PlannedAnalysis
    from simulation.audit.result import InferenceAudit, key_of, read_audits, speaking

__all__ = ["InferenceAudit", "PlannedAnalysis", "inference_audit", "inference_audits", "key_of",
           "oracle_audit", "read_audits", "speaking"]

_HOMES = {
    "InferenceAudit": "simulation.audit.result",
    "PlannedAnalysis": "simulation.audit.plan",
    "inference_audit": "simulation.audit.audit",
    "inference_audits": "simulation.audit.audit",
    "key_of": "simulation.audit.result",
    "oracle_audit": "simulation.audit.audit",
    "read_audits": "simulation.audit.result",
    "speaking": "simulation.audit.result",
}


def __getattr__(name: str) -> Any:
    """Import on first use: the package stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simulation.audit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
