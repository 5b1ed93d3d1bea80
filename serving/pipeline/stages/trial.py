"""Stage `trial`: operating characteristics of the next trial, its patients drawn from twins."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from extraction.records import Cohort
from generation import load_model
from generation.randomness import integer_seed
from serving.analyses.effects import observed_outcome
from serving.pipeline.stage import Job
from serving.study import TrialStudy
from serving.study.trial import DesignSection, NextTrialSection
from simulation.analysis.planning import plan_saving
from simulation.analysis.procova import correlation
from simulation.trial import TrialDesign, TwinPopulation, simulate

from .tools import plain

_MODEL_SEED = (
    "The Monte Carlo error in brackets leaves out the model's own seed, which can move power by "
    "more than that; run the study under other seeds (--seed) to see how far."
)


def run(job: Job) -> dict[str, Any]:
    """Simulate every design on the same twins; see `serving.pipeline.stage`."""
    study = job.trial
    settings = study.trial
    assert settings is not None
    control = job.result("cohort")["control_arm"]
    model = load_model(job.stage("models") / "controls")
    seed = integer_seed(job.seed, "trial")
    designs = [design_of(study, settings, d, control) for d in settings.designs]
    population = TwinPopulation.from_model(model, designs[0], n=settings.twins, seed=seed)
    results, curve = [], []
    for k, design in enumerate(designs):
        found = simulate(
            design,
            population,
            settings.replicates,
            seed=seed,
            execution=job.execution,
            workers=job.workers,
            chunk_size=settings.chunk_size,
            folder=job.scratch / f"design-{k}",
            progress=_part(job, design.name, k, len(designs)),
        )
        whole = found.to_dict()
        whole |= {"power": asdict(found.power), "type_one_error": asdict(found.type_one_error)}
        results.append(
            {
                "design": whole["design"],
                "estimand": whole["estimand"],
                "boundaries": boundaries(design),
                "operating_characteristics": whole,
            }
        )
        curve += [
            {
                "design": design.name,
                "effect": s.effect,
                "power": asdict(s.rejection),
                "expected_n": asdict(s.expected_n),
            }
            for s in found.scenarios
        ]
    return dict(
        plain(
            {
                "designs": results,
                "power_curve": curve,
                "planning": planning(job, settings),
                "dropout": dropout(job, designs[0], population),
                "model_seed": _MODEL_SEED,
                "population": population.describe(),
                "outcome_sd": population.sd,
                "reminder": f"{settings.twins} twins were drawn from a model of "
                f"{model.card.n_train} real controls; drawing more adds no information.",
            }
        )
    )


def design_of(
    study: TrialStudy, settings: NextTrialSection, design: DesignSection, control: str
) -> TrialDesign:
    """Return one design of the section, as the simulator takes it."""
    end = study.endpoint
    return TrialDesign(
        name=design.name,
        arms=({"name": control, "control": True}, {"name": settings.treated_arm}),
        endpoint={"variable": end.variable, "visit": end.visit},
        n=settings.n,
        looks=design.looks,
        boundary=design.boundary,
        alpha=settings.alpha,
        covariates=settings.covariates,
        dropout=settings.dropout,
        effect=settings.effect,
        further_effects=settings.further_effects,
    )


def boundaries(design: TrialDesign) -> list[dict[str, Any]]:
    """Return the looks of a design: patients, information rate and critical z."""
    plan = design.sequential
    rows = zip(design.sizes, plan.rates, plan.critical, strict=True)
    return [
        {"look": k, "n": int(n), "information_rate": float(rate), "critical_z": float(z)}
        for k, (n, rate, z) in enumerate(rows, start=1)
    ]


def planning(job: Job, settings: NextTrialSection) -> dict[str, Any] | None:
    """What a prognostic score may save: from the lower limit of rho, and power for rho = 0."""
    if job.trial.effects is None:
        return None
    gain = job.result("effects")["adjustment"]
    partial = gain["partial_correlation"]
    rho = correlation(partial["mean"], partial["n_free"])
    sd = gain["residual_sd"]
    plan = plan_saving(rho, settings.effect, sd, alpha=2 * settings.alpha)
    return asdict(plan) | {
        "rho_low": rho.low,
        "rho_high": rho.high,
        "difference": settings.effect,
        "sd": sd,
        "rule": "planned from the limit of rho nearer to 0; 0 where the interval holds 0",
    }


def dropout(job: Job, design: TrialDesign, population: TwinPopulation) -> dict[str, Any]:
    """Who leaves in the simulation, who left in the real trial, and power with the real shares.

    Returns
    -------
    dict
        ``rule`` and ``simulated`` (share leaving, the same in both arms), ``real`` (share
        without an outcome in the visit's window by arm, which is what the model learns from),
        ``real_at_analysis_visit`` (the same by the trial's own visit, which counts outcomes
        taken on other days) and ``scenarios``: power of the first design with a share
        dropped at random from both arms, namely the one that leaves as much information as the
        two arms' own shares, and the treated arm's share.
    """
    end = job.trial.endpoint
    cohort = Cohort.read(job.stage("cohort") / "cohort")
    real = _missing(cohort, cohort.at_visit(end.variable, end.visit))
    named = _missing(cohort, observed_outcome(cohort, end.variable, end.visit)["value"])
    learnt = float(population.describe()["left_before_visit"])
    shares = {"as_learnt": learnt, "none": 0.0}
    rule = design.dropout
    return {
        "rule": rule,
        "simulated": rule if isinstance(rule, float) else shares[rule],
        "real": real,
        "real_at_analysis_visit": named,
        "scenarios": _with_real_dropout(job, design, population, real),
    }


def _missing(cohort: Cohort, values: pd.Series) -> dict[str, float]:
    arm = cohort.subjects["arm"].to_numpy(dtype=str)
    by_arm = pd.Series(values.isna().to_numpy()).groupby(arm).mean()
    return {name: float(by_arm[name]) for name in cohort.schema.arms if name in by_arm}


def _with_real_dropout(
    job: Job, design: TrialDesign, population: TwinPopulation, real: dict[str, float]
) -> list[dict[str, Any]]:
    control, treated = (real.get(arm.name) for arm in (design.control, design.treated))
    if control is None or treated is None or max(control, treated) >= 1:
        return []
    shares = {
        "the share that leaves as much information as each arm's own": same_information(
            control, treated
        ),
        f"the share of {design.treated.name} in both arms": treated,
    }
    settings = job.trial.trial
    assert settings is not None
    found = []
    for k, (what, share) in enumerate(shares.items()):
        changed = design.model_dump() | {"dropout": share, "further_effects": ()}
        power = simulate(
            TrialDesign(**changed),
            population,
            settings.replicates,
            seed=integer_seed(job.seed, "trial"),
            execution=job.execution,
            workers=job.workers,
            chunk_size=settings.chunk_size,
            folder=job.scratch / f"dropout-{k}",
        ).power
        found.append({"what": what, "share": share, "power": asdict(power)})
    return found


def same_information(control: float, treated: float) -> float:
    """Share leaving both of two equal arms that gives the difference the same variance.

    Parameters
    ----------
    control, treated
        Shares leaving each arm, in [0, 1).
    """
    return 1 - 2 / (1 / (1 - control) + 1 / (1 - treated))


def _part(job: Job, what: str, k: int, of: int) -> Any:
    return lambda step, share: job.tell(f"{what}: {step}", (k + share) / of)
