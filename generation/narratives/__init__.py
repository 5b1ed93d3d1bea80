"""Clinical notes written from the structured record, with the facts that each one states."""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from .check import contradictions
    from .write import RenderedNote, write_notes

__all__ = ["RenderedNote", "contradictions", "write_notes"]

__getattr__, __dir__ = lazy(
    __name__, {"RenderedNote": "write", "contradictions": "check", "write_notes": "write"}
)
