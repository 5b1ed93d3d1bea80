"""The page of notes: what was found in them, marked in their words and listed beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isnan
from typing import Any

from markupsafe import Markup, escape

from extraction.notes import Fact, Note
from extraction.notes.facts import ASSERTIONS, FACT_TYPES
from serving.report.render import environment, unit_words, words

_HUES = {
    "condition": 32,
    "symptom": 275,
    "adverse_event": 0,
    "medication": 208,
    "laboratory": 178,
    "vital": 140,
    "age": 48,
    "sex": 48,
    "procedure": 235,
    "imaging_finding": 320,
    "allergy": 15,
}
_OTHER_HUES = (90, 255, 300, 195, 65, 340)
_MEANINGS = {
    "present": "holds",
    "absent": "is denied",
    "possible": "is suspected",
    "conditional": "comes only under a circumstance",
    "hypothetical": "may come",
    "historical": "is over",
    "family": "is about a relative",
    "planned": "is arranged",
}
_FIRST = {"procedure": "done", "laboratory": "taken", "vital": "taken", "score": "taken"}
_MOST_CODES = 3
_LONG_WORD = 24  # characters; a longer one may be broken


def notes_page(pairs: Sequence[tuple[Note, Sequence[Fact]]], about: Mapping[str, Any]) -> str:
    """Return the page.

    Parameters
    ----------
    pairs
        Notes with their facts.
    about
        ``preset``, ``identifiers`` (``kept`` or ``replaced``), ``total`` (notes there are),
        ``set_aside`` (where and reason).

    Returns
    -------
    str
        HTML without scripts; nothing is loaded from elsewhere.
    """
    facts = [fact for _, found in pairs for fact in found]
    types = [t for t in FACT_TYPES if any(f.type == t for f in facts)]
    used = [a for a in ASSERTIONS if any(f.assertion == a for f in facts)]
    return (
        environment()
        .get_template("notes_page.html.j2")
        .render(
            about=about,
            notes=[_note(number, *pair) for number, pair in enumerate(pairs, start=1)],
            types=types,
            assertions=[(a, _MEANINGS[a]) for a in used],
            counts=Counter((f.type, f.assertion) for f in facts),
            totals=Counter(f.type for f in facts),
            hues=_hues(),
            n_facts=len(facts),
        )
    )


def _hues() -> dict[str, int]:
    others = [t for t in FACT_TYPES if t not in _HUES]
    return {
        t: _HUES[t] if t in _HUES else _OTHER_HUES[others.index(t) % len(_OTHER_HUES)]
        for t in FACT_TYPES
    }


def _note(number: int, note: Note, facts: Sequence[Fact]) -> dict[str, Any]:
    ordered = sorted(facts, key=lambda f: (f.start, -f.stop))
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    shown = []
    for fact in ordered:
        told = _fact(note.text, fact)
        row = rows.setdefault(_said(told), told)
        if row is told:
            row |= {"key": f"n{number}f{len(rows)}", "number": len(rows), "times": 0}
        row["times"] += 1
        shown.append(told | {"key": row["key"], "number": row["number"]})
    return {
        "key": f"n{number}",
        "title": note.note_id,
        "about": _about(note),
        "text": marked(note.text, shown),
        "n_facts": len(shown),
        "rows": list(rows.values()),
    }


def _said(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a row of the table would say; facts that say the same share one."""
    words = (told["type"], told["assertion"], told["certainty"] or "", told["cue"] or "")
    return (*words, told["name"] or told["text"], *told["details"], *told["codes"])


def _about(note: Note) -> str:
    parts = [f"subject {note.subject_id}", words(note.kind)]
    parts += [] if isnan(note.day) else [f"day {note.day:g}"]
    parts += ["written from a record"] if note.rendered else []
    return " · ".join(p for p in parts if p != "note")


def _fact(text: str, fact: Fact) -> dict[str, Any]:
    cue = None if fact.cue is None else text[slice(*fact.cue)]
    return {
        "text": text[fact.start : fact.stop],
        "type": fact.type,
        "assertion": fact.assertion,
        "start": fact.start,
        "stop": fact.stop,
        "cue": cue,
        "cue_span": fact.cue,
        "certainty": fact.certainty if fact.certainty != fact.assertion else None,
        "name": words(fact.name),
        "details": _details(fact),
        "codes": _codes(fact),
    }


def _details(fact: Fact) -> list[str]:
    """Say what is known of a fact beside its name, as short words."""
    told = [_amount(fact), fact.trend or "", _range(fact), _dose(fact), _lasting(fact)]
    told += [fact.severity or "", fact.status or "", fact.variant or "", fact.zygosity or ""]
    told += [fact.outcome or "", f"for {fact.indication}" if fact.indication else ""]
    told += ["high"] * (fact.flag == "H") + ["low"] * (fact.flag == "L")
    told += ["serious"] * (fact.serious is True) + ["not serious"] * (fact.serious is False)
    told += [f"related: {fact.related}"] if fact.related else []
    return [t for t in told if t]


