"""Which facts a note denies."""

from __future__ import annotations

from collections.abc import Callable

from ...draft import Draft, Mention
from ..cues import Cue, CueList, closes_clause
from ..scope import affirmed, backward, bare_list, closed_list, either, forward, mark

CONCEPT = "negation"
GROUPS = ("problem", "drug", "procedure")
_NEAR = frozenset({"not", "never", "neither"})
_NEAR_REACH = 5
_BARE = frozenset({"has", "have", "had", "did", "does", "do", "is", "are", "was", "were", "not"})
_SIGNED = frozenset({"n", "-", "–"})


def assess(draft: Draft, cues: CueList) -> None:
    """Mark the mentions that are denied, excluded, not taken or never given."""
    found = cues.find(draft)
    for cue in found:
        if cue.kind != "affirm" and not _is_ellipsis(draft, cue):
            mark(_targets(draft, cue, cues), CONCEPT, cue)
    for index in draft.tokens.among(_SIGNED):
        _signed(draft, index, draft.words[index])
    affirmed(draft, found, CONCEPT, GROUPS)


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
        before = draft.by_stop.get(index) or draft.by_stop.get(index - 1)
        if capital and before is not None and closes_clause(draft, index + 1):
            mark([before], CONCEPT, cue)
        return
    following = draft.by_start.get(index + 1)
    opens = index == draft.opening[index] or draft.words[index - 1] in (",", ";", ":", "(")
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


def _targets(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    if cue.kind == "after" or _ends_clause(draft, cue):
        return _behind(draft, cue, cues)
    if cue.kind == "either":
        return either(draft, cue, cues, GROUPS)
    lone = draft.words[cue.stop - 1] in _NEAR and cue.stop - cue.start == 1
    ahead = forward(draft, cue, cues, GROUPS, _NEAR_REACH if lone else 8, _commas(draft, cue))
    return [m for m in ahead if not _affirmed(draft, m)]


def _commas(draft: Draft, cue: Cue) -> Callable[[Draft, int], bool]:
    """A list goes on behind a comma only when it has begun: `no distress, mild wheezing`.

    Where each member has its own cue (`no rash, no fever, cough`), only an `or` carries on.
    """
    start = draft.opening[cue.start]
    repeated = draft.words[cue.stop - 1] in draft.words[start : cue.start]

    def goes_on(here: Draft, comma: int) -> bool:
        if not here.within(cue.stop, comma):
            return False
        return closed_list(here, comma) if repeated else bare_list(here, comma)

    return goes_on


def _ends_clause(draft: Draft, cue: Cue) -> bool:
    """Whether nothing follows the cue: `diabetes: no.`; `fever: denied, chills: denied`."""
    return closes_clause(draft, cue.stop)


def _behind(draft: Draft, cue: Cue, cues: CueList) -> list[Mention]:
    """A cue behind its fact; when a fact follows it at once and none precedes, it leads."""
    word = draft.words[cue.start]
    if word in ("-", "–") and cue.stop - cue.start == 1 and _is_hyphen(draft, cue):
        return []
    titled = draft.words[cue.stop : cue.stop + 1] == [":"]
    following = draft.by_start.get(cue.stop + titled)
    signed = word in (":", "-", "(", "=")
    if signed and not _ends_clause(draft, cue) and draft.words[cue.stop - 1] == "no":
        return forward(draft, cue, cues, GROUPS)  # `cough - no fever`
    if following is not None and not signed and draft.by_stop.get(cue.start) is None:
        return forward(draft, cue, cues, GROUPS)
    turned = word == "but"  # `was prescribed but never taken`
    return backward(draft, cue, GROUPS, reach=6, adjacent=not turned, commas=False)


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
    return bool(listed) and (
        after[:1] in (["present"], ["persists"], ["+"], ["continues"])
        or after[:2] in (["is", "present"], [":", "yes"], ["is", "noted"])
    )
