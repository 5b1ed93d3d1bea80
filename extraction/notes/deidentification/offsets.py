"""Places in the original text and in the stored one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Replacement:
    """What stands in the stored text for an identifier; never the identifier itself.

    Parameters
    ----------
    kind
        One of `KINDS`.
    start, stop
        Character places in the original text.
    stored_start, stored_stop
        Character places in the stored text.
    surrogate
        ``stored_text[stored_start:stored_stop]``.
    """

    kind: str
    start: int
    stop: int
    stored_start: int
    stored_stop: int
    surrogate: str


@dataclass(frozen=True)
class OffsetMap:
    """Turns places of the original text into places of the stored text, and back.

    A place outside every replacement has exactly one partner. A span that touches a replacement
    is widened to the whole of it, because the inside of a surrogate has no partner.

    Parameters
    ----------
    edits
        ``(start, stop, stored_start, stored_stop)`` in the order of the text.

    Examples
    --------
    >>> places = OffsetMap(((3, 7, 3, 9),))
    >>> places.to_stored(8, 12), places.to_original(10, 14), places.to_stored(5, 6)
    ((10, 14), (8, 12), (3, 9))
    """

    edits: tuple[tuple[int, int, int, int], ...]
    _starts: tuple[list[int], list[int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_starts", ([e[0] for e in self.edits], [e[2] for e in self.edits])
        )

    @classmethod
    def of(cls, replacements: Sequence[Replacement]) -> OffsetMap:
        """Return the map of replacements that stand in the order of the text."""
        return cls(tuple((r.start, r.stop, r.stored_start, r.stored_stop) for r in replacements))

    def to_stored(self, start: int, stop: int) -> tuple[int, int]:
        """Return the span of the stored text that a span of the original one became."""
        return self._moved(start, stop, 0, 2)

    def to_original(self, start: int, stop: int) -> tuple[int, int]:
        """Return the span of the original text that a span of the stored one stands for."""
        return self._moved(start, stop, 2, 0)

    def _moved(self, start: int, stop: int, source: int, target: int) -> tuple[int, int]:
        if stop <= start:
            place = self._place(start, source, target, late=False)
            return place, place
        first = self._place(start, source, target, late=False)
        return first, self._place(stop, source, target, late=True)

    def _place(self, place: int, source: int, target: int, *, late: bool) -> int:
        """Move one border; `late`: it is the end of a span, so the character before it counts."""
        index = bisect_right(self._starts[source // 2], place - 1 if late else place) - 1
        if index < 0:
            return place
        edit = self.edits[index]
        begin, end = edit[source], edit[source + 1]
        inside = begin < place <= end if late else begin <= place < end
        if inside:
            return edit[target + 1] if late else edit[target]
        return place - end + edit[target + 1]
