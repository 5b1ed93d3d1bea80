"""Trials and patients in the computer: digital twins, trial designs, operating characteristics."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulation.trial import TrialDesign, simulate
    from simulation.twins import Twin, cross_forecast

__all__ = ["TrialDesign", "Twin", "cross_forecast", "simulate"]

_HOMES = {
    "TrialDesign": "simulation.trial",
    "Twin": "simulation.twins",
    "cross_forecast": "simulation.twins",
    "simulate": "simulation.trial",
}


def __getattr__(name: str) -> Any:
    """Import a room when one of its names is first asked for; `import simulation` stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'simulation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
