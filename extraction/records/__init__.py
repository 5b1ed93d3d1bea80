"""The one data model of the house: schema, cohort, timelines, conditions, units, errors."""

from . import conditions, constraints
from .cohort import Cohort
from .errors import Faults, InputError, RefusedError, TrialtwinError
from .schema import CohortSchema, Endpoint, Variable, VisitWindow
from .timeline import Timeline

__all__ = [
    "Cohort",
    "CohortSchema",
    "Endpoint",
    "Faults",
    "InputError",
    "RefusedError",
    "Timeline",
    "TrialtwinError",
    "Variable",
    "VisitWindow",
    "conditions",
    "constraints",
]
