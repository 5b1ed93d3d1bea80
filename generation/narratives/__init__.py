"""Clinical notes written from the structured record, with the facts that each one states."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .check import contradictions
    from .write import RenderedNote, write_notes

__all__ = ["RenderedNote", "contradictions", "write_notes"]


def __getattr__(name: str) -> Any:
    """Import the writer when it is first asked for, so that the package stays light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import check, write

    return getattr(check if name == "contradictions" else write, name)
