"""Plans on public trials, every estimate computed anew by R; the largest differences are printed.

Run: python -m benchmarks.rederive_r
Without R or its packages survival and nlme it says so and stops without error.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.datasets import actg320, colon, gbsg2
from extraction.records import Cohort
from extraction.sources.public import public_trial
from serving.logs import configure
from serving.service import analyse_trial

POLICY = {"leaving": "treatment policy"}
VERSION = (
    "cat(R.version.string, '| survival', as.character(packageVersion('survival')), "
    "'| nlme', as.character(packageVersion('nlme')))"
)
LINE = re.compile(r"^(\S+)\s+estimate .* differences (\S+) (\S+)\s+(same|DIFFERENT)$")


def survival_analyses(covariates: list[str], strata: list[str], end: float) -> list[dict[str, Any]]:
    """Each kind for time to event."""
    weighting = {"kind": "fleming_harrington", "gamma": 1}
    return [
        {"kind": "log_rank"},
        {"kind": "log_rank", "strata": strata},
        {"kind": "log_rank", "weighting": weighting, "strata": strata},
        {"kind": "log_rank", "weighting": {"kind": "gehan"}},
        {"kind": "log_rank", "weighting": {"kind": "tarone_ware"}},
        {"kind": "log_rank", "weighting": {"kind": "modest", "until": end / 2}, "strata": strata},
        {"kind": "max_combo"},
        {"kind": "cox"},
        {"kind": "cox", "covariates": covariates, "strata": strata},
        {"kind": "cox", "covariates": covariates, "ties": "breslow", "robust": True},
        {"kind": "rmst", "horizon": end},
        {"kind": "landmark", "at": end},
    ]


def binary_analyses(covariates: list[str]) -> list[dict[str, Any]]:
    """Each kind for yes or no, by each measure."""
    measures = ("difference", "ratio", "odds_ratio")
    return [{"kind": "proportions", "measure": m} for m in measures] + [
        {"kind": "standardised", "measure": m, "covariates": covariates} for m in measures
    ]


def plan_of(cohort: Cohort, groups: list[tuple[dict[str, Any], list[dict[str, Any]]]]
            ) -> dict[str, Any]:
    """A plan of endpoints with their analyses; the first one is primary."""
    control = cohort.schema.control_arm or cohort.schema.arms[0]
    analyses = [
        {"name": f"{endpoint['name']} {k} {analysis['kind']}", "endpoint": endpoint["name"],
         "role": "exploratory", "analysis": analysis}
        for endpoint, kinds in groups
        for k, analysis in enumerate(kinds)
    ]
    analyses[0]["role"] = "primary"
    return {
        "study": cohort.schema.study_id,
        "control": control,
        "treated": [arm for arm in cohort.schema.arms if arm != control],
        "endpoints": [{"intercurrent_events": POLICY, **endpoint} for endpoint, _ in groups],
        "analyses": analyses,
        "multiplicity": {"procedure": "holm"},
    }


def trials() -> list[tuple[Cohort, dict[str, Any]]]:
    """Public trials, each with a plan."""
    hiv, breast, bowel, pilot = actg320(), gbsg2(), colon(), public_trial("cdisc_pilot")
    aids = {"kind": "time_to_event", "name": "aids"}
    early = {"kind": "binary", "name": "aids by day 180", "higher_is_better": False,
             "condition": {"aids_event": 1, "aids_time": "<=180"}}
    event = breast.schema.endpoints[0].name
    change = {"kind": "continuous", "name": "ADAS", "variable": "ADAS", "change_from": "ADASBL",
              "visits": ["Week 8", "Week 16", "Week 24"], "higher_is_better": False}
    stopped = change | {"name": "ADAS on treatment",
                        "intercurrent_events": {"discontinuation": "hypothetical"}}
    adverse = {"kind": "count", "name": "adverse events", "episodes": "adverse_event",
               "intercurrent_events": {"discontinuation": "while on treatment"}}
    models = [{"kind": "mmrm", "covariates": ["ADASBL"]},
              {"kind": "mmrm", "covariates": ["ADASBL", "SEX"],
               "covariance": ["heterogeneous_ar1"]},
              {"kind": "mmrm", "covariates": ["ADASBL"], "covariance": ["heterogeneous_cs"]},
              {"kind": "ancova"}, {"kind": "ancova", "covariates": ["ADASBL", "SITEGR1", "SEX"]}]
    counts = [{"kind": "rates"}, {"kind": "count_regression", "covariates": ["AGE", "SEX"]},
              {"kind": "count_regression", "covariates": ["AGE", "SEX"], "law": "poisson"}]
    reaction = {"kind": "binary", "name": "reaction", "higher_is_better": False,
                "condition": {"dermatologic_event": 1}}
    return [
        (hiv, plan_of(hiv, [(aids, survival_analyses(["age", "cd4", "ivdrug"], ["strat2"], 250.0)),
                            (early, binary_analyses(["age", "cd4", "sex"]))])),
        (breast, plan_of(breast, [({"kind": "time_to_event", "name": event},
                                   survival_analyses(["age", "pnodes"], ["tgrade"], 1500.0))])),
        (bowel, plan_of(bowel, [({"kind": "time_to_event", "name": "death"},
                                 survival_analyses(["age", "nodes"], ["sex"], 1500.0))])),
        (pilot, plan_of(pilot, [(change, models), (stopped, models), (adverse, counts),
                                (reaction, binary_analyses(["AGE", "SEX", "ADASBL"])),
                                ({"kind": "time_to_event", "name": "dermatologic"},
                                 survival_analyses(["AGE", "RACE"], ["SEX"], 150.0))])),
    ]  # fmt: skip


def main() -> None:
    version = r_version()
    if version is None:
        print("R with its packages survival and nlme is not installed here; nothing was compared")
        return
    print(f"Against {version}")
    largest: dict[str, list[float]] = {}
    wrong = 0
    for cohort, plan in trials():
        lines = compared(cohort, plan)
        wrong += sum(told[3] == "DIFFERENT" for told in lines)
        kinds = dict(zip((t[0] for t in lines), kinds_of(plan), strict=True))
        print(f"{plan['study']}: {len(cohort)} patients, {len(lines)} estimates")
        for question, estimate, se, _ in lines:
            held = largest.setdefault(kinds[question], [0, 0.0, 0.0])
            held[0] += 1
            held[1:] = max(held[1], float(estimate)), max(held[2], float(se))
    print("Largest relative differences, of estimates and of standard errors")
    for kind, (count, estimate, se) in largest.items():
        print(f"  {kind:<18}{count:>4} estimates  {estimate:.1e}  {se:.1e}")
    print(f"{wrong} beyond the tolerance that the scripts state")
    sys.exit(bool(wrong))


def kinds_of(plan: dict[str, Any]) -> list[str]:
    """Kind of each question, in the plan's order."""
    return [a["analysis"]["kind"] for a in plan["analyses"] for _ in plan["treated"]]


def compared(cohort: Cohort, plan: dict[str, Any]) -> list[tuple[str, ...]]:
    """What R says of each estimate: question, differences of estimate and standard error, word."""
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        configure(folder / "log")
        cohort.write(folder / "cohort")
        (folder / "plan.yaml").write_text(yaml.safe_dump(plan), "utf-8")
        analyse_trial(folder / "cohort", folder / "plan.yaml", folder / "out", exploratory=True)
        done = subprocess.run(
            ["Rscript", str(folder / "out" / "rederive.R")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = [match.groups() for line in done.stdout.splitlines() if (match := LINE.match(line))]
    expected = len(kinds_of(plan))
    if len(found) != expected:
        raise SystemExit(f"R compared {len(found)} of {expected} estimates:\n{done.stderr}")
    return found


def r_version() -> str | None:
    """Versions of R and its packages, or None where one is absent."""
    if shutil.which("Rscript") is None:
        return None
    done = subprocess.run(["Rscript", "-e", VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


if __name__ == "__main__":
    main()
