"""Trials and patients in the computer: digital twins, trial designs, operating characteristics."""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from simulation.trial import TrialDesign, simulate
    from simulation.twins import Twin, cross_forecast

__all__ = ["TrialDesign", "Twin", "cross_forecast", "simulate"]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "TrialDesign": "trial",
        "Twin": "twins",
        "cross_forecast": "twins",
        "simulate": "trial",
    },
)
