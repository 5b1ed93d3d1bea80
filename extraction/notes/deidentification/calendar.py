"""Words of the calendar: months, weekdays, ordinals, holidays; in English."""

from __future__ import annotations

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SHORT_WEEKDAYS = {
    **{name[:3]: number for number, name in enumerate(WEEKDAYS)},
    "tues": 1, "weds": 2, "thur": 3, "thurs": 3,
}  # fmt: skip
ORDINALS = {
    word: number
    for number, word in enumerate(
        [
            "first",
            "second",
            "third",
            "fourth",
            "fifth",
            "sixth",
            "seventh",
            "eighth",
            "ninth",
            "tenth",
            "eleventh",
            "twelfth",
            "thirteenth",
            "fourteenth",
            "fifteenth",
            "sixteenth",
            "seventeenth",
            "eighteenth",
            "nineteenth",
            "twentieth",
            "twenty-first",
            "twenty-second",
            "twenty-third",
            "twenty-fourth",
            "twenty-fifth",
            "twenty-sixth",
            "twenty-seventh",
            "twenty-eighth",
            "twenty-ninth",
            "thirtieth",
            "thirty-first",
        ],
        start=1,
    )
}
# Month and day in an ordinary year; feasts that move are put where they usually fall.
HOLIDAYS = {
    "new year's eve": (12, 31), "new year's day": (1, 1), "new year's": (1, 1), "new years": (1, 1),
    "new year": (1, 1), "martin luther king day": (1, 18), "mlk day": (1, 18),
    "groundhog day": (2, 2), "valentine's day": (2, 14), "valentines day": (2, 14),
    "presidents' day": (2, 18), "presidents day": (2, 18), "st. patrick's day": (3, 17),
    "st patrick's day": (3, 17), "saint patrick's day": (3, 17), "good friday": (4, 10),
    "easter": (4, 12), "passover": (4, 9), "cinco de mayo": (5, 5), "mother's day": (5, 11),
    "mothers day": (5, 11), "memorial day": (5, 28), "father's day": (6, 18), "juneteenth": (6, 19),
    "fathers day": (6, 18), "independence day": (7, 4), "fourth of july": (7, 4),
    "4th of july": (7, 4), "labor day": (9, 4), "rosh hashanah": (9, 19), "yom kippur": (9, 28),
    "columbus day": (10, 12), "halloween": (10, 31), "diwali": (10, 30), "veterans day": (11, 11),
    "veteran's day": (11, 11), "thanksgiving": (11, 25), "hanukkah": (12, 12),
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "xmas": (12, 25),
    "boxing day": (12, 26),
}  # fmt: skip


def month_number(name: str) -> int | None:
    """Return the month (1 to 12) that a word of three letters or more begins, or None."""
    name = name.lower().strip(".")
    if len(name) < 3:
        return None
    return next((n for n, month in enumerate(MONTHS, 1) if month.startswith(name[:4])), None)


def weekday_number(name: str) -> int | None:
    """Return the weekday (Monday is 0) that a word names, or None."""
    name = name.lower().strip(".")
    if name in WEEKDAYS:
        return WEEKDAYS.index(name)
    return _SHORT_WEEKDAYS.get(name)


def ordinal_suffix(day: int) -> str:
    """Return what follows the number: 1st, 2nd, 3rd, 4th.

    Examples
    --------
    >>> [ordinal_suffix(day) for day in (1, 12, 22, 30)]
    ['st', 'th', 'nd', 'th']
    """
    if day in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def ordinal_word(day: int) -> str:
    """Return the day of a month as a word: `third`."""
    return next(word for word, number in ORDINALS.items() if number == day)


def dressed_like(pattern: str, word: str) -> str:
    """Return the word in capitals, lower or title case as the pattern is written."""
    if pattern.isupper() and len(pattern) > 1:
        return word.upper()
    return word.lower() if pattern.islower() else word.capitalize()


def short(name: str, like: str, full: tuple[str, ...]) -> str:
    """Return a month or weekday cut to three letters where the old one was cut."""
    if like.lower().strip(".") in full:
        return name
    return name[:3]
