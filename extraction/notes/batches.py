"""Notes read a batch at a time, in memory that does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from .facts import Fact
from .note import Note

if TYPE_CHECKING:
    from spacy.language import Language

_BATCH = 64  # notes
_CHARACTERS = 200_000  # of a batch
_MOST_WORDS = 50_000  # that spaCy keeps, with all their parts: about 10 MB


def batches(notes: Iterable[Note]) -> Iterator[list[Note]]:
    """Yield notes 64 at a time, or fewer where they are long."""
    batch: list[Note] = []
    held = 0
    for note in notes:
        if batch and held + len(note.text) > _CHARACTERS:
            yield batch
            batch, held = [], 0
        batch.append(note)
        held += len(note.text)
        if len(batch) == _BATCH:  # at once: the next note may be long in coming
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def facts_of(nlp: Language, notes: Sequence[Note]) -> list[tuple[Fact, ...]]:
    """Return the plain facts of each note; no document, which is of the memory zone, is kept."""
    from .dating.component import dated

    docs = nlp.pipe((dated(nlp, note) for note in notes), batch_size=max(1, len(notes)))
    return [doc._.facts for doc in docs]


def zone(nlp: Language) -> AbstractContextManager[object]:
    """Return a zone at whose end spaCy forgets new words; those of the first notes it may keep.

    It reads words that it knows faster, and knows by then those that are common.
    """
    return nlp.memory_zone() if len(nlp.vocab.strings) > _MOST_WORDS else nullcontext()
