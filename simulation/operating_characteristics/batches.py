"""Replicates of a design in batches: any run of replicates, the same as in one long run."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypedDict, final

from extraction.records.errors import InputError
from simulation.execution.results import concatenate
from simulation.execution.streaming import Work, stream
from simulation.trial.characteristics import Arrays
from simulation.trial.conduct import as_population
from simulation.trial.design import TrialDesign
from simulation.trial.design.lacking import population_faults
from simulation.trial.pool import Job, arrays_of
from simulation.trial.population import Population
from simulation.trial.population.residents import Place, placing, told
from simulation.trial.replicate import replicate

FUNCTION: Final = "simulation.operating_characteristics.batches:later_replicates"
CHUNK: Final = 250
Progress = Callable[[str, float], None]


class Running(TypedDict, total=False):
    """How chunks are run, as in `simulation.execution.map_chunks`; it never changes a result."""

    execution: str
    workers: int | None
    chunk_size: int


def later_replicates(payload: dict[str, Any], start: int, stop: int) -> Arrays:
    """Run the replicates first + start to first + stop - 1; otherwise as `replicate`."""
    first = payload["first"]
    rest = {name: value for name, value in payload.items() if name != "first"}
    return replicate(rest, first + start, first + stop)


@final
class Batches:
    """Replicates of designs on one population, by number.

    Parameters
    ----------
    population
        Where patients come from.
    folder
        Where the population's files lie while this lives.
    seed
        Seed of all draws.
    running
        How chunks are run.
    place
        Where the population's model is (`simulation.trial.population.residents`).
    """

    def __init__(
        self, population: Population, folder: Path, seed: int, running: Running, place: Place
    ) -> None:
        self.population = population
        self.facts, self.paths = place(*population.send(folder))
        self.seed = seed
        self.running = running

    @property
    def about(self) -> dict[str, Any]:
        """What the patients are drawn from, and where."""
        return told(self.population, self.facts)

    @property
    def chunk(self) -> int:
        """Replicates of a chunk."""
        return self.running.get("chunk_size", CHUNK)

    def run(self, design: TrialDesign, first: int, stop: int) -> Arrays:
        """Tables of the replicates first to stop - 1, as `simulation.trial.replicate` has them."""
        return _together(self.parts(design, first, stop))

    def parts(self, design: TrialDesign, first: int, stop: int) -> Iterator[Arrays]:
        """As `run`, chunk by chunk, so that memory does not grow with their number."""
        payload = {
            "design": design.model_dump(mode="json", exclude={"population"}),
            "population": self.facts,
            "seed": self.seed,
            "first": first,
        }
        return _streamed(FUNCTION, payload, stop - first, self.paths, self.running)


def together(
    trials: Sequence[tuple[TrialDesign, Any]],
    replicates: int,
    seed: int,
    running: Running,
    progress: Progress | None = None,
) -> Iterator[Arrays]:
    """Replicates of many designs, each on its population, through one pool of workers.

    Yields
    ------
    Each design's table in turn; memory holds one of them.

    Raises
    ------
    InputError
        If a population lacks what its design asks for: all faults, before any is run.
    """
    execution, workers = running.get("execution", "serial"), running.get("workers")
    with (
        tempfile.TemporaryDirectory(prefix="trials-") as folder,
        placing(execution, workers) as place,
    ):
        works = _works(trials, replicates, seed, running, Path(folder), place)
        with closing(stream(works, execution, workers, progress)) as results:
            for _, parts in groupby(results, key=itemgetter(0)):
                yield _together(arrays_of(result) for _, result in parts)


def _works(
    trials: Sequence[tuple[TrialDesign, Any]],
    replicates: int,
    seed: int,
    running: Running,
    folder: Path,
    place: Place,
) -> list[Work]:
    jobs, faults = [], []
    chunk = running.get("chunk_size", CHUNK)
    for design, given in trials:
        people = as_population(design, given, seed)
        faults += population_faults(design, people)
        # Populations that are the same have one file: its name comes from what it holds.
        jobs.append(Job.of(design, people, replicates, seed, chunk, folder))
    if faults:
        raise InputError(dict.fromkeys(faults))
    return [job.placed(place).work for job in jobs]


def mapped(
    function: str, payload: dict[str, Any], items: int, paths: dict[str, str], running: Running
) -> Arrays:
    """Arrays of a function over all items."""
    return _together(_streamed(function, payload, items, paths, running))


def _streamed(
    function: str, payload: dict[str, Any], items: int, paths: dict[str, str], running: Running
) -> Iterator[Arrays]:
    work = Work(function, payload, items, running.get("chunk_size", CHUNK), paths=paths)
    results = stream([work], running.get("execution", "serial"), running.get("workers"))
    return (arrays_of(result) for _, result in results)


def _together(parts: Iterator[Arrays]) -> Arrays:
    return arrays_of(concatenate(list(parts)))


@contextmanager
def batches(design: TrialDesign, population: Any, seed: int, running: Running) -> Iterator[Batches]:
    """Open a population for batches of a design.

    Raises
    ------
    InputError
        If the population lacks what the design asks for, all faults at once.
    """
    held = as_population(design, population, seed)
    faults = population_faults(design, held)
    if faults:
        raise InputError(faults)
    with (
        tempfile.TemporaryDirectory(prefix="trials-") as folder,
        placing(running.get("execution", "serial"), running.get("workers")) as place,
    ):
        yield Batches(held, Path(folder), seed, running, place)


def number_faults(**numbers: int) -> list[str]:
    """Say which numbers are below 1."""
    return [
        f"{name}: {number} came; it must be at least 1"
        for name, number in numbers.items()
        if number < 1
    ]
