"""Bytes and remains of other formats become text; nothing that is text is lost."""

from __future__ import annotations

import codecs

import pytest

from extraction.notes.batch.cleaning import cleaned, decoded, plausible

WORDS = "Température 37,5 °C, naïve patient"


@pytest.mark.parametrize(
    "data",
    [
        WORDS.encode(),
        codecs.BOM_UTF8 + WORDS.encode(),
        codecs.BOM_UTF16_LE + WORDS.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + WORDS.encode("utf-16-be"),
        codecs.BOM_UTF32_LE + WORDS.encode("utf-32-le"),
        WORDS.encode("utf-16-le"),
        WORDS.encode("utf-16-be"),
        WORDS.encode("cp1252"),
    ],
)
def test_encodings_are_told_apart(data: bytes) -> None:
    assert decoded(data) == WORDS


def test_a_cut_or_damaged_byte_costs_one_character() -> None:
    assert decoded(WORDS.encode() + b"\xc3") == WORDS + "\ufffd"
    assert decoded("é".encode() * 3 + b"\xff" + b"BP 120/80") == "ééé\ufffdBP 120/80"


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("No fever.\r\nCough.\rRash.", "No fever.\nCough.\nRash."),
        ("No\x00 fever\x07, cough, rash and a long line of other words", None),
        ("\ufeffBP\u00a0120/80\u202c", "BP 120/80"),
        ("fe\u00adver \u202eno\u202c co\u200bugh", "fever no cough"),
        ("half \ud800 a character", "half \ufffd a character"),
        ("One\u2028two\x85three\x0bfour", "One\ntwo\nthree\nfour"),
    ],
)
def test_what_cannot_be_seen_goes(given: str, clean: str | None) -> None:
    expected = clean or "No  fever , cough, rash and a long line of other words"
    assert cleaned(given) == expected


def test_what_is_mostly_control_characters_is_no_text() -> None:
    assert cleaned("\x00\x01\x02\x03 abc") is None


@pytest.mark.parametrize(
    "text",
    [
        "K <3.5 and Na >140; if BP<90 or >180 call",
        "see {above}; dose \\d; A&E; AT&T; <redacted>",
        "p < 0.05, a<b and c>d",
        "use <b 5 mg and c=4 if Na >140",
    ],
)
def test_text_that_only_looks_like_markup_stays(text: str) -> None:
    assert cleaned(text) == text


def test_html_remains_become_lines() -> None:
    html = (
        "<!DOCTYPE html><html><head><title>x</title><style>p {color: red}</style></head><body>"
        '<p class="a">Denies&nbsp;fever.</p><p>BP 120/80 &lt; 140<br/>Pulse&#32;60</p>'
        "<!-- hidden --><table><tr><td>Na</td><td>138</td></tr></table></body></html>"
    )
    text = cleaned(html)
    assert text is not None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    assert lines == ["Denies fever.", "BP 120/80 < 140", "Pulse 60", "Na\t138"]


@pytest.mark.parametrize("tail", ["<!-- never closed", "<script> never closed", "<td", "&amp"])
def test_cut_html_loses_nothing(tail: str) -> None:
    text = cleaned("<p>Denies fever.</p>" + tail + " BP 120/80")
    assert text is not None
    assert "Denies fever." in text and "BP 120/80" in text


def test_rtf_becomes_its_words() -> None:
    rtf = (
        r"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\*\generator X;}"
        r"\f0\fs20 Denies \b chest\b0  pain.\par Temp\'e9rature 37\u176?C\tab {\i ok}\{x\}\par}"
    )
    assert cleaned(rtf) == "Denies chest pain.\nTempérature 37°C\tok{x}\n"
    for cut in range(6, len(rtf), 7):
        assert isinstance(cleaned(rtf[:cut]), str)


def test_long_remains_are_read_in_linear_time() -> None:
    for piece in ("<p ", "<!--", "{\\rtf", "&#", "<script>", "</", "\\u8"):
        text = cleaned("<p>x</p>" + piece * 40_000)
        assert isinstance(text, str)


NOTE = "Patient: {}. Denies chest pain, takes aspirin 100 mg daily and has no fever."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("患者は発熱なし BP 120/80。", "shift-jis"),
        ("患者は発熱なし", "euc-jp"),
        ("患者无发热", "gbk"),
        (
            "Пациент без температуры",
            "cp1251",
        ),
    ],
)
def test_what_was_written_in_another_encoding_is_told(text: str, encoding: str) -> None:
    assert not plausible(decoded(text.encode(encoding)))
    assert plausible(text)


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "État général altéré, élévation à 38,5 °C – hépaté",
        NOTE.format("ßüö"),
    ],
)
def test_words_of_the_west_are_plausible(text: str) -> None:
    assert plausible(decoded(text.encode("cp1252")))
