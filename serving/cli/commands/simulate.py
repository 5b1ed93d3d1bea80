"""`trialtwin simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from serving.cli.compiling import tells_compiling
from serving.cli.options import FILE, common, execution
from serving.cli.outcome import show

if TYPE_CHECKING:
    from serving.service import OpenTrial
    from serving.service.trials import Progress, Watch

EXAMPLES = """
\b
Examples:
  trialtwin simulate examples/design.yaml --dry-run
  trialtwin simulate examples/design.yaml --replicates 10000 --out trial
  trialtwin simulate examples/design.yaml --precision 0.002 --curve --out trial \\
      --surface dropout.rate=0.001,0.01,0.03 population.outcomes.OS.median=8,10,12
  trialtwin simulate examples/design.yaml --surface dropout.rate n=330,362 --out bias \\
      --figure power --figure type_one_error --figure expected_n --figure bias
  trialtwin simulate my-design.yaml --population quickstart --replicates 10000
  trialtwin simulate examples/design.yaml --out trial --credibility examples/context.yaml
  trialtwin simulate examples/design.yaml --replay 17 --scenario "late benefit" --out replay
  trialtwin simulate my-design.yaml --folder runs/my-trial --execution processes --workers 2

\b
Many designs or assumptions at once: trialtwin sweep
"""


class _Simulate(click.Command):
    """The command; says in its own words that `--surface` takes two assumptions."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the words of the command line."""
        for place, word in enumerate(args):
            two = args[place + 1 : place + 3]
            if word == "--surface" and (len(two) < 2 or any(w.startswith("-") for w in two)):
                from extraction.records.errors import InputError

                raise InputError(
                    "--surface: fewer than two assumptions came; give two, as --surface "
                    "dropout.rate n=300,400"
                )
        return super().parse_args(ctx, args)


@click.command(cls=_Simulate, epilog=EXAMPLES)
@click.argument("design", type=FILE)
@click.option(
    "--population",
    default=None,
    help="A run or model (twins under control) or a cohort's folder, in place of the design's own.",
)
@click.option(
    "--replicates", type=click.IntRange(1, 10_000_000), default=None, show_default="10000"
)
@click.option(
    "--precision",
    type=float,
    default=None,
    metavar="SE",
    help="Monte Carlo standard error to reach for the rejections of every scenario, no effect too, "
    "in place of --replicates.",
)
@click.option("--dry-run", is_flag=True, help="Tell the design and its cost; simulate nothing.")
@click.option("--curve", is_flag=True, help="Also figures over sizes of the effect.")
@click.option(
    "--surface",
    nargs=2,
    default=None,
    metavar="A B",
    help="Also figures over two assumptions, each PATH or PATH=1,2,3.",
)
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="What --curve and --surface show; else power. More than one: type_one_error, expected_n, "
    "duration, bias, coverage, 'stop at look 1', ...; a wrong name lists them all.",
)
@click.option(
    "--nulls",
    multiple=True,
    metavar="A",
    help="Also type I error over an assumption, PATH or PATH=1,2,3; more than one: all together.",
)
@click.option(
    "--credibility", type=FILE, default=None, help="YAML of the context of use: also that report."
)
@click.option("--replay", type=int, default=None, help="Show this replicate alone, by patient.")
@click.option(
    "--scenario",
    default=None,
    help="Of --replay, --curve and --surface; else the first scenario given.",
)
@click.option("--out", type=FILE, default=None, help="New folder for results, figures and page.")
@click.option(
    "--folder",
    "--resume",
    "resume",
    type=FILE,
    default=None,
    help="Keeps finished chunks, at last replicates.parquet: after any end, kill -9 too, the same "
    "command goes on from it. Its other name is --resume.",
)
@execution
@common
@tells_compiling
def simulate(
    seed: int | None,
    as_json: bool,
    surface: tuple[str, str] | None,
    **given: Any,
) -> None:
    """Simulate a trial from the YAML file of its DESIGN.

    First the design is told in plain language, with the time and memory that it will take.
    examples/design.yaml teaches every field of the file; copy it and change it.
    """
    from serving import service

    request = service.TrialRequest(seed=seed or 0, surface=surface or (), **given)
    trial = service.open_trial(request)
    if request.replay is not None:
        _replay(trial, request.replay, request.scenario, as_json)
        return
    if request.dry_run:
        done = service.dry_run(trial)
        show(done, as_json, [*_told(trial), "", _cost(done["cost"]), *_files(done)])
        return
    if not as_json:
        cost = service.cost_of(trial)
        click.echo("\n".join([*_told(trial), "", _cost(cost), ""]))
    done = trial.run(_watch(as_json))
    show(done, as_json, _results(done))


