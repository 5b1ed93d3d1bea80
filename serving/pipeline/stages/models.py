"""Stage `models`: the fit of controls, the fit of all arms, and a synthetic control arm."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort
from extraction.records.exports import to_csv
from generation import fit
from generation.randomness import integer_seed
from serving.analyses.modelling import model_cohort, notice
from serving.pipeline.stage import Job

from .tools import plain, write_table


def run(job: Job) -> dict[str, Any]:
    """Fit both models and sample synthetic controls; see `serving.pipeline.stage`."""
    settings = job.trial.models
    cohort = model_cohort(Cohort.read(job.stage("cohort") / "cohort"), settings)
    controls = cohort.controls()
    cards: dict[str, Any] = {}
    for k, (name, patients) in enumerate((("controls", controls), ("all_arms", cohort))):
        model = fit(
            patients,
            engine=settings.engine,
            seed=integer_seed(job.seed, f"models.{name}"),
            progress=_part(job, f"fit of {name}", 0.4 * k, 0.4 * (k + 1)),
            **settings.options,
        )
        model.save(job.folder / name)
        cards[name] = model.card.model_dump(mode="json")
        if name == "controls":
            synthetic = model.sample(
                settings.synthetic_controls, seed=integer_seed(job.seed, "models.synthetic")
            )
    job.tell("writing synthetic controls", 0.9)
    synthetic.write(job.folder / "synthetic")
    write_table(synthetic.to_table(), job.folder / "synthetic.parquet")
    note = notice(len(synthetic), len(controls))
    to_csv(synthetic, job.exports / "synthetic-controls-csv", note)
    synthetic.write(job.exports / "synthetic-controls")
    return {
        **plain(cards, 12),
        "synthetic": plain(synthetic.summary()),
        "notice": note,
        "digest": synthetic.digest(),
        "data_digest": cohort.digest(),
        "n_train": {"controls": len(controls), "all_arms": len(cohort)},
    }


def _part(job: Job, what: str, low: float, high: float) -> Any:
    return lambda step, share: job.tell(f"{what}: {step}", low + (high - low) * share)
