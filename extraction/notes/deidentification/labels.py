"""Numbers and codes: those that a label names, and those that their form gives away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources

from .dates import is_date
from .found import Found
from .sought import Sought, Survey

# A code: letters, digits and joints; groups after a blank belong to it when they hold a digit.
_CODE = (
    r"(?P<code>(?:(?-i:[A-Z]{2,4}) (?=[\-A-Z]{0,3}\d))?(?=[\w\-./:*#]{0,30}\d)[\w*#][\w*]{0,30}(?"
    r":[\-./_:][\w*]{1,24}){0,6}"
    r"(?-i:[ ](?=[A-Z\d*]{0,5}\d)[A-Z\d*]{2,6}(?!\w|[/:.]\w)){0,5})"
)
_FILLER = (
    r"\.?"
    r"(?:(?:[ \t]*(?:[:=#\-–—,|*]|\((?!\d{3}\))|\)|['\"])[ \t]*|[ \t]+)"
    r"(?:(?:number|numbers|num|no\.|no|nr|nos|id|ids|code|is|was|of|the|a|ending|ends|in|with|on|"
    r"file|his|her|"
    r"their|listed|as|and|reads?|under|assigned|issued|registered|recorded|card|identifier|last|"
    r"four|digits|"
    r"value|tag|ref|reference|for|this|patient|patient's|to|verified|confirmed|entered|called|"
    r"state|stored|"
    r"system|which|currently|[A-Z]{2}(?=[ :#\-]))(?![\w]))?\.?){0,7}?[ \t]*[#:=]?[ "
    r"\t]*[\"'(]?\n?[ \t]{0,3}"
)
_ENOUGH = {"strict": (4, 3), "loose": (3, 1)}


def find_labelled(survey: Survey) -> Iterator[Found]:
    """Yield codes and numbers that follow a word for what they are (`MRN: 4471-22`)."""
    labels, kinds = _labels()
    text = survey.text
    for match in survey.finditer(labels):
        label = " ".join(match["label"].lower().split()).strip(".")
        kind, grade = kinds[label]
        code = _code_after(text, match.end("label"), grade)
        if code is not None:
            yield Found(*code, kind, "code")


def find_formed(survey: Survey) -> Iterator[Found]:
    """Yield what its form gives away: addresses of the net, telephone numbers, known codes."""
    for kind, form, sought in _FORMS:
        name = "v" if "v" in sought.pattern.groupindex else 0
        for match in survey.finditer(sought):
            yield Found(match.start(name), match.end(name), kind, form)


def find_codes(text: str) -> Iterator[Found]:
    """Yield codes that nothing names: letters with five digits or more, long numbers."""
    for match in _LONG_CODE.finditer(text):
        digits = sum(c.isdigit() for c in match.group())
        mixed = any(c.isalpha() for c in match.group())
        if digits >= (4 if mixed else 7) and not _PUBLIC.fullmatch(match.group()):
            yield Found(match.start(), match.end(), "other", "code")


def _code_after(text: str, place: int, grade: str) -> tuple[int, int] | None:
    match = _AFTER.match(text, place)
    if match is None:
        return None
    start, stop = match.span("code")
    code = text[start:stop].rstrip(".:/_-#")
    digits = sum(c.isdigit() for c in code)
    signs = sum(c.isalnum() or c == "*" for c in code)
    told = match.start("code") - place > 0 and re.search(
        r"[:#=]|\bn(?:o|um|umber)\b|\bid\b", text[place:start], re.I
    )
    least_signs, least_digits = _ENOUGH["loose" if told and grade == "sure" else "strict"]
    if is_date(code) or (not told and _YEAR.fullmatch(code)) or _DECIMAL.fullmatch(code):
        return None
    if digits < least_digits or signs < least_signs or _MEASURED.match(text, start + len(code)):
        return None
    return start, start + len(code)


_AFTER = re.compile(_FILLER + _CODE, re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")
_DECIMAL = re.compile(r"\d{1,4}[.,]\d{1,4}")
_MEASURED = re.compile(
    r" ?(?:mg|mcg|ml|kg|lbs?|%|mm|cm|years?|days?|weeks?|months?|hours?|times)\b", re.I
)
_LONG_CODE = re.compile(
    r"(?<![\w.,/$])(?=[A-Za-z\d\-_./]{0,20}\d)[A-Za-z\d]{1,24}(?:[\-_/.][A-Za-z\d]{1,16}){0,6}(?!"
    r"[\w])"
)
_MEASURE = r"(?:mg|mcg|g|kg|ml|l|dl|ul|mmhg|mm|cm|m|ui|iu|u|min|hr|h|day|d|hz|cells|kcal|meq)"
_PUBLIC = re.compile(
    r"NCT\d{8}|rs\d{3,12}|[A-TV-Z]\d{2}(?:\.\d{1,4})?|(?:SARS-)?CoV-?2|COVID-?19|\d{1,5}-\d|"
    r"[cp]?T\d[a-z]?N\d[a-z]?M\d\w{0,4}|\d{1,2}[pq]\d\d[\w.]*|(?:\d{1,2}[RL]/?)+|"
    rf"[\d.,]+(?:[\-/]?(?:{_MEASURE}|[\d.]+))*|"
    r"[\d.]+(?:[\-/][\d.]+)*(?:mg|mcg|ml|g|kg|mm|cm|iu|units?|meq|l|hz|hrs?|h|min|s|x|k|pm|am|"
    r"lbs?|[FC])?|"
    r"[A-Z]{2,6}\d{1,3}[A-Z]?\d?|[cgp]\.[A-Z]?\w{2,20}|\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?:am|pm)?",
    re.IGNORECASE,
)


@cache
def _labels() -> tuple[Sought, dict[str, tuple[str, str]]]:
    text = resources.files(__package__).joinpath("terms/labels.txt").read_text("utf-8")
    kinds: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        head, _, names = line.partition(":")
        if not line.startswith("#"):
            kind, _, grade = head.strip().partition(" ")
            kinds.update({n.strip().lower(): (kind, grade or "sure") for n in names.split("|")})
    ordered = sorted(kinds, key=len, reverse=True)
    choice = "|".join(
        re.escape(n).replace(r"\ ", r"\.?[ \-]?" if len(n) > 5 else r" ") for n in ordered
    )
    plain = {re.sub(r"[ .\-]", "", n): v for n, v in kinds.items()}
    pattern = re.compile(rf"(?<![\w/])(?P<label>{choice})(?:'s)?(?![a-z])\.?", re.IGNORECASE)
    return Sought(pattern, "words"), _Plain(plain)


class _Plain(dict[str, tuple[str, str]]):
    """Labels compared without blanks, full stops and hyphens."""

    def __getitem__(self, label: str) -> tuple[str, str]:
        return super().__getitem__(re.sub(r"[ .\-]", "", label))


_HEX = r"[0-9A-Fa-f]"
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_PHONE = (
    r"(?:\+?1[ .\-]{0,2})?(?:\(\d{3}\)[ .\-]{0,2}|\d{3}[ .\-]{1,3})\d{3}[ .\-]{1,3}\d{4}(?!\d)"
    r"(?:,? ?(?:x|ext\.?|extension) ?\d{1,6})?"
)
_ABROAD = (
    r"(?=(?:\+|00)\d(?:[ .\-()]{0,3}\d){7,14}(?!\d))(?:\+|00)"
    r"[1-9]\d{0,2}(?:[ .\-]{0,2}\(?\d{1,5}\)?){2,6}(?!\d)"
)
# As written within a country, the area in round brackets or not: the United Kingdom and Ireland,
# Australia, France, Germany and its neighbours. Unparted ones only where few codes look so.
_NATIONAL = (
    r"(?!\(?00)(?:\(0\d{2}\) ?\d{4}[ .\-]?\d{4}|0\d{2}[ .\-]\d{4}[ .\-]?\d{4}"
    r"|\(0\d{3}\) ?\d{3}[ .\-]?\d{4}|0\d{3}[ .\-]\d{3}[ .\-]?\d{4}"
    r"|\(0\d{4}\) ?\d{3}[ .\-]?\d{3}|0\d{4}[ .\-]\d{3}[ .\-]?\d{3}"
    r"|\(0\d\) ?\d{4}[ .\-]?\d{4}|0[2378][ .\-]\d{4}[ .\-]\d{4}"
    r"|0[47]\d{2}(?P<s1>[ .\-])\d{3}(?P=s1)\d{3}|08\d[ .\-]\d{3}[ .\-]\d{4}"
    r"|0[1-9](?P<s2>[ .\-])\d{2}(?:(?P=s2)\d{2}){3}|06[ \-]\d{8}"
    r"|(?:0\d{2,4}[/\-]|0\d{2,3} )\d{7,8}|0\d{3,4}[/\-]\d{5,6}"
    r"|1[38]00[ \-]\d{3}[ \-]\d{3}|07\d{9}|0[12]\d{9}|04\d{8})(?![\w/]|[.\-]\d)"
)
_FAX = r"\b(?:fax(?:ed|es)?|facsimile|fx)(?![a-z])[^\n\d;@+(]{0,40}?[(]?"
_FORMS: tuple[tuple[str, str, Sought], ...] = (
    (
        "email",
        "email",
        Sought(
            re.compile(
                r"(?<![\w.+\-])[\w.+\-']{1,64} ?@ ?[\w\-]{1,63}(?:\.[\w\-]{1,63}){1,4}(?!\w)"
            ),
            needs="@",
        ),
    ),
    (
        "email",
        "email",
        Sought(
            re.compile(
                r"(?<![\w.])[\w.+\-]{1,40}(?: (?:dot|\(dot\)|\[dot\]) \w{1,30}){0,3} ?(?:\[at\]|"
                r"\(at\)| at )"
                r" ?[\w\-]{1,30}(?: ?(?:dot|\(dot\)|\[dot\]) ?)(?:com|org|net|edu|gov|io|co)(?!\w)",
                re.IGNORECASE,
            ),
            needs="dot",
        ),
    ),
    (
        "url",
        "url",
        Sought(
            re.compile(
                r"(?<![\w@.])(?:(?:https?|ftp|sftp)://[^\s<>\"'()\[\]]{1,300}[^\s<>\"'()\[\].,;:!?]"
                r"|www\.[^\s<>\"'()]{1,200}[^\s<>\"'().,;:!?]"
                r"|(?:[a-z\d][a-z\d\-]{0,40}\.){1,4}(?:com|org|net|edu|gov|io|health|info|me|co|us|"
                r"uk|ca|de|"
                r"fr|ro|app|care|med|mil)(?:/[^\s<>\"'()]{0,200}[^\s<>\"'().,;:!?])?(?![\w@]))",
                re.IGNORECASE,
            ),
            needs=r"://|www\.|\.(?:com|org|net|edu|gov|io|health|info|me|co|us|uk|ca|de|fr|ro|app|care|med|mil)",
        ),
    ),
    (
        "ip",
        "ip",
        Sought(
            re.compile(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?:[:/]\d{{1,5}})?(?![\d])(?!\.\d)"),
            "numbers",
        ),
    ),
    (
        "ip",
        "ip",
        Sought(
            re.compile(
                rf"(?<![\w:])(?:(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}"
                rf"|(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}}|"
                rf"(?:{_HEX}{{1,4}}:){{1,7}}:)(?![\w:])"
            ),
            needs=r"::|(?::[\da-f]{1,4}){6}:",
        ),
    ),
    (
        "device",
        "mac",
        Sought(
            re.compile(rf"(?<![\w:])(?:{_HEX}{{2}}[:\-]){{5}}{_HEX}{{2}}(?![\w:])"),
            needs=r"(?:[:\-][\da-f]{2}){4}[:\-]",
        ),
    ),
    ("device", "udi", Sought(re.compile(r"\(01\)\d{14}(?:\((?:10|11|17|21)\)[\w\-]{1,20}){0,4}"))),
    (
        "fax",
        "fax",
        Sought(
            re.compile(
                rf"{_FAX}(?P<v>{_ABROAD}|{_PHONE}|\d{{10,11}}(?!\d)|\d{{3}}[\-. ]\d{{4}}(?!\d))",
                re.I,
            ),
            "words",
        ),
    ),
    ("fax", "fax", Sought(re.compile(rf"(?<!\w)F(?:ax)?\.?: ?(?P<v>{_ABROAD}|{_PHONE})"), "words")),
    (
        "fax",
        "fax",
        Sought(
            re.compile(
                rf"(?<![\w./\-])(?P<v>{_PHONE}|{_ABROAD}|\d{{3}}[\-.]\d{{4}})"
                r"(?: ?[(\[](?:fax|facsimile|f)[)\]]|,? (?:fax|facsimile)\b(?! ?[:#.(=]| ?n|"
                r" ?\+?\d))",
                re.I,
            ),
            "numbers",
            before=1,
            needs=r"fax|facsimile|\(f\)|\[f[)\]]|\(f\]",
        ),
    ),
    (
        "ssn",
        "ssn",
        Sought(
            re.compile(
                r"(?<![\d\-])(?:\d{3}([\- .])\d{2}\1\d{4}|[Xx*]{3}-?[Xx*]{2}-?\d{4})(?![\d\-]|\.\d)"
            ),
            needs=r"\d{2}[\- .]\d{4}|[x*]{2}-?\d{4}",
        ),
    ),
    (
        "phone",
        "phone",
        Sought(re.compile(rf"(?<![\w./\-+])(?P<v>{_NATIONAL})"), "numbers", before=1),
    ),
    (
        "phone",
        "phone",
        Sought(
            re.compile(rf"(?<![\w./\-])(?:{_ABROAD}|{_PHONE})", re.IGNORECASE), "numbers", before=1
        ),
    ),
    (
        "phone",
        "phone",
        Sought(
            re.compile(
                r"\b(?:phone|tel|telephone|cell|mobile|call(?:ed|s|ing)?|home|work|pager|beeper|"
                r"contact|ph|"
                r"reach(?:ed|able)?|office|callback|text)\b\.?[^\n\d]{0,20}?"
                r"(?P<v>(?=(?:[ ().+\-]{0,3}\d){7})(?:\+|00)?\(?\d(?:[\d ()\-]|\.(?! )){5,18}\d)"
                r"(?![\d/])"
                r"(?:,? ?(?:x|ext\.?|extension) "
                r"?\d{1,6})?",
                re.IGNORECASE,
            ),
            "words",
        ),
    ),
    ("phone", "phone", Sought(re.compile(r"(?<![\w./\-])\d{3}-\d{4}(?![\w\-]|\.\d)"), "numbers")),
    (
        "phone",
        "extension",
        Sought(re.compile(r"\b(?:ext|extension)\.? ?(?P<v>\d{3,6})(?!\d)", re.IGNORECASE), "words"),
    ),
    (
        "phone",
        "phone",
        Sought(re.compile(r"\bpager[ #:]{0,3}(?P<v>\d{4,7})(?!\d)", re.IGNORECASE), "words"),
    ),
    (
        "health_plan",
        "mbi",
        Sought(
            re.compile(r"(?<![\w\-])[1-9][A-Z][A-Z\d]\d-?[A-Z][A-Z\d]\d-?[A-Z]{2}\d{2}(?![\w\-])"),
            "numbers",
        ),
    ),
    (
        "vehicle",
        "vin",
        Sought(
            re.compile(r"(?<!\w)(?=[A-Z\d]{0,16}[A-Z])(?=[A-Z\d]{0,16}\d)[A-HJ-NPR-Z\d]{17}(?!\w)"),
            needs=r"[\da-z]{17}",
        ),
    ),
    (
        "account",
        "card",
        Sought(re.compile(r"(?<![\w\-])(?:\d{4}[ \-]){3}\d{4}(?![\w\-])"), "numbers"),
    ),
    (
        "account",
        "card",
        Sought(
            re.compile(r"(?<![\w\-])[Xx*]{4}(?:[ \-]?[Xx*]{4}){2}[ \-]?\d{4}(?!\w)"),
            needs=r"[x*]{4}",
        ),
    ),
    (
        "account",
        "iban",
        Sought(
            re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z\d]{4}){3,7}(?: ?[A-Z\d]{1,3})?(?!\w)"),
            needs=r"[a-z]{2}\d{2}[ a-z\d]{4}",
        ),
    ),
    (
        "photo",
        "file",
        Sought(
            re.compile(
                r"(?<![\w/\\.])(?:[\w\-./\\]{1,80}[/\\])?[\w\-]{1,80}\.(?:jpe?g|png|heic|"
                r"heif|tiff?|"
                r"bmp|gif|raw|webp)(?!\w)",
                re.IGNORECASE,
            ),
            needs=r"\.(?:jpe?g|png|heic|heif|tiff?|bmp|gif|raw|webp)",
        ),
    ),
    (
        "photo",
        "file",
        Sought(
            re.compile(
                r"(?<!\w)(?:IMG|DSC|DSCN|PXL|PHOTO|FACE|FOTO)[_\-]?\d{2,}[\w\-]{0,30}",
                re.IGNORECASE,
            ),
            "words",
        ),
    ),
    (
        "other",
        "uuid",
        Sought(
            re.compile(
                rf"(?<!\w){_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}(?!\w)"
            ),
            needs=r"-[\da-f]{4}-",
        ),
    ),
    ("other", "handle", Sought(re.compile(r"(?<![\w@.])@[A-Za-z_][\w.]{2,30}(?<!\.)"), needs="@")),
)
