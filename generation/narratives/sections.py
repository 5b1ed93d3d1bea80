"""Who the patient is, conditions, medications and adverse events in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from .measurements import number
from .phrases import Chooser, Mark, Piece, Pieces, fill, joined, phrases
from .plan import Episode

_WORD = re.compile(r"[A-Za-z]+")
_SEX = {"f": "female", "female": "female", "m": "male", "male": "male"}


def study_day(day: float) -> str:
    """A day from index as a CDISC study day: day 0 is study day 1, the day before is -1.

    Examples
    --------
    >>> study_day(0.0), study_day(-1.0)
    ('1', '-1')
    """
    whole = int(np.floor(day))
    return str(whole + 1 if whole >= 0 else whole)


def spoken(term: str) -> str:
    """A term as it stands in a sentence: capitals only where a name needs them.

    Examples
    --------
    >>> spoken("ALZHEIMER'S DISEASE")
    "Alzheimer's disease"
    """
    term = " ".join(term.split())
    if not term.isupper():
        return term
    return _WORD.sub(lambda m: _capitals().get(m.group().lower(), m.group()), term.lower())


def normal(term: str) -> str:
    """The name that facts carry: small letters, single blanks."""
    return " ".join(term.lower().split())


@cache
def _capitals() -> dict[str, str]:
    return {word.lower(): word for word in phrases()["capitals"]}


def sex_name(value: object) -> str | None:
    """`female` or `male` for what a record holds, None for anything else."""
    return _SEX.get(str(value).strip().lower())


def demographics(age: float, sex: str | None, chooser: Chooser) -> list[Pieces]:
    """A line with age (years, NaN when unknown) and sex, as far as the record has them."""
    slots: dict[str, Piece | Pieces] = {}
    if not np.isnan(age):
        years = age_in_years(age)
        attributes = {"name": "age", "value": float(years), "unit": "a"}
        for slot, form in phrases()["age_forms"].items():
            slots[slot] = Mark(form.format(years), "age", attributes)
        slots["article"] = _article(years)
    if sex is not None:
        slots["sex"] = Mark(chooser.pick(phrases()["sex_words"][sex]), "sex", {"name": sex})
    known = ("age_old" in slots, "sex" in slots)
    key = {(True, True): "both", (True, False): "age", (False, True): "sex"}.get(known)
    return [fill(chooser.pick(phrases()["demographics"][key]), **slots)] if key else []


def age_in_years(age: float) -> str:
    """An age as written, to a tenth of a year."""
    return number(round(age, 1))


def _article(age: str) -> str:
    whole = age.split(".", maxsplit=1)[0]
    return "an" if whole.startswith("8") or whole in ("11", "18") else "a"


def condition_lines(episodes: Iterable[Episode], day: float, chooser: Chooser) -> list[Pieces]:
    """Lines that state conditions, one for each assertion."""
    groups: dict[str, list[Episode]] = {}
    for episode in episodes:
        groups.setdefault(_assertion(episode, day), []).append(episode)
    lines = []
    for assertion, wording in phrases()["conditions"].items():
        if assertion in groups:
            items: list[Pieces] = [[_term(e, "condition", assertion)] for e in groups[assertion]]
            form = chooser.pick(("prose", "list"))
            row = _row(items, form, assertion)
            lines.append(fill(chooser.pick(wording[form]), items=row))
    return lines


def _assertion(episode: Episode, day: float) -> str:
    over = episode.assertion == "present" and episode.ended <= day
    return "historical" if over else episode.assertion


def _row(items: Sequence[Pieces], form: str, assertion: str) -> Pieces:
    comma = any("," in p.text for item in items for p in item if isinstance(p, Mark))
    between = "; " if comma else ", "
    if form == "list":
        return joined(items, between)
    return joined(items, between, " or " if assertion == "absent" else " and ")


def _term(episode: Episode, kind: Any, assertion: str, **attributes: Any) -> Mark:
    named = {"name": normal(episode.term), "assertion": assertion, **attributes}
    return Mark(spoken(episode.term), kind, named)


def medication_lines(
    begun: Iterable[Episode], ended: Iterable[Episode], day: float, opening: bool, chooser: Chooser
) -> list[Pieces]:
    """Lines that state medications and study treatment: taken, begun, over, denied.

    Parameters
    ----------
    day
        Of the note, days from index.
    opening
        Whether this is the subject's first note, which lists what is taken already.
    """
    groups: dict[str, list[Pieces]] = {}
    for episode in begun:
        key = _medication_group(episode, day, opening)
        groups.setdefault(key, []).append(_medication(episode, key, not opening))
    for episode in ended:
        groups.setdefault("stopped", []).append(_medication(episode, "stopped", True))
    lines = []
    for key, wording in phrases()["medications"].items():
        if key in groups:
            form = chooser.pick(("prose", "list"))
            last = " and " if form == "prose" else None
            row = joined(groups[key], "; ", last)
            lines.append(fill(chooser.pick(wording[form]), items=row))
    return lines


def _medication_group(episode: Episode, day: float, opening: bool) -> str:
    assertion = _assertion(episode, day)
    if assertion in ("possible", "absent"):
        return assertion
    if assertion == "historical":
        return "past"
    if episode.kind == "exposure":
        return "exposure"
    return "current" if opening else "started"


_GROUP_ASSERTION = {
    "past": "historical",
    "stopped": "historical",
    "possible": "possible",
    "absent": "absent",
}


def _medication(episode: Episode, group: str, dated: bool) -> Pieces:
    """Name, dose, route and frequency, as far as the record has them."""
    chooser = Chooser(episode.draw)
    words: list[str] = []
    attributes: dict[str, Any] = {}
    if not np.isnan(episode.dose):
        attributes["dose"] = float(number(episode.dose))
        words.append(number(episode.dose))
        if episode.dose_unit is not None:
            attributes["dose_unit"] = episode.dose_unit
            words.append(_dose_unit(episode, chooser))
    for name, value in (("route", episode.route), ("frequency", episode.frequency)):
        code = vocabulary(name, value)
        if code is not None:
            attributes[name] = code
            words.append(chooser.pick(_wordings(name)[code]))
    mark = _term(episode, "medication", _GROUP_ASSERTION.get(group, "present"), **attributes)
    return [mark, "".join(f" {w}" for w in words), *_dates(episode, group, dated, chooser)]


def _dose_unit(episode: Episode, chooser: Chooser) -> str:
    unit = str(episode.dose_unit)
    word: str = chooser.pick(phrases()["dose_units"].get(unit, [unit]))
    return f"{word}s" if word == "tablet" and episode.dose > 1 else word


def _dates(episode: Episode, group: str, dated: bool, chooser: Chooser) -> Pieces:
    if group == "stopped" and not np.isnan(episode.stop):
        return fill(chooser.pick(phrases()["ended"]), day=study_day(episode.stop))
    if group in ("started", "exposure") and dated and not np.isnan(episode.start):
        return fill(chooser.pick(phrases()["since"]), day=study_day(episode.start))
    return []


def _wordings(name: str) -> dict[str, list[str]]:
    wordings: dict[str, list[str]] = phrases()["routes" if name == "route" else "frequencies"]
    return wordings


def vocabulary(name: str, value: str | None) -> str | None:
    """The vocabulary's word for a recorded route or frequency, None for one without a word."""
    if value is None:
        return None
    code = value.strip().lower()
    code = phrases()[f"{name}_codes"].get(code, code)
    return code if code in _wordings(name) else None


