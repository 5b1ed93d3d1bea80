"""Digital twins: one patient's futures, given all that is known of the patient."""

from simulation.twins.forecast import Forecast
from simulation.twins.twin import Twin
from simulation.twins.validation import ForecastValidation, cross_forecast

__all__ = ["Forecast", "ForecastValidation", "Twin", "cross_forecast"]
