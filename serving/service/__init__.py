"""The use cases: what is asked on the command line, over HTTP, on the page and by jobs.

By topic: `runs` (studies), `data` (cohorts), `notes`, `showing`, `protecting` (identifiers),
`restoring`, `tagging`, `models` (train, generate), `updates`, `control_requests` (control arms),
`auditing` (inference audits), `evaluations`, `judging` and `disclosing` (evaluate), `forecasts`
(twins), `trials` (simulate), `sweeps` (sweep), `designing` (design-search, criteria), `analysing`
(analyse), `health` (doctor).
Names are imported when they are first asked for, so that a command loads only what it needs.
"""

from typing import TYPE_CHECKING

from extraction.lazy import lazy

if TYPE_CHECKING:
    from .analysing import analyse_trial, lock_analysis
    from .auditing import audit_inference
    from .coding import Coding
    from .control_requests import ControlArm, ControlsRequest, controls
    from .data import describe, draft_mapping, export, ingest, validate
    from .designing import SearchRequest, judge_criteria, search_trial
    from .disclosing import DisclosureRequest, evaluate_disclosure
    from .evaluations import EvaluationRequest, evaluate_cohort, evaluate_patients
    from .forecasts import TwinRequest, forecast
    from .health import doctor
    from .judging import evaluate_notes
    from .models import generate, train
    from .notes import Pace, extract_notes
    from .protecting import Protection
    from .restoring import restore_notes
    from .runs import plan_study, run_study
    from .showing import show_notes
    from .sweeps import simulate_sweep
    from .tagging import evaluate_gold, train_notes
    from .trials import OpenTrial, TrialRequest, cost_of, dry_run, open_trial, replay_trial
    from .updates import update

__all__ = [
    "Coding",
    "ControlArm",
    "ControlsRequest",
    "DisclosureRequest",
    "EvaluationRequest",
    "OpenTrial",
    "Pace",
    "Protection",
    "SearchRequest",
    "TrialRequest",
    "TwinRequest",
    "analyse_trial",
    "audit_inference",
    "controls",
    "cost_of",
    "describe",
    "doctor",
    "draft_mapping",
    "dry_run",
    "evaluate_cohort",
    "evaluate_disclosure",
    "evaluate_gold",
    "evaluate_notes",
    "evaluate_patients",
    "export",
    "extract_notes",
    "forecast",
    "generate",
    "ingest",
    "judge_criteria",
    "lock_analysis",
    "open_trial",
    "plan_study",
    "replay_trial",
    "restore_notes",
    "run_study",
    "search_trial",
    "show_notes",
    "simulate_sweep",
    "train",
    "train_notes",
    "update",
    "validate",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        "Coding": "coding",
        "ControlArm": "control_requests",
        "ControlsRequest": "control_requests",
        "DisclosureRequest": "disclosing",
        "EvaluationRequest": "evaluations",
        "Pace": "notes",
        "Protection": "protecting",
        "SearchRequest": "designing",
        "judge_criteria": "designing",
        "search_trial": "designing",
        "TwinRequest": "forecasts",
        "analyse_trial": "analysing",
        "audit_inference": "auditing",
        "controls": "control_requests",
        "describe": "data",
        "doctor": "health",
        "draft_mapping": "data",
        "evaluate_cohort": "evaluations",
        "evaluate_disclosure": "disclosing",
        "evaluate_gold": "tagging",
        "evaluate_notes": "judging",
        "evaluate_patients": "evaluations",
        "export": "data",
        "extract_notes": "notes",
        "forecast": "forecasts",
        "generate": "models",
        "ingest": "data",
        "lock_analysis": "analysing",
        "plan_study": "runs",
        "restore_notes": "restoring",
        "run_study": "runs",
        "show_notes": "showing",
        "simulate_sweep": "sweeps",
        **dict.fromkeys(
            ("OpenTrial", "TrialRequest", "cost_of", "dry_run", "open_trial", "replay_trial"),
            "trials",
        ),
        "train": "models",
        "train_notes": "tagging",
        "update": "updates",
        "validate": "data",
    },
)
