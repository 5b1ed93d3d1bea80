"""Models that stay loaded: where the patients of `fresh` populations are drawn.

Without Ray each process loads a population's model once. With Ray a few actors hold it, on GPUs
where the cluster has some, and tasks ask them for candidates. What comes back lies in Ray's object
store: it goes to the task by reference and never through the driver. A task has two blocks of
16,384 candidates on their way at most, so memory does not grow with replicates or chunks. Draws
belong to replicate and candidate: neither the number of actors nor their death changes a bit.
"""

import hashlib
import logging
import os
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np

from extraction.records.errors import InputError
from simulation.execution import ray_actors
from simulation.execution.tasks import one_thread
from simulation.trial.outcomes.base import Floats, Indices

Columns = dict[str, Floats]
Device = Literal["cpu", "gpu"]
Facts = dict[str, Any]
Paths = dict[str, str]
Place = Callable[[Facts, Paths], tuple[Facts, Paths]]

GPUS: Final = "TRIALTWIN_GPUS_PER_MODEL"
BLOCK: Final = 16_384
IN_FLIGHT: Final = 2
_DRAW: Final = "simulation.trial.population.fresh"
_LOG = logging.getLogger("trialtwin.residents")


@final
class Local:
    """A model in this process."""

    def __init__(self, folder: str, sha256: str, device: Device) -> None:
        self._model = opened(folder, sha256, device)

    def draw(self, plan: str, replicates: Indices, patients: Indices) -> Columns:
        """Draw here, block by block."""
        drawn, found = import_module(_DRAW).drawn, _Found(len(replicates))
        for part in _blocks(len(replicates)):
            found.put(part, drawn(self._model, plan, replicates[part], patients[part]))
        return found.columns


@final
class Remote:
    """Models in actors, by name."""

    def __init__(self, names: Sequence[str]) -> None:
        self._actors = ray_actors.named(names)

    def draw(self, plan: str, replicates: Indices, patients: Indices) -> Columns:
        """Ask the actors in turns, for a block each."""
        flying: deque[tuple[slice, Any]] = deque()
        found = _Found(len(replicates))

        def take() -> None:
            part, reference = flying.popleft()
            found.put(part, ray_actors.answer(reference))

        # Tasks begin with different actors, so that all have work.
        turn = zlib.crc32(f"{replicates[0]} {patients[0]}".encode())
        for k, part in enumerate(_blocks(len(replicates))):
            if len(flying) == IN_FLIGHT:
                take()
            actor = self._actors[(turn + k) % len(self._actors)]
            flying.append((part, actor.draw.remote(plan, replicates[part], patients[part])))
        while flying:
            take()
        return found.columns