def _told(trial: OpenTrial) -> list[str]:
    lines = [trial.plan.name]
    for topic, sentences in trial.told.items():
        lines += [f"  {topic}", *(f"    {sentence}" for sentence in sentences)]
    return lines


def _cost(cost: dict[str, Any]) -> str:
    seconds = cost["expected_seconds"]
    time = f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} min"
    time = "under 1 s" if seconds < 1 else time
    time = f"at most {time}" if cost["at_most"] else time
    workers = "1 worker" if cost["workers"] == 1 else f"{cost['workers']} workers"
    goal = (
        f" Replicates end where every scenario's standard error is at most {cost['precision']:g}."
        if cost["at_most"]
        else ""
    )
    return (
        f"Cost: {time} for {cost['replicates']:,} replicates on {workers} "
        f"({1000 * cost['seconds_per_replicate']:.2g} ms each), and "
        f"{cost['expected_bytes'] / 2**20:.0f} MB of memory above the program's own.{goal}"
    )


def _watch(quiet: bool) -> Watch:
    """A bar for each part: drawn on a terminal, lines now and then elsewhere."""

    def part(title: str) -> Progress | None:
        if quiet:
            return None
        from serving.cli.notes_bar import NotesBar

        bar = NotesBar()
        return lambda what, share: bar(f"{title}: {what}", share, 0)

    return part


def _familywise(scenario: dict[str, Any]) -> str:
    """Of several hypotheses, how often one is rejected that is true in the scenario."""
    error = scenario["familywise_error"]
    if error is None or len(scenario["hypotheses"]) < 2:
        return ""
    return f", a true hypothesis {error['value']:.4f} (MC SE {error['se']:.4f})"


def _results(done: dict[str, Any]) -> list[str]:
    from serving.report.simulation_page import shortfalls

    name, replicates = done["design"]["name"], done["replicates"]
    lines = [f"{name}: {replicates} replicates, digest {done['digest'][:12]}"]
    lines += [
        f"  {s['name']}: rejects {s['any_rejection']['value']:.4f} (MC SE "
        f"{s['any_rejection']['se']:.4f}){_familywise(s)}, expected patients {s['n']['value']:.1f}"
        for s in done["scenarios"]
    ]
    currency = (done["design"]["costs"] or {}).get("currency")
    lines += [
        f"  {s['name']}: expected cost {s['cost']['value']:,.0f} {currency} "
        f"(MC SE {s['cost']['se']:,.0f})"
        for s in done["scenarios"]
        if s["cost"]
    ] + [
        f"  {s['name']}: {words} {held['value']:.3f} (MC SE {held['se']:.3f})"
        for s in done["scenarios"]
        for words, held in s["decisions"].items()
    ]
    if "precision" in done:
        held = done["precision"]
        lines.append(
            f"  largest MC SE {held['se']:.2g} ({held['scenario']}): {held['wanted']:g} was "
            + ("reached" if held["reached"] else "not reached")
        )
    if "nulls" in done:
        held = done["nulls"]
        lines.append(
            f"  null grid: at most {held['maximum']:.4f} simulated, {held['low']:.4f} to "
            f"{held['high']:.4f} with {held['level']:.0%} joint confidence"
        )
    lines += [f"  Warning: {line}" for line in shortfalls(done)]
    return [*lines, *_files(done)]


def _files(done: dict[str, Any]) -> list[str]:
    return [f"{what}: {path}" for what, path in done.get("files", {}).items()]


def _replay(trial: OpenTrial, number: int, scenario: str | None, as_json: bool) -> None:
    from serving import service

    done = service.replay_trial(trial, number, scenario)
    lines = [done["told"], "", done["looks_table"], ""]
    lines += [done["patients_table"]] if done["patients_table"] else [done["withheld"]]
    shown = {k: v for k, v in done.items() if not k.endswith("_table")}
    show(shown, as_json, [*lines, *_files(done)])
