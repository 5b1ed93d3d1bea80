"""Generative models of patients: fit, load, sample, judge."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generation import applicability
    from generation.applicability import Applicability, require
    from generation.registry import engines, fit, load_model

__all__ = ["Applicability", "applicability", "engines", "fit", "load_model", "require"]

_HOMES = {
    "Applicability": "generation.applicability",
    "engines": "generation.registry",
    "fit": "generation.registry",
    "load_model": "generation.registry",
    "require": "generation.applicability",
}


def __getattr__(name: str) -> Any:
    """Import a part when one of its names is first asked for; `import generation` stays light.

    `applicability` is the module: Python gives a module that is loaded before any function of
    the same name.
    """
    if name == "applicability":
        return import_module("generation.applicability")
    if name not in _HOMES:
        raise AttributeError(f"module 'generation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
