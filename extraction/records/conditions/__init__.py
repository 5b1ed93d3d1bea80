"""One language for "which patients": trees of and/or/not over tests, with three-valued answers.

The dictionary form is sugar for "and"::

    {"arm": "Placebo", "AGE": [65, 80], "SEX": "F", "ADAS@Week 12": ">=30"}

Two numbers on a numeric variable are a closed interval (None leaves a side open), a list on a
categorical one is a set, and ``name@visit`` uses the schema's window. An endpoint is tested by
``<endpoint>_time`` and ``<endpoint>_event`` (`endpoints`). Trees use the keys ``all``, ``any``,
``not`` and ``exists``; see `parse`.
"""

from .evaluate import evaluate
from .parse import parse
from .tree import (
    All,
    Any,
    Condition,
    Exists,
    Interval,
    Not,
    Target,
    Test,
    bounds,
    describe,
    divide,
    to_dict,
)

__all__ = [
    "All",
    "Any",
    "Condition",
    "Exists",
    "Interval",
    "Not",
    "Target",
    "Test",
    "bounds",
    "describe",
    "divide",
    "evaluate",
    "parse",
    "to_dict",
]
