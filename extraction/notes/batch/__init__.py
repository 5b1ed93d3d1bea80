"""Notes by the hundred thousand: streamed, cleaned, read in chunks, set aside where poisoned."""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from .chunk import extract_chunk
    from .finish import assemble, broken_chunks, manifest_with
    from .overview import Scan, scan
    from .parts import stored_pairs
    from .records import LONGEST, SetAside
    from .sources import Source, open_source

__all__ = [
    "LONGEST",
    "Scan",
    "SetAside",
    "Source",
    "assemble",
    "broken_chunks",
    "extract_chunk",
    "manifest_with",
    "open_source",
    "scan",
    "stored_pairs",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "LONGEST": "records",
        "Scan": "overview",
        "SetAside": "records",
        "Source": "sources",
        "assemble": "finish",
        "broken_chunks": "finish",
        "extract_chunk": "chunk",
        "manifest_with": "finish",
        "open_source": "sources",
        "scan": "overview",
        "stored_pairs": "parts",
    },
)
