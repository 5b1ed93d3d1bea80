"""From bytes of unknown origin to text that can be read: encodings, marks, control characters.

Spans of facts index the text that comes out of here, which is the text that is stored.
"""

from __future__ import annotations

import codecs
import re

from .markup import without_markup

_BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MOST_CONTROL = 0.05  # share of control characters above which a text is taken for binary
_FEW_NUL = 0.2  # share of zero bytes above which bytes without a mark are taken for UTF-16
_SAMPLE = 4096
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
# What texts in Windows-1252 hold beyond ASCII: letters, quotes, dashes, units, fractions, marks.
_USUAL = re.compile(
    "[\u00a0\u00a1\u00a3\u00a7\u00a9-\u00ab\u00ae\u00b0-\u00ff\u0152\u0153\u0160\u0161\u0178\u017d"
    "\u017e\u2013\u2014\u2018\u2019\u201c\u201d\u2020\u2022\u2026\u2030\u20ac\u2122]"
)
_FOREIGN = re.compile("[^\x00-\x7f]")
_ASCII_WORD = re.compile("[A-Za-z]{2,}")
_MOST_FOREIGN = 0.5  # share of signs beyond ASCII, blanks aside, that no text of words has
_MANY_FOREIGN, _MOST_ODD = 0.1, 0.2  # shares of signs beyond ASCII, and of unusual ones in these

_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f\x80-\x84\x86-\x9f]")
_NEWLINES = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Marks of direction and joining, soft hyphens and byte order marks: they have no width, hide
# inside words and turn the order of a line round.
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_BROKEN = re.compile("[\ud800-\udfff]")


def decoded(data: bytes) -> str:
    """Return bytes as text by their mark, as UTF-8, as UTF-16 without a mark, or as Windows-1252.

    Parameters
    ----------
    data
        A whole file, line or cell. What cannot be decoded becomes U+FFFD.
    """
    return text_of(data)[0]


def plausible(text: str) -> bool:
    """Return whether a text may be what was written, or is another encoding's bytes misread.

    Bytes of another encoding that were taken for Windows-1252 are mostly signs beyond ASCII, or
    many of them are signs that no text has often. Signs that Windows-1252 lacks were not misread.

    Parameters
    ----------
    text
        As it was decoded.
    """
    if text.isascii():
        return True
    foreign = len(_FOREIGN.findall(text))
    signs = sum(map(len, text.split()))
    if foreign <= _MANY_FOREIGN * signs:
        return True
    if text.count("\ufffd") > _MOST_ODD * foreign:
        return False
    try:
        text.replace("\ufffd", "").encode("cp1252")
    except UnicodeEncodeError:
        return True
    if foreign > _MOST_FOREIGN * signs or not _ASCII_WORD.search(text):
        return False
    return foreign - len(_USUAL.findall(text)) <= _MOST_ODD * foreign


def text_of(data: bytes) -> tuple[str, bool]:
    """Return bytes as `decoded` does, and whether their encoding was guessed.

    Parameters
    ----------
    data
        A whole file, line or cell.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), False
    sixteen = _looks_like_utf16(data)
    if sixteen:
        return data.decode(sixteen, "replace"), False
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        pass
    many = sum(len(m) for m in _MULTIBYTE.findall(data))
    high = len(_HIGH.findall(data))
    # Mostly valid sequences: UTF-8 that was cut or damaged, not a one-byte encoding.
    return data.decode("utf-8" if 2 * many > high else "cp1252", "replace"), True


def _looks_like_utf16(data: bytes) -> str | None:
    head = data[:_SAMPLE]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if even + odd <= _FEW_NUL * len(head) or len(data) < 4:
        return None
    if odd > 4 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 4 * odd else None


def cleaned(text: str) -> str | None:
    """Return a text as it is read and stored; None when it is no text.

    Line ends become line feeds; control characters and odd blanks a blank; marks without width go;
    remains of RTF and HTML are taken off; half characters become U+FFFD.

    Parameters
    ----------
    text
        As it was decoded.
    """
    if len(_CONTROL.findall(text)) > _MOST_CONTROL * len(text):
        return None
    text = _BROKEN.sub("\ufffd", text)
    text = without_markup(_NEWLINES.sub("\n", text))
    text = _UNSEEN.sub("", text)
    return _CONTROL.sub(" ", _BLANKS.sub(" ", text))
