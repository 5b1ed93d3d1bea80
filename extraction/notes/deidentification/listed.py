"""Given names and surnames of many countries, and words that must not be taken for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from pkgutil import iter_modules
from typing import Literal

from .draws import normal

_LATIN = re.compile(r"[A-Za-zÀ-ɏḀ-ỿ'’ \-]+")
_CLINICAL = ("drugs", "drug_classes", "symptoms", "conditions", "adverse_events", "measurements")
_WORD = re.compile(r"[^\W\d_]{3,}")
Sex = Literal["female", "male", ""]


@dataclass(frozen=True)
class Lists:
    """What is known of words that may be names; all in normal form.

    Parameters
    ----------
    given, surnames
        Names of people, of every locale that the package `faker` has in Latin script.
    words
        Names that are also common words: a name only where something else says so.
    clinical
        Words of our term lists of drugs, conditions, symptoms and measurements.
    eponyms
        Names of physicians that name a disease, a sign or a device.
    never
        Words that are no part of a name, however they are written.
    cities
        Cities by name; those that are also words or names are left out.
    usual
        Names of the United States: a single short word is a name only if it is one of these.
    female, male, family
        Names to draw surrogates from, as written.
    """

    given: frozenset[str]
    surnames: frozenset[str]
    words: frozenset[str]
    clinical: frozenset[str]
    eponyms: frozenset[str]
    never: frozenset[str]
    cities: frozenset[str]
    usual: frozenset[str]
    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]

    def sex_of(self, name: str) -> Sex:
        """Return the sex that a given name (in normal form) is usual for; empty when unknown."""
        female, male = name in _normal_set(self.female), name in _normal_set(self.male)
        if female == male:
            return "" if female else _elsewhere().get(name, "")
        return "female" if female else "male"


@cache
def lists() -> Lists:
    """Return the lists, read once."""
    people = list(_people())
    given = {w for kind, names in people if kind == "first" for n in names for w in _parts(n)}
    surnames = {w for kind, names in people if kind == "last" for n in names for w in _parts(n)}
    words = terms("words")
    clinical = frozenset(w for name in _CLINICAL for w in _clinical(name))
    eponyms = terms("eponyms")
    never = terms("never")
    barred = words | clinical | eponyms | never

    def pool(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted({n for n in names if n.isalpha() and normal(n) not in barred}))

    usual = import_module("faker.providers.person.en_US").Provider
    return Lists(
        given=frozenset(given),
        surnames=frozenset(surnames),
        words=words,
        clinical=clinical,
        eponyms=eponyms,
        never=never,
        cities=terms("cities"),
        usual=frozenset(map(normal, (*usual.first_names, *usual.last_names))),
        female=pool(usual.first_names_female),
        male=pool(usual.first_names_male),
        family=pool(usual.last_names),
    )


@cache
def _normal_set(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(normal, names))


@cache
def _elsewhere() -> dict[str, Sex]:
    """Return the sex of given names of all countries that are usual for one only."""
    used: dict[Sex, set[str]] = {"female": set(), "male": set()}
    package = import_module("faker.providers.person")
    for module in iter_modules(package.__path__):
        provider = import_module(f"faker.providers.person.{module.name}").Provider
        for sex, names in used.items():
            listed = vars(provider).get(f"first_names_{sex}", ())
            names |= {w for n in listed if _LATIN.fullmatch(n) for w in _parts(n)}
    female, male = used["female"], used["male"]
    return {
        **dict.fromkeys(female - male, "female"),
        **dict.fromkeys(male - female, "male"),
    }


def _people() -> Iterator[tuple[str, set[str]]]:
    """Yield the names of every locale, as `first` and `last`."""
    package = import_module("faker.providers.person")
    for module in iter_modules(package.__path__):
        provider = import_module(f"faker.providers.person.{module.name}").Provider
        for attribute, value in vars(provider).items():
            kind, _, rest = attribute.partition("_name")
            if kind in ("first", "last") and rest.startswith("s") and isinstance(value, Iterable):
                names = {n for n in value if isinstance(n, str) and _LATIN.fullmatch(n)}
                yield kind, names


def _parts(name: str) -> Iterator[str]:
    """Yield a name's words; particles (`de`, `van`) are not names by themselves."""
    for part in re.split(r"[ \-]", name):
        if len(part) > 1 and part[0].isupper():
            yield normal(part)


def entries(name: str) -> tuple[str, ...]:
    """Return the entries of a list: parted by blanks, or by commas where a line has one."""
    text = resources.files(__package__).joinpath(f"terms/{name}.txt").read_text("utf-8")
    found: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            found += line.split(",") if "," in line else line.split()
    return tuple(" ".join(entry.split()) for entry in found if entry.strip())


def terms(name: str) -> frozenset[str]:
    """Return the entries of one of our lists in normal form."""
    return frozenset(map(normal, entries(name)))


def _clinical(name: str) -> Iterator[str]:
    text = resources.files("extraction.notes").joinpath(f"terms/{name}.txt").read_text("utf-8")
    for line in text.splitlines():
        yield from (normal(w) for w in _WORD.findall(line.partition("#")[0]))