def event_lines(episodes: Iterable[Episode]) -> list[Pieces]:
    """Lines that tell adverse events as they are known at onset."""
    lines = []
    for episode in episodes:
        chooser = Chooser(episode.draw)
        line = _event(episode, chooser)
        if episode.assertion == "present":
            for sentence in _event_details(episode, chooser):
                line = [*line, " ", *sentence]
        lines.append(line)
    return lines


def _event(episode: Episode, chooser: Chooser) -> Pieces:
    wording = phrases()["adverse_events"]
    if episode.assertion != "present":
        # A relative's adverse event makes no sense; it is told as of the past.
        key = episode.assertion if episode.assertion in wording else "historical"
        term = _term(episode, "adverse_event", key)
        return fill(chooser.pick(wording[key]), term=term)
    severity = phrases()["severities"].get(episode.severity)
    known = {} if severity is None else {"severity": episode.severity}
    term = _term(episode, "adverse_event", "present", **known)
    word = chooser.pick(severity) if severity else ""
    if np.isnan(episode.start):
        full: Pieces = [f"{word} ", term] if word else [term]
        return fill(chooser.pick(wording["undated"]), term=full)
    template = chooser.pick(wording["with_severity" if word else "plain"])
    return fill(template, term=term, severity=word, day=study_day(episode.start))


def _event_details(episode: Episode, chooser: Chooser) -> list[Pieces]:
    wording = phrases()["adverse_events"]
    out: list[Pieces] = []
    if episode.related is not None:
        out.append(fill(chooser.pick(wording["related"]), related=episode.related))
    if episode.serious is not None:
        out.append([chooser.pick(wording["serious" if episode.serious else "not_serious"])])
    return out


def resolved_lines(episodes: Iterable[Episode]) -> list[Pieces]:
    """Lines that tell adverse events that have ended."""
    wording = phrases()["adverse_events"]
    lines = []
    for episode in episodes:
        chooser = Chooser(episode.draw)
        term = _term(episode, "adverse_event", "historical")
        if np.isnan(episode.stop):
            lines.append(fill(chooser.pick(wording["resolved_undated"]), term=term))
        else:
            day = study_day(episode.stop)
            lines.append(fill(chooser.pick(wording["resolved"]), term=term, day=day))
    return lines
