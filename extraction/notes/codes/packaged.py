"""The vocabularies that come in installed packages, and their built indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ...records import InputError
from ...records.errors import Faults
from ..lexicon import read_terms
from .build import Builder
from .cache import LOG, built, digest
from .coder import Coder
from .index import Index
from .known import write_known
from .vocabularies import drugbank, hpo, icd10cm
from .vocabularies.packaged import NotInstalledError

SYSTEMS: dict[str, ModuleType] = {m.SYSTEM: m for m in (icd10cm, hpo, drugbank)}
PROBLEMS = ["condition", "symptom", "adverse_event"]
DRUGS = ["medication", "allergy"]
_COVERS = {icd10cm.SYSTEM: PROBLEMS, hpo.SYSTEM: PROBLEMS, drugbank.SYSTEM: DRUGS}
_PROBLEM_LISTS = ("conditions.txt", "symptoms.txt", "adverse_events.txt")
_LISTED = 0.9  # how far one spelling of our lists can stand for another


def installed() -> list[str]:
    """Return the vocabularies whose packages are installed, in a form that can be read."""
    return [name for name, module in SYSTEMS.items() if _source(module) is not None]


def packaged_coder(systems: Sequence[str] | None = None, most: int = 3) -> Coder:
    """Return a coder on these vocabularies.

    Parameters
    ----------
    systems
        Names out of `SYSTEMS`; by default those that are installed.
    most
        Codes of one vocabulary.

    Raises
    ------
    InputError
        With every name that is not known or whose package is missing.
    """
    return Coder(indexes(tuple(installed() if systems is None else systems)), most)


def indexes(systems: tuple[str, ...]) -> tuple[Index, ...]:
    """Return the indexes of vocabularies by name, built where they are not."""
    faults = Faults()
    for name in systems:
        if name not in SYSTEMS:
            faults.add(f"codes: {name!r} is not known; allowed: {', '.join(SYSTEMS)}")
        else:
            with faults.catch():
                SYSTEMS[name].source()
    faults.raise_if_any()
    return tuple(_index(name) for name in systems)


@lru_cache(maxsize=len(SYSTEMS))
def _index(system: str) -> Index:
    module = SYSTEMS[system]
    path = module.source()
    equals = _source(hpo) if module is icd10cm else None
    name = f"{module.SYSTEM}-{digest([path, *([equals] if equals else [])])}"

    def write(folder: Path) -> None:
        builder = Builder(module.SYSTEM, module.version(path))
        for entry in module.entries(path):
            builder.add(entry)
        builder.spread(_groups(drugs=module is drugbank))
        if equals is not None:
            builder.spread(hpo.groups(equals))
        builder.write(folder, covers=_COVERS[module.SYSTEM])
        write_known(folder)

    return built(name, module.SYSTEM, write)


def _source(module: ModuleType) -> Path | None:
    try:
        path: Path = module.source()
    except NotInstalledError:
        return None
    except InputError as error:
        _warn(f"{error}; until then it is left out")
        return None
    return path


@lru_cache(maxsize=len(SYSTEMS))
def _warn(what: str) -> None:
    """Say something once."""
    LOG.warning(what)


def _groups(drugs: bool) -> Iterator[tuple[list[str], float]]:
    """Yield the spellings that our own lists hold for equal."""
    for file in ("drugs.txt",) if drugs else _PROBLEM_LISTS:
        for name, spellings in read_terms(file):
            yield [name, *(s for s in spellings if s != name)], _LISTED
