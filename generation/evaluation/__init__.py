"""Judge synthetic patients: fidelity, utility, privacy, each beside its controls."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generation.evaluation.auditing import DisclosureAudit, disclosure_audit
    from generation.evaluation.crossing import compare, cross_evaluate
    from generation.evaluation.evaluation import evaluate
    from generation.evaluation.metric import Evaluation, Metric
    from generation.evaluation.uses import UseVerdict

_HOMES = {
    "DisclosureAudit": "auditing",
    "Evaluation": "metric",
    "Metric": "metric",
    "UseVerdict": "uses",
    "compare": "crossing",
    "cross_evaluate": "crossing",
    "disclosure_audit": "auditing",
    "evaluate": "evaluation",
}

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


def __getattr__(name: str) -> Any:
    """Import a part when it is first asked for, so that this package stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
