"""Conditions, symptoms, adverse events and drug names, by their term lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from .care import add_care
from .codes.finder import Finder, together
from .draft import Draft
from .facts import FactType
from .genomics import add_genes
from .habits import add_habits
from .lexicon import Lexicon, Match, plural, read_terms
from .scales import add_scales

_FILES: tuple[tuple[str, FactType], ...] = (
    ("conditions.txt", "condition"),
    ("symptoms.txt", "symptom"),
    ("adverse_events.txt", "adverse_event"),
    ("drugs.txt", "medication"),
    ("procedures.txt", "procedure"),
)
SPECIAL = frozenset({"scale", "gene", "habit", "care"})
_SURGEONS = tuple(
    [word] for word in ("consulted", "consult", "team", "service", "resident", "attending")
)
# Said as a complaint these are symptoms; as a diagnosis in a list of problems, conditions.
_EITHER = frozenset({"insomnia", "anxiety", "vertigo", "claudication", "angina"})


def _typed() -> Iterator[tuple[FactType, str, str]]:
    """Yield type, spelling and name of every term that has a name, plurals among them."""
    for file, type_ in _FILES:
        for name, spellings in read_terms(file):
            for spelling in spellings:
                yield type_, spelling, name.lower()
                several = None if type_ == "medication" else plural(spelling)
                if several:
                    yield type_, several, name.lower()


def named_terms() -> Iterator[tuple[str, str]]:
    """Yield every spelling of a problem, drug or procedure with its normalised name."""
    yield from ((spelling, name) for _, spelling, name in _typed())
    for name, spellings in read_terms("probable.txt"):
        yield from ((spelling, name.lower()) for spelling in spellings)
    yield from ((name, name.lower()) for name, _ in read_terms("drug_classes.txt"))


@cache
def terms() -> Lexicon:
    """Return the lexicon of all terms; the payload is (type, name)."""
    lexicon = Lexicon()
    for type_, spelling, name in _typed():
        lexicon.add(spelling, (type_, name))
    for name, _ in read_terms("drug_classes.txt"):
        lexicon.add(name, ("medication", None))
    add_scales(lexicon)
    add_genes(lexicon)
    add_habits(lexicon)
    add_care(lexicon)
    for name, spellings in read_terms("probable.txt"):
        for spelling in spellings:
            lexicon.add(spelling, ("probable", name.lower()))
    return lexicon


def find_terms(draft: Draft, finders: Sequence[Finder] = ()) -> list[Match]:
    """Return the term matches of a note, longest first wins, section titles left out."""
    found = terms().find(draft.tokens)
    for finder in finders:
        found = together(found, finder.find(draft.tokens))
    return [m for m in found if m.start not in draft.headers]


def part(matches: list[Match]) -> tuple[list[Match], list[Match]]:
    """Part the matches of the lists of names from those of scales, genes, habits and care."""
    named = [m for m in matches if m.payload[0] not in SPECIAL]
    return named, [m for m in matches if m.payload[0] in SPECIAL]


def add_terms(draft: Draft, matches: list[Match]) -> None:
    """Add the matches whose words no measurement has taken."""
    for match in matches:
        type_, name = match.payload
        start, stop = match.start, match.stop
        if draft.words[start] == "infection" and start in draft.by_stop:
            continue  # `hepatitis A infection` is one fact
        if draft.words[start] == "ra" and draft.words[max(0, start - 1)] in ("%", "on", "in"):
            continue  # room air
        if draft.words[start:stop] == ["surgery"] and draft.words[stop : stop + 1] in _SURGEONS:
            continue  # the team
        probable = type_ == "probable"
        if probable:
            type_ = "condition"
        mention = draft.mention(type_, name or _written(draft, start, stop), start, stop)
        if probable:
            mention.cues["possibility"] = (start, start + 1)
        if name in _EITHER and draft.section[start] == "problems":
            mention.type = "condition"
        draft.add(mention)


def _written(draft: Draft, start: int, stop: int) -> str:
    text = draft.tokens.text[draft.tokens.starts[start] : draft.tokens.stops[stop - 1]]
    return " ".join(text.lower().split())
