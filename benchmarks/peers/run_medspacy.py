"""medspaCy's default `load()` with a target rule for every term of ours, timed on the same texts.

    python run_medspacy.py JOB.json

The job names ``texts``, ``timed`` (texts that are timed), ``passes``, ``terms`` (pairs of label
and spelling) and ``out``. Written are the entities of ``texts``, with what ConText says of each,
and the words per CPU-second of the best pass over ``timed``. Knows no Trialtwin.
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
    words = sum(len(text.split()) for text in task["timed"])
    best = 0.0
    for _ in range(task["passes"]):
        start = time.process_time()
        for text in task["timed"]:
            nlp(text)
        best = max(best, words / (time.process_time() - start))
    out = {"found": found, "words_per_cpu_second": best}
    Path(task["out"]).write_text(json.dumps(out), encoding="utf-8")


def _entities(doc: Any) -> list[Any]:
    return [
        [e.start_char, e.end_char, [flag for flag in FLAGS if getattr(e._, flag)]] for e in doc.ents
    ]


if __name__ == "__main__":
    main()
