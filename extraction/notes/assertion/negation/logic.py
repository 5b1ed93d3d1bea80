"""Which facts a note denies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product

from ...draft import Draft, Mention
from ...lexicon import word_set
from ..cues import Cue, CueList, closes_clause
from ..scope import affirmed, ahead, backward, bare_list, closed_list, either, forward, listed, mark
from .boxes import empty_cells, unticked
from .corrected import corrected

CONCEPT = "negation"
GROUPS = ("problem", "drug", "procedure")
_NEAR = frozenset({"not", "never", "neither"})
_NEAR_REACH = 5
_BARE = frozenset({"has", "have", "had", "did", "does", "do", "is", "are", "was", "were", "not"})
_OF_ALL = frozenset({":", "–", "—", "-", "|", "="})
_SIGNED = frozenset({"n", "-", "–", "non"})
_ANSWERS = frozenset({"yes", "no", ":"})
# What was `not` done to a drug that is taken, or to a test that was made.
_TAKEN = word_set(
    "tolerated changed increased decreased reduced altered adjusted stopped discontinued held "
    "missed helped interrupted affected completed titrated uptitrated absorbed metabolised "
    "metabolized monitored finished repeated tapered weaned improved excluded ruled confirmed "
    "proven discounted dismissed established"
)
_WHETHER = frozenset({"not", "never"})
_OR = frozenset({"or", "nor"})
_UNLIKE = word_set(
    "but has have had is are was were he she they takes took with reports now and continues "
    "presents likely possible probable may if when which who no without on"
)
_NEEDS = frozenset({"need", "needs", "wants", "want", "requires", "require", "needing"})
_DENIALS = frozenset(
    {
        *product(("not",), ("that", "true", "say", "saying", "claim", "pretend", "correct")),
        *product(("can't", "cannot", "couldn't", "wouldn't", "don't"), ("say", "claim", "think")),
        *product(("untrue", "false", "wrong", "incorrect"), ("that", "to")),
        ("no", "means"),
        ("not", "the"),
        ("far", "from"),
        ("never", "without"),
    }
)
_GROWN = word_set("grown changed progressed spread worsened enlarged improved moved ruptured")
# Behind a verb of exclusion these lead to how, when and why, and not to what is excluded.
_HOW = frozenset({"on", "by", "at", "in", "as", "when", "today", "but", "so", "using"})


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that are denied, excluded, not taken or never given."""
    found = cues.find(draft)
    for cue in found:
        if cue.kind == "affirm" or _is_ellipsis(draft, cue) or _doubled(draft, cue):
            continue
        concept = "possibility" if _is_wanted(draft, cue) else CONCEPT
        mark(_targets(draft, cue, cues), concept, cue)
    for index in draft.tokens.among(_SIGNED):
        _signed(draft, index, draft.words[index])
    for index in draft.tokens.among(_WHETHER):
        _not_done(draft, index)
    for mention, cue in (*unticked(draft), *empty_cells(draft), *corrected(draft)):
        mark([mention], CONCEPT, cue)
    affirmed(draft, found, CONCEPT, GROUPS)
    for mention in draft.mentions:
        if mention.status == "seronegative" and draft.words[mention.start - 1] == "negative":
            mention.cues.pop(CONCEPT, None)  # `RF negative RA`


def _doubled(draft: Draft, cue: Cue) -> bool:
    """Whether the denial is itself denied: `it is not true that he has no pain`."""
    start = max(draft.opening[cue.start], cue.start - 6)
    words = draft.words[start : cue.start]
    return any(pair in _DENIALS for pair in pairwise(words))


def _is_wanted(draft: Draft, cue: Cue) -> bool:
    """Whether the exclusion is only asked for: `needs septic arthritis excluding`."""
    if draft.words[cue.start] != "excluding":
        return False
    return not _NEEDS.isdisjoint(draft.words[max(0, cue.start - 6) : cue.start])


