"""The presets: a spaCy pipeline by name, and facts out of many notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..records import InputError
from .batches import batches, facts_of, zone
from .facts import Fact
from .note import Note

if TYPE_CHECKING:
    from spacy.language import Language

    from .codes import Vocabulary

_CONCEPTS = (
    "negation",
    "possibility",
    "history",
    "family",
    "hypothesis",
    "planning",
    "circumstance",
)
PRESETS: dict[str, tuple[str, ...]] = {
    "fast": (
        "trialtwin_sections",
        "trialtwin_entities",
        "trialtwin_adverse_events",
        *(f"trialtwin_{concept}" for concept in _CONCEPTS),
        "trialtwin_times",  # behind the assertions: what is to come is dated forwards
        "trialtwin_facts",
        "trialtwin_codes",
    ),
}
PRESETS["accurate"] = (
    "trialtwin_encoder",
    *PRESETS["fast"][:2],
    "trialtwin_merge",  # behind the rules' entities, before the assertion
    *PRESETS["fast"][2:],
)
LONGEST_NOTE = 5_000_000  # characters
_TOKENIZER = {"nlp": {"tokenizer": {"@tokenizers": "trialtwin_tokenizer"}}}
_FACTORIES = (
    ".careful",
    ".components",
    *(f".assertion.{concept}.factory" for concept in _CONCEPTS),
    ".dating.component",
    ".codes.component",
)


def load_pipeline(
    preset: str = "fast",
    codes: bool | Sequence[str] = True,
    vocabularies: Sequence[Vocabulary] = (),
) -> Language:
    """Return a spaCy pipeline that finds clinical facts: `nlp(text)._.facts`.

    Parameters
    ----------
    preset
        `fast`: term lists and rules on a blank English pipeline; needs no model and no network.
        `accurate`: the same and a transformer, which adds what the lists do not know; its spans
        with scores are in ``doc.spans["encoder"]``, both together in ``doc.spans["merged"]``.
    codes
        Whether facts get codes: of every packaged vocabulary that is installed, of those named
        (``["ICD-10-CM", "HPO", "DrugBank"]``), or none. The first time builds their indexes.
    vocabularies
        Of your own, from `extraction.notes.codes.load_vocabulary`: their codes come first, and
        where they were loaded with ``find``, their terms are found too.

    Raises
    ------
    InputError
        When there is no such preset, or a vocabulary that was named is not there.

    Examples
    --------
    >>> nlp = load_pipeline("fast")
    >>> [(f.name, f.assertion) for f in nlp("Denies chest pain; on Aricept 10 mg daily.")._.facts]
    [('chest pain', 'absent'), ('donepezil', 'present')]
    """
    if preset not in PRESETS:
        raise InputError(f"preset {preset!r} is not known; allowed: {', '.join(PRESETS)}")
    import spacy

    for module in _FACTORIES:  # each registers its components with spaCy
        import_module(module, __package__)
    if preset == "accurate":
        import_module(".encoder.component", __package__)
    nlp = spacy.blank("en", config=_TOKENIZER)
    nlp.max_length = LONGEST_NOTE
    settings = _settings(codes, vocabularies)
    for name in PRESETS[preset]:
        if name in settings or name != "trialtwin_codes":
            nlp.add_pipe(name, config=settings.get(name, {}))
    return nlp


def _settings(
    codes: bool | Sequence[str], vocabularies: Sequence[Vocabulary]
) -> dict[str, dict[str, Any]]:
    """Return what the components on vocabularies are told; no codes, no component."""
    told: dict[str, dict[str, Any]] = {}
    if codes or vocabularies:
        systems = None if codes is True else list(codes or ())
        folders = [str(own.folder) for own in vocabularies]
        told["trialtwin_codes"] = {"systems": systems, "vocabularies": folders}
    found = [[str(own.folder), own.fact_type] for own in vocabularies if own.find]
    if found:
        told["trialtwin_entities"] = {"vocabularies": found}
    return told


def extract(
    notes: Iterable[Note],
    preset: str = "fast",
    processes: int = 1,
    codes: bool | Sequence[str] = True,
    vocabularies: Sequence[Vocabulary] = (),
) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
    """Yield every note with the facts found in it, in the order given.

    Parameters
    ----------
    notes
        Any number; they are read as they are needed, a batch at a time, and memory does not grow
        with them.
    preset
        Of `load_pipeline`.
    processes
        Processes that share the work; the facts are the same for any number.
    codes, vocabularies
        Of `load_pipeline`.
    """
    from .parallel import read_in_processes

    nlp = load_pipeline(preset, codes, vocabularies)
    if processes > 1:
        yield from read_in_processes(nlp, notes, processes)
        return
    for batch in batches(notes):
        yield from _read(nlp, batch)


def _read(nlp: Language, batch: list[Note]) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
    """Yield the notes of a batch; where one fails, those before it first."""
    try:
        with zone(nlp):
            found = facts_of(nlp, batch)
    except Exception:
        if len(batch) == 1:
            raise
        for note in batch:
            yield from _read(nlp, [note])
    else:
        yield from zip(batch, found, strict=True)
