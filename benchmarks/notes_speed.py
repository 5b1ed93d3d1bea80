"""Words per CPU-second of the notes pipeline beside medspaCy and a bare encoder, in one run.

Run: python -m benchmarks.notes_speed [--data FOLDER] [--notes N] [--encoder N] [--json FILE]

First `python -m benchmarks.peers.install medspacy`; without it ours is measured alone. Two sets of
texts: `dense`, notes of ten snippets of the bank, a fact every five words; `case reports`, those of
MACCROBAT, where they are found. One thread of one process on each side reads one text after the
other: first the assertion gold, then each set some times. The first pass over a set and the best
are given, because others use the machine too, and all sides keep what they know of words.

medspaCy is its default `load()` (sentences, target matcher, ConText) with a rule for every
condition, symptom, event, drug and procedure of our lists; `fast` also reads measurements, scores,
habits, genes, findings and dates, and gives codes. Of the gold only totals are printed: a marked
fact is found when a fact overlaps it, its assertion when that fact has the marked status.

`accurate` stands beside the bare float32 encoder on `--encoder` notes of each set
(`benchmarks.notes_encoder_speed`). The ratio of two processes is one of wall time: it needs two
cores that nobody else uses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

from benchmarks.corpora import DATA, absent
from benchmarks.peers.install import interpreter
from extraction.notes import Note, extract, load_pipeline
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
PASSES = 3  # on both sides
CASE_REPORTS = "maccrobat2020"
MANY_WORDS = 1_000_000  # read by one process and by two; a second costs its start and its caches
RUNNER = Path(__file__).parent / "peers" / "run_medspacy.py"
Found = list[tuple[int, int, str]]
Texts = Mapping[str, Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the corpora")
    parser.add_argument("--notes", type=int, default=100, help="notes of each set")
    parser.add_argument("--encoder", type=int, default=10, help="notes read by encoders; 0: none")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    gold = [*load_gold("dev"), *load_gold("blind")]
    sets = {"dense": timed_notes(given.notes)}
    if not absent(given.data, CASE_REPORTS):
        sets["case reports"] = read_texts(given.data / CASE_REPORTS, given.notes)
    out = compared(gold, sets)
    for name, texts in sets.items():
        if given.encoder:
            out[name]["encoder"] = encoders(texts[: given.encoder])
    print(json.dumps(out, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


def compared(gold: Sequence[Line], sets: Texts) -> dict[str, Any]:
    """Return speeds of `fast` and medspaCy on every set, and what each finds of the gold."""
    nlp = load_pipeline("fast")
    ours = [[(f.start, f.stop, f.assertion) for f in nlp(line.text)._.facts] for line in gold]
    out: dict[str, Any] = {"gold": {"fast": counts(gold, ours)}}
    for name, texts in sets.items():
        words = sum(len(text.split()) for text in texts)
        out[name] = {"notes": len(texts), "words": words, "fast": rates(nlp, texts)}
        out[name]["two_processes"] = two_processes(texts)
    if not interpreter("medspacy").exists():
        print("Skipped: medspaCy; its environment is not installed.")
        return out
    theirs, speeds = medspacy([line.text for line in gold], sets)
    out["gold"]["medspacy"] = counts(gold, theirs)
    for name, speed in speeds.items():
        out[name]["medspacy"] = speed
        out[name]["ratio"] = {k: round(out[name]["fast"][k] / v, 2) for k, v in speed.items()}
    return out


def encoders(texts: Sequence[str]) -> dict[str, float]:
    """Return words per CPU-second of the bare encoder and of `accurate`, and their ratio."""
    from benchmarks.notes_encoder_speed import compare

    return compare(texts)


def timed_notes(count: int) -> list[str]:
    """Return notes of ten snippets of the bank's half for developing."""
    snippets = cycle(s.text for s in load_bank("dev"))
    return ["\n\n".join(islice(snippets, 10)) for _ in range(count)]


def read_texts(folder: Path, count: int) -> list[str]:
    """Return the first text files of a folder, by name."""
    return [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.txt"))[:count]]


def rates(nlp: Any, texts: Sequence[str]) -> dict[str, int]:
    """Return words per CPU-second of the first and of the best of some passes in this thread."""
    words = sum(len(text.split()) for text in texts)
    found = []
    for _ in range(PASSES):
        start = time.process_time()
        for text in texts:
            assert nlp(text)._.facts is not None
        found.append(round(words / (time.process_time() - start)))
    return {"first_pass": found[0], "best_pass": max(found)}


def medspacy(texts: Sequence[str], sets: Texts) -> tuple[list[Found], dict[str, dict[str, int]]]:
    """Run medspaCy in its own environment; return its entities and its speeds."""
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
            "timed": sets,
            "terms": terms,
            "out": str(out),
            "passes": PASSES,
        }
        task.write_text(json.dumps(body), encoding="utf-8")
        command = [str(interpreter("medspacy")), str(RUNNER), str(task)]
        subprocess.run(command, check=True, capture_output=True)
        read = json.loads(out.read_text(encoding="utf-8"))
    found = [[(a, b, _status(flags)) for a, b, flags in row] for row in read["found"]]
    return found, read["speeds"]


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


def two_processes(texts: Sequence[str]) -> dict[str, float]:
    """Return words per second of wall time of `extract` in one process and in two.

    Both are counted from the first note that is read, so that loading is left out. `cpu` is how
    many times the CPU time of one process two of them take, with the one that feeds them.
    """
    words = sum(len(text.split()) for text in texts)
    many = [text for _ in range(-(-MANY_WORDS // words)) for text in texts]
    notes = [Note(str(i), "bench", str(i), 0.0, "visit", text) for i, text in enumerate(many)]
    one, two = (_shared(notes, processes) for processes in (1, 2))
    return {
        "one": round(one[0]),
        "two": round(two[0]),
        "ratio": round(two[0] / one[0], 2),
        "cpu": round(two[1] / one[1], 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _shared(notes: Sequence[Note], processes: int) -> tuple[float, float]:
    """Return words per second of wall time and CPU-seconds, from the first note read."""
    read = extract(notes, processes=processes)
    next(read)
    children = getrusage(RUSAGE_CHILDREN)
    start, cpu = time.perf_counter(), time.process_time()
    words = sum(len(note.text.split()) for note, _ in read)
    passed, cpu = time.perf_counter() - start, time.process_time() - cpu
    after = getrusage(RUSAGE_CHILDREN)
    cpu += after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    return words / passed, cpu


if __name__ == "__main__":
    main()
