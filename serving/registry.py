"""Models by name: where a name's model lies, and the real patients it was fitted to."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from extraction.records.errors import InputError, RefusedError, nearest

if TYPE_CHECKING:
    from extraction.records import Cohort
    from generation.engine import Model

CONTROLS = Path("stages") / "models" / "controls"
COHORT = Path("stages") / "cohort" / "cohort"


@dataclass(frozen=True)
class ModelEntry:
    """A run folder that offers a model of controls.

    Parameters
    ----------
    name
        What users call it.
    run_folder
        A run of a `kind: trial` study (``trialtwin run``).
    """

    name: str
    run_folder: Path

    @property
    def model_folder(self) -> Path:
        """Folder of the model of controls."""
        return self.run_folder / CONTROLS

    @property
    def cohort_folder(self) -> Path:
        """Folder of the trial's cohort."""
        return self.run_folder / COHORT

    @property
    def ready(self) -> bool:
        """Whether model and cohort are there."""
        return (self.model_folder / "model.json").is_file() and self.cohort_folder.is_dir()

    def fingerprint(self) -> str:
        """SHA-256 of ``model.json``, which holds the hashes of the model's other files."""
        return hashlib.sha256((self.model_folder / "model.json").read_bytes()).hexdigest()


@final
class Registry:
    """The models that a server offers.

    Parameters
    ----------
    models
        Run folders by name.
    allow_busl
        Whether models of SDV's engines are offered. Their licence (BUSL-1.1) excludes a
        commercial service that lets third parties use them; see docs/dependencies.md.
    """

    def __init__(self, models: Mapping[str, Path | str], allow_busl: bool = False) -> None:
        self._allow_busl = allow_busl
        self._entries = {name: ModelEntry(name, Path(folder)) for name, folder in models.items()}
        self._held: dict[str, tuple[str, Model, Cohort]] = {}
        self._lock = threading.Lock()

    @classmethod
    def discover(cls, runs: Path | str, allow_busl: bool = False) -> Registry:
        """Offer every run under a folder that has a model of controls, by the run's name."""
        folders = sorted(Path(runs).glob(f"*/{CONTROLS.as_posix()}/model.json"))
        runs_found = [path.parents[len(CONTROLS.parts)] for path in folders]
        return cls({folder.name: folder for folder in runs_found}, allow_busl)

    def names(self) -> list[str]:
        """Names of the models that are there."""
        return [name for name, entry in self._entries.items() if entry.ready]

    def find(self, name: str) -> ModelEntry:
        """Return a model's place.

        Raises
        ------
        InputError
            If there is no such model, or its files are not there yet.
        """
        entry = self._entries.get(name)
        known = self.names()
        if entry is None:
            offered = ", ".join(known) or "none"
            raise InputError(
                f"model: {name!r} is not known; offered are: {offered}{nearest(name, known)}"
            )
        if not entry.ready:
            raise InputError(f"model: {name!r} has not been fitted yet; run its study first")
        return entry

    def model(self, name: str) -> Model:
        """Return a loaded model; it is read again when its files have changed."""
        return self._loaded(name)[0]

    def training(self, name: str) -> Cohort:
        """Return the real patients a model was fitted to.

        Raises
        ------
        InputError
            If the cohort on disk is not the one that the model was fitted to.
        """
        return self._loaded(name)[1]

    def _loaded(self, name: str) -> tuple[Model, Cohort]:
        entry = self.find(name)
        fingerprint = entry.fingerprint()
        with self._lock:
            held = self._held.get(name)
            if held is None or held[0] != fingerprint:
                held = (fingerprint, *_load(entry))
                self._held[name] = held
        if held[1].card.engine.startswith("sdv-") and not self._allow_busl:
            raise RefusedError(
                f"model: {name!r} is one of SDV, whose licence (BUSL-1.1) excludes a commercial "
                "service for third parties; set allow_busl if yours is none"
            )
        return held[1], held[2]


def _load(entry: ModelEntry) -> tuple[Model, Cohort]:
    from extraction.records import Cohort
    from generation import load_model
    from serving.analyses.modelling import narrowed

    model = load_model(entry.model_folder)
    if model.card.privacy is not None:
        raise InputError(
            f"model: {entry.name!r} is private, and a server shows its real patients' counts; "
            "sample it with trialtwin generate"
        )
    cohort = Cohort.read(entry.cohort_folder)
    names = [variable.name for variable in model.schema.variables]
    training = narrowed(cohort, names, [endpoint.name for endpoint in model.schema.endpoints])
    if model.card.arms:
        training = training.take(training.subjects["arm"].isin(model.card.arms).to_numpy())
    if training.digest() != model.card.data_digest:
        raise InputError(
            f"model: {entry.name!r} was fitted to other patients than its run folder holds; "
            "run its study again"
        )
    return model, training