def _is_ellipsis(draft: Draft, cue: Cue) -> bool:
    """Whether a bare verb ends the clause: `the cough has gone, the wheeze has not`."""
    words = draft.words[cue.start : cue.stop]
    if words[-1] != "not" or not _BARE.issuperset(words):
        return False
    end = draft.sentence[cue.start]
    return cue.stop >= end or draft.words[cue.stop] in (".", ",", ";", ":")


def _signed(draft: Draft, index: int, word: str) -> None:
    """`asthma N, gout Y`; `- nausea/vomiting, + cough`."""
    cue = Cue(index, index + 1, "after", None)
    if word == "n":
        capital = draft.tokens.text[draft.tokens.starts[index]] == "N"
        if capital and closes_clause(draft, index + 1):
            mark(backward(draft, cue, GROUPS, reach=4, commas=False)[:1], CONCEPT, cue)
        return
    if word == "non":  # `non-diabetic`
        named = draft.by_start.get(index + 2)
        if draft.words[index + 1 : index + 2] == ["-"] and named is not None:
            mark([named], CONCEPT, cue)
        return
    following = draft.by_start.get(index + 1)
    opens = index == draft.opening[index] or draft.words[index - 1] in (",", ";", ":", "(")
    opens = opens or index in draft.by_stop
    start, end = draft.opening[index], draft.sentence[index]
    paired = any(w == "+" for w in draft.words[start:end])
    if following is not None and opens and paired and following.group == "problem":
        slashed = [following]
        while draft.words[slashed[-1].stop : slashed[-1].stop + 1] == ["/"]:
            other = draft.by_start.get(slashed[-1].stop + 1)
            if other is None:
                break
            slashed.append(other)
        mark(slashed, CONCEPT, cue)


def _not_done(draft: Draft, index: int) -> None:
    """`statin not restarted`, `the scan was never reported`: any participle will do."""
    done = draft.words[index + 1 : index + 3]
    if done[:1] in (["been"], ["yet"]):
        done = done[1:]
    if not done or not done[0].endswith(("ed", "en")) or done[0] in _TAKEN:
        return
    cue = Cue(index, index + 2, "after", None)
    behind = backward(draft, cue, ("drug", "procedure"), 5, adjacent=True, commas=False)
    mark(behind, CONCEPT, cue)


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    if cue.kind == "list":
        return listed(draft, cue, GROUPS)
    if cue.kind == "after" or _ends_clause(draft, cue) or _answers(draft, cue):
        return _behind(draft, cue, cues)
    if cue.kind == "either":
        return _excluded(draft, cue, cues)
    lone = draft.words[cue.stop - 1] in _NEAR and cue.stop - cue.start == 1
    reach = _NEAR_REACH if lone else 8
    found = forward(draft, cue, cues, cue.only or GROUPS, reach, _commas(draft, cue))
    return [m for m in found if not _affirmed(draft, m)]


