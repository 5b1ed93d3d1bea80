"""Pool: the replicates of one trial or of many, through one pool of workers, summed up in turn."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from simulation.execution.results import Result
from simulation.execution.streaming import Work, stream
from simulation.trial.characteristics import Arrays, OperatingCharacteristics
from simulation.trial.design import TrialDesign
from simulation.trial.population import Population
from simulation.trial.population.residents import Place, placing, told
from simulation.trial.storage import Recorder, finished, resummarise

FUNCTION: Final = "simulation.trial.replicate:replicate"
LAYOUT: Final = 2
"""Of the arrays that `replicate` gives: part of a work's identity, so that chunks and files with
other arrays are not gone on with. It rises whenever they change."""


@final
@dataclass(frozen=True)
class Job:
    """A trial to be repeated.

    Attributes
    ----------
    design, population, seed
        What is simulated.
    work
        Its replicates, for workers; its folder, if any, keeps what is finished.
    """

    design: TrialDesign
    population: Population
    seed: int
    work: Work

    @classmethod
    def of(
        cls,
        design: TrialDesign,
        population: Population,
        replicates: int,
        seed: int,
        chunk_size: int,
        place: Path,
    ) -> "Job":
        """Describe the replicates for workers; the population's files are put in the place."""
        facts, paths = population.send(place)
        payload = {
            "design": design.model_dump(mode="json", exclude={"population"}),
            "population": facts,
            "seed": seed,
            "layout": LAYOUT,
        }
        work = Work(FUNCTION, payload, replicates, chunk_size, paths=paths, passing=True)
        return cls(design, population, seed, work)

    def placed(self, place: Place) -> "Job":
        """Tell where the population's model is, if it has one."""
        facts, paths = place(self.work.payload["population"], dict(self.work.paths or {}))
        payload = {**self.work.payload, "population": facts}
        return replace(self, work=replace(self.work, payload=payload, paths=paths))

    @property
    def about(self) -> dict[str, Any]:
        """What the patients are drawn from, and where."""
        return told(self.population, self.work.payload["population"])


def conducted(
    jobs: Sequence[Job],
    execution: str,
    workers: int | None,
    progress: Callable[[str, float], None] | None,
) -> Iterator[OperatingCharacteristics]:
    """Operating characteristics of each job, in order, as they are there.

    What an earlier run has finished is read, not run again. A job's last replicate is written down
    before the files of its chunks go.
    """
    with placing(execution, workers) as place:
        jobs = [job.placed(place) for job in jobs]
        kept = [finished(job.work.folder, job.work.identity) for job in jobs]
        due = [job.work for job, file in zip(jobs, kept, strict=True) if file is None]
        if not due and progress is not None:
            progress("finished before", 1.0)
        with closing(stream(due, execution, workers, progress if due else None)) as results:
            for job, file in zip(jobs, kept, strict=True):
                if file is None:
                    yield _recorded(job, results)
                else:
                    yield resummarise(job.design, job.about, job.seed, file)
            next(results, None)  # let go of the last folder


def _recorded(job: Job, results: Iterator[tuple[int, Result]]) -> OperatingCharacteristics:
    work = job.work
    with Recorder(job.design, job.about, job.seed, work.folder, work.identity) as recorder:
        while recorder.rows < work.n_items:
            recorder.add(arrays_of(next(results)[1]))
        return recorder.finish()


def arrays_of(result: Result) -> Arrays:
    """Take a chunk's result as arrays."""
    if not isinstance(result, dict):
        raise TypeError("replicates came as a frame; arrays are needed")
    return result