def _amount(fact: Fact) -> str:
    if fact.value is None:
        return ""
    upper = "" if fact.upper is None else f"\u2013{fact.upper:g}"
    return f"{fact.comparator or ''}{fact.value:g}{upper} {unit_words(fact.unit)}".strip()


def _range(fact: Fact) -> str:
    ends = ["" if end is None else f"{end:g}" for end in (fact.low, fact.high)]
    return f"reference {ends[0]}\u2013{ends[1]}" if any(ends) else ""


def _dose(fact: Fact) -> str:
    dose = "" if fact.dose is None else f"{fact.dose:g} {unit_words(fact.dose_unit)}"
    needed = "as needed" if fact.as_needed and fact.frequency != "as_needed" else ""
    parts = (dose, fact.form, fact.route, words(fact.frequency or ""), needed)
    return " ".join(p.strip() for p in parts if p)


def _lasting(fact: Fact) -> str:
    told = [] if fact.duration is None else [f"for {fact.duration:g} days"]
    told += [] if fact.earlier_dose is None else [f"{fact.earlier_dose:g} before"]
    first, last = _FIRST.get(fact.type, "began"), "ended"
    if fact.assertion == "planned":
        first, last = "due", "to end"
    for bounds, verb in ((fact.began, first), (fact.ended, last)):
        told += [] if bounds is None else [f"{verb} {_days_told(*bounds)}"]
    return ", ".join(told)


def _days_told(low: float | None, high: float | None) -> str:
    """Say days from the note in words: `3 days before`, `150 to 120 days before`."""
    if low is None or high is None:
        known = f"{_day(high)} or earlier" if high is not None else ""
        return known if low is None else f"{_day(low)} or later"
    if low < high <= 0:
        return f"{-low:g} to {-high:g} days before"
    if 0 <= low < high:
        return f"{low:g} to {high:g} days after"
    return _day(low) if low == high else f"{_day(low)} to {_day(high)}"


def _day(day: float) -> str:
    if day == 0:
        return "on the note's day"
    days = "1 day" if abs(day) == 1 else f"{abs(day):g} days"
    return f"{days} {'before' if day < 0 else 'after'}"


def _codes(fact: Fact) -> list[str]:
    """Return the best codes of a fact, where codes were given."""
    best = fact.codes[:_MOST_CODES]
    return [f"{c.system} {c.code} {c.display} ({c.score:.2f})" for c in best]


def marked(text: str, facts: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a text with its facts and cues marked; of overlapping facts the first is drawn.

    Parameters
    ----------
    text
        Of the note.
    facts
        In the order of the text: ``start``, ``stop``, ``cue_span`` and what is told of them.
    """
    drawn: list[tuple[int, int, Mapping[str, Any] | None]] = []
    for fact in facts:
        if not drawn or fact["start"] >= drawn[-1][1]:
            drawn.append((fact["start"], fact["stop"], fact))
    for start, stop in sorted({f["cue_span"] for f in facts if f["cue_span"]}):
        if all(stop <= s or start >= e for s, e, _ in drawn):
            drawn.append((start, stop, None))
    drawn.sort(key=lambda item: item[0])
    ends = [(0, 0, None), *drawn, (len(text), len(text), None)]
    pieces = [Markup("")]
    for before, (start, stop, own) in pairwise(ends):
        pieces.append(escape(text[before[1] : start]))
        if own is not None:
            pieces.append(_mark(own))
        elif stop > start:
            pieces.append(Markup('<span class="cue">{}</span>').format(text[start:stop]))
    return Markup("").join(pieces)


def _mark(fact: Mapping[str, Any]) -> Markup:
    cue = [f"cue: \u201c{fact['cue']}\u201d"] if fact["cue"] else []
    told = [fact["name"], *fact["details"], *cue, *fact["codes"]]
    head = f"{words(fact['type'])}, {fact['assertion']}"
    before, tail = _last_word(fact["text"])
    return Markup(
        '<mark class="t-{type} a-{assertion}" tabindex="0" aria-describedby="{key}">{before}'
        '<span class="last">{tail}<sup aria-hidden="true">{number}</sup></span>'
        '<span class="tip" aria-hidden="true"><b>{head}</b>{told}</span></mark>'
    ).format(
        **{name: fact[name] for name in ("type", "assertion", "key", "number")},
        before=before,
        tail=tail,
        head=head,
        told=Markup("").join(Markup("<br>{}").format(line) for line in told if line),
    )


def _last_word(text: str) -> tuple[str, str]:
    """Part the last word, which its number must not leave at the end of a line."""
    before, blank, tail = text.rpartition(" ")
    return (text, "") if len(tail) > _LONG_WORD else (before + blank, tail)
