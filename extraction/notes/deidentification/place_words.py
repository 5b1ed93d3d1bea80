"""Words and forms that finding places and writing their surrogates share."""

from __future__ import annotations

from .listed import terms

UPPER = "A-Z" + "".join(
    c for c in map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))) if c.isupper()
)
"""Capital letters of Latin scripts, for a class of a pattern."""
ZIP = r"\d{5}(?:-\d{4})?(?![\d\-/]|\.\d)"
GENERIC = terms("facility_words")
"""Words that name no facility by themselves."""
