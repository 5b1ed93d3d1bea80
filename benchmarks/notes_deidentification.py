"""How many planted identifiers are found, by kind, and what else is taken for one.

Run: python -m benchmarks.notes_deidentification [--count N] [--seed SEED] [--json FILE]

Identifiers of the 18 kinds are planted in copies of the ACI-Bench notes by a planter whose names,
numbers and layouts were written by somebody who had not read the rules, and were not read by who
wrote the rules: only the scores below were seen. An identifier is found when every letter and digit
of it is covered; its kind is counted apart. ACI-Bench: Yim et al. 2023, CC BY 4.0.
"""

import argparse
import csv
import json
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks.corpora import DATA, absent
from extraction.notes.deidentification.deidentifier import find
from extraction.notes.deidentification.found import KINDS, Found
from tests.support.identifiers import Planted, plant

SEED = 20261122
Z = 1.959963984540054


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="identifiers to plant")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the planter")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the corpora")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args()
    if absent(given.data, "aci-bench"):
        return
    notes = read_notes(given.data)
    untouched = [find(note) for note in notes]
    planted = plant(notes, given.count, given.seed)
    begin = time.process_time()
    found = [find(note.text) for note in planted]
    seconds = time.process_time() - begin
    own = {
        note[f.start : f.stop]
        for note, places in zip(notes, untouched, strict=True)
        for f in places
    }
    out = {
        "seed": given.seed,
        "recall": recall(planted, found),
        "precision": precision(planted, found, own),
        "untouched": dict(Counter(f.kind for places in untouched for f in places)),
        "untouched_notes": len(notes),
        "words_per_cpu_second": round(sum(len(p.text.split()) for p in planted) / seconds),
    }
    show(out)
    if given.json:
        given.json.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


def read_notes(data: Path) -> list[str]:
    with (data / "aci-bench" / "train.csv").open(encoding="utf-8", newline="") as file:
        return [row["note"] for row in csv.DictReader(file)]


def recall(planted: Sequence[Planted], found: Sequence[Sequence[Found]]) -> dict[str, Any]:
    """Count the planted, the wholly covered, those whose kind is right, and the missed whole."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for note, places in zip(planted, found, strict=True):
        owner = covering(len(note.text), places)
        for start, stop, kind in note.spans:
            signs = [i for i in range(start, stop) if note.text[i].isalnum()]
            over = [owner[i] for i in signs]
            for row in (rows[kind], rows["all"]):
                row["planted"] += 1
                row["found"] += all(over)
                row["of_kind"] += bool(over) and all(over) and kind in set(over)
                row["untouched"] += not any(over)
    order = ["all", *KINDS]
    return {
        kind: {
            **rows[kind],
            "recall": rows[kind]["found"] / rows[kind]["planted"],
            "interval": wilson(rows[kind]["found"], rows[kind]["planted"]),
        }
        for kind in sorted(rows, key=order.index)
    }


def precision(
    planted: Sequence[Planted], found: Sequence[Sequence[Found]], own: set[str]
) -> dict[str, Any]:
    """Of what is found and does not stand in the untouched notes too: how much was planted."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    inside = outside = 0
    for note, places in zip(planted, found, strict=True):
        gold = covering(len(note.text), [Found(a, b, k) for a, b, k in note.spans])
        for place in places:
            touched = sum(gold[i] is not None for i in range(place.start, place.stop))
            if touched:
                right[place.kind] += 1
                inside += touched
                outside += place.stop - place.start - touched
            elif note.text[place.start : place.stop] not in own:
                wrong[place.kind] += 1
    n = right.total() + wrong.total()
    return {
        "found": n,
        "planted": right.total(),
        "precision": right.total() / n,
        "interval": wilson(right.total(), n),
        "wrong_by_kind": dict(wrong.most_common()),
        "share_of_characters": inside / (inside + outside),
    }


def covering(length: int, places: Sequence[Found]) -> list[str | None]:
    owner: list[str | None] = [None] * length
    for place in places:
        owner[place.start : place.stop] = [place.kind] * (place.stop - place.start)
    return owner


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Interval of 95 % of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    share = hits / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return middle - half, middle + half


def show(out: dict[str, Any]) -> None:
    print(
        "| kind | planted | wholly found | recall | 95 % interval | of the right kind | untouched |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind, row in out["recall"].items():
        low, high = row["interval"]
        print(
            f"| {kind} | {row['planted']} | {row['found']} | {row['recall']:.3f} "
            f"| {low:.3f} to {high:.3f} | {row['of_kind']} | {row['untouched']} |"
        )
    given = out["precision"]
    low, high = given["interval"]
    print(
        f"\nPrecision {given['precision']:.3f} ({low:.3f} to {high:.3f}) of {given['found']} "
        f"places that the untouched notes do not hold; of their characters "
        f"{given['share_of_characters']:.3f} planted."
        f"\nWrong by kind: {given['wrong_by_kind']}"
        f"\nIn the {out['untouched_notes']} untouched notes: {out['untouched']}"
        f"\nWords per CPU-second: {out['words_per_cpu_second']:,}"
    )


if __name__ == "__main__":
    main()
