"""Stage `evaluation`: synthetic controls of each engine, judged on patients held out."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort
from generation.evaluation.crossing import compared, cross_fit, judge
from generation.randomness import integer_seed
from serving.analyses.modelling import model_cohort
from serving.pipeline.stage import Job

from .tools import plain


def run(job: Job) -> dict[str, Any]:
    """Cross-evaluate every engine on the real controls; see `serving.pipeline.stage`."""
    study = job.trial
    settings = study.evaluation
    assert settings is not None
    cohort = Cohort.read(job.stage("cohort") / "cohort")
    controls = model_cohort(cohort, study.models).controls()
    seed = integer_seed(job.seed, "evaluation")
    options = {study.models.engine: study.models.options} | settings.options
    fits = []
    for k, engine in enumerate(settings.engines):
        job.tell(f"{engine}: {settings.folds} fits", 0.6 * k / len(settings.engines))
        fits.append(
            cross_fit(controls, engine, settings.folds, seed, None, options.get(engine, {}))
        )
    job.tell("judging", 0.6)
    found = compared(judge(controls, fits, settings.folds, seed)).to_dict()
    return {
        "engines": plain(found["engines"]),
        "comparisons": plain(found["differences"]),
        "engine": study.models.engine,
        "baseline_engine": settings.engines[-1],
        "n_controls": len(controls),
        "folds": settings.folds,
    }
