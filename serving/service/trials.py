"""Trials in the computer: open a design, say what it is and costs, run it, replay a replicate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

from extraction.records import Cohort
from extraction.records.errors import Faults

from .trial_options import option_faults, patients_of, values_of

if TYPE_CHECKING:
    from serving.report.credibility_context import Context
    from simulation.operating_characteristics import Cost
    from simulation.operating_characteristics.batches import Running
    from simulation.trial import OperatingCharacteristics, TrialDesign
    from simulation.trial.replay import Replay

Progress = Callable[[str, float], None]
Watch = Callable[[str], Progress | None]
"""Gives the display of progress of a named part."""
_CELL_REPLICATES = 2000
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
        Trials to run, and the seed of all draws.
    execution, workers
        Where chunks run; never changes a result.
    resume
        Keeps finished chunks, so that a killed simulation goes on.
    precision
        Monte Carlo standard error to reach for the rejections of every scenario, in place of
        `replicates`.
    curve
        Also power over sizes of the effect.
    surface
        Two assumptions, each PATH or PATH=VALUE,VALUE: power over both.
    nulls
        Assumptions, as those of a surface: type I error at every combination.
    credibility
        YAML file of the context of use, for the credibility report.
    out
        New folder for results.json, characteristics.csv, report.html and the credibility report.
    """

    design: Path
    population: str | None = None
    replicates: int = 10_000
    seed: int = 0
    execution: Literal["serial", "processes", "ray"] = "serial"
    workers: int | None = None
    resume: Path | None = None
    precision: float | None = None
    curve: bool = False
    surface: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()
    credibility: Path | None = None
    out: Path | None = None


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
        from serving.report.credibility_context import Context
        from simulation.trial import TrialDesign
        from simulation.trial.conduct import as_population
        from simulation.trial.design.lacking import population_faults

        self.request = request
        self.context: Context | None = None
        self.people: Any = None
        self.card: dict[str, Any] | None = None
        self.surface: dict[str, list[Any]] = {}
        self.nulls: dict[str, list[Any]] = {}
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
                self.surface = self._over(request.surface)
            with faults.catch():
                self.nulls = self._over(request.nulls)
            if request.curve and all(truth.null for truth in self.plan.truths[:2]):
                faults.add("--curve: the first scenario has no effect to scale; give it one")
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
        replicates = request.replicates
        if request.precision is not None:
            # A share's standard error is largest at one half.
            replicates = min(_MOST_REPLICATES, ceil(0.25 / request.precision**2))
        return estimate_cost(self.plan, self.people, replicates, request.seed, **self._running)

    def replay(self, number: int, scenario: str | None = None) -> Replay:
        """One replicate alone, patient by patient."""
        from simulation.trial.replay import replay

        return replay(self.plan, self.people, self.request.seed, number, scenario)

    def run(self, watch: Watch = lambda _: None) -> dict[str, Any]:
        """Simulate, and write the files that are asked for.

        Returns
        -------
        dict
            `OperatingCharacteristics.to_dict` with description, boundaries, spread, versions, and
            curve, surface, nulls, precision, verification and files where they are asked for.
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
        }
        done |= self._further(watch)
        if self.context is not None:
            done |= self._credible(watch, found)
        done = dict(plain(done))
        if self.request.out is not None:
            from .trial_files import write_files

            done["files"] = write_files(self.request, done, found, self.context)
        return done

    @property
    def _running(self) -> Running:
        return {"execution": self.request.execution, "workers": self.request.workers}

    def _simulated(self, watch: Watch, reached: dict[str, Any]) -> OperatingCharacteristics:
        request = self.request
        if request.precision is None:
            from simulation.trial import simulate

            return simulate(
                self.plan,
                self.people,
                request.replicates,
                request.seed,
                folder=request.resume,
                progress=watch("replicates"),
                **self._running,
            )
        from simulation.operating_characteristics import simulate_to_precision

        precise = simulate_to_precision(
            self.plan,
            self.people,
            wanted=request.precision,
            most=_MOST_REPLICATES,
            seed=request.seed,
            progress=watch("replicates"),
            **self._running,
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

    def _further(self, watch: Watch) -> dict[str, Any]:
        """Curve, surface and null grid, where they are asked for."""
        from simulation.operating_characteristics import null_grid, surface
        from simulation.operating_characteristics.curve import power_curve

        request, seed = self.request, self.request.seed
        cells = min(request.replicates, _CELL_REPLICATES)
        common: Any = {"replicates": cells, "seed": seed, **self._running}
        done: dict[str, Any] = {}
        if request.curve:
            rows = power_curve(self.plan, self.people, progress=watch("power curve"), **common)
            done["curve"] = {"replicates": cells, "rows": rows.to_dict("records")}
        if self.surface:
            frame = surface(
                self.plan, self.people, over=self.surface, progress=watch("surface"), **common
            )
            done["surface"] = {
                "replicates": cells,
                "over": self.surface,
                "rows": frame.to_dict("records"),
            }
        if self.nulls:
            grid = null_grid(
                self.plan, self.people, over=self.nulls, progress=watch("null grid"), **common
            )
            done["nulls"] = asdict(grid) | {
                "frame": None,
                "replicates": cells,
                "over": self.nulls,
                "rows": grid.frame.to_dict("records"),
            }
        return done

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

    def _over(self, options: tuple[str, ...]) -> dict[str, list[Any]]:
        """Values of each assumption; every combination is checked before anything is run."""
        from simulation.operating_characteristics.vary import cells, varied

        over: dict[str, list[Any]] = {}
        faults = Faults()
        for option in options:
            with faults.catch():
                over |= values_of(self.plan, self.people, option)
        faults.raise_if_any()
        for cell in cells(over) if over else []:
            varied(self.plan, self.people, cell)
        return over


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
        from .trial_files import write_design

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

    from .trial_files import write_replay

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
