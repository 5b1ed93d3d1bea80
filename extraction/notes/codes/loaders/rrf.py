"""UMLS (MRCONSO.RRF) and RxNorm (RXNCONSO.RRF): names parted by bars, in one order of fields.

Fields by the reference manual of the UMLS (National Library of Medicine),
section 3.3.4, and the technical documentation of RxNorm, section 12.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ....records import InputError
from ...lexicon import word_set
from ..build import Entry
from .lines import Faulty, parted

_WIDTH = 18
_CUI, _LAT, _TS, _STT, _ISPREF, _SAB, _TTY, _STR, _SUPPRESS = 0, 1, 2, 4, 6, 11, 12, 14, 16
_LEADING = word_set("IN PIN MIN BN SCD SBD GPCK BPCK")
_DRUGS = _LEADING | word_set("SCDF SBDF SCDC SBDC SCDG SBDG PSN SY TMSY")


def umls(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[Entry]:
    """Yield the English names of concepts that are not suppressed; the code is the CUI.

    Parameters
    ----------
    sources
        Source vocabularies to take (`SNOMEDCT_US`, `MSH`, ...); empty for all.
    """
    for _, cells in _rows(path, faulty, sources):
        if cells[_CUI].isdecimal():  # a CUI of the UMLS begins with C
            raise InputError(
                f"{path.name}: its codes are those of RxNorm (RXNCONSO.RRF); load it as rxnorm"
            )
        if cells[_LAT] == "ENG":
            leading = cells[_TS] == "P" and cells[_STT] == "PF" and cells[_ISPREF] == "Y"
            yield Entry(cells[_CUI], cells[_STR], ((cells[_STR], 1.0 if leading else 0.97),))


def rxnorm(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[Entry]:
    """Yield RxNorm's own names of drugs; the code is the RxCUI."""
    for _, cells in _rows(path, faulty, sources or frozenset({"RXNORM"})):
        if cells[_TTY] in _DRUGS:
            weight = 1.0 if cells[_TTY] in _LEADING else 0.97
            yield Entry(cells[_CUI], cells[_STR], ((cells[_STR], weight),), "medication")


def _rows(path: Path, faulty: Faulty, sources: frozenset[str]) -> Iterator[tuple[int, list[str]]]:
    for number, cells in parted(path, faulty, "|", _WIDTH):
        if not cells[_CUI] or not cells[_STR].strip():
            faulty.add(number, "its code or its name is empty")
        elif cells[_SUPPRESS] in ("N", "") and (not sources or cells[_SAB] in sources):
            yield number, cells