def _excluded(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """`CT ruled out PE` says what it is behind the verb, `PE ruled out on CT` before it."""
    groups = cue.only or GROUPS
    found = forward(draft, cue, cues, groups, reach=4, until=_HOW, commas=bare_list)
    if found or draft.words[cue.start : cue.start + 1] != ["not"]:
        return found or either(draft, cue, cues, groups)
    return backward(draft, cue, groups, reach=6, adjacent=True, commas=False)


def _commas(draft: Draft, cue: Cue) -> Callable[[Draft, int], bool]:
    """A list goes on behind a comma only when it has begun: `no distress, mild wheezing`.

    Where each member has its own cue (`no rash, no fever, cough`), only an `or` carries on.
    """
    start = draft.opening[cue.start]
    repeated = draft.words[cue.stop - 1] in draft.words[start : cue.start]

    def goes_on(here: Draft, comma: int) -> bool:
        own = here.words[comma + 1 : comma + 2] == here.words[cue.start : cue.start + 1]
        if own or not here.within(cue.stop, comma):
            return False
        if repeated:
            return closed_list(here, comma)
        return bare_list(here, comma) or _ends_in_or(here, comma)

    return goes_on


def _answers(draft: Draft, cue: Cue) -> bool:
    """Whether a row of answers goes on behind it: `hypertension no diabetes yes`, `fever: no`."""
    colon = draft.words[cue.start - 1 : cue.start] == [":"]
    named = draft.by_stop.get(cue.start - colon)
    if named is None or draft.words[cue.stop - 1] not in ("no", "neg", "negative", "none", "nil"):
        return False
    if draft.words[cue.stop : cue.stop + 1] in (["/"], ["|"]):
        return True
    if draft.words[cue.stop - 1] in ("neg", "negative"):  # `HER2 neg carcinoma`
        return named.type in ("laboratory", "genomic_finding") or named.stop == cue.start
    other = draft.by_start.get(cue.stop)
    if other is None:
        return False
    return not _ANSWERS.isdisjoint(draft.words[other.stop : other.stop + 1])


def _ends_in_or(draft: Draft, comma: int) -> bool:
    """Whether unknown members stand before an `or`: `denies fever, change of bowels, or rash`."""
    end = min(draft.sentence[comma], comma + 14)
    for index in range(comma + 1, end):
        word = draft.words[index]
        if word in _OR:
            return any(i in draft.by_start for i in range(index + 1, min(end, index + 3)))
        if word in _UNLIKE or word in ";:.":
            return False
    return False


def _ends_clause(draft: Draft, cue: Cue) -> bool:
    """Whether nothing follows the cue: `diabetes: no.`; `fever: denied, chills: denied`."""
    return closes_clause(draft, cue.stop)


def _behind(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """A cue behind its fact; when a fact follows it at once and none precedes, it leads."""
    word = draft.words[cue.start]
    if cue.start and draft.words[cue.start - 1] == ";":  # `requested X; not given`
        asked = Cue(cue.start - 1, cue.stop, cue.kind, cue.only)
        return backward(draft, asked, cue.only or GROUPS, reach=6, adjacent=False, commas=False)
    if word in ("-", "–") and cue.stop - cue.start == 1 and _is_hyphen(draft, cue):
        return []
    titled = draft.words[cue.stop : cue.stop + 1] == [":"]
    aside = draft.words[cue.stop : cue.stop + 1] == ["("]  # `contraindicated (asthma)`
    within = cue.stop < draft.sentence[cue.start] and not aside
    following = draft.by_start.get(ahead(draft, cue.stop + titled)) if within else None
    signed = word in (":", "-", "(", "=") or aside
    open_ended = not _ends_clause(draft, cue) and not _answers(draft, cue)
    if signed and open_ended and draft.words[cue.stop - 1] == "no":
        return forward(draft, cue, cues, GROUPS)  # `cough - no fever`
    if following is not None and not signed and draft.by_stop.get(cue.start) is None:
        return forward(draft, cue, cues, GROUPS)
    turned = word == "but"  # `was prescribed but never taken`
    groups = cue.only or GROUPS
    whole = word in _OF_ALL and _ends_clause(draft, cue)  # `cyanosis of the lips: none`
    return backward(draft, cue, groups, 6, adjacent=not (turned or whole), commas=False)


def _is_hyphen(draft: Draft, cue: Cue) -> bool:
    """Whether a dash joins or separates words and is no minus sign at the end of a list item."""
    end = draft.sentence[cue.start]
    if cue.stop >= end:
        return False
    return draft.words[cue.stop] not in (",", ";", ".", "/")


def _affirmed(draft: Draft, mention: Mention) -> bool:
    """Whether a word behind the fact says that it is there: `no fever, cough present`."""
    after = draft.words[mention.stop : mention.stop + 3]
    listed = mention.start and draft.words[mention.start - 1] == ","
    if after[:1] in (["has"], ["have"]) and not _GROWN.isdisjoint(after):
        return True  # `no evidence that the aneurysm has grown`
    return bool(listed) and (
        after[:1] in (["present"], ["persists"], ["+"], ["continues"])
        or after[:2] in (["is", "present"], [":", "yes"], ["is", "noted"])
    )
