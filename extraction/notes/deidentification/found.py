"""The kinds of identifier, and a place where one was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

KINDS: dict[str, str] = {
    "name": "(A) names of patients, relatives, staff, household members and employers",
    "geographic": "(B) places smaller than a state: street, city, county, facility, ZIP code",
    "date": "(C) elements of dates finer than a year, and ages over 89",
    "phone": "(D) telephone numbers",
    "fax": "(E) fax numbers",
    "email": "(F) electronic mail addresses",
    "ssn": "(G) social security numbers",
    "mrn": "(H) medical record numbers",
    "health_plan": "(I) health plan beneficiary numbers",
    "account": "(J) account numbers",
    "licence": "(K) certificate and licence numbers",
    "vehicle": "(L) vehicle identifiers and licence plates",
    "device": "(M) device identifiers and serial numbers",
    "url": "(N) web addresses",
    "ip": "(O) internet protocol addresses",
    "biometric": "(P) biometric identifiers",
    "photo": "(Q) full-face photographs and comparable images",
    "other": "(R) any other unique identifying number, characteristic or code",
}
"""The 18 identifiers of 45 CFR 164.514(b)(2)(i), in the order of that list."""


@dataclass(frozen=True, slots=True)
class Found:
    """An identifier in a text.

    Parameters
    ----------
    start, stop
        Character places in the text, half open.
    kind
        One of `KINDS`.
    form
        What it looks like within its kind (`full_date`, `zip`, `street` ...): decides how its
        surrogate is written.
    """

    start: int
    stop: int
    kind: str
    form: str = ""


def settled(text: str, found: Iterable[Found]) -> list[Found]:
    """Return places without overlap, in the order of the text.

    An earlier place of `found` wins over a later one; what a later one covers beside it stays
    covered, as a place of its own, so that nothing that was found is left in clear.
    """
    owner = bytearray(len(text))
    kept: list[Found] = []
    for place in found:
        start = place.start
        while start < place.stop:
            if owner[start]:
                start += 1
                continue
            stop = owner.find(1, start, place.stop)
            stop = place.stop if stop < 0 else stop
            piece = _trimmed(text, start, stop)
            if piece is not None:
                whole = piece == _trimmed(text, place.start, place.stop)
                kept.append(Found(*piece, place.kind, place.form if whole else "piece"))
                owner[piece[0] : piece[1]] = b"\x01" * (piece[1] - piece[0])
            start = stop
    return sorted(kept, key=lambda f: f.start)


def _ends(text: str, start: int, stop: int) -> bool:
    """Whether a place may end here; a full stop stays behind a single letter only."""
    last = text[stop - 1]
    if last == ".":
        return (
            text[max(start, stop - 3) : stop - 1][-2:].lstrip(". -,").isalpha()
            and not text[max(start, stop - 3) : stop - 1].isalpha()
        ) or stop - start == 2
    return last.isalnum() or last in "*)"


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int] | None:
    """Drop blanks and signs at the ends; None when no letter or digit is left."""
    while start < stop and not (text[start].isalnum() or text[start] in "+(@#"):
        start += 1
    while stop > start and not _ends(text, start, stop):
        stop -= 1
    if not any(c.isalnum() for c in text[start:stop]):
        return None
    return start, stop
