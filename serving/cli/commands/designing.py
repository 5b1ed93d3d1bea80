"""`trialtwin design-search` and `trialtwin criteria`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from serving.cli.compiling import tells_compiling
from serving.cli.options import FILE, common, execution, progress_lines
from serving.cli.outcome import show

SEARCH_EXAMPLES = """
\b
Examples:
  trialtwin design-search examples/design.yaml --power 0.9
  trialtwin design-search examples/design.yaml --power 0.9 --over events --type-one 0.03
  trialtwin design-search examples/design.yaml --type-one 0.03 --over rule.alpha \\
      --between 0.01 0.05 --step 0.001
"""
CRITERIA_EXAMPLES = """
\b
Example:
  trialtwin criteria examples/design.yaml --replicates 2000
"""


@click.command(epilog=SEARCH_EXAMPLES)
@click.argument("design", type=FILE)
@click.option("--population", default=None, help="As of `trialtwin simulate`.")
@click.option("--power", type=float, default=None, help="Least power: what decides.")
@click.option("--scenario", default=None, help="Of the power; else the first scenario given.")
@click.option(
    "--type-one",
    type=float,
    default=None,
    help="Most type I error: a limit; without --power the goal, and the largest value is sought.",
)
@click.option("--expected-n", type=float, default=None, help="Most expected patients: a limit.")
@click.option(
    "--over", default="n", show_default=True, help="n, events, or a dotted path with its ends."
)
@click.option("--between", nargs=2, type=float, default=None, metavar="LOW HIGH", help="Its ends.")
@click.option("--step", type=float, default=None, help="Values tried are multiples of it.")
@click.option("--most", type=click.IntRange(100), default=50_000, show_default=True,
              help="Most replicates of a try.")
@execution
@common
@tells_compiling
def design_search(seed: int | None, as_json: bool, **given: Any) -> None:
    """Find the smallest size of a trial that has a power, by simulation.

    Starts from the sample-size formula where there is one. Tries share their random numbers;
    replicates are raised near the answer, and what they cannot decide is said.
    """
    from serving.service import SearchRequest, search_trial

    request = SearchRequest(seed=seed or 0, **given)
    done = search_trial(request, None if as_json else partial(click.echo, err=True))
    lines = [f"{done['design']}: {done['reason']}"]
    if done["root"] is not None:
        lines.append(f"  crosses at {done['root']:.4g} (MC SE {done['root_se']:.2g})")
    if done["formula"] is not None:
        lines.append(f"  by formula ({done['formula']['name']}): {done['formula']['value']:.4g}")
    for row in done["path"]:
        first = list(row.items())
        size = f" ({row['patients']} patients)" if done["over"] == "events" else ""
        lines.append(
            f"  {done['over']} {row[done['over']]:g}{size}: {first[2][1]:.4f} "
            f"(MC SE {first[3][1]:.4f}, {row['replicates']} replicates) {row['verdict']}"
        )
    show(done, as_json, lines)


@click.command(epilog=CRITERIA_EXAMPLES)
@click.argument("design", type=FILE)
@click.option("--population", default=None, help="As of `trialtwin simulate`.")
@click.option("--replicates", type=click.IntRange(2, 1_000_000), default=2000, show_default=True)
@click.option("--scenario", default=None, help="Of the power; else the first scenario given.")
@execution
@common
@tells_compiling
def criteria(design: Path, seed: int | None, as_json: bool, **given: Any) -> None:
    """Tell what each eligibility criterion does to power, recruitment and who is left out."""
    from serving.service import judge_criteria

    done = judge_criteria(design, seed=seed or 0, progress=progress_lines(as_json), **given)
    lines = [done["design"]]
    for row in done["designs"]:
        time = row["recruitment"]
        lines.append(
            f"  {row['design']}: power {row['any_rejection']:.3f}{_difference(row)}, "
            f"screened {row['screened']:.0f}"
            + ("" if time is None else f", recruited in {time:.4g} {done['time_unit']}s")
        )
    lines.append(f"Left out of {done['candidates']} candidates:")
    lines += [
        f"  {row['criterion']}: {row['fails']:.3f} fail it, {row['fails alone']:.3f} it alone"
        for row in done["shares"]
    ]
    lines += [
        f"    {row['criterion']}: {row['variable']} {row['category']}".rstrip()
        + f" {row['left_out']:.4g} (eligible {row['eligible']:.4g})"
        for row in done["left_out"]
        if row["left_out"] is not None and row["eligible"] is not None
    ]
    show(done, as_json, lines)


def _difference(row: Mapping[str, Any]) -> str:
    """Difference of the power to the design as it is, and whether it can be told from 0."""
    if row["design"] == "as it is":
        return f" (MC SE {row['any_rejection se']:.3f})"
    gap, error = row["any_rejection difference"], row["any_rejection difference se"]
    told = f"difference {gap:+.3f}, MC SE {error:.3f}"
    # Equal in every replicate is no difference, and has no error.
    same = gap == 0 or abs(gap) < 2 * error
    return f" ({told}: not distinguishable from 0)" if same else f" ({told})"
