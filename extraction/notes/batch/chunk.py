"""One chunk of records: cleaned, freed of identifiers, read for facts, written as a part."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from ...records import InputError
from ...records.files import settle
from ..batches import batches, facts_of, zone
from ..codes.own import opened
from ..facts import Fact
from ..note import Note
from ..pipeline import load_pipeline
from .parts import Part, file_hash
from .records import REPEATED, SetAside
from .sources import open_source, read_raw
from .trial import Watch, deadly, limited

if TYPE_CHECKING:
    from spacy.language import Language

    from ..deidentification import Deidentified, Deidentifier, Vault

ASIDE = "aside"

Counts = dict[str, NDArray[Any]]


def extract_chunk(payload: Mapping[str, Any], start: int, stop: int) -> Counts:
    """Read records `start` to `stop` - 1 of a source and write their notes and facts.

    A record that cannot be read, or over which anything fails, is set aside with its reason; so is
    a note over which an earlier reader of the chunk died.

    Parameters
    ----------
    payload
        ``study``, ``preset``, ``codes`` (whether facts get any), ``vocabularies`` (folders of
        users' own, each with its default type), ``chunk`` (records in one), ``records`` (of the
        source), ``code_ids`` and, under ``paths``: ``source``, ``work`` (holds the folders of the
        parts), ``repeats`` (record numbers, .npy), ``key`` (of de-identification; without it
        identifiers stay) and, where wanted, ``vault``.
    start, stop
        Half-open range of records.

    Returns
    -------
    dict
        Counts, and hashes of the files written: ``notes facts`` (one number each), ``sha256``
        (notes, facts, set aside); names with their counts: ``types``, ``reasons``, ``replaced``.

    Raises
    ------
    InputError
        When the source holds fewer records than before.
    """
    paths = payload["paths"]
    work, chunk = Path(paths["work"]), start // payload["chunk"]
    done = _Done(hide_names=bool(payload["code_ids"]))
    guard = _guard(paths, payload["code_ids"])
    watch = Watch(work / ASIDE / f".reading-{chunk:06d}")
    with Part(work, chunk) as part:
        usable = done.readable(_records(payload, start, stop))
        for batch in batches(usable):
            suspected = watch.begins(done.number(batch[0]))
            spared = done.spared(payload, batch) if suspected else batch
            nlp = _nlp(*_wanted(payload))
            with limited(spared):
                for note, facts in done.read(nlp, done.protected(guard, spared)):
                    part.add(note, facts)
                    done.types.update(fact.type for fact in facts)
    aside = work / ASIDE / f"part-{chunk:06d}.jsonl"
    done.write_aside(aside)
    watch.ends()
    return {
        "notes": np.array([part.n_notes]),
        "facts": np.array([part.n_facts]),
        "sha256": np.array([*part.hashes(), file_hash(aside)]),
        **_named("types", done.types),
        **_named("reasons", done.reasons),
        **_named("replaced", done.replaced),
    }


def _named(what: str, counts: Counter[str]) -> Counts:
    ordered = sorted(counts.items())
    return {
        what: np.array([name for name, _ in ordered], dtype="U"),
        f"n_{what}": np.array([n for _, n in ordered], dtype=np.int64),
    }


def _wanted(payload: Mapping[str, Any]) -> tuple[str, bool, tuple[tuple[str, str], ...]]:
    own = payload.get("vocabularies", ())
    return payload["preset"], payload.get("codes", True), tuple((f, kind) for f, kind in own)


@lru_cache(maxsize=2)
def _nlp(preset: str, codes: bool, own: tuple[tuple[str, str], ...]) -> Language:
    return load_pipeline(preset, codes, [opened(Path(folder), kind) for folder, kind in own])


@final
@dataclass(frozen=True)
class _Guard:
    """How identifiers leave the notes; nothing is done without a key."""

    deidentifier: Deidentifier | None = None
    vault: Vault | None = None


def _guard(paths: Mapping[str, str], code_ids: bool) -> _Guard:
    if "key" not in paths:
        return _Guard()
    from ..deidentification import Deidentifier, Vault, read_key

    key = read_key(Path(paths["key"]))
    vault = Vault(Path(paths["vault"]), key) if "vault" in paths else None
    return _Guard(Deidentifier(key, code_ids=code_ids), vault)


@final
@dataclass
class _Done:
    """What became of the records of a chunk."""

    hide_names: bool
    aside: list[tuple[int, SetAside]] = field(default_factory=list)
    types: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    replaced: Counter[str] = field(default_factory=Counter)
    places: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def readable(self, records: Iterable[tuple[int, str, Note | SetAside]]) -> Iterator[Note]:
        """Yield the notes; keep the others with their reasons."""
        for number, place, made in records:
            if isinstance(made, SetAside):
                self._set_aside(number, made.where, made.reason)
            else:
                self.places[made.study_id, made.note_id] = number, place
                yield made

    def number(self, note: Note) -> int:
        """Return the number of a note's record."""
        return self.places[note.study_id, note.note_id][0]

    def spared(self, payload: Mapping[str, Any], notes: Sequence[Note]) -> list[Note]:
        """Return the notes that can be read without dying; set the others aside."""
        fatal = deadly(payload, notes)
        for place, reason in fatal.items():
            note = notes[place]
            self._set_aside(*self.places[note.study_id, note.note_id], reason)
        return [note for place, note in enumerate(notes) if place not in fatal]

    def protected(self, guard: _Guard, notes: Sequence[Note]) -> list[Note]:
        """Return notes without identifiers; what was replaced goes into the vault first."""
        if guard.deidentifier is None:
            return list(notes)
        pairs: list[tuple[Note, Deidentified]] = []
        for note in notes:
            try:
                done = guard.deidentifier.apply(note)
            except Exception as error:  # noqa: BLE001 - one note never stops the others
                self._failed(note, "identifiers could not be replaced", error)
                continue
            pairs.append((note, done))
            self.replaced.update(r.kind for r in done.replacements)
            stored = done.note
            self.places[stored.study_id, stored.note_id] = self.places[note.study_id, note.note_id]
        if guard.vault is not None and pairs:
            guard.vault.write(guard.deidentifier, pairs)
        return [done.note for _, done in pairs]

    def read(self, nlp: Language, notes: Sequence[Note]) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
        """Yield notes with their facts; when a batch fails, each note is tried alone."""
        with zone(nlp):
            try:
                found = list(zip(notes, facts_of(nlp, notes), strict=True))
            except Exception:  # noqa: BLE001 - which note it was is found below
                found = [pair for note in notes for pair in self._alone(nlp, note)]
        yield from found

    def _alone(self, nlp: Language, note: Note) -> Iterator[tuple[Note, tuple[Fact, ...]]]:
        from ..dating.component import dated

        try:
            facts = nlp(dated(nlp, note))._.facts
        except Exception as error:  # noqa: BLE001 - one note never stops the others
            self._failed(note, "the pipeline failed", error)
        else:
            yield note, facts

    def _failed(self, note: Note, what: str, error: Exception) -> None:
        number, place = self.places[note.study_id, note.note_id]
        self._set_aside(number, place, f"{what} ({type(error).__name__})")

    def _set_aside(self, number: int, place: str, reason: str) -> None:
        where = f"record {number + 1}" if self.hide_names else place
        self.aside.append((number, SetAside(where, reason)))
        self.reasons[reason] += 1

    def write_aside(self, path: Path) -> None:
        """Write what was set aside: number of the record, its place, the reason; never a word."""
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        rows = [
            {"record": number + 1, "where": aside.where, "reason": aside.reason}
            for number, aside in sorted(self.aside, key=lambda item: item[0])
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        fresh.write_text(text, "utf-8", errors="replace")
        settle(fresh, path)


def try_note(payload: Mapping[str, Any], note: Note) -> None:
    """Read a note as `extract_chunk` does, and keep nothing; what it raises is no matter here."""
    guard = _guard({k: v for k, v in payload["paths"].items() if k != "vault"}, payload["code_ids"])
    done = _Done(hide_names=True, places={(note.study_id, note.note_id): (0, "")})
    for _ in done.read(_nlp(*_wanted(payload)), done.protected(guard, [note])):
        pass


def _records(
    payload: Mapping[str, Any], start: int, stop: int
) -> Iterator[tuple[int, str, Note | SetAside]]:
    """Yield number, place and content of records; an id that an earlier note has is set aside."""
    path = Path(payload["paths"]["source"])
    repeats = set(_between(Path(payload["paths"]["repeats"]), start, stop))
    forward = _Forward.at(path, start)
    for number, raw in forward.take(start, stop):
        made = read_raw(forward.source, raw, payload["study"])
        place = forward.source.place(raw)
        if number in repeats and isinstance(made, Note):
            made = SetAside(place, REPEATED)
        yield number, place, made
    if stop >= payload["records"]:
        _Forward.close()


def _between(path: Path, start: int, stop: int) -> list[int]:
    repeats = np.load(path, allow_pickle=False)
    low, high = np.searchsorted(repeats, [start, stop])
    return [int(n) for n in repeats[low:high]]


@final
class _Forward:
    """A source that is read forwards only: a worker's chunks come in rising order."""

    _open: _Forward | None = None

    def __init__(self, path: Path) -> None:
        self.key = _state(path)
        self.source = open_source(path)
        self._raw = self.source.raw()
        self.place = 0

    @classmethod
    def at(cls, path: Path, start: int) -> _Forward:
        """Return the source that is open already where it can still reach `start`."""
        held = cls._open
        if held is None or held.key != _state(path) or held.place > start:
            cls.close()
            held = cls._open = cls(path)
        return held

    @classmethod
    def close(cls) -> None:
        """Let the file go."""
        if cls._open is not None:
            cls._open._raw.close()
            cls._open = None

    def take(self, start: int, stop: int) -> Iterator[tuple[int, Any]]:
        """Yield records with their numbers; those before `start` are passed over."""
        while self.place < stop:
            raw = next(self._raw, None)
            if raw is None:
                raise InputError(
                    f"{self.source.name}: it has fewer records than when it was first read; "
                    "leave it alone while it is read, and run the command again"
                )
            number, self.place = self.place, self.place + 1
            if number >= start:
                yield number, raw


def _state(path: Path) -> tuple[str, int, int]:
    held = path.stat()
    return str(path), held.st_size, held.st_mtime_ns
