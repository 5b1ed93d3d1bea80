"""Genomic findings and markers: gene, change as written (HGVS), zygosity and status."""

from __future__ import annotations

import re
from functools import cache

from .draft import Draft, Mention
from .lexicon import Lexicon, Match, read_terms, word_set
from .measurement_terms import COMPARATORS
from .tokens import number

_BEHIND, _AHEAD = 9, 5  # words behind and in front of a gene that speak of it
# Bounded, so that the time is linear in the text.
_HGVS = re.compile(
    r"\b[cgmnpr]\.(?:\(?[A-Z][a-z]{2}\d{1,5}(?:[A-Z][a-z]{2}|Ter|\*|=|fs|del|dup|ins)"
    r"[A-Za-z0-9*]{0,12}\)?|\(?[A-Z]\d{1,5}(?:[A-Z]|\*|fs|del)[A-Za-z0-9*]{0,10}\)?"
    r"|[-*]?\d{1,7}(?:[+-]\d{1,5})?(?:_\d{1,7}(?:[+-]\d{1,5})?)?"
    r"(?:[ACGT]>[ACGT]|del[ACGT]{0,20}|dup[ACGT]{0,20}|ins[ACGT]{1,20}|inv|=))"
)
_SHORT = re.compile(r"\b(?:[A-Z]\d{2,4}(?:[A-Z]|\*|fs|del)|exon \d{1,2}(?: \w{1,12})?)(?!\w)")
_STATUS = {
    "wild_type": "wild wildtype wt",
    "amplified": "amplification amplified",
    "rearranged": "rearrangement rearranged fusion translocation translocated",
    "deleted": "deletion deleted loss",
    "expressed": "expression expressed overexpression overexpressed",
    "methylated": "methylation methylated",
    "unmethylated": "unmethylated",
    "mutated": "mutation mutations mutated mutant variant variants pathogenic carrier mut",
    "positive": "positive + pos detected high",
    "negative": "negative neg absent stable low intact proficient",
    "equivocal": "equivocal indeterminate vus",
}
_ZYGOSITY = {
    "heterozygous": "heterozygous",
    "heterozygote": "heterozygous",
    "het": "heterozygous",
    "homozygous": "homozygous",
    "homozygote": "homozygous",
    "hemizygous": "hemizygous",
    "monoallelic": "heterozygous",
    "biallelic": "biallelic",
}
_OWN_STATUS = {
    "msi-h": "positive",
    "msi-high": "positive",
    "dmmr": "positive",
    "mismatch repair deficient": "positive",
    "mss": "negative",
    "microsatellite stable": "negative",
    "pmmr": "negative",
    "mismatch repair proficient": "negative",
}
_CONTEXT = word_set("status testing test gene germline somatic sequencing tps cps")
_EXPRESSED = frozenset({"PD-L1", "Ki-67", "estrogen receptor", "progesterone receptor"})
_DENIED = frozenset({"no", "not", "without", "negative"})
_EDGES = frozenset({";", ".", "but"})
_BREAKS = frozenset({";", ",", ".", ":", "but"})


def add_genes(lexicon: Lexicon) -> None:
    """Add the names of genes and markers; the payload is ("gene", name)."""
    for name, spellings in read_terms("genes.txt"):
        for spelling in spellings:
            lexicon.add(spelling, ("gene", name))


@cache
def _statuses() -> dict[str, str]:
    return {word: status for status, words in _STATUS.items() for word in words.split()}


def add_genomic_findings(draft: Draft, matches: list[Match]) -> None:
    """Add the genes and markers of which a note says something."""
    genes = [m for m in matches if m.payload[0] == "gene"]
    for place, match in enumerate(genes):
        following = genes[place + 1].start if place + 1 < len(genes) else len(draft.words)
        before = genes[place - 1].stop if place else 0
        _read(draft, match, before, following)


def _read(draft: Draft, match: Match, before: int, following: int) -> None:
    words = draft.words
    end = _edge(
        draft, match.stop, min(draft.sentence[match.start], match.stop + _BEHIND, following)
    )
    start = match.start
    lowest = max(draft.opening[match.start], match.start - _AHEAD, before)
    while start > lowest and words[start - 1] not in _BREAKS:
        start -= 1
    near = [*words[match.stop : end], *words[start : match.start]]
    said = _status(words, match.stop, end) or _status(words, start, match.start)
    zygosity = next((_ZYGOSITY[w] for w in near if w in _ZYGOSITY), None)
    first = draft.tokens.starts[match.start]
    text = draft.tokens.text[first : draft.tokens.stops[end - 1]]
    found = _HGVS.search(text) or _SHORT.search(text, draft.tokens.stops[match.stop - 1] - first)
    own = _OWN_STATUS.get(draft.tokens.text[first : draft.tokens.stops[match.stop - 1]].lower())
    if (
        own is None
        and said is None
        and zygosity is None
        and found is None
        and _CONTEXT.isdisjoint(near)
        and not (match.payload[1] in _EXPRESSED and "%" in near)
    ):
        return
    mention = draft.mention("genomic_finding", match.payload[1], match.start, match.stop)
    mention.zygosity = zygosity
    mention.variant = None if found is None else found.group()
    mention.status = "mutated" if found is not None else None
    if said is not None:
        mention.status, cue = said
        if mention.status == "negative":
            mention.cues["negation"] = cue
    mention.status = own or mention.status
    if match.payload[1] in _EXPRESSED:
        _expression(draft, mention, match.stop, end)
    draft.add(mention)


def _expression(draft: Draft, mention: Mention, start: int, end: int) -> None:
    """Read how much of a marker is there: `TPS 60%`, `CPS 15`, `Ki-67 30%`."""
    words = draft.words
    for index in range(start, end):
        value = number(words[index])
        share = words[index + 1 : index + 2] == ["%"]
        combined = "cps" in words[max(start, index - 3) : index]
        if value is not None and (share or combined):
            mention.value, mention.unit = value, "%" if share else "{score}"
            before = words[index - 1]
            mention.comparator = before if before in COMPARATORS else None
            return


def _edge(draft: Draft, start: int, end: int) -> int:
    """Return where the words about a gene end: at a stop that is no part of a change."""
    for index in range(start, end):
        if draft.words[index] in _EDGES and (index + 1 >= end or draft.tokens.gap(index + 1)):
            return index
    return end


def _status(words: list[str], start: int, end: int) -> tuple[str, tuple[int, int]] | None:
    """Return the status that these words state, and the words that do."""
    for index in range(start, end):
        status = _statuses().get(words[index])
        if status == "mutated" and words[index + 1 : index + 2] in (["negative"], ["not"]):
            return "negative", (index + 1, index + 2)
        if status is not None:
            denied = index > start and words[index - 1] in _DENIED
            if denied and status != "negative":
                return "negative", (index - 1, index + 1)
            return status, (index, index + 1)
    return None
