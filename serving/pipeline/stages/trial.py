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
from serving.study.trial import DesignSection, NextTrialSection
from simulation.analysis.planning import plan_saving
from simulation.analysis.procova import correlation
from simulation.trial import TrialDesign, TwinPopulation, simulate
from simulation.trial.characteristics import OperatingCharacteristics
from simulation.trial.design.dropout import ShareDropout

from .tools import plain

_MODEL_SEED = (
    "The Monte Carlo error in brackets leaves out the model's own seed, which can move power by "
    "more than that; run the study under other seeds (--seed) to see how far."
)


def run(job: Job) -> dict[str, Any]:
    """Simulate every design on the same twins; see `serving.pipeline.stage`."""
    settings = job.trial.trial
    assert settings is not None
    control = job.result("cohort")["control_arm"]
    model = load_model(job.stage("models") / "controls")
    seed = integer_seed(job.seed, "trial")
    designs = [design_of(job, settings, d, control) for d in settings.designs]
    population = TwinPopulation.from_model(model, designs[0], n=settings.twins, seed=seed)
    results: list[dict[str, Any]] = []
    curve: list[dict[str, Any]] = []
    for k, design in enumerate(designs):
        tell = _part(job, design.name, k, len(designs))
        found = _simulated(job, settings, design, population, f"design-{k}", tell)
        whole = found.to_dict()
        whole |= {"power": asdict(found.power), "type_one_error": asdict(found.type_one_error)}
        results.append(
            {
                "design": whole["design"],
                "estimand": whole["estimands"][0],
                "boundaries": boundaries(design),
                "operating_characteristics": whole,
            }
        )
        curve += [
            {
                "design": design.name,
                "effect": s.hypotheses[0].truth,
                "power": asdict(s.any_rejection),
                "expected_n": asdict(s.n),
            }
            for s in found.scenarios
        ]
    outcome = population.known(f"outcome.{job.trial.endpoint.variable}@0")
    return dict(
        plain(
            {
                "designs": results,
                "power_curve": curve,
                "planning": planning(job, settings),
                "dropout": dropout(job, designs[0], population),
                "model_seed": _MODEL_SEED,
                "population": population.describe(),
                "outcome_sd": float(outcome.std(ddof=1)),
                "reminder": f"{settings.twins} twins were drawn from a model of "
                f"{model.card.n_train} real controls; drawing more adds no information.",
            }
        )
    )


def _simulated(
    job: Job,
    settings: NextTrialSection,
    design: TrialDesign,
    population: TwinPopulation,
    name: str,
    tell: Any = None,
) -> OperatingCharacteristics:
    return simulate(
        design,
        population,
        settings.replicates,
        seed=integer_seed(job.seed, "trial"),
        execution=job.execution,
        workers=job.workers,
        chunk_size=settings.chunk_size,
        folder=job.scratch / name,
        progress=tell,
    )


def design_of(
    job: Job, settings: NextTrialSection, design: DesignSection, control: str
) -> TrialDesign:
    """Return one design of the section, as the simulator takes it."""
    end = job.trial.endpoint
    schema = Cohort.read(job.stage("cohort") / "cohort").schema
    rule: dict[str, Any] = {"kind": "fixed", "alpha": settings.alpha}
    if design.looks > 1:
        rule = {
            "kind": "group_sequential",
            "alpha": settings.alpha,
            "boundary": design.boundary,
            "looks": {"number": design.looks},
        }
    effects = dict.fromkeys((settings.effect, *settings.further_effects))
    asked = {"kind": "ancova", "covariates": settings.covariates}
    return TrialDesign.parse(
        {
            "name": design.name,
            "arms": [{"name": control, "control": True}, {"name": settings.treated_arm}],
            "n": settings.n,
            "endpoints": [
                {
                    "kind": "continuous",
                    "name": end.variable,
                    "visits": [schema.visit(end.visit).day],
                    "at": [end.visit],
                    "higher_is_better": end.better == "higher",
                }
            ],
            "hypotheses": [{"endpoint": end.variable, "analysis": asked}],
            "dropout": _leaving(settings.dropout),
            "rule": rule,
            "scenarios": [_scenario(settings.treated_arm, end.variable, e) for e in effects],
        }
    )


def _scenario(arm: str, endpoint: str, effect: float) -> dict[str, Any]:
    shift = {"arm": arm, "endpoint": endpoint, "shift": effect}
    return {"name": f"{effect:+g}", "effects": [shift]}


def _leaving(given: str | float) -> dict[str, Any]:
    return {"kind": "share", "share": given} if isinstance(given, float) else {"kind": given}


def boundaries(design: TrialDesign) -> list[dict[str, Any]]:
    """Return the looks of a design: patients, information rate and critical z."""
    rule = design.rule
    rows = zip(design.sizes, rule.looks.rates, rule.critical(rule.alpha), strict=True)
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
        taken on other days) and ``scenarios``: power of the first design where each arm loses
        its own share at random, and where both lose the treated arm's.
    """
    end = job.trial.endpoint
    cohort = Cohort.read(job.stage("cohort") / "cohort")
    real = _missing(cohort, cohort.at_visit(end.variable, end.visit))
    named = _missing(cohort, observed_outcome(cohort, end.variable, end.visit)["value"])
    rule = design.dropout
    lacking = 1 - population.known(f"outcome.{end.variable}@0").size / population.describe()["rows"]
    shares = {"as_learnt": lacking, "none": 0.0}
    return {
        "rule": rule.kind,
        "simulated": rule.share if isinstance(rule, ShareDropout) else shares[rule.kind],
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
    settings = job.trial.trial
    assert settings is not None
    treated = real.get(settings.treated_arm)
    if treated is None or design.control.name not in real or max(real.values()) >= 1:
        return []
    own = {arm.name: real[arm.name] for arm in design.arms}
    cases = {
        "each arm its own share": (own, max(own.values())),
        f"both arms the share of {settings.treated_arm}": ({}, treated),
    }
    found = []
    for k, (what, (arms, share)) in enumerate(cases.items()):
        leave = {"kind": "share", "share": share, "arms": arms}
        changed = TrialDesign(
            **design.model_dump() | {"dropout": leave, "scenarios": design.scenarios[:1]}
        )
        power = _simulated(job, settings, changed, population.complete(), f"dropout-{k}").power
        shares = arms or dict.fromkeys(own, share)
        found.append({"what": what, "shares": shares, "power": asdict(power)})
    return found


def _part(job: Job, what: str, k: int, of: int) -> Any:
    return lambda step, share: job.tell(f"{what}: {step}", (k + share) / of)
