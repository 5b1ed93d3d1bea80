"""`trialtwin twin`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

import click

from serving.cli.options import FILE, common
from serving.cli.outcome import show

EXAMPLES = """
\b
Example:
  trialtwin twin quickstart/all_arms --cohort runs/quickstart/stages/cohort/cohort \\
      --subject 01-701-1015 --until-day 69 --days 111,167 --variables ADAS
"""


@click.command(epilog=EXAMPLES)
@click.argument("model")
@click.option("--cohort", type=FILE, required=True, help="Cohort that holds the patient.")
@click.option("--subject", required=True, help="The patient's subject_id.")
@click.option("--days", required=True, help="Days to forecast, with commas.")
@click.option("--until-day", type=float, default=None, help="Last day of the history.")
@click.option("--arm", default=None, help="Arm of the future; the patient's own when empty.")
@click.option("--variables", default="", help="Variables, with commas; all when empty.")
@click.option("--draws", type=click.IntRange(20, 100_000), default=1000, show_default=True)
@click.option(
    "--estimand",
    type=click.Choice(["from_baseline", "switch"]),
    default=None,
    help="Which question a forecast under another arm answers.",
)
@common
def twin(  # noqa: PLR0913, PLR0917 - one argument an option
    model: str,
    cohort: Path,
    subject: str,
    days: str,
    until_day: float | None,
    arm: str | None,
    variables: str,
    draws: int,
    estimand: str | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Forecast one patient's future by a MODEL of all arms and the patient's own history."""
    from extraction.records.errors import InputError
    from serving import service

    try:
        wanted = tuple(float(d) for d in days.split(","))
    except ValueError:
        raise InputError(
            f"--days: {days!r} came; write numbers with commas, e.g. 111,167"
        ) from None
    done = service.forecast(
        service.TwinRequest(
            model=model,
            cohort=cohort,
            subject_id=subject,
            days=wanted,
            until_day=until_day,
            arm=arm,
            variables=tuple(v.strip() for v in variables.split(",") if v.strip()),
            draws=draws,
            seed=seed or 0,
            estimand=cast(Literal["from_baseline", "switch"] | None, estimand),
        )
    )
    lines = [f"Forecast {done['question']}."]
    lines += [
        f"  day {q['day']:g} {q['variable']}: {q['q0.5']:.4g} (90 % {q['q0.05']:.4g} to "
        f"{q['q0.95']:.4g})"
        for q in done["quantiles"]
    ]
    lines += [
        f"  {e['endpoint']} by day {e['day']:g}: {e['probability']:.2f} (MC SE {e['se']:.2f})"
        for e in done["event_probabilities"]
    ]
    show(done, as_json, [*lines, *([done["seen"]] if done["seen"] else [])])
