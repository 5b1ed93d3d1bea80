"""External controls by a locked plan: two trials that may not borrow, and one that may.

Run: python examples/external-controls.py FOLDER

Makes the cohorts of examples/external-controls.yaml and its two neighbours out of public trials,
whose data packages ship, and analyses them. ACTG 320 names no sites: a hash of the patient deals
its controls out to "this trial" and "another site".
"""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from extraction.records import Cohort
from extraction.sources.public import public_trial
from serving import service

HERE = Path(__file__).parent
PLAN = HERE / "external-controls.yaml"


def elsewhere(patient: str) -> bool:
    """Whether a hash, which knows no outcome, puts a control at the other site."""
    return int(sha256(patient.encode()).hexdigest(), 16) % 3 > 0


def divided(trial: Cohort, controls: str, away: dict[str, bool]) -> tuple[Cohort, Cohort]:
    """The trial without the controls of another site, and those controls."""
    arms = zip(trial.subject_ids, trial.subjects["arm"], strict=True)
    lent = [name for name, arm in arms if arm == controls and away[name]]
    kept = [name for name in trial.subject_ids if name not in set(lent)]
    return trial.select(kept), trial.select(lent)


def plans() -> dict[str, dict[str, Any]]:
    """The plan of the file, and its variants for another trial and another lender."""
    first = yaml.safe_load(PLAN.read_text("utf-8"))
    other = {
        **first["external_controls"],
        "cohort": "actg175",
        "arm": "ZDV",
        "endpoints": {"aids": "progression"},
        "definitions": {
            "trial": {"event": "AIDS or death", "control": "zidovudine and lamivudine"},
            "external": {"event": "CD4 count halved, AIDS or death", "control": "zidovudine"},
        },
    }
    pilot = yaml.safe_load((HERE / "analysis-plan.yaml").read_text("utf-8"))
    cognition = {
        "study": pilot["study"],
        "treated": ["Xanomeline High Dose"],
        "control": "Placebo",
        "endpoints": pilot["endpoints"][:1],
        "analyses": [
            {
                "name": "cognition",
                "endpoint": "cognition",
                "role": "primary",
                "analysis": {"kind": "ancova", "covariates": ["ADASBL"]},
            }
        ],
        "external_controls": {
            **{k: first["external_controls"][k] for k in ("method", "definitions", "limits")},
            "cohort": "pilot-other-sites",
            "arm": "Placebo",
            "covariates": ["ADASBL", "AGE", "MMSETOT"],
        },
    }
    return {
        "another site": first,
        "another trial": {**first, "external_controls": other},
        "the pilot's other sites": cognition,
    }


def main(folder: Path) -> None:
    """Write cohorts and plans, lock, analyse, and tell the verdicts."""
    actg320, pilot = public_trial("actg320"), public_trial("cdisc_pilot")
    sites = pilot.subjects.set_index("subject_id")["SITEGR1"].astype(str).to_dict()
    trials = {
        "actg320": divided(actg320, "ZDV + 3TC", {i: elsewhere(i) for i in actg320.subject_ids}),
        "pilot": divided(pilot, "Placebo", {i: elsewhere(s) for i, s in sites.items()}),
    }
    for name, (own, lent) in trials.items():
        own.write(folder / name)
        lent.write(folder / f"{name}-other-sites")
    public_trial("actg175").write(folder / "actg175")
    for number, (name, plan) in enumerate(plans().items(), start=1):
        path = folder / f"plan-{number}.yaml"
        path.write_text(yaml.safe_dump(plan), "utf-8")
        service.lock_analysis(path)
        cohort = folder / ("pilot" if "pilot" in name else "actg320")
        told = service.analyse_trial(cohort, path, folder / f"analysis-{number}")["analyses"][0]
        print(f"{name}: {told['external_controls']['verdict']}")
        print(f"  {told['estimate']:.3g} ({told['low']:.3g} to {told['high']:.3g}); own controls "
              f"alone have a standard error of "
              f"{told['external_controls']['own_controls_alone']['se']:.3g}, this {told['se']:.3g}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give a new folder: python examples/external-controls.py runs/external-controls")
    main(Path(sys.argv[1]))