@final
class _Found:
    """Columns that are filled block by block."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.columns: Columns = {}

    def put(self, part: slice, columns: Columns) -> None:
        for name, values in columns.items():
            self.columns.setdefault(name, np.empty(self._size))[part] = values


def _blocks(size: int) -> Iterator[slice]:
    return (slice(first, first + BLOCK) for first in range(0, size, BLOCK))


@lru_cache(maxsize=1)
def opened(folder: str, sha256: str, device: Device) -> Any:
    """Load a model, once in a process.

    Raises
    ------
    InputError
        If the folder is missing or holds another model.
    """
    from generation import load_model

    if digest_of(folder) != sha256:
        raise InputError(
            "population: its model is missing or has changed; run again from the start, in a "
            "folder that all machines can read"
        )
    return load_model(folder).on(device)


def digest_of(folder: str | Path) -> str:
    """SHA-256 of a saved model: its document names the hash of the arrays."""
    try:
        return hashlib.sha256(Path(folder, "model.json").read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def device_here(asked: str, promised: bool = False) -> Device:
    """Choose a device: "gpu" for "auto" if PyTorch sees one.

    Parameters
    ----------
    promised
        Whether a GPU was set aside: not to see it is told in the log.
    """
    if asked != "auto":
        return "gpu" if asked == "gpu" else "cpu"
    import torch

    if torch.cuda.is_available():
        return "gpu"
    if promised:
        _LOG.warning("%s", BLIND)
    return "cpu"


BLIND: Final = (
    "a GPU was set aside for a resident model, but PyTorch sees none: patients are drawn on the "
    "CPU; install a build of PyTorch with CUDA there"
)


@final
class Resident:
    """A model that stays loaded, as a Ray actor."""

    def __init__(self, folder: str, sha256: str, asked: str, promised: bool) -> None:
        one_thread()
        self._folder, self._sha256 = folder, sha256
        self._device = device_here(asked, promised)

    @cached_property
    def _local(self) -> Local:
        """The model, loaded when it is first asked: a fault in `__init__` would reach nobody."""
        return Local(self._folder, self._sha256, self._device)

    def about(self) -> dict[str, Any]:
        """Load the model; return the process and its device."""
        _ = self._local
        return {"pid": os.getpid(), "device": self._device}

    def draw(self, plan: str, replicates: Indices, patients: Indices) -> Columns:
        """Draw as `Local.draw`; a task asks for a block at most."""
        return self._local.draw(plan, replicates, patients)


@contextmanager
def placing(execution: str, workers: int | None) -> Iterator[Place]:
    """Choose devices for populations that need a model; with Ray, hold the models in actors.

    Yields
    ------
    place(facts, paths): what a population sent, told where its model is. A model stands once,
    however many designs use it. Actors end with the context.
    """
    actors: dict[str, tuple[Device, dict[str, Any]]] = {}

    def place(facts: Facts, paths: Paths, before: str = "") -> tuple[Facts, Paths]:
        if facts["kind"] == "with_external":
            own, paths = place(facts["own"], paths, before)
            external, paths = place(facts["external"], paths, f"{before}external ")
            return {**facts, "own": own, "external": external}, paths
        if facts["kind"] != "fresh":
            return facts, paths
        sha256, asked = facts["model_sha256"], facts["device"]
        if execution != "ray":
            return {**facts, "device": device_here(asked)}, paths
        key = f"{sha256} {asked}"
        if key not in actors:
            actors[key] = _begun(paths[f"{before}model"], sha256, asked, workers)
        device, held = actors[key]
        return {**facts, "device": device}, {**paths, f"{before}residents": ",".join(held)}

    try:
        yield place
    finally:
        for _, held in actors.values():
            ray_actors.end(list(held.values()))


def told(population: Any, facts: Facts) -> dict[str, Any]:
    """Describe a population, with the device that its patients are drawn on."""
    own = facts.get("own", facts)
    device = {"device": own["device"]} if "device" in own else {}
    return {**population.describe(), **device}


def _begun(
    folder: str, sha256: str, asked: str, workers: int | None
) -> tuple[Device, dict[str, Any]]:
    """Start the actors of a model, and see on what they draw."""
    gpus, count = _share(ray_actors.resources(workers), asked, workers)
    held = ray_actors.begin(Resident, count, gpus, folder, sha256, asked, gpus > 0)
    try:
        device = _one_device(list(held.values()))
    except BaseException:
        ray_actors.end(list(held.values()))
        raise
    if gpus and device == "cpu":
        _LOG.warning("%s", BLIND)
    _LOG.info("%d actors hold a model, each with %g GPUs, drawing on %s", count, gpus, device)
    return device, held


def _one_device(actors: Sequence[Any]) -> Device:
    """What all draw on, their models loaded at the same time."""
    asked = [actor.about.remote() for actor in actors]
    devices: set[Device] = {ray_actors.answer(reference)["device"] for reference in asked}
    if len(devices) > 1:
        raise InputError(
            "device: some machines of the cluster draw on a GPU and others cannot, and bytes may "
            "differ; set the population's device to cpu, or mend PyTorch on those machines"
        )
    return devices.pop()


def _share(resources: Mapping[str, float], asked: str, workers: int | None) -> tuple[float, int]:
    """GPUs of each actor, and actors: as many as GPUs serve, or one for each worker.

    Raises
    ------
    InputError
        If the share that the environment names is no number above 0.
    """
    most = max(1, workers or int(resources.get("CPU", 1)))
    try:
        each = float(os.environ.get(GPUS, "1"))
    except ValueError:
        each = 0.0
    if not 0 < each < np.inf:
        raise InputError(f"environment {GPUS}: give the GPUs of one model, such as 1 or 0.5")
    served = int(resources.get("GPU", 0) / each) if asked != "cpu" else 0
    if asked == "gpu" and not served:
        raise InputError(
            f"device: 'gpu', but the cluster has {resources.get('GPU', 0):g} GPUs and each model "
            f"takes {each:g}; use device 'cpu' or 'auto', or set {GPUS} lower"
        )
    return (each, min(served, most)) if served else (0.0, most)
