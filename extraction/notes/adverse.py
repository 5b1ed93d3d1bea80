"""Which problems are adverse events, how severe they are, and which drugs are only a cause."""

from __future__ import annotations

from functools import cache

from .draft import Draft, Mention
from .lexicon import Lexicon, read_lines, word_set

ADVERSE_SECTIONS = frozenset({"adverse", "past_adverse"})
_GRADES = {
    "1": "mild",
    "2": "moderate",
    "3": "severe",
    "4": "life_threatening",
    "5": "fatal",
    "i": "mild",
    "ii": "moderate",
    "iii": "severe",
    "iv": "life_threatening",
    "v": "fatal",
}
_WORDS = {
    "mild": "mild",
    "moderate": "moderate",
    "severe": "severe",
    "mildly": "mild",
    "moderately": "moderate",
    "severely": "severe",
}
_GRADED = frozenset({"grade", "gr", "ctcae", "g"})
_SEVERITY_WORDS = _GRADED | _WORDS.keys()
_BETWEEN = word_set(
    "intermittent chronic acute new bilateral left right transient recurrent persistent , and "
    "ongoing diffuse generalized occasional dull sharp throbbing constant the a treatment - "
    "emergent drug related study ae of sae ) nocturnal worsening progressive ; intensity in "
    "episode episodes event adverse"
)
_DEVELOPED = word_set("developed develops experienced reported reports had")
_CAUSES = (
    ("from",),
    ("due", "to"),
    ("secondary", "to"),
    ("related", "to"),
    ("caused", "by"),
    ("attributed", "to"),
    ("attributable", "to"),
    ("induced", "by"),
    ("because", "of"),
    ("reaction", "to"),
    ("reactions", "to"),
    ("rash", "to"),
    ("hypersensitivity", "to"),
    ("urticaria", "to"),
    ("anaphylaxis", "to"),
    ("angioedema", "to"),
    ("owing", "to"),
    ("hives", "to"),
    ("ascribed", "to"),
    ("associated", "with"),
    ("allergic", "to"),
    ("allergy", "to"),
    ("allergies", "to"),
    ("intolerant", "of"),
    ("intolerant", "to"),
    ("intolerance", "to"),
    ("intolerance", "of"),
    ("sensitive", "to"),
    ("blamed", "on"),
    ("effect", "of"),
    ("effects", "of"),
    ("toxicity", "from"),
    ("thought", "from"),
)
_CAUSES_BY_END = {
    end: tuple(cause for cause in _CAUSES if cause[-1] == end) for end in {c[-1] for c in _CAUSES}
}
_ALLERGY = frozenset({"allergic", "allergy", "allergies", "intolerant", "intolerance", "sensitive"})
_LIST = frozenset({",", "and", "or", "/", "&", "the", "study", "prior", "his", "her", "use"})


@cache
def adverse_cues() -> Lexicon:
    """Return the lexicon of words that speak of adverse events; payload False hides others."""
    lexicon = Lexicon()
    for line in read_lines("adverse_cues.txt"):
        hides = line.startswith("- ")
        for spelling in line.removeprefix("- ").split(" | "):
            lexicon.add(spelling, not hides)
    return lexicon


def type_adverse_events(draft: Draft) -> None:
    """Turn the problems of adverse-event sections and sentences into adverse events."""
    first_cue: dict[int, int] = {}
    for mention in draft.mentions:  # a reaction names the kind of what is told with it
        if mention.type == "adverse_event" and "reaction" in mention.name:
            first_cue.setdefault(draft.opening[mention.start], mention.start)
    for match in adverse_cues().find(draft.tokens):
        if match.payload:
            first_cue.setdefault(draft.opening[match.start], match.start)
    for mention in draft.mentions:
        if mention.given or mention.type not in ("condition", "symptom"):
            continue
        cue = first_cue.get(draft.opening[mention.start])
        in_section = draft.section[mention.start] in ADVERSE_SECTIONS
        if (in_section or cue is not None) and not _is_background(draft, mention, cue):
            mention.type = "adverse_event"


