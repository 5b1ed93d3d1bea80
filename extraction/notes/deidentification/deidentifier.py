"""A note without identifiers: found, replaced, and its places mapped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import final

from ..note import Note
from .dates import moved, year_of
from .draws import Draws
from .find_dates import day_comes_first, find_ages, find_birth_years, find_dates
from .find_names import find_names
from .find_places import find_places
from .found import Found, settled
from .keys import checked_key
from .labels import find_codes, find_formed, find_labelled
from .listed import lists
from .offsets import OffsetMap, Replacement
from .sought import Survey
from .surrogates import Surrogates


@final
@dataclass(frozen=True)
class Deidentified:
    """A note as it may be stored.

    Parameters
    ----------
    note
        With surrogates in place of identifiers, and `Note.deidentified` set.
    replacements
        What was written where, in the order of the text; no identifier stands in it.
    map
        Places of the original text and of the stored one.
    """

    note: Note
    replacements: tuple[Replacement, ...]
    map: OffsetMap

    def counts(self) -> dict[str, int]:
        """Return how many identifiers of each kind were replaced."""
        kinds = [r.kind for r in self.replacements]
        return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


@final
class Deidentifier:
    """Finds the 18 identifiers of HIPAA's Safe Harbor and replaces them by surrogates.

    A surrogate is drawn by a keyed hash of the subject and the value: the same name of the same
    subject is the same surrogate in every note, another subject's is another. Dates of a subject
    all move by the same number of days. Without the key nothing can be turned back.

    Parameters
    ----------
    key
        32 bytes or more, secret; None draws one that is forgotten with this object.
    whole_weeks
        Whether dates move by whole weeks, so that weekdays stay.
    day_first
        Whether 3/4/2021 is the third of April; None decides note by note, by dates that can be
        read in one way only, else for the month first.
    code_ids
        Whether the note's own ids become keyed codes too (`P-...`, `N-...`): wanted where a subject
        is known by a medical record number or a name.

    Raises
    ------
    InputError
        When the key is too short.

    Examples
    --------
    >>> plain = Deidentifier(key=bytes(32))
    >>> note = Note("1", "S", "P-1", 0.0, "visit", "Mr. Kowalski came on 03/04/2021, MRN 448812.")
    >>> done = plain.apply(note)
    >>> [r.kind for r in done.replacements]
    ['name', 'date', 'mrn']
    """

    def __init__(
        self,
        key: bytes | None = None,
        *,
        whole_weeks: bool = False,
        day_first: bool | None = None,
        code_ids: bool = False,
    ) -> None:
        self._key = checked_key(key)
        self._whole_weeks = whole_weeks
        self._day_first = day_first
        self._code_ids = code_ids
        self._draws = lru_cache(maxsize=1024)(lambda subject: Draws(self._key, subject))

    def apply(
        self, note: Note, subject_id: str | None = None, known: Iterable[str] = ()
    ) -> Deidentified:
        """Replace the identifiers of a note; a note that has none left is returned as it is.

        Parameters
        ----------
        note
            Its text is read, its day and ids stay, its date moves as those of the text.
        subject_id
            Whose surrogates are used; by default the note's subject.
        known
            Names of people around this subject, found wherever they stand in the text.
        """
        if note.deidentified:
            return Deidentified(note, (), OffsetMap(()))
        subject = note.subject_id if subject_id is None else subject_id
        person = f"{note.study_id}\0{subject}"
        order = self._day_first if note.day_first is None else note.day_first
        text, replacements, order = self._rewritten(note.text, person, known, order)
        day = None
        if note.date is not None:
            day = moved(note.date, self._draws(person).day_shift(self._whole_weeks))
        note_id, subject_id = self._ids(note)
        changed = replace(
            note,
            note_id=note_id,
            subject_id=subject_id,
            text=text,
            date=day,
            day_first=order,
            deidentified=True,
        )
        return Deidentified(changed, replacements, OffsetMap.of(replacements))

    def _ids(self, note: Note) -> tuple[str, str]:
        """Return the ids of the stored note and its subject."""
        if not self._code_ids:
            return note.note_id, note.subject_id
        draws = self._draws("\0ids")
        return (
            draws.code("N", f"{note.study_id}\0{note.note_id}"),
            draws.code("P", f"{note.study_id}\0{note.subject_id}"),
        )

    def day_shift(self, note: Note) -> int:
        """Return the days by which the dates of a note's subject are moved; keep it secret."""
        return self._draws(f"{note.study_id}\0{note.subject_id}").day_shift(self._whole_weeks)

    def _rewritten(
        self, text: str, person: str, known: Iterable[str], day_first: bool | None
    ) -> tuple[str, tuple[Replacement, ...], bool]:
        """Return the new text, what was replaced, and whether days were read before months."""
        draws = self._draws(person)
        survey = Survey(text)
        found = _found(survey, known)
        day_first = day_comes_first(survey) if day_first is None else day_first
        ways = Surrogates(
            draws, draws.day_shift(self._whole_weeks), day_first, _newest(text, found)
        )
        pieces: list[str] = []
        made: list[Replacement] = []
        place = length = 0
        for place_found in found:
            surrogate = ways.of(place_found, text[place_found.start : place_found.stop])
            before = text[place : place_found.start]
            start = length + len(before)
            pieces += [before, surrogate]
            length = start + len(surrogate)
            place = place_found.stop
            made.append(
                Replacement(place_found.kind, place_found.start, place, start, length, surrogate)
            )
        return "".join([*pieces, text[place:]]), tuple(made), day_first


def find(text: str, known: Iterable[str] = ()) -> list[Found]:
    """Return the identifiers of a text in its order, none overlapping another.

    Parameters
    ----------
    text
        Of a note.
    known
        Names of people around the subject.
    """
    return _found(Survey(text), known)


def _found(survey: Survey, known: Iterable[str]) -> list[Found]:
    text = survey.text
    dates = list(find_dates(survey))
    newest = _newest(text, dates)
    formed = list(find_formed(survey))
    names = find_names(survey, known)
    candidates = [
        *(f for f in formed if f.kind in ("email", "url", "fax", "photo", "device")),
        *find_labelled(survey),
        *(n for n in names if n.form == "told"),
        *(f for f in formed if f.kind not in ("email", "url", "fax", "photo", "device", "phone")),
        *find_ages(survey),
        *(d for d in dates if d.form in _WHOLE_DATES),
        *(f for f in formed if f.kind == "phone"),
        *find_places(survey, lists()),
        *dates,
        *find_birth_years(survey, newest),
        *names,
        *find_codes(text),
    ]
    return settled(text, candidates)


_WHOLE_DATES = ("iso", "numeric", "day_month", "month_day", "year_month_day", "compact")


def _newest(text: str, found: Iterable[Found]) -> int | None:
    """Return the latest year that dates of a text name."""
    years = [year_of(text[f.start : f.stop]) for f in found if f.kind == "date"]
    return max((y for y in years if y is not None and y < 2100), default=None)
