"""Remains of RTF and HTML taken off a note, in one pass each.

Only the layout is kept: paragraphs and rows become lines, cells are parted by a tab. Whatever does
not look like markup stays as it is (``K < 3.5``, ``{see below}``).
"""

from __future__ import annotations

import html
import re

_NAMES = (
    "a|abbr|b|big|blockquote|body|br|center|code|col|dd|div|dl|dt|em|font|form|h[1-6]|head|hr|html|"
    "i|img|input|label|li|link|meta|ol|p|pre|script|section|small|span|strong|style|sub|sup|table|"
    "tbody|td|tfoot|th|thead|title|tr|tt|u|ul"
)
_TAG = re.compile(
    rf"<(?:/(?P<end>{_NAMES})\s{{0,9}}|(?P<name>{_NAMES})"
    r"(?:\s{0,9}/?|\s{1,9}[a-z_:-]{1,40}\s{0,9}=[^<>]{0,2000}))>",
    re.IGNORECASE,
)
_HIDDEN = re.compile(
    r"<(?P<name>script|style|head|title)\b[^<>]{0,500}>|<!--|<!doctype\b[^<>]{0,300}>"
    r"|<\?xml\b[^<>]{0,300}\?>",
    re.IGNORECASE,
)
_CLOSE = {
    name: re.compile(rf"</{name}\s{{0,9}}>", re.IGNORECASE)
    for name in ("script", "style", "head", "title")
} | {"<!--": re.compile("-->")}
_LINE_TAGS = re.compile(
    r"blockquote|br|center|d[dlt]|div|form|h[1-6]|hr|li|ol|p|pre|section|table|tr|ul", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#[xX][0-9a-fA-F]{1,5});")
_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def without_markup(text: str) -> str:
    """Return a text without remains of RTF or HTML; a text that has none comes back unchanged."""
    if text.lstrip("\ufeff \n\t")[:5].lower() == "{\\rtf":
        text = plain_of_rtf(text)
    if _TAG.search(text) or _HIDDEN.search(text):
        text = _LINES.sub("\n\n", _without_tags(_without_hidden(text)))
    return _ENTITY.sub(lambda m: _character(m.group()), text) if "&" in text else text


def _character(entity: str) -> str:
    """Return what an entity stands for; the entity itself when it stands for nothing printable."""
    found = html.unescape(entity)
    return found if found.isprintable() or found in "\n\t\u00a0" else " "


def _without_hidden(text: str) -> str:
    """Cut comments, scripts and styles; one that never closes hides its own tag and no more."""
    pieces: list[str] = []
    place = 0
    open_ended: set[str] = set()  # what closes nowhere behind here, so as not to look again
    while (found := _HIDDEN.search(text, place)) is not None:
        pieces.append(text[place : found.start()])
        place = found.end()
        kind = (found["name"] or found.group()).lower()
        if kind not in _CLOSE or kind in open_ended:
            continue
        close = _CLOSE[kind].search(text, place)
        if close is None:
            open_ended.add(kind)
        else:
            place = close.end()
    return "".join([*pieces, text[place:]])


def _without_tags(text: str) -> str:
    def instead(tag: re.Match[str]) -> str:
        name = tag["end"] or tag["name"]
        if _LINE_TAGS.fullmatch(name):
            return "\n" if tag["name"] or name.lower() not in ("li", "tr") else ""
        return "\t" if name.lower() in ("td", "th") and tag["end"] else ""

    return _TAG.sub(instead, text)


# One token of RTF: a control word with its number, a hexadecimal byte, a control sign, a brace, a
# line end (which means nothing in RTF), or plain words.
_RTF = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<hex>[0-9a-fA-F]{2})"
    r"|\\(?P<sign>[^a-zA-Z])|(?P<brace>[{}])|(?P<plain>[^\\{}\n]+)|\n|\\"
)
_NO_TEXT = frozenset(
    [
        *("fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "themedata"),
        *("header", "footer", "headerl", "headerr", "footerl", "footerr", "datastore", "xmlnstbl"),
        *("listtable", "listoverridetable", "rsidtbl", "generator", "latentstyles", "fldinst"),
    ]
)
_WRITTEN = {
    **dict.fromkeys(("par", "line", "sect", "page", "row"), "\n"),
    **dict.fromkeys(("tab", "cell"), "\t"),
    **{"emdash": "\u2014", "endash": "\u2013", "bullet": "\u2022", "lquote": "'", "rquote": "'"},
    **{"ldblquote": '"', "rdblquote": '"'},
}
_SIGNS = {"~": " ", "_": "-", "\n": "\n", "\\": "\\", "{": "{", "}": "}"}


def plain_of_rtf(text: str) -> str:
    """Return the words of a document in the Rich Text Format (its version 1.9.1, main controls).

    Parameters
    ----------
    text
        A document, which may be cut anywhere.
    """
    written: list[str] = []
    hidden: list[bool] = [False]  # one a group: whether its words are no text
    skip = 0  # characters that repeat a \\u in another encoding
    starred = False
    for token in _RTF.finditer(text):
        brace, word = token["brace"], token["word"]
        if brace == "{":
            hidden.append(hidden[-1])
        elif brace == "}":
            hidden = hidden[:-1] if len(hidden) > 1 else hidden
        elif word in _NO_TEXT or (starred and word):
            hidden[-1] = True
        starred = token["sign"] == "*"
        if hidden[-1] or brace or starred:
            continue
        if word == "u" and token["number"]:
            written.append(_unicode(int(token["number"])))
            skip = 1
            continue
        piece = _piece(token)
        written.append(piece[skip:] if piece else "")
        skip = 0 if piece else skip
    return "".join(written)


def _unicode(number: int) -> str:
    code = number % 65536
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)


def _piece(token: re.Match[str]) -> str:
    if token["plain"] is not None:
        return token["plain"]
    if token["hex"]:
        return bytes.fromhex(token["hex"]).decode("cp1252", "replace")
    if token["sign"]:
        return _SIGNS.get(token["sign"], "")
    return _WRITTEN.get(token["word"] or "", "")