def _is_background(draft: Draft, mention: Mention, cue: int | None) -> bool:
    """Whether the problem is the reason for a drug or a history before the event."""
    words = draft.words
    before = words[max(draft.opening[mention.start], mention.start - 4) : mention.start]
    reason = "for" in before and not {"negative", "evaluated"} & set(before)
    drug_before = any(
        m.type == "medication" for m in draft.within(draft.opening[mention.start], mention.start)
    )
    if reason and drug_before:
        return True
    if cue is None or cue < mention.start:
        return False
    if words[cue - 1] in ("no", "without", "denies", "any"):
        return True
    if not any(w in _DEVELOPED for w in words[mention.stop : cue]):
        return False
    later = draft.within(mention.stop, draft.sentence[cue])
    return any(m.group == "problem" for m in later)


def grade(draft: Draft) -> None:
    """Give adverse events and symptoms the severity stated beside them."""
    problems = [m for m in draft.mentions if m.type in ("symptom", "adverse_event")]
    if not problems:
        return
    by_sentence: dict[int, list[Mention]] = {}
    for problem in sorted(problems, key=lambda m: m.start):
        by_sentence.setdefault(draft.opening[problem.start], []).append(problem)
    for index in draft.tokens.among(_SEVERITY_WORDS):
        here = by_sentence.get(draft.opening[index])
        word = draft.words[index]
        severity = None if here is None else _severity(draft, index, word)
        if severity is None or here is None:
            continue
        target = _graded(draft, here, index)
        if target is not None and (target.severity is None or word in _WORDS):
            target.severity = severity if target.severity is None else target.severity


def _severity(draft: Draft, index: int, word: str) -> str | None:
    if index in draft.covered:
        return None
    if word in _WORDS:
        return _WORDS[word]
    if word in _GRADED and index + 1 < len(draft.words):
        following = [w for w in draft.words[index + 1 : index + 3] if w not in (".", ":")]
        return _GRADES.get(following[0]) if following else None
    return None


def _graded(draft: Draft, here: list[Mention], index: int) -> Mention | None:
    """Return the problem a severity word belongs to: the next if close, else the one before."""
    following = next((m for m in here if m.start > index), None)
    previous = next((m for m in reversed(here) if m.stop <= index), None)
    if following is not None and _adjoins(draft, index, following):
        return following
    if previous is not None:
        gap = draft.words[previous.stop : index]
        if previous.type == "symptom" and not _follows_closely(gap):
            return None
        return previous
    return following if following is not None and following.type == "adverse_event" else None


def _adjoins(draft: Draft, index: int, following: Mention) -> bool:
    start = index + 1
    graded = draft.words[index] in _GRADED
    between = draft.words[start : following.start]
    skipped = {".", "1", "2", "3", "4", "5", "i", "ii", "iii", "iv"} if graded else {"to", "-"}
    rest = [w for w in between if w not in skipped and w not in _WORDS]
    if any(w == "," for w in rest):
        return False
    return len(rest) <= 4 and all(w in _BETWEEN for w in rest)


def _follows_closely(gap: list[str]) -> bool:
    if len(gap) > 5:
        return False
    return not any(w in ("and", ";", "no", "denies", "with", "but", "without") for w in gap)


def drop_causes(draft: Draft) -> None:
    """Take out drugs named as an allergy or only as the cause of another fact."""
    dropped: set[int] = set()
    causes: list[Mention] = []
    for drug in sorted(
        (m for m in draft.mentions if m.type == "medication" and not m.given),
        key=lambda m: m.start,
    ):
        if draft.section[drug.start] == "allergies" or _is_cause(draft, drug, dropped):
            dropped.add(drug.stop)
            causes.append(drug)
    draft.drop(causes)


def _is_cause(draft: Draft, drug: Mention, dropped: set[int]) -> bool:
    words = draft.words
    after = words[drug.stop : drug.stop + 2]
    induced = after[:1] == ["-"] and after[1:] in (["induced"], ["related"], ["associated"])
    if induced or after[:1] in (["induced"], ["toxicity"], ["level"], ["levels"], ["allergy"]):
        return True
    if after[:1] == ["allergies"] or after[:1] == ["allergic"]:
        return True
    index = drug.start
    opening = draft.opening[drug.start]
    while index > opening and words[index - 1] in _LIST:
        index -= 1
        if index in dropped:
            return True
    for cause in _CAUSES_BY_END.get(words[index - 1], ()) if index > opening else ():
        if tuple(words[max(opening, index - len(cause)) : index]) == cause:
            if cause[0] in _ALLERGY:
                return True
            return any(m.group == "problem" for m in draft.within(opening, index))
    return False
