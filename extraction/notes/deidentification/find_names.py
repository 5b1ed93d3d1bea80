"""Names of people in a text: by title, field, kin, signature, lists, and by mention elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from . import name_cues as cues
from .calendar import MONTHS, WEEKDAYS
from .draws import normal
from .found import Found
from .listed import lists
from .name_words import PARTICLES, SUFFIXES, Rank, Slips, Word, words_of
from .sought import Survey
from .speakers import is_speech, names_somebody

_LONGEST = 5
_JOINS = re.compile(r"(?:[ \t]|\xa0){1,2}|-|\.[ ]?|,[ ]{1,2}|[ ]?[\"“(][ ]?|[\"”)][ ]?")
_SHORT_MONTHS = {month[:3] for month in MONTHS} | {"sept"}
CALENDAR = frozenset({*MONTHS, *_SHORT_MONTHS, *WEEKDAYS})
_DAY_OR_YEAR = re.compile(
    r"[.,]? ?(?:the )?(?:\d{1,2}(?:st|nd|rd|th)?(?!\d| ?[yYMF]\b| ?-? ?y)|(?:18|19|20)\d\d)"
)
_LABEL_OF_NAME = re.compile(
    r"\b(?:(?:patient|pt|name)[ \t]?:|(?P<title>mr|mrs|ms|miss|dr)\.?)[ \t]*$", re.IGNORECASE
)
_AND = re.compile(
    r"[,;]? (?:and|&|or) (?:(?:dr|mr|mrs|ms)\.? )?|/|[,;] (?:(?:dr|mr|mrs|ms)\.? )?", re.IGNORECASE
)


def find_names(survey: Survey, known: Iterable[str] = ()) -> list[Found]:
    """Return names; `known` are names of people of this subject, found wherever they stand."""
    return _Search(survey).run(known)


class _Search:
    """One note's search: words taken for names by a cue make their other mentions names too."""

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self.text = survey.text
        self.words = words_of(survey.text)
        self.at = {word.start: index for index, word in enumerate(self.words)}
        self.taken = bytearray(len(self.words))
        self.found: list[Found] = []
        self.sure: set[str] = set()

    def run(self, known: Iterable[str]) -> list[Found]:
        for name in known:
            self.sure |= {p for p in re.split(r"[\W\d_]+", normal(name)) if len(p) > 1}
        self._by_cue()
        self._initials()
        self._by_list()
        self._again()
        return [self._widened(place) for place in self.found]

    def _widened(self, place: Found) -> Found:
        """Take in initials and particles that stand beside a name."""
        before = cues.INITIALS_BEFORE.search(self.text[max(0, place.start - 10) : place.start])
        after = cues.TAIL.match(self.text, place.stop)
        start = place.start - len(before.group()) if before else place.start
        return Found(start, after.end() if after else place.stop, "name", place.form)

    # -- cues ---------------------------------------------------------------------------------

    def _by_cue(self) -> None:
        for cue in cues.BEFORE:
            for match in self.survey.finditer(cue.sought):
                self._after(match.end(), cue)
        for match in cues.AFTER.finditer(self.text):
            self._left_of(match.start())
        for match in self.survey.finditer(cues.DOES):
            self._doing(match.start())

    def _after(self, place: int, cue: cues.Cue) -> None:
        """Take the name that begins right after a cue, and those joined to it by `and`."""
        index = self.at.get(place)
        while index is not None and not self.taken[index]:
            stop = self._grown(index, cue)
            if stop == index or is_speech(self.text, place, self.words[index:stop]):
                return
            if cues.EPONYM_NOUN.match(self.text, self.words[stop - 1].stop):
                return
            told = cue.unknown and self._told(place, index, stop)
            self._take(index, stop, form="told" if told else "name")
            if not cue.several:
                return
            joined = _AND.match(self.text, self.words[stop - 1].stop)
            index = self.at.get(joined.end()) if joined else None

    def _grown(self, index: int, cue: cues.Cue) -> int:
        """Return where a name that begins at a word ends; the word itself when it is none."""
        stop = index
        while stop < min(len(self.words), index + _LONGEST):
            if stop > index and not self._joined(stop):
                break
            if not self._part(stop, cue, first=stop == index):
                break
            stop += 1
        while stop > index and self.words[stop - 1].plain in PARTICLES and stop - index > 1:
            stop -= 1
        return stop

    def _part(self, index: int, cue: cues.Cue, *, first: bool) -> bool:
        word = self.words[index]
        if word.plain in PARTICLES and index + 1 < len(self.words):
            after = next(
                (w for w in self.words[index + 1 : index + 4] if w.plain not in PARTICLES), word
            )
            return after.capital or cue.small == "any"
        if not first and word.plain in SUFFIXES:
            return True
        if word.rank == Rank.NEVER or not (word.capital or cue.small):
            return word.rank == Rank.NEVER and self._calendar(index, cue, first=first)
        if first and word.plain in ("a", "i") and self.text[word.stop : word.stop + 1] != ".":
            return False
        if not word.capital:
            return word.rank == Rank.NAME or (
                first and cue.small == "any" and word.rank > Rank.CLINICAL
            )
        if (
            word.capitals
            and word.rank == Rank.UNKNOWN
            and not (cue.unknown or self._shouted(index))
        ):
            return False  # an acronym
        if cue.known and first and not self._known(index):
            return False
        return word.rank > Rank.CLINICAL or word.initial or (first and cue.unknown)

    def _calendar(self, index: int, cue: cues.Cue, *, first: bool) -> bool:
        """Whether a month or weekday after a label is a name: another name stands beside it."""
        word = self.words[index]
        if not (cue.unknown and word.capital and word.plain in CALENDAR):
            return False
        if _DAY_OR_YEAR.match(self.text, word.stop):
            return False
        if not first:
            return word.plain not in WEEKDAYS and (
                self.text[word.start - 2] != "," or names_somebody(self.text, word.stop)
            )
        if self._name_follows(index + 1):
            return True
        label = _LABEL_OF_NAME.search(self.text[max(0, word.start - 16) : word.start])
        return label is not None and (
            names_somebody(self.text, word.stop) or label["title"] is not None
        )

    def _name_follows(self, index: int) -> bool:
        if index >= len(self.words) or not self._joined(index):
            return False
        word = self.words[index]
        month = word.plain in CALENDAR and word.plain not in WEEKDAYS
        return word.capital and (word.rank > Rank.CLINICAL or month)

    def _told(self, place: int, index: int, stop: int) -> bool:
        """Whether a name with a month or weekday in it is surely one, so that no date is."""
        run = self.words[index:stop]
        within = [word for word in run if word.plain in CALENDAR]
        if not within or any(_DAY_OR_YEAR.match(self.text, word.stop) for word in within):
            return False
        if len(run) > 1:
            return True
        label = _LABEL_OF_NAME.search(self.text[max(0, place - 16) : place])
        return label is not None

    def _known(self, index: int) -> bool:
        """Whether a word is one that lists hold, or an initial before one."""
        word = self.words[index]
        if word.initial:
            return (
                self.text[word.stop : word.stop + 2] == ". "
                and self.words[index + 1 : index + 2] != []
                and (self.words[index + 1].capital and self.words[index + 1].rank >= Rank.WORD)
            )
        return word.rank >= Rank.WORD and not (word.capitals and len(word.plain) < 5)

    def _shouted(self, index: int) -> bool:
        """Whether the words around are in capitals too, so that capitals say nothing."""
        around = self.words[max(0, index - 1) : index] + self.words[index + 1 : index + 2]
        return any(w.capitals and len(w.plain) > 3 for w in around)

    def _joined(self, index: int) -> bool:
        """Whether a word stands beside the one before it as parts of a name do."""
        before, word = self.words[index - 1], self.words[index]
        gap = self.text[before.stop : word.start]
        if not _JOINS.fullmatch(gap):
            return False
        if gap[0] == ".":
            return before.initial or before.plain in SUFFIXES or before.plain == "st"
        return gap[0] != "," or (word.capital and self._last_first(index))

    def _last_first(self, index: int) -> bool:
        """Whether the word after a comma is the given name of `Last, First`."""
        return (
            self.words[index].rank == Rank.NAME
            or self.words[index].initial
            or self._line_starts(index - 1)
        )

    def _line_starts(self, index: int) -> bool:
        before = self.text[max(0, self.words[index].start - 2) : self.words[index].start]
        return ":" in before or "\n" in before or not before

    def _left_of(self, place: int) -> None:
        """Take the name that ends right before credentials (`Ana Pop, RN`)."""
        stop = next((i + 1 for i in self._ending(place)), None)
        if stop is None:
            return
        start = stop
        while start > 0 and stop - start < _LONGEST - 1:
            word = self.words[start - 1]
            name = word.capital and (word.rank > Rank.CLINICAL or word.initial)
            if not (name or (word.plain in PARTICLES and start < stop)):
                break
            if start < stop and not self._joined(start):
                break
            start -= 1
        while (
            start < stop and self.words[start].plain in PARTICLES and not self.words[start].capital
        ):
            start += 1
        if start < stop:
            self._take(start, stop)

    def _doing(self, place: int) -> None:
        """Take an unlisted name before what only a person does (`Smiht called`)."""
        index = next(self._ending(place), None)
        if index is None or self.words[index].stop != place or self.taken[index]:
            return
        start = index
        while (
            start > 0
            and index - start < 2
            and self._joined(start)
            and self.words[start - 1].capital
        ):
            start -= 1
        run = self.words[start : index + 1]
        acronym = run[-1].capitals and run[-1].rank == Rank.UNKNOWN
        if all(w.capital and w.rank > Rank.CLINICAL for w in run) and not (
            run[-1].initial or acronym
        ):
            self._take(start, index + 1)

    def _ending(self, place: int) -> Iterator[int]:
        for back in range(1, 4):
            character = self.text[place - back : place - back + 1]
            if character.isalpha():
                low, high = 0, len(self.words)
                while low < high:
                    middle = (low + high) // 2
                    low, high = (
                        (middle + 1, high)
                        if self.words[middle].stop <= place - back
                        else (low, middle)
                    )
                if low < len(self.words) and self.words[low].start < place:
                    yield low
                return

    # -- initials -----------------------------------------------------------------------------

    def _initials(self) -> None:
        for sought in cues.INITIALS:
            for match in self.survey.finditer(sought):
                self.found.append(Found(*match.span("v"), "name", "initials"))
        for match in cues.INITIALS_AND_NAME.finditer(self.text):
            index = self.at.get(match.start("v"))
            if (
                index is not None
                and not self.taken[index]
                and self.words[index].rank > Rank.CLINICAL
            ):
                self._take(index, index + 1)

    # -- lists --------------------------------------------------------------------------------

    def _by_list(self) -> None:
        index = 0
        while index < len(self.words):
            stop = self._run_of_names(index)
            if stop > index:
                self._take(
                    index, stop, sure=stop - index > 1 or self.words[index].rank == Rank.NAME
                )
                index = stop
            else:
                index += 1

    def _run_of_names(self, index: int) -> int:
        """Return where a run of names that lists know ends; its start when it is none."""
        word = self.words[index]
        if self.taken[index] or not (word.capital or word.rank == Rank.NAME):
            return index
        stop = index
        while stop < min(len(self.words), index + _LONGEST) and not self.taken[stop]:
            if stop > index and not self._joined(stop):
                break
            if not self._part(stop, cues.NONE, first=stop == index):
                break
            stop += 1
        while stop > index + 1 and self.words[stop - 1].plain in PARTICLES:
            stop -= 1
        if stop == index:
            return self._small_letters(index)
        return stop if self._is_name(index, stop) else index

    def _small_letters(self, index: int) -> int:
        """Take two names of the lists in small letters, a given name first."""
        if index + 1 >= len(self.words):
            return index
        one, two = self.words[index], self.words[index + 1]
        both = one.rank == Rank.NAME and two.rank == Rank.NAME and not one.capital
        alone = len(one.plain) > 3 and len(two.plain) > 3 and two.start - one.stop == 1
        return index + 2 if both and alone and self._joined(index + 1) else index

    def _is_name(self, start: int, stop: int) -> bool:
        run = self.words[start:stop]
        names = [w for w in run if w.rank == Rank.NAME]
        if cues.EPONYM_NOUN.match(self.text, run[-1].stop):
            return len(names) > 1 and len(run) > 2
        if len(run) == 1:
            return self._single(run[0])
        listed = [w for w in run if w.rank >= Rank.WORD]
        if run[0].capitals and run[-1].capitals:
            return len(names) >= 2 or (len(names) == 1 and any(w.initial for w in run))
        if names:
            return True
        return (
            len(listed) == len(run) == 2
            and self._amid_sentence(run[0])
            and not self._amid_sentence(run[0], 2)
        )

    def _single(self, word: Word) -> bool:
        if word.rank == Rank.NAME:
            shortest = min(map(len, word.plain.split("-")))
            return len(word.plain) > 4 and shortest > 3 if word.capitals else self._long(word)
        return False

    def _long(self, word: Word) -> bool:
        """Whether a single word is long enough, or usual enough, to be a name by itself."""
        return len(word.plain) > 4 or (len(word.plain) > 2 and word.plain in lists().usual)

    def _amid_sentence(self, word: Word, letters: int = 0) -> bool:
        before = self.text[max(0, word.start - 2) : word.start]
        return len(before) == 2 and before[1] == " " and before[0].islower() and letters == 0

    # -- other mentions -----------------------------------------------------------------------

    def _again(self) -> None:
        """Find the other mentions of the words of names, slips of the pen included."""
        slips = Slips(self.sure)
        for index, word in enumerate(self.words):
            if self.taken[index] or word.rank == Rank.NEVER:
                continue
            slip = word.capital and word.rank == Rank.UNKNOWN and word.plain in slips
            if slip or (word.plain in self.sure and self._same(word)):
                self._take(index, index + 1, sure=False)

    def _same(self, word: Word) -> bool:
        """Whether a word like a name found elsewhere is that name here."""
        if cues.EPONYM_NOUN.match(self.text, word.stop):
            return False
        if word.capital:
            return word.rank > Rank.CLINICAL or not self._line_opens(word)
        return word.rank in (Rank.NAME, Rank.UNKNOWN) and len(word.plain) > 3

    def _line_opens(self, word: Word) -> bool:
        return self.text[max(0, word.start - 2) : word.start].strip(" •-") in ("", "\n", ".")

    def _take(self, start: int, stop: int, *, sure: bool = True, form: str = "name") -> None:
        run: Sequence[Word] = self.words[start:stop]
        end = run[-1].stop
        if run[-1].initial and self.text[end : end + 1] == ".":
            end += 1
        self.found.append(Found(run[0].start, end, "name", form))
        for index in range(start, stop):
            self.taken[index] = 1
        if sure:
            parts = (w for w in run if not w.initial and w.plain not in PARTICLES | SUFFIXES)
            self.sure |= {w.plain for w in parts if len(w.plain) > 2}
