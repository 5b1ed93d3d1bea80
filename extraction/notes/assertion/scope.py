"""How far a cue reaches: clauses, lists, and what stands on either side of it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..draft import Draft, Mention
from ..lexicon import word_set
from .cues import Cue, CueList

REACH = 8  # words from a cue, or from one listed fact to the next
_CONJUNCTIONS = frozenset({"and", "or", "nor", "/", "&", "vs", "versus"})
_LISTED = _CONJUNCTIONS | word_set(
    "any other new recent acute significant further prior other active no severe mild moderate "
    "left right bilateral chronic frequent associated the a an current known previous overt such "
    "as like even recurrent of either history h/o hx obvious overt clear additional neither nor "
    "new-onset early late possible worsening"
)
_AUXILIARY = word_set(
    "is are was were has have had been being be ( - – : the a an also both all currently again "
    "ae as , since now completely fully then symptoms signs symptom features | all palpation "
    "workup work-up percussion auscultation to test tests screen swab culture cultures serology "
    "pcr smear stain result results antibody "
    "antibodies"
)
_CLAUSE_EDGES = frozenset({",", ";", ":", "but", "and", "-", "–", "—", "then"})
_LEADING = frozenset({"for", "of", "with", "to", "about", "that", "a", "an", "like", "whether"})
_LIST_ENDS = frozenset({",", ".", ";", ")", "/", "&", "or", "and", "noted", "reported"})
_LIST_BREAKS = frozenset({"but", "except", "however", "positive", "positives", "+", "yes", "no"})
_EVIDENCE = word_set(
    "evidence need indication suggestion sign support reason grounds concern suspicion signs "
    "features"
)
_TOGETHER = frozenset({"all", "both", "none", "each", "neither"})
_FINITE = word_set(
    "has is now takes continues remains complains he she they still presents reports"
)
_BREAKS = frozenset({";", "but", "however", "although", "though", "except"})
_CARRIED = word_set(
    "reported reporting developed started complaining complains presented admitted found noted "
    "diagnosed treated c continued taking"
)
_HELPING = frozenset({"been", "ever", "be", "any", "being", "yet"})
_CLOSING = word_set(
    ". , ; ) to as and at by in on after before because due for with from since when last now per "
    "this an the but or vs until - pending"
)
ARTICLES = word_set("the a an any some his her new underlying early of : - ( ongoing")


def forward(
    draft: Draft,
    cue: Cue,
    cues: CueList,
    groups: Collection[str],
    reach: int = REACH,
    commas: Callable[[Draft, int], bool] | None = None,
    across: Collection[tuple[str, str]] = (),
    until: Collection[str] = (),
) -> list[Mention]:
    """Return the mentions a cue reaches to its right.

    Parameters
    ----------
    groups
        Groups the concept can be about.
    commas
        Says whether a scope goes on behind the comma at a word; by default as a list does.
    across
        Changes of group (from, to) that do not end the scope.
    until
        Words that end this cue's scope besides those of the list.
    """
    goes_on = commas or continues_list
    index, end = cue.stop, draft.sentence[cue.start]
    limit = cue.stop + reach
    found: list[Mention] = []
    while index < end and index <= limit:
        mention = draft.by_start.get(index)
        if mention is not None:
            if mention.group == "procedure" and _is_of_evidence(draft, mention):
                index = mention.stop  # `no CT evidence of infarction`
                continue
            if not _joins(mention, found, groups, across):
                break
            found.append(mention)
            index, limit = mention.stop, mention.stop + reach
            continue
        word = draft.words[index]
        if word in "–-" and draft.tokens.gap(index) and _spaced(draft, index):
            break
        if word == ")" and _opened(draft, cue.start):
            break
        if (
            word in until
            or _stops(draft, cues, index, cue)
            or (word == "," and not goes_on(draft, index))
        ):
            break
        index += 1
    return found


def _is_of_evidence(draft: Draft, test: Mention) -> bool:
    return not _EVIDENCE.isdisjoint(draft.words[test.stop : test.stop + 1])


def _joins(
    mention: Mention,
    found: list[Mention],
    groups: Collection[str],
    across: Collection[tuple[str, str]],
) -> bool:
    if not mention.fits(tuple(groups)):
        return False
    return (
        not found or mention.group == found[0].group or (found[-1].group, mention.group) in across
    )


def _stops(draft: Draft, cues: CueList, index: int, cue: Cue) -> bool:
    match = cues.stops.at(draft.tokens, index)
    if match is None or match.start in draft.covered:
        return False
    if draft.words[index] == "for" and draft.words[index - 1] in _EVIDENCE:
        return False
    # `has not developed`, `nor been diagnosed with`: the verb belongs to the cue it follows.
    verb = index - 1 if draft.words[index] in _LEADING and index > cue.stop else index
    return not (draft.words[verb] in _CARRIED and _HELPING.issuperset(draft.words[cue.stop : verb]))


def _opened(draft: Draft, index: int) -> bool:
    """Whether a word stands in brackets: what it says ends with them."""
    depth = 0
    for word in draft.words[draft.opening[index] : index + 1]:
        depth += (word == "(") - (word == ")")
    return depth > 0


def ahead(draft: Draft, index: int) -> int:
    """Return the place of what follows behind articles and the like."""
    end = draft.sentence[index] if index < len(draft.words) else index
    while index < end and draft.words[index] in ARTICLES and index not in draft.by_start:
        index += 1
    return index


def _spaced(draft: Draft, index: int) -> bool:
    return index + 1 < len(draft.words) and bool(draft.tokens.gap(index + 1))


def continues_list(draft: Draft, comma: int) -> bool:
    """Whether a further listed fact follows the comma at this word."""
    index, end = comma + 1, draft.sentence[comma]
    for _ in range(4):
        if index >= end:
            return False
        if index in draft.by_start:
            return True
        if draft.words[index] not in _LISTED:
            # One unknown adjective may stand before a listed term.
            return (
                index + 1 in draft.by_start
                and draft.words[index].isalpha()
                and (draft.words[index] not in _VERBS)
            )
        index += 1
    return index in draft.by_start


_VERBS = word_set(
    "has had have is was are were takes took taking with reports denies on now but for started "
    "developed positive feels felt shows likely probably possible possibly suspected continue "
    "continues treated stable resolved present severe without likely r/o also includes "
    "presumed probable questionable may might suspect just only merely simply rather"
)


def bare_list(draft: Draft, comma: int) -> bool:
    """Whether a list that ends its clause follows the comma, as in `no fever, rash.`."""
    if not continues_list(draft, comma):
        return False
    if closed_list(draft, comma):
        return True
    index, end = comma + 1, draft.sentence[comma]
    while index < end:
        mention = draft.by_start.get(index)
        if mention is not None:
            return mention.stop >= end or draft.words[mention.stop] in _LIST_ENDS
        index += 1
    return False


def closed_list(draft: Draft, comma: int) -> bool:
    """Whether the comma stands in a list that ends with `and`, `or` or `vs`."""
    if not continues_list(draft, comma):
        return False
    index, end = comma + 1, draft.sentence[comma]
    seen = False
    while index < end:
        mention = draft.by_start.get(index)
        if mention is not None:
            if seen:
                return True
            index = mention.stop
            continue
        word = draft.words[index]
        if word in _CONJUNCTIONS:
            seen = True
        elif word != "," and word not in _LISTED:
            return False
        index += 1
    return False


def backward(
    draft: Draft,
    cue: Cue,
    groups: Collection[str],
    reach: int = REACH,
    adjacent: bool = False,
    commas: bool = True,
) -> list[Mention]:
    """Return the mention a cue reaches to its left, with those listed together with it.

    Parameters
    ----------
    adjacent
        Only when nothing but an auxiliary verb or a sign stands between.
    """
    opening = draft.opening[cue.start]
    index = cue.start
    while index > opening and cue.start - index <= reach:
        mention = draft.by_stop.get(index)
        if mention is not None:
            if not mention.fits(tuple(groups)):
                if mention.group == "person":
                    return []
                index = mention.start
                continue
            summed = not _TOGETHER.isdisjoint(draft.words[cue.start : cue.stop])
            summed = summed and (index < cue.start or cue.stop - cue.start > 1)  # `mets none`
            return [mention, *listed_before(draft, mention, opening, summed)]
        word = draft.words[index - 1]
        if word in _BREAKS or (word == "," and not commas):
            return []
        if adjacent and (word not in _AUXILIARY or (word == "," and not commas)):
            return []
        index -= 1
    return []


def listed_before(
    draft: Draft, mention: Mention, opening: int, joined: bool = False
) -> list[Mention]:
    """Return the mentions joined to this one by `and`, `or`, and commas before those.

    Parameters
    ----------
    joined
        Whether commas join already, as in `nausea, vomiting: both denied`.
    """
    found: list[Mention] = []
    index = mention.start
    while index > opening:
        word = draft.words[index - 1]
        other = draft.by_stop.get(index)
        if other is not None:
            if not joined or other.group != mention.group:
                break
            found.append(other)
            index = other.start
            continue
        if word in _CONJUNCTIONS:
            joined = True
        elif word != "," and word not in _LISTED:
            break
        index -= 1
    return found


def either(
    draft: Draft,
    cue: Cue,
    cues: CueList,
    groups: Collection[str],
    commas: Callable[[Draft, int], bool] | None = None,
    across: Collection[tuple[str, str]] = (),
    reach: int = REACH,
    object_first: bool = False,
) -> list[Mention]:
    """Return what a cue of undecided direction is about: its neighbour first.

    Parameters
    ----------
    object_first
        With a fact on either side, the one behind: `hypotension, likely sepsis`.
    """
    mention = draft.by_start.get(ahead(draft, cue.stop))
    before = draft.by_stop.get(cue.start)
    named = before is not None and before.fits(tuple(groups)) and not object_first
    touches = mention is not None and mention.fits(tuple(groups)) and not named
    leads = draft.words[cue.stop - 1] in _LEADING and cue.stop - cue.start > 1
    if not touches and not leads:
        found = backward(draft, cue, groups, reach=5, adjacent=True, commas=False)
        if found:
            return found
    closes = draft.words[cue.stop : cue.stop + 1] in ([","], [";"], [")"])
    if closes and cue.stop - cue.start == 1 and draft.words[cue.start - 1].isalpha():
        return backward(draft, cue, groups, commas=False)  # `A, unknown possible, B`: of neither
    found = forward(draft, cue, cues, groups, reach, commas, across)
    if found or not _closes(draft, cue):
        return found
    return backward(draft, cue, groups)


def _closes(draft: Draft, cue: Cue) -> bool:
    """Whether a cue ends its part of the sentence, so that it speaks of what stands before."""
    following = draft.words[cue.stop : min(cue.stop + 1, draft.sentence[cue.start])]
    if cue.stop - cue.start > 1 or not following:
        return True
    return following[0] in _CLOSING or following[0].isdigit()


def listed(draft: Draft, cue: Cue, groups: Collection[str]) -> list[Mention]:
    """Return what a heading within a line lists: up to the next heading, or to the line's end."""
    end = draft.sentence[cue.start]
    colons = (i for i in range(cue.stop + 1, end - 1) if draft.words[i] == ":")
    colon = next((i for i in colons if not draft.words[i + 1][0].isdigit()), end)
    if colon < end:
        while colon > cue.stop and draft.words[colon] not in (",", ";"):
            colon -= 1
    found = []
    for index in range(cue.stop, colon):
        if draft.words[index] in _LIST_BREAKS:
            break
        mention = draft.by_start.get(index)
        if mention is not None and mention.fits(tuple(groups)):
            found.append(mention)
    return found


