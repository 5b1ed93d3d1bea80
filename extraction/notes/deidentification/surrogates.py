"""Surrogates: what is written in place of an identifier, in the form that it had."""

from __future__ import annotations

import re

from . import dates, names, places
from .draws import Draws, normal
from .found import Found
from .listed import lists

_DIGIT_RUN = re.compile(r"\d")


class Surrogates:
    """Writes the surrogates of one note.

    Parameters
    ----------
    draws
        Of the subject.
    shift
        Days by which the subject's dates are moved.
    day_first
        Whether 3/4 is the third of April in this note.
    newest
        Latest year that the note names: who was born 90 years before it is over 89.
    """

    def __init__(self, draws: Draws, shift: int, day_first: bool, newest: int | None) -> None:
        self._draws = draws
        self._shift = shift
        self._day_first = day_first
        self._newest = newest
        self._ways = {
            "name": self._name,
            "geographic": self._place,
            "date": self._date,
            "phone": self._phone,
            "fax": self._phone,
            "email": self._email,
            "ssn": self._ssn,
            "photo": self._photo,
            "url": self._url,
            "ip": self._address,
        }

    def of(self, found: Found, text: str) -> str:
        """Return the surrogate of an identifier that is written like `text`."""
        way = self._ways.get(found.kind)
        return self._draws.disguise(found.kind, text) if way is None else way(found, text)

    def _name(self, found: Found, text: str) -> str:
        return names.surrogate(self._draws, lists(), text)

    def _place(self, found: Found, text: str) -> str:
        return places.surrogate(self._draws, found.form, text)

    def _date(self, found: Found, text: str) -> str:
        if found.form == "age":
            return dates.ninety_or_older(text)
        moved = dates.moved(text, self._shift, self._day_first, self._newest)
        return self._draws.disguise("date", text) if moved is None else moved

    def _phone(self, found: Found, text: str) -> str:
        """Other digits; the exchange becomes 555, which is nobody's."""
        made = self._draws.renumber("phone", text)
        digits = [m.start() for m in _DIGIT_RUN.finditer(made)]
        home = text.lstrip("+(")[:1] == "1" and len(digits) > 10
        if len(digits) < 10 or (text.startswith(("+", "00")) and not home):
            return made
        spelled = list(made)
        for place in digits[3 + home : 6 + home]:
            spelled[place] = "5"
        return "".join(spelled)

    def _email(self, found: Found, text: str) -> str:
        number = self._draws.number("email", normal(text), 36**6)
        return f"user{number:06d}@example.org"

    def _ssn(self, found: Found, text: str) -> str:
        """Other digits; a whole number begins with 9, which was never given out."""
        made = self._draws.disguise("ssn", text)
        digits = [m.start() for m in _DIGIT_RUN.finditer(made)]
        if len(digits) != 9:
            return made
        return made[: digits[0]] + "9" + made[digits[0] + 1 :]

    def _photo(self, found: Found, text: str) -> str:
        """Another name of the file; what kind of file it is stays."""
        stem, dot, ending = text.rpartition(".")
        if found.form != "file" or not dot:
            return self._draws.disguise("photo", text)
        return self._draws.disguise("photo", stem) + dot + ending

    def _url(self, found: Found, text: str) -> str:
        number = self._draws.number("url", normal(text), 10**8)
        scheme = "https://" if "://" in text else ""
        return f"{scheme}www.example.org/{number:08d}"

    def _address(self, found: Found, text: str) -> str:
        value = normal(text)
        if ":" in text:
            groups = [f"{self._draws.number('ip', value, 65536, turn):x}" for turn in range(2)]
            return f"2001:db8::{groups[0]}:{groups[1]}"
        ending = re.search(r"[:/]\d{1,5}$", text)
        number = self._draws.number("ip", value, 254) + 1
        return f"192.0.2.{number}" + (ending.group() if ending else "")
