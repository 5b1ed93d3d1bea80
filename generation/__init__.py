"""Generative models of patients: fit, load, sample, judge."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from generation.registry import engines, fit, load_model

__all__ = ["engines", "fit", "load_model"]


def __getattr__(name: str) -> Any:
    """Import the registry when it is first asked for, so that `import generation` stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'generation' has no attribute {name!r}")
    from generation import registry

    return getattr(registry, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
