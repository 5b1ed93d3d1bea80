"""medspaCy's default `load()` with a target rule for every term of ours, timed on the same texts.

    python run_medspacy.py JOB.json

The job names ``texts``, ``timed`` (sets of texts that are timed, by name), ``passes``, ``terms``
(pairs of label and spelling) and ``out``. Written are the entities of ``texts``, with what ConText
says of each, and the words per CPU-second of the first and the best pass over each set. Knows no
Trialtwin.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import medspacy
from medspacy.ner import TargetRule

FLAGS = ("is_negated", "is_family", "is_hypothetical", "is_uncertain", "is_historical")


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    nlp = medspacy.load()
    matcher = nlp.get_pipe("medspacy_target_matcher")
    matcher.add([TargetRule(spelling, label) for label, spelling in task["terms"]])
    found = [_entities(nlp(text)) for text in task["texts"]]
    speeds = {name: _speed(nlp, texts, task["passes"]) for name, texts in task["timed"].items()}
    out = {"found": found, "speeds": speeds}
    Path(task["out"]).write_text(json.dumps(out), encoding="utf-8")


def _speed(nlp: Any, texts: list[str], passes: int) -> dict[str, int]:
    words = sum(len(text.split()) for text in texts)
    rates = []
    for _ in range(passes):
        start = time.process_time()
        for text in texts:
            nlp(text)
        rates.append(round(words / (time.process_time() - start)))
    return {"first_pass": rates[0], "best_pass": max(rates)}


def _entities(doc: Any) -> list[Any]:
    return [
        [e.start_char, e.end_char, [flag for flag in FLAGS if getattr(e._, flag)]] for e in doc.ents
    ]


if __name__ == "__main__":
    main()
