"""A vocabulary of the user's own: read once from its file, then kept as an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import final

from ...records import InputError
from ..facts import FACT_TYPES
from .build import MOST_TERMS, Builder, Entry
from .cache import built, digest
from .index import DamagedError, Index
from .loaders.lines import Faulty
from .loaders.rrf import rxnorm, umls
from .loaders.snomed import snomed, snomed_files
from .loaders.tables import loinc, plain

_Reader = Callable[[Path, Faulty, frozenset[str]], Iterator[Entry]]
KINDS: dict[str, tuple[str, _Reader]] = {
    "umls": ("UMLS", umls),
    "rxnorm": ("RxNorm", rxnorm),
    "snomed": ("SNOMED CT", snomed),
    "loinc": ("LOINC", loinc),
    "csv": ("", plain),
}
_CODED = ["condition", "symptom", "adverse_event", "medication", "procedure", "allergy"]
_MEASURED = ["laboratory", "vital", "score"]
_COVERS = {
    "rxnorm": ["medication", "allergy"],
    "loinc": _MEASURED,
    "csv": [*_CODED, *_MEASURED, "imaging_finding"],
}


@final
@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary that was loaded.

    Parameters
    ----------
    folder
        Its index.
    system, version
        As codes will name them.
    find
        Whether its terms are looked for in notes, beside those of our lists.
    fact_type
        Type of the facts of terms that state none.
    """

    folder: Path
    system: str
    version: str
    find: bool = False
    fact_type: str = ""


def opened(folder: Path, fact_type: str = "") -> Vocabulary:
    """Return a vocabulary whose index lies in a folder."""
    try:
        index = Index(folder)
    except DamagedError:
        raise InputError(f"{folder.name}: its index is damaged or gone; load it again") from None
    return Vocabulary(folder, index.system, index.version, bool(index.about["find"]), fact_type)


def vocabulary_of(told: str) -> Vocabulary:
    """Load a vocabulary as a command line names it: ``KIND=PATH``.

    Behind the kind, ``+find`` has its terms looked for in notes, and ``+TYPE`` too, as facts of
    that type: ``snomed+find=FOLDER``, ``csv+procedure=local.csv``.

    Raises
    ------
    InputError
        With every fault of what was told and of the file.
    """
    head, sign, path = told.partition("=")
    kind, *more = head.split("+")
    types = [word for word in more if word != "find"]
    if not sign or not path or len(types) > 1:
        raise InputError(
            f"vocabulary: KIND=PATH is needed, where KIND is one of {', '.join(KINDS)}, "
            "with +find or one +TYPE behind it where its terms are to be found too"
        )
    return load_vocabulary(
        path, kind, find=True if more else None, fact_type=types[0] if types else ""
    )


def load_vocabulary(
    path: str | Path,
    kind: str,
    *,
    system: str | None = None,
    version: str | None = None,
    find: bool | None = None,
    fact_type: str = "",
    sources: Sequence[str] = (),
    most_terms: int = MOST_TERMS,
) -> Vocabulary:
    """Load a vocabulary that you have a licence for; the second time it takes a moment.

    Parameters
    ----------
    path
        ``MRCONSO.RRF``, ``RXNCONSO.RRF``, ``Loinc.csv``, a CSV with columns `code` and `term`
        (`system`, `version`, `type` where wanted), or a folder or file of SNOMED CT's snapshot.
    kind
        ``umls``, ``rxnorm``, ``snomed``, ``loinc`` or ``csv``.
    system, version
        As codes shall name them; by default the kind's name (of a CSV, its column or file name)
        and the first 12 digits of the file's SHA-256.
    find
        Whether its terms are looked for in notes too; by default those of a CSV with types.
    fact_type
        Type of the facts of terms that state none (UMLS, a CSV without types).
    sources
        Of UMLS and RxNorm: source vocabularies to take; by default all, and RXNORM.
    most_terms
        Names above which the file is refused, since memory is bounded by them.

    Returns
    -------
    Vocabulary
        For ``load_pipeline(..., vocabularies=[...])``.

    Raises
    ------
    InputError
        With every fault of the file and its line; never what stands in it.
    """
    where = Path(path)
    _check(where, kind, fact_type)
    content = _hash(where, snomed_files(where) if kind == "snomed" else (where,))
    about = _Head.of(where, kind, system, version, content)
    wants = about.typed if find is None else find
    if wants and not fact_type and not about.typed and kind in ("umls", "csv"):
        raise InputError(
            f"{where.name}: its terms have no type, so none could be found in notes; say of which "
            f"type they are: {kind}+TYPE=PATH, or fact_type=TYPE, one of {', '.join(FACT_TYPES)}"
        )
    asked = (kind, about.system, str(wants), *sorted(sources), str(most_terms))
    covers = _COVERS.get(kind, _CODED)

    def write(folder: Path) -> None:
        faulty = Faulty(where.name)
        builder = Builder(about.system, about.version, most_terms, wants)
        for entry in KINDS[kind][1](where, faulty, frozenset(sources)):
            builder.add(entry)
        faulty.raise_if_any()
        if not len(builder):
            raise InputError(f"{where.name}: no term of it can be used; is it of kind {kind}?")
        builder.write(folder, covers=covers)

    which = sha256("\x1f".join((str(where.resolve()), *asked)).encode()).hexdigest()[:12]
    # One file never pushes another's index out: only what the same file was before is forgotten.
    name = f"own-{kind}-{which}-{digest((), about.version, content, *asked)}"
    index = built(name, where.name, write)
    return Vocabulary(index.folder, about.system, about.version, wants, fact_type)


def _check(path: Path, kind: str, fact_type: str) -> None:
    faults = []
    if kind not in KINDS:
        faults.append(f"kind {kind!r} is not known; allowed: {', '.join(KINDS)}")
    if fact_type and fact_type not in FACT_TYPES:
        faults.append(f"fact_type {fact_type!r} is not known; allowed: {', '.join(FACT_TYPES)}")
    if not path.exists() or (path.is_dir() and kind != "snomed"):
        faults.append(f"{path.name}: there is no such file")
    if faults:
        raise InputError(faults)


@dataclass(frozen=True)
class _Head:
    """What codes of a vocabulary will be named by."""

    system: str
    version: str
    typed: bool

    @classmethod
    def of(
        cls, path: Path, kind: str, system: str | None, version: str | None, content: str
    ) -> _Head:
        row = _first_row(path) if kind == "csv" else {}
        own = row.get("system") or KINDS[kind][0] or path.stem
        release = row.get("version") or content[:12]
        return cls(system or own, version or release, "type" in row)


def _first_row(path: Path) -> dict[str, str]:
    """Return the first row of a CSV: its system and version are the file's."""
    from .loaders.lines import table

    rows = table(path, Faulty(path.name), ("code", "term"), ",")
    return next(rows, {})


def _hash(path: Path, files: Iterable[Path | None]) -> str:
    """Return the SHA-256 of what is read."""
    total = sha256()
    try:
        for each in files:
            if each is not None:
                with each.open("rb") as file:
                    total.update(file_digest(file, "sha256").digest())
    except OSError as error:
        raise InputError(f"{path.name}: it cannot be read ({type(error).__name__})") from None
    return total.hexdigest()
