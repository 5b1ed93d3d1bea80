"""The spaCy component that dates facts, and how a note's own day reaches it."""

from __future__ import annotations

from datetime import date

from spacy.language import Language
from spacy.tokens import Doc

from ...records import InputError
from ..components import draft_of
from ..note import Note
from .anchor import Anchor
from .attach import add_times

DAY = "trialtwin_day"


@Language.factory("trialtwin_times", default_config={"day_first": None})
def create_times(nlp: Language, name: str, day_first: bool | None) -> TimesComponent:
    """Return the component; it stands behind the assertions, on which the days depend."""
    return TimesComponent(day_first)


class TimesComponent:
    """Gives facts the days on which they began and ended, counted from the note.

    Parameters
    ----------
    day_first
        Whether 3/4 is the third of April where the note does not say (`Note.day_first`); None
        decides note by note, by dates that can be read in one way only, and keeps both readings
        where there is none.
    """

    def __init__(self, day_first: bool | None = None) -> None:
        self.day_first = day_first

    def __call__(self, doc: Doc) -> Doc:
        """Date the facts of one document."""
        day, day_first, moved = doc.user_data.pop(DAY, (None, None, False))
        known = None if day is None else date.fromisoformat(day)
        order = self.day_first if day_first is None else day_first
        add_times(draft_of(doc), Anchor(known, order, moved))
        return doc


def dated(nlp: Language, note: Note) -> Doc | str:
    """Return what `nlp` takes to read a note: its text, with the note's day where that is known.

    Raises
    ------
    InputError
        When the note's date is none.
    """
    if note.date is None and note.day_first is None and not note.deidentified:
        return note.text
    try:
        date.fromisoformat(note.date or "2000-01-01")
    except (TypeError, ValueError):
        raise InputError("note: its date is no day of the form YYYY-MM-DD") from None
    doc = nlp.make_doc(note.text)
    doc.user_data[DAY] = (note.date, note.day_first, note.deidentified)
    return doc
