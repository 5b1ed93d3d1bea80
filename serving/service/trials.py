"""Trials in the computer: open a design, say what it is and costs, run it, replay a replicate."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from extraction.records import Cohort
from extraction.records.errors import Faults

from .trial_files import TrialFiles, write_design, write_replay
from .trial_options import option_faults, patients_of, values_of
from .trial_sensitivity import sensitivities

if TYPE_CHECKING:
    from serving.report.credibility_context import Context
    from simulation.operating_characteristics import Cost
    from simulation.operating_characteristics.batches import Running
    from simulation.operating_characteristics.figures import Asked
    from simulation.trial import OperatingCharacteristics, TrialDesign
    from simulation.trial.replay import Replay

Progress = Callable[[str, float], None]
Watch = Callable[[str], Progress | None]
"""Gives the display of progress of a named part."""
_REPLICATES = 10_000
_MOST_REPLICATES = 1_000_000
_VERSIONS = ("python", "trialtwin", "numpy", "scipy", "numba", "pandas", "pyarrow", "torch")
"""What a simulated trial rests on."""


@final
@dataclass(frozen=True)
class TrialRequest:
    """What is asked of `trialtwin simulate`.

    Attributes
    ----------
    design
        YAML file of a `TrialDesign`.
    population
        Where patients come from in place of the design's own: a model (folder or run's name:
        twins under control) or a cohort's folder (its control patients).
    replicates, seed
        Trials to run (None: 10,000), and the seed of all draws.
    execution, workers
        Where chunks run; never changes a result.
    resume
        Keeps finished chunks, so that a killed simulation goes on.
    precision
        Monte Carlo standard error to reach for the rejections of every scenario, in place of
        `replicates`.
    curve
        Also figures over sizes of the effect.
    surface
        Two assumptions, each PATH or PATH=VALUE,VALUE: figures over both.
    figures
        What curve and surface show, by `figures.asked_figure`; none: power.
    scenario
        Of curve, surface and replay; None: the first given.
    nulls
        Assumptions, as those of a surface: type I error at every combination.
    credibility
        YAML file of the context of use, for the credibility report.
    out
        New folder for results.json, characteristics.csv, report.html and the credibility report.
    replay
        The replicate that alone is to be shown.
    dry_run
        Whether the design and its cost are told, and no more.
    """

    design: Path
    population: str | None = None
    replicates: int | None = None
    seed: int = 0
    execution: Literal["serial", "processes", "ray"] = "serial"
    workers: int | None = None
    resume: Path | None = None
    precision: float | None = None
    curve: bool = False
    surface: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()
    scenario: str | None = None
    nulls: tuple[str, ...] = ()
    credibility: Path | None = None
    out: Path | None = None
    replay: int | None = None
    dry_run: bool = False

    @property
    def number(self) -> int:
        """Replicates to run."""
        return _REPLICATES if self.replicates is None else self.replicates


@final
class OpenTrial:
    """A design that was read and checked, with its patients.

    Parameters
    ----------
    request
        What is asked.

    Raises
    ------
    InputError
        With every fault of the files and options.
    """

    def __init__(self, request: TrialRequest) -> None:
        from serving.report.credibility_context import Context, contradictions
        from simulation.trial import TrialDesign
        from simulation.trial.conduct import as_population
        from simulation.trial.design.lacking import population_faults

        self.request = request
        self.context: Context | None = None
        self.people: Any = None
        self.card: dict[str, Any] | None = None
        self.surface: dict[str, list[Any]] = {}
        self.nulls: dict[str, list[Any]] = {}
        self.figures: list[Asked] = []
        self.scenario = ""
        faults = Faults()
        for fault in option_faults(request):
            faults.add(fault)
        if request.credibility is not None:
            with faults.catch():
                self.context = Context.read(request.credibility)
        # The design's own patients give way to those that are named.
        instead: dict[str, Any] = {} if request.population is None else {"population": None}
        with faults.catch():
            self.plan: TrialDesign = TrialDesign.read(request.design, **instead)
            self.people, self.card = patients_of(self.plan, request.population, request.seed)
            people = as_population(self.plan, self.people, request.seed)
            for fault in population_faults(self.plan, people):
                faults.add(f"{request.design.name}: {fault}")
            with faults.catch():
                self.surface = self._over("--surface", request.surface)
            with faults.catch():
                self.nulls = self._over("--nulls", request.nulls)
            with faults.catch():
                self._choose()
            if self.context is not None:
                for fault in contradictions(self.context, self.plan):
                    faults.add(fault)
        faults.raise_if_any()

    def _choose(self) -> None:
        """Find the scenario and the figures of curve and surface."""
        from simulation.operating_characteristics.figures import asked_figure, scenario_name

        request = self.request
        self.scenario = scenario_name(self.plan, request.scenario)
        faults = Faults()
        for name in dict.fromkeys(request.figures or ("power",)):
            with faults.catch():
                self.figures.append(asked_figure(self.plan, name, self.scenario))
        null = next(truth.null for truth in self.plan.truths if truth.name == self.scenario)
        if request.curve and null:
            faults.add(f"--curve: scenario {self.scenario!r} has no effect to scale; give it one")
        if request.curve and "type_one_error" in request.figures:
            faults.add("--figure type_one_error: no effect has no size; leave out --curve for it")
        faults.raise_if_any()

    @cached_property
    def told(self) -> dict[str, list[str]]:
        """The design in plain language, by topic."""
        from simulation.trial.design.telling import tell

        return tell(self.plan)

    @property
    def real(self) -> bool:
        """Whether patients are rows of a real cohort."""
        return isinstance(self.people, Cohort)

    def cost(self) -> Cost:
        """What the main simulation will take on this machine, with --precision at most."""
        from simulation.operating_characteristics import estimate_cost

        request = self.request
        replicates = request.number
        if request.precision is not None:
            # A share's standard error is largest at one half.
            replicates = min(_MOST_REPLICATES, ceil(0.25 / request.precision**2))
        return estimate_cost(self.plan, self.people, replicates, request.seed, **self.running)

    def replay(self, number: int, scenario: str | None = None) -> Replay:
        """One replicate alone, patient by patient."""
        from simulation.trial.replay import replay

        return replay(self.plan, self.people, self.request.seed, number, scenario)

    def run(self, watch: Watch = lambda _: None) -> dict[str, Any]:
        """Simulate, and write the files that are asked for: figures first, then pages.

        Returns
        -------
        dict
            `OperatingCharacteristics.to_dict` with description, boundaries, spread, versions, and
            curve, surface, nulls, precision, verification and files where they are asked for.

        Raises
        ------
        TrialtwinError
            If a page cannot be made; all figures are in their files by then.
        """
        from serving.pipeline.cache import versions
        from serving.pipeline.stages.tools import plain
        from simulation.operating_characteristics.tables import boundaries, spread

        reached: dict[str, Any] = {}
        found = self._simulated(watch, reached)
        done = found.to_dict() | reached
        done |= {
            "description": self.told,
            "boundaries": boundaries(self.plan),
            "spread": spread(found),
            "versions": {name: v for name, v in versions().items() if name in _VERSIONS},
            "replay": self._replay_command(),
        }
        done = dict(plain(done))
        files = None if self.request.out is None else TrialFiles(self.request.out, found)
        _keep(files, done)
        for further in sensitivities(self, watch):
            done |= plain(further)
            _keep(files, done)
        if files is not None:
            files.page(done)
        if self.context is not None:
            done |= plain(self._credible(watch, found))
            _keep(files, done)
            if files is not None:
                files.credibility(done, self.context)
        if files is not None:
            done["files"] = files.finished()
        return done

    def _replay_command(self) -> str:
        """What shows one replicate of this simulation, for a shell."""
        request = self.request
        source = [] if request.population is None else ["--population", request.population]
        name = self.plan.truths[-1].name
        words = ["trialtwin", "simulate", request.design.name, *source]
        words += ["--seed", str(request.seed), "--replay", "17"]
        return shlex.join([*words, "--scenario", name, "--out", "replay-17"])

    @property
    def running(self) -> Running:
        """Where chunks run."""
        return {"execution": self.request.execution, "workers": self.request.workers}

    def _simulated(self, watch: Watch, reached: dict[str, Any]) -> OperatingCharacteristics:
        request = self.request
        if request.precision is None:
            from simulation.trial import simulate

            return simulate(
                self.plan,
                self.people,
                request.number,
                request.seed,
                folder=request.resume,
                progress=watch("replicates"),
                **self.running,
            )
        from simulation.operating_characteristics import simulate_to_precision

        precise = simulate_to_precision(
            self.plan,
            self.people,
            wanted=request.precision,
            most=_MOST_REPLICATES,
            seed=request.seed,
            progress=watch("replicates"),
            **self.running,
        )
        reached["precision"] = {
            "wanted": precise.wanted,
            "figure": precise.figure,
            "scenario": precise.scenario,
            "se": precise.measured.se,
            "reached": precise.reached,
            "totals": precise.totals,
        }
        return precise.result

    def _credible(self, watch: Watch, found: OperatingCharacteristics) -> dict[str, Any]:
        from simulation.operating_characteristics.verification import verify

        assert self.context is not None
        tell = watch("verification")
        checks = verify(self.plan, self.people, found, progress=tell)
        return {
            "verification": checks,
            "context": self.context.model_dump(mode="json"),
            "model_card": self.card,
        }

    def _over(self, option: str, given: tuple[str, ...]) -> dict[str, list[Any]]:
        """Values of each assumption; every combination is checked before anything is run."""
        from simulation.operating_characteristics.vary import variations

        over: dict[str, list[Any]] = {}
        faults = Faults()
        for path in given:
            with faults.catch():
                over |= values_of(self.plan, self.people, option, path)
        if over:
            with faults.catch():
                variations(self.plan, self.people, over, option)
        faults.raise_if_any()
        return over


def _keep(files: TrialFiles | None, done: Mapping[str, Any]) -> None:
    """Have what is known so far safe, so that nothing later costs it."""
    if files is not None:
        files.results(done)


def open_trial(request: TrialRequest) -> OpenTrial:
    """Read and check a design, its patients and what is asked of it; see `OpenTrial`."""
    return OpenTrial(request)


def cost_of(trial: OpenTrial) -> dict[str, Any]:
    """What the main simulation will take, with --precision at most."""
    precision = trial.request.precision
    return asdict(trial.cost()) | {"at_most": precision is not None, "precision": precision}


def dry_run(trial: OpenTrial) -> dict[str, Any]:
    """Tell a design and its cost; with an output folder, also its figure. Nothing is simulated."""
    done: dict[str, Any] = {
        "name": trial.plan.name,
        "description": trial.told,
        "cost": cost_of(trial),
    }
    if trial.request.out is not None:
        done["files"] = write_design(trial.request.out, trial.plan)
    return done


def replay_trial(trial: OpenTrial, number: int, scenario: str | None = None) -> dict[str, Any]:
    """One replicate, patient by patient; rows of real patients go to a file only.

    Returns
    -------
    dict
        told, looks, row, both tables as text (`patients_table` empty where rows are those of
        real patients), withheld (why), and files where an output folder is asked for.
    """
    from serving.pipeline.stages.tools import plain

    found = trial.replay(number, scenario)
    done: dict[str, Any] = plain(
        {
            "told": found.told,
            "replicate": number,
            "scenario": found.scenario,
            "seed": found.seed,
            "row": found.row,
            "looks": found.looks.to_dict("records"),
        }
    )
    done["looks_table"] = found.looks.to_string(index=False, float_format="{:.4g}".format)
    done["patients_table"] = "" if trial.real else _excerpt(found)
    done["withheld"] = (
        "Patients are rows of a real cohort and are not shown; --out FOLDER writes them, to be "
        "kept as patient data."
        if trial.real
        else ""
    )
    if trial.request.out is not None:
        done["files"] = write_replay(trial.request.out, found)
    return done


def _excerpt(found: Replay) -> str:
    """The first patients, transposed, so that many columns stay readable."""
    shown = found.patients.head(5).set_index("patient").T
    rest = len(found.patients) - shown.shape[1]
    text: str = shown.to_string(float_format="{:.4g}".format)
    return text + (f"\n... and {rest} more patients; --out FOLDER writes all" if rest > 0 else "")