def segment(draft: Draft, index: int) -> tuple[int, int]:
    """Return the part of a sentence around a word, between commas and semicolons."""
    start, end = draft.opening[index], draft.sentence[index]
    first, last = index, index
    while first > start and not _parts(draft, first - 1):
        first -= 1
    while last < end and not _parts(draft, last):
        last += 1
    return first, last


def _parts(draft: Draft, index: int) -> bool:
    """Whether a new part of the sentence begins: `in 2019 and has since been well`."""
    word = draft.words[index]
    if word in ("and", "but"):
        return not _FINITE.isdisjoint(draft.words[index + 1 : index + 2])
    return word in (",", ";", "–", "—")


def affirmed(draft: Draft, cues: list[Cue], concept: str, groups: Collection[str]) -> None:
    """Take a concept from the mentions that words behind them affirm: `: yes`, `confirmed`."""
    for cue in cues:
        leads = draft.words[cue.start] == "+" and cue.stop in draft.by_start  # `- gout + HTN`
        if cue.kind == "affirm" and not leads:
            for mention in backward(draft, cue, groups, reach=5, adjacent=True, commas=False):
                mention.cues.pop(concept, None)


def mark(mentions: list[Mention], concept: str, cue: Cue) -> None:
    """Note on each mention that this cue of a concept touches it; the first cue stays."""
    for mention in mentions:
        if cue.only is None or mention.fits(cue.only):
            mention.cues.setdefault(concept, (cue.start, cue.stop))


def clause_start(draft: Draft, index: int) -> int:
    """Return the first word of the clause around a word: behind a comma, semicolon or colon."""
    start = draft.opening[index]
    first = index
    while first > start and draft.words[first - 1] not in _CLAUSE_EDGES:
        first -= 1
    return first
