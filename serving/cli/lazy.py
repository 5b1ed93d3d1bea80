"""The program and its groups of commands, by name; a command's module is imported when called."""

from __future__ import annotations

from importlib import import_module

import click

_HERE = "serving.cli.commands"
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run:run", "Run a study from its YAML file."),
    "ingest": ("ingest:ingest", "Read trial or health-record data into a cohort."),
    "extract": ("", "Find facts in clinical notes."),
    "cohort": ("", "Describe, check or export a cohort."),
    "train": ("models:train", "Fit a generative model to a cohort."),
    "update": ("update:update", "Bring a model up to date with later patients."),
    "generate": ("models:generate", "Sample synthetic patients from a model."),
    "evaluate": ("", "Judge synthetic patients, or extracted facts."),
    "twin": ("twin:twin", "Forecast one patient's future."),
    "simulate": ("simulate:simulate", "Simulate a trial: power, type I error, expected size."),
    "design-search": (
        "designing:design_search", "Find the smallest size of a trial that has a power."
    ),
    "criteria": ("designing:criteria", "What eligibility criteria do to power and recruitment."),
    "sweep": ("sweep:sweep", "Simulate many designs and assumptions in one pool of workers."),
    "analyse": ("analyse:analyse", "Analyse a trial by a locked plan, with an R script beside it."),
    "serve": ("serve:serve", "Start the HTTP interface and the page on this machine."),
    "doctor": ("doctor:doctor", "Check this installation."),
}
GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "extract": {
        "notes": ("notes:extract_notes", "Find facts in notes."),
        "show": ("notes_page:extract_show", "Show notes with their facts marked, as a page."),
        "restore": ("restoring:extract_restore", "Turn stored notes back by their vault."),
        "train": ("tagging:extract_train", "Fine-tune the transformer on marked documents."),
    },
    "cohort": {
        "describe": ("cohort:describe", "Counts, location, spread and missing share."),
        "validate": ("cohort:validate", "Every fault of a cohort."),
        "export": ("cohort:export", "CSV tables with a data dictionary, or Parquet."),
    },
    "evaluate": {
        "cohort": ("evaluate:evaluate_cohort", "Fidelity, utility and privacy beside controls."),
        "disclosure": ("disclosure:evaluate_disclosure", "What an engine gives away of patients."),
        "inference": ("inference:evaluate_inference", "What synthetic controls do to a test."),
        "notes": ("evaluate:evaluate_notes", "Extracted facts against reference facts."),
    },
}
_EXAMPLES = """
\b
Start here:
  trialtwin run configs/quickstart.yaml
  trialtwin serve
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def __init__(self, table: dict[str, tuple[str, str]], **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or make its group."""
        if cmd_name not in self.table:
            return None
        place, text = self.table[cmd_name]
        if not place:
            return LazyGroup(GROUPS[cmd_name], name=cmd_name, help=text)
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(f"{_HERE}.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by the table's own words."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])


program = LazyGroup(
    COMMANDS,
    name="trialtwin",
    help="Clinical notes and trial data in; synthetic control arms, digital twins and simulated "
    "trials out, with how far they can be trusted.",
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
