"""Which fact an expression of time belongs to, and whether that began or ended then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ..assertion.scope import listed_before
from ..draft import Draft, Mention
from ..facts import Bounds
from ..lexicon import word_set
from .anchor import Anchor
from .spans import ends_before
from .verbs import CHANGES, HOLDS, LAST, OVER, STARTS, STOPS, SWITCHES, TAKING
from .when import When, find_times

Role = Literal["began", "ended"]
_REACH = 14  # words between a fact and its time
_LEADS = word_set("on in at from about around approximately ~ the over for by early late mid ( of "
                  "during within through since as - – • * back")  # fmt: skip
_EDGES = frozenset({",", ";", ":"})
_DIAGNOSED = frozenset({"diagnosed", "dx", "dx'd"})
_CLOSERS = frozenset({",", ";", ".", ")", "and", "but"})
_REASONS = (("due", "to"), ("because", "of"), ("secondary", "to"), ("for",), ("from",), ("after",))
_FILLING = word_set("the a an his her their new recent presumed suspected acute known")
# Words of a happening that is no fact: a time behind one is not that of what stands before.
_OTHER = word_set(
    "admitted admission seen visit presented presents hospitalized discharged discharge born fell "
    "retired married moved died appointment follow returned referred transferred cycle visited "
    "return returns dictated signed"
)
_NOW = word_set("but now currently presently however although while whereas has is denies today")
_KNOWN = (("history", "of"), ("hx", "of"), ("h", "/", "o"), ("known",), ("patient", "with"),
          ("man", "with"), ("woman", "with"), ("male", "with"), ("female", "with"))  # fmt: skip
_COMPARED = word_set("compared comparison than versus vs relative")
_BREAKS_OUT = word_set("developed noticed woke since diagnosed new resolved gone")
_TALKED = word_set("reviewed review ordered discussed order repeat schedule scheduled")
_CARRIED_OUT = word_set("obtained taken performed done completed underwent had")
_STATES = word_set(
    "doing going well controlled stable stabile improved improving better free without taking "
    "using working therapy weight times sober abstinent"
)
_MINE = {
    "problem": ("negation", "family", "hypothesis"),
    "drug": ("negation", "family"),
    "procedure": ("negation", "family"),
    "measure": (),
}


def add_times(draft: Draft, anchor: Anchor) -> None:
    """Give the facts of a note the days on which they began and ended.

    Parameters
    ----------
    draft
        With its assertions: what is to come is dated forwards, what is denied not at all.
    anchor
        What is known of the note's day.
    """
    if not draft.mentions:
        return
    times = find_times(draft, anchor)
    for place, when in enumerate(times):
        left = times[place - 1].stop if place else 0
        right = times[place + 1].start if place + 1 < len(times) else len(draft.words)
        _Time(draft, when, left, right).attach()


class _Time:
    """One expression of time between its neighbours `left` and `right`."""

    def __init__(self, draft: Draft, when: When, left: int, right: int) -> None:
        self.draft = draft
        self.words = draft.words
        self.when = when
        self.opening = draft.opening[when.start]
        self.end = draft.sentence[when.start]
        self.left = max(left, self.opening)
        self.right = min(right, self.end)

    def attach(self) -> None:
        """Give the days to every fact that they belong to."""
        for mention in self._targets():
            self._give(mention)

    def _targets(self) -> list[Mention]:
        when = self.when
        if self.words[when.stop - 1] == "of":
            return self._listed(self._ahead(4))
        if when.kind == "operation":
            own = [m for m in self._near() if m.group == "procedure"]
            return own[:1]
        if when.kind == "dosing":
            before = self.draft.within(max(self.left, when.start - _REACH), when.start)
            of = self.words[when.stop : when.stop + 1] == ["of"]
            named = self._ahead(2) if of or not before else before[-1]
            return [m for m in (named,) if m is not None and m.group == "drug"]
        inside = self._inside()
        if inside:
            return inside
        return self._led() if self._leads() else self._behind()

    def _near(self) -> list[Mention]:
        ahead = self.draft.within(self.when.stop, min(self.right, self.when.stop + _REACH))
        before = self.draft.within(max(self.left, self.when.start - _REACH), self.when.start)
        return [*ahead, *reversed(before)]

    def _ahead(self, reach: int) -> Mention | None:
        """Return the first fact behind the time, up to a sign that ends its part."""
        for index in range(self.when.stop, min(self.right, self.when.stop + reach)):
            mention = self.draft.by_start.get(index)
            if mention is not None:
                return mention
            if self.words[index] in _EDGES:
                return None
        return None

    def _inside(self) -> list[Mention]:
        """Return the measurement whose name stands before the time and its number behind."""
        start, stop = self.when.start, self.when.stop
        near = self.draft.within(stop, min(self.end, stop + _REACH))
        inside = [m for m in near if m.group == "measure" and m.first < start]
        return [m for m in inside if m.first == inside[0].first]

    def _leads(self) -> bool:
        """Whether the time opens its part of the sentence and does not also close it."""
        index = self.when.start
        while index > self.opening and self.words[index - 1] in _LEADS:
            index -= 1
        behind = self.words[self.when.stop : self.when.stop + 2]
        colon = behind[:1] == [":"] or behind == [")", ":"]
        if index == self.opening or colon or index - 1 in self.draft.headers:
            return True
        if self.words[index - 1] not in _EDGES:
            return False
        closed = self.when.stop >= self.end or self.words[self.when.stop] in _CLOSERS
        return not closed or self.words[index - 1] == ";"

    def _led(self) -> list[Mention]:
        """Return what follows a time at the head of its part: `On 3/4 he had X and Y`."""
        found: list[Mention] = []
        for index in range(self.when.stop, self._reach_ahead()):
            mention = self.draft.by_start.get(index)
            if mention is not None:
                if not self._is_reason(mention) and not self._is_background(mention):
                    found.append(mention)
            elif self.words[index] == ";" or (self.words[index] in _NOW and found):
                break
        if found or self.when.start == self.opening:
            return found
        return self._behind()

    def _reach_ahead(self) -> int:
        """Return where the reach of `Labs 3/4:` ends: with its paragraph, or its sentence."""
        stop, end = self.when.stop, self.end
        while stop < end and self.words[stop] in ("(", ")"):
            stop += 1
        if end - stop > 1 or self.words[end - 1] != ":" or self.right < end:
            return self.right
        limit = min(len(self.words), end + 60)
        while end < limit and "\n\n" not in self.draft.tokens.gap(end):
            if end in self.draft.headers:
                break
            end += 1
        return end

    def _behind(self) -> list[Mention]:
        """Return the fact in front of the time, with those that are listed together with it."""
        index, left = self.when.start, self._left()
        while index > left and self.words[index - 1] in _LEADS:
            index -= 1
        if self.words[index - 1] in _DIAGNOSED:  # `carcinoma, PD-L1 60%, diagnosed 11/2022`
            named = [m for m in self.draft.within(left, index) if m.type == "condition"]
            if named:
                return self._with_listed(named[-1])
        index = self.when.start
        while index > left and self.when.start - index <= _REACH:
            mention = self.draft.by_stop.get(index)
            if mention is not None and mention.group != "person":
                return self._with_listed(self._treated(mention))
            if self.words[index - 1] == ";" or self.words[index - 1] in _OTHER:
                return []
            index -= 1
        first = None if self.when.kind in ("lasting", "course") else self._ahead(_REACH)
        return [] if first is None or self._is_reason(first) else self._listed(first)

    def _left(self) -> int:
        """Return how far back the fact can stand: `started on 3/1 and stopped 3/5` is of one."""
        free = not self.draft.within(self.left, self.when.start)
        return self.opening if free else self.left

    def _treated(self, mention: Mention) -> Mention:
        """Return the drug or procedure where a fact is only the reason for it."""
        start = mention.start
        while start > self.left and self.words[start - 1] in _FILLING:
            start -= 1
        for reason in _REASONS:
            place = start - len(reason)
            if tuple(self.words[max(0, place) : start]) == reason:
                for stop in range(place, max(self.left, place - 5), -1):
                    other = self.draft.by_stop.get(stop)
                    if other is not None:
                        return other if other.group in ("drug", "procedure") else mention
        return mention

    def _is_reason(self, mention: Mention) -> bool:
        if mention.group != "problem":
            return False
        return any(
            tuple(self.words[mention.start - len(reason) : mention.start]) == reason
            for reason in _REASONS
            if reason != ("from",)
        )

    def _is_background(self, mention: Mention) -> bool:
        start = mention.start
        return any(tuple(self.words[max(0, start - len(k)) : start]) == k for k in _KNOWN)

    def _with_listed(self, mention: Mention) -> list[Mention]:
        if mention.group == "measure":
            pair = self.draft.within(max(self.left, mention.first), mention.stop)
            return [m for m in pair if m.first == mention.first] or [mention]
        others = listed_before(self.draft, mention, self.opening)
        given_up = self._given_up(mention) if mention.group == "drug" else []
        return [mention, *(m for m in others if m.type == mention.type), *given_up]

    def _given_up(self, drug: Mention) -> list[Mention]:
        """Return the drug that was changed for this one: `switched from A to B on 3/1`."""
        if self.words[drug.start - 1] not in ("to", "with", "by"):
            return []
        first = max(self.opening, drug.start - 8)
        if SWITCHES.isdisjoint(self.words[first : drug.start]):
            return []
        return [m for m in self.draft.within(first, drug.start - 1) if m.group == "drug"][-1:]

    def _listed(self, first: Mention | None) -> list[Mention]:
        """Return a fact and those of its type that a list joins behind it."""
        if first is None:
            return []
        found, index = [first], first.stop
        while index < self.right:
            other = self.draft.by_start.get(index)
            if other is not None and other.type == first.type:
                found.append(other)
                index = other.stop
            elif self.words[index] in ("and", ",", "or", "/"):
                index += 1
            else:
                break
        return found

    def _give(self, mention: Mention) -> None:
        """Set the days of one fact, where it can have them."""
        group, when = mention.group, self.when
        if group not in _MINE or any(concept in mention.cues for concept in _MINE[group]):
            return
        if when.kind in ("lasting", "course") and not self._lasts(mention):
            return
        role = None if self._is_apart(mention) else self._role(mention)
        bounds = None if role is None else self._bounds(mention, role)
        if role is None or bounds is None:
            return
        self._set(mention, role, bounds, when)
        if when.until is not None and group in ("drug", "problem"):
            ended = _Time(self.draft, when.until, self.left, self.right)._bounds(mention, "ended")
            if ends_before(ended, bounds):
                ended = when.until.ahead  # `12/28-1/3` at the end of December
            if ended is not None:
                self._set(mention, "ended", ended, when)

    def _is_apart(self, mention: Mention) -> bool:
        """Whether the time is of something else: a comparison, today's visit, another state."""
        when, words = self.when, self.words
        if not _COMPARED.isdisjoint(words[max(self.left, when.start - 3) : when.start]):
            return True
        told = words[self.left : self.right]
        if when.kind == "at" and when.past == (0.0, 0.0):
            if mention.group == "problem":
                return STARTS.isdisjoint(told) and _BREAKS_OUT.isdisjoint(told)
            if mention.group == "procedure":
                return not _TALKED.isdisjoint(told) and _CARRIED_OUT.isdisjoint(told)
        if when.kind in ("lasting", "course") and mention.group == "problem":
            return not _STATES.isdisjoint(self._between(mention))
        return False

    def _set(self, mention: Mention, role: Role, bounds: Bounds, when: When) -> None:
        if getattr(mention, role) is not None:
            return
        if role == "ended" and ends_before(bounds, mention.began):
            return
        if role == "began" and ends_before(mention.ended, bounds):
            mention.ended = mention.ended_at = None  # `stopped on 3/1, restarted on 3/10`
        setattr(mention, role, bounds)
        starts, stops = self.draft.tokens.starts, self.draft.tokens.stops
        setattr(mention, f"{role}_at", (starts[when.start], stops[when.stop - 1]))

    def _lasts(self, mention: Mention) -> bool:
        """Whether a length of time reaches until now; keep that of a course of a drug."""
        when = self.when
        if mention.group == "drug":
            words = self.words[self.opening : when.start]
            long = when.past is not None and (when.past[1] or 0) < -45
            taking = not TAKING.isdisjoint(words) or (long and "on" in words)
            if when.kind == "lasting" or (taking and STOPS.isdisjoint(words)):
                return "history" not in mention.cues
            if mention.duration is None:
                mention.duration = when.days
            return False
        return mention.group == "problem" and "history" not in mention.cues

    def _bounds(self, mention: Mention, role: Role) -> Bounds | None:
        """Return the days by what the fact is: past, going on, or to come."""
        when = self.when
        planned = "planning" in mention.cues or "hypothesis" in mention.cues
        if planned or (role == "ended" and self._until() and not self._told_past()):
            return when.ahead
        if when.past is None:
            return None
        low, high = when.past
        if low is not None and low > 0:
            return None  # a time to come, of what is there already
        return low, 0.0 if high is None else min(high, 0.0)

    def _told_past(self) -> bool:
        words = self.words[self.left : self.when.start]
        return any(w in ("was", "were", "took", "had", "until recently", "treated") for w in words)

    def _until(self) -> bool:
        return not {"until", "till", "through", "thru"}.isdisjoint(
            self.words[max(self.left, self.when.start - 2) : self.when.start]
        )

    def _role(self, mention: Mention) -> Role | None:
        """Say whether the fact began or ended then; None where the words tell neither."""
        if self.when.kind in ("operation", "history", "dosing"):
            return "began"
        between = self._between(mention)
        if mention.group == "drug":
            return self._role_of_drug(mention, between)
        if mention.group == "problem" and not OVER.isdisjoint(between):
            return "ended"
        return "began"

    def _between(self, mention: Mention) -> Sequence[str]:
        if mention.stop <= self.when.start:
            return self.words[mention.stop : self.when.start]
        return self.words[self.when.stop : mention.start]

    def _role_of_drug(self, drug: Mention, between: Sequence[str]) -> Role | None:
        lead = self.words[max(self.left, self.when.start - 2) : self.when.start]
        if "since" in lead:
            told = self._told(drug, [*self._around(drug), *between])
            return "ended" if told == "ended" else "began"
        if self._until():
            return None if not HOLDS.isdisjoint(self._around(drug)) else "ended"
        if self.when.kind in ("lasting", "course") or self.when.until is not None:
            return "began"
        for words in (list(between), self._around(drug)):
            role = self._told(drug, words)
            if role is not None:
                return role if role != "changed" else None
        return None

    def _told(self, drug: Mention, words: Sequence[str]) -> Role | Literal["changed"] | None:
        """Return what the nearest verb says of a drug."""
        for word in reversed(words):
            if word in SWITCHES:
                before = self.words[drug.start - 1 : drug.start]
                onto = before and before[0] in ("to", "with", "by")
                return "began" if onto else "ended"
            if word in CHANGES:
                return "changed"
            if word in LAST and "last" in words:
                return "ended"
            if word in STARTS:
                return "began"
            if word in STOPS or word in HOLDS:
                return "ended"
        return None

    def _around(self, drug: Mention) -> list[str]:
        """Return the words before a drug in its part of the sentence, over others of its list."""
        index = drug.start
        while index > self.opening and drug.start - index <= 10:
            if self.words[index - 1] == ";" or index - 1 in self.draft.headers:
                break
            index -= 1
        behind = min(self.end, drug.stop + 4)
        after = [] if self.when.stop > drug.start else self.words[drug.stop : behind]
        return [*after, *self.words[index : drug.start]]
