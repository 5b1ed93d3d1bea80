"""The credibility report of a simulated trial, from its results and the stated context of use.

Its parts follow the seven steps of FDA's draft guidance on the credibility of AI models (January
2025), with verification and validation as in ASME V&V40, estimands by ICH E9(R1), and for adaptive
designs what ICH E20 (draft 2025) asks: rules fixed beforehand, type I error over null assumptions
with Monte Carlo error, bias of the estimates. What the team has not stated is printed as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serving.report.blocks import NOT_STATED, Block, Facts, Grid, Picture, Report, Section, Words
from serving.report.blocks import listed as _listed
from serving.report.credibility_context import Context, Finding
from serving.report.external_controls import borrowing_blocks
from serving.report.familywise import error_name, families
from serving.report.render import number, with_error
from serving.report.simulation_figures import Form
from serving.report.simulation_page import alpha_of, figures, with_limits


def credibility(done: Mapping[str, Any], context: Context, form: Form = "svg") -> Report:
    """Put the report together.

    Parameters
    ----------
    done
        What `serving.service.OpenTrial.run` gives for a request with a context.
    context
        What the team states.
    form
        Of the figures: SVG for a page, PNG for paper.
    """
    drawn = figures(done, with_limits(done["scenarios"], done["replicates"]), form)
    parts = [
        *_purpose(context),
        _plan(done, context, drawn),
        _lineage(done, context),
        _model(done),
        _verification(done),
        _validation(done, context),
        _characteristics(done, drawn),
        _sensitivity(done, drawn),
        _applicability(done),
        _external(done, context, drawn),
        _documentation(done, context),
        _adequacy(done, context),
    ]
    return Report(
        "Credibility report",
        done["design"]["name"],
        (
            f"Simulated with {done['replicates']:,} replicates a scenario, seed {done['seed']}, "
            f"digest {done['digest'][:12]}.",
            "Statements of the team stand as they were given; “not stated” marks what was not. "
            "Figures are the program's.",
        ),
        parts,
        f"Made by Trialtwin {done['versions']['trialtwin']}. This report arranges evidence; it is "
        "no judgement of a regulator.",
    )


def _purpose(context: Context) -> list[Section]:
    risk = context.model_risk
    told: list[Block] = [
        Facts(
            [
                ("Influence of the model", _because(risk.influence, risk.influence_because)),
                (
                    "Consequence of a wrong decision",
                    _because(risk.consequence, risk.consequence_because),
                ),
                ("Model risk", risk.rank),
            ]
        ),
        Words(
            "Risk is the product of both ranks (low 1, medium 2, high 3): up to 2 low, up to 4 "
            "medium, above high.",
            soft=True,
        ),
    ]
    return [
        Section("Question of interest", "Step 1", [Facts([("Question", context.question)])]),
        Section(
            "Context of use",
            "Step 2",
            [
                Facts(
                    [
                        ("Role and scope", context.context_of_use),
                        ("Decision that rests on it", context.decision),
                        ("Responsible", context.responsible),
                    ]
                )
            ],
        ),
        Section("Model risk", "Step 3", told),
    ]


def _because(rank: str | None, why: str | None) -> str | None:
    return rank if rank is None or why is None else f"{rank}: {why}"


def _plan(done: Mapping[str, Any], context: Context, drawn: Mapping[str, Any]) -> Section:
    design = [(topic, " ".join(lines)) for topic, lines in done["description"].items()]
    blocks: list[Block] = [
        Facts([("Plan fixed beforehand", context.plan)]),
        Words("The design, as its file states it:"),
        Facts(design),
        Picture(drawn["design"], "The design from screening to the final analysis."),
    ]
    for estimand, tested in zip(done["estimands"], done["scenarios"][0]["hypotheses"], strict=True):
        events = "; ".join(f"{k}: {v}" for k, v in estimand["intercurrent_events"].items())
        blocks += [
            Words(f"Estimand of {tested['name']} (ICH E9(R1)):"),
            Facts(
                [
                    ("Population", estimand["population"]),
                    ("Treatment", estimand["treatment"]),
                    ("Variable", estimand["variable"]),
                    ("Intercurrent events", events),
                    ("Population-level summary", estimand["summary"]),
                ]
            ),
        ]
    return Section("Plan to establish credibility", "Step 4", blocks)


def _lineage(done: Mapping[str, Any], context: Context) -> Section:
    population = done["population"]
    known = [("Kind of population", str(population["kind"]).replace("_", " "))]
    if "device" in population:
        known.append(("Patients drawn on", str(population["device"]).upper()))
    for name, value in (population.get("origin") or {}).items():
        known.append((name.replace("_", " ").capitalize(), str(value)))
    return Section(
        "Data lineage",
        "Step 5: where the figures come from",
        [Facts(known), Words("As the team states it:"), *_listed(context.data_lineage)],
    )


def _model(done: Mapping[str, Any]) -> Section:
    card = done.get("model_card")
    if card is None:
        told = {
            "parametric": "No model was trained: patients are drawn by the formulas of the design, "
            "whose figures are assumptions."
        }.get(done["population"]["kind"], "No model was trained: patients are those of a cohort.")
        return Section("Model card", "Step 5", [Words(told)])
    options = ", ".join(f"{name} {value}" for name, value in card["options"].items())
    metrics = [[name.replace("_", " "), _figure(value)] for name, value in card["metrics"].items()]
    blocks: list[Block] = [
        Facts(
            [
                ("Engine", f"{card['engine']} {card['engine_version']}"),
                ("Training patients", str(card["n_train"])),
                ("Fitted to", card["fit"].replace("_", " ")),
                ("Digest of the data", card["data_digest"]),
                ("Seed", str(card["seed"])),
                ("Options", options or "as usual"),
            ]
        )
    ]
    if metrics:
        blocks.append(Grid(("Measure at training", "Value"), metrics, figures=1))
    return Section("Model card", "Step 5", blocks)


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _verification(done: Mapping[str, Any]) -> Section:
    rows = [
        [
            check["what"],
            check["kind"],
            _joined(check["reference"]),
            _joined(check["obtained"]),
            f"{check['tolerance']:.2g}",
            check["source"],
            "agrees" if check["agrees"] else "DIFFERS",
        ]
        for check in done["verification"]
    ]
    failed = sum(not check["agrees"] for check in done["verification"])
    told = f"{len(rows) - failed} of {len(rows)} checks agree."
    head = ("Check", "Kind", "Reference", "Obtained", "Tolerance", "Source", "Verdict")
    return Section(
        "Verification",
        "Step 5: does the program compute what it says",
        [Words(told), Grid(head, rows)],
    )


def _joined(values: Sequence[Any]) -> str:
    return ", ".join(f"{v:.7g}" if isinstance(v, float) else str(v) for v in values)


def _validation(done: Mapping[str, Any], context: Context) -> Section:
    rows = [
        [
            scenario["name"],
            tested["name"],
            with_error(tested["coverage"], 4),
            with_error((tested["adjusted"] or {}).get("coverage"), 4),
        ]
        for scenario in done["scenarios"]
        for tested in scenario["hypotheses"]
        if tested["coverage"] is not None
    ]
    blocks: list[Block] = [Words("Against data from outside, as the team states it:")]
    blocks += _findings(context.validation)
    if rows:
        blocks += [
            Words(
                "Coverage of 95 % intervals within the simulation (Monte Carlo SE); adjusted: the "
                "stagewise interval, where the design has one:"
            ),
            Grid(("Scenario", "Hypothesis", "Naive", "Adjusted"), rows, figures=2),
        ]
    return Section("Validation", "Step 5: does it agree with what is known", blocks)


def _findings(findings: Sequence[Finding]) -> list[Block]:
    if not findings:
        return _listed(())
    rows = [[f.what, f.finding, f.source or NOT_STATED] for f in findings]
    return [Grid(("What", "Finding", "Source"), rows)]


def _characteristics(done: Mapping[str, Any], drawn: Mapping[str, Any]) -> Section:
    alpha = alpha_of(done)
    rows = []
    for scenario in with_limits(done["scenarios"], done["replicates"]):
        low, high = scenario["limits"]
        biases = [with_error((h["adjusted"] or h)["bias"], 4) for h in scenario["hypotheses"]]
        rows.append(
            [
                scenario["name"],
                with_error(scenario["any_rejection"], 4),
                f"{low:.4f} to {high:.4f}",
                with_error(scenario["n"], 1),
                with_error(scenario["duration"], 1),
                "; ".join(biases),
            ]
        )
    adjusted = any(h["adjusted"] for s in done["scenarios"] for h in s["hypotheses"])
    bias = "Bias, adjusted (SE)" if adjusted else "Bias (SE)"
    head = ("Scenario", "Rejects (SE)", "95 % limits", "Patients (SE)", "Time (SE)", bias)
    level = "" if alpha is None else f" One-sided alpha is {alpha:g}."
    blocks: list[Block] = [
        Words(
            f"Under “no effect” the probability of rejecting anything is the {error_name(done)}."
            f"{level}"
        ),
        *families(done["scenarios"]),
        Grid(head, rows, figures=5),
        Picture(drawn["power"], "Probability of rejecting, with exact 95 % Monte Carlo limits."),
    ]
    if "stopping" in drawn:
        blocks.append(Picture(drawn["stopping"], "Where trials stop, and why."))
    return Section("Operating characteristics", "Step 5: ICH E20", blocks)


def _sensitivity(done: Mapping[str, Any], drawn: Mapping[str, Any]) -> Section:
    blocks: list[Block] = []
    if "curve" in drawn:
        each = f"{done['curve']['replicates']:,} replicates"
        for picture, shown in zip(drawn["curve"], done["curve"]["figures"], strict=True):
            said = f"{_capital(shown['label'])} over the size of the effect, {each}."
            blocks.append(Picture(picture, said))
    if "surface" in drawn:
        paths = " and ".join(done["surface"]["over"])
        for picture, shown in zip(drawn["surface"], done["surface"]["figures"], strict=True):
            worst = max(row["se"] or 0.0 for row in shown["rows"])
            said = (
                f"{_capital(shown['label'])} over {paths}, {done['surface']['replicates']:,} "
                f"replicates a cell; largest Monte Carlo SE {worst:.2g}."
            )
            blocks.append(Picture(picture, said))
    if "nulls" in done:
        held = done["nulls"]
        blocks += [
            Words(
                f"{error_name(done).capitalize()} over {len(held['rows'])} combinations of null "
                f"assumptions: the largest is {number(held['maximum'], 4)}, and with "
                f"{held['level']:.0%} joint confidence the largest true one lies between "
                f"{number(held['low'], 4)} and {number(held['high'], 4)}."
            ),
            Grid(
                (*held["over"], f"{error_name(done).capitalize()} (SE)"),
                [[*(str(r[n]) for n in held["over"]), with_error(r, 4)] for r in held["rows"]],
                figures=1,
            ),
        ]
    missing = [
        told
        for name, told in (
            ("curve", "Figures over effect sizes were not run (--curve)."),
            ("surface", "Figures over two assumptions were not run (--surface)."),
            ("nulls", "Type I error over null assumptions was not run (--nulls)."),
        )
        if name not in done
    ]
    blocks += [Words(told, soft=True) for told in missing]
    return Section("Sensitivity", "Step 5: if assumptions fail", blocks)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _applicability(done: Mapping[str, Any]) -> Section:
    first = done["scenarios"][0]
    eligible = first["n"]["value"] / first["screened"]["value"]
    behind = (done["population"].get("origin") or {}).get("n_train")
    blocks: list[Block] = [
        Facts(
            [
                ("Eligibility", " ".join(done["description"]["Patients"])),
                ("Randomised of those screened", f"{eligible:.1%}"),
                (
                    "Real control patients behind the population",
                    "none: patients are by formula"
                    if done["population"]["kind"] == "parametric"
                    else None
                    if behind is None
                    else str(behind),
                ),
            ]
        )
    ]
    if behind is not None:
        few = " Fewer than 20 cannot carry a population." if int(behind) < 20 else ""
        blocks.append(
            Words(
                "Twins carry no information beyond the patients behind them; overlap with the "
                f"trial's own population is to be shown with those patients.{few}"
            )
        )
    return Section("Applicability", "Step 5: is it about these patients", blocks)


def _external(done: Mapping[str, Any], context: Context, drawn: Mapping[str, Any]) -> Section:
    blocks = borrowing_blocks(done, drawn)
    if context.external_controls:
        blocks += [Words("As the team states of external controls:")]
        blocks += _findings(context.external_controls)
    return Section("External controls", "Step 5", blocks)


def _documentation(done: Mapping[str, Any], context: Context) -> Section:
    deviations = context.deviations
    blocks: list[Block] = [Words("Deviations from the plan:")]
    if deviations is not None and not deviations:
        blocks.append(Words("None, as the team states."))
    else:
        blocks += _listed(deviations or ())
    updates = [[update.date, update.what] for update in context.updates]
    blocks.append(Words("Updates:"))
    blocks += [Grid(("Date", "What"), updates)] if updates else _listed(())
    versions = ", ".join(f"{name} {version}" for name, version in done["versions"].items())
    blocks.append(
        Facts(
            [
                ("Seed", str(done["seed"])),
                ("Replicates", f"{done['replicates']:,}"),
                ("Digest of all replicates", done["digest"]),
                ("Versions", versions),
                (
                    "Replay",
                    f"{done['replay']} shows one replicate alone, patient by patient.",
                ),
            ]
        )
    )
    return Section("Documentation and deviations", "Step 6", blocks)


def _adequacy(done: Mapping[str, Any], context: Context) -> Section:
    blocks: list[Block] = [
        Facts([("The team's judgement", context.adequacy)]),
        Words("Limits that the program knows of:"),
        *[Words(f"{limit[:1].upper()}{limit[1:]}.") for limit in done["limits"]],
        Words(
            "Monte Carlo errors say how far another run would differ, not whether the assumptions "
            "hold."
        ),
        Words("Limits that the team states:"),
        *_listed(context.limits),
    ]
    return Section("Adequacy and limits", "Step 7", blocks)
