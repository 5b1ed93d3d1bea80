"""Words per CPU-second of the notes pipeline beside medspaCy, on the same texts and terms.

Run: python -m benchmarks.notes_speed [--json FILE] [--notes N] [--texts FOLDER]

First `python -m benchmarks.peers.install medspacy`; without it ours is measured alone. Both sides
read one text after the other in one thread of one process: first the assertion gold, then the timed
texts three times, of which the best pass counts. medspaCy is its default `load()` (sentences,
target matcher, ConText) with a rule for every condition, symptom, event, drug and procedure of our
lists; ours is `fast`, which also reads measurements, scores, habits and genes. Of the gold only
totals are printed: a marked fact is found when a fact overlaps it, and its assertion when that fact
has the marked status.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.peers.install import interpreter
from extraction.notes import load_pipeline
from extraction.notes.lexicon import read_terms
from tests.notes.assertion_loader import Line, load_gold
from tests.notes.bank_loader import load_bank

TERMS = {
    "conditions.txt": "condition",
    "symptoms.txt": "symptom",
    "adverse_events.txt": "adverse_event",
    "drugs.txt": "medication",
    "drug_classes.txt": "medication",
    "procedures.txt": "procedure",
}
# ConText's modifiers in the order in which they decide, and the status each stands for.
MEANING = {
    "is_negated": "absent",
    "is_family": "family",
    "is_hypothetical": "hypothetical",
    "is_uncertain": "possible",
    "is_historical": "historical",
}
PASSES = 3  # on both sides; the best counts, because others use the machine too
RUNNER = Path(__file__).parent / "peers" / "run_medspacy.py"
Found = list[tuple[int, int, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notes", type=int, default=200, help="notes that are timed")
    parser.add_argument("--texts", type=Path, help="folder of .txt notes to time in place of ours")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    gold = [*load_gold("dev"), *load_gold("blind")]
    timed = (
        timed_notes(given.notes) if given.texts is None else read_texts(given.texts, given.notes)
    )
    nlp = load_pipeline("fast")
    ours = [[(f.start, f.stop, f.assertion) for f in nlp(line.text)._.facts] for line in gold]
    out: dict[str, Any] = {
        "words": sum(len(text.split()) for text in timed),
        "trialtwin_fast": {"words_per_cpu_second": round(rate(nlp, timed)), **counts(gold, ours)},
    }
    if interpreter("medspacy").exists():
        theirs, speed = medspacy([line.text for line in gold], timed)
        out["medspacy"] = {"words_per_cpu_second": round(speed), **counts(gold, theirs)}
        out["ratio"] = out["trialtwin_fast"]["words_per_cpu_second"] / speed
    else:
        print("Skipped: medspaCy; its environment is not installed.")
    out["two_processes"] = two_processes(nlp, timed * 5)
    print(json.dumps(out, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


def timed_notes(count: int) -> list[str]:
    """Return notes of ten snippets of the bank's half for developing."""
    snippets = cycle(s.text for s in load_bank("dev"))
    return ["\n\n".join(islice(snippets, 10)) for _ in range(count)]


def read_texts(folder: Path, count: int) -> list[str]:
    """Return the first text files of a folder, by name."""
    return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.txt"))[:count]]


def rate(nlp: Any, texts: Sequence[str]) -> float:
    """Return words per CPU-second of the best of some passes in this thread."""
    best = 0.0
    words = sum(len(text.split()) for text in texts)
    for _ in range(PASSES):
        start = time.process_time()
        for text in texts:
            assert nlp(text)._.facts is not None
        best = max(best, words / (time.process_time() - start))
    return best


def medspacy(texts: Sequence[str], timed: Sequence[str]) -> tuple[list[Found], float]:
    """Run medspaCy in its own environment; return its entities and its speed."""
    terms = [
        (label, spelling)
        for name, label in TERMS.items()
        for _, spellings in read_terms(name)
        for spelling in spellings
    ]
    with tempfile.TemporaryDirectory() as folder:
        out, task = Path(folder) / "out.json", Path(folder) / "job.json"
        body = {
            "texts": texts,
            "timed": timed,
            "terms": terms,
            "out": str(out),
            "passes": PASSES,
        }
        task.write_text(json.dumps(body), encoding="utf-8")
        command = [str(interpreter("medspacy")), str(RUNNER), str(task)]
        subprocess.run(command, check=True, capture_output=True)
        read = json.loads(out.read_text(encoding="utf-8"))
    found = [[(a, b, _status(flags)) for a, b, flags in row] for row in read["found"]]
    return found, float(read["words_per_cpu_second"])


def _status(flags: Sequence[str]) -> str:
    return next((MEANING[flag] for flag in MEANING if flag in flags), "present")


def counts(gold: Sequence[Line], found: Sequence[Found]) -> dict[str, int]:
    """Count the marked facts, those overlapped, and those with the marked status."""
    marked = hits = right = 0
    for line, facts in zip(gold, found, strict=True):
        for fact in line.facts:
            over = [status for a, b, status in facts if a < fact.stop and fact.start < b]
            marked += 1
            hits += bool(over)
            right += fact.assertion in over
    return {"marked": marked, "found": hits, "assertions_found": right}


def two_processes(nlp: Any, texts: Sequence[str]) -> dict[str, float]:
    """Return wall seconds of one and of two processes; a ratio needs two free cores."""
    seconds = {}
    for processes in (1, 2):
        start = time.perf_counter()
        for doc in nlp.pipe(texts, n_process=processes, batch_size=64):
            assert doc._.facts is not None
        seconds[processes] = time.perf_counter() - start
    return {
        "one_seconds": round(seconds[1], 2),
        "two_seconds": round(seconds[2], 2),
        "ratio": round(seconds[1] / seconds[2], 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
