"""How well notes are read: the bank's two halves apart, and words per CPU-second.

Run: python -m benchmarks.notes [--json FILE]

The bank was written by hand before the rules; `dev` was looked at while writing them, `test` never
read. These figures are a regression test: real notes are harder. No text is printed; failures of
`dev` are named by topic and number, those of `test` only counted.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from extraction.notes import load_pipeline
from extraction.notes.facts import ASSERTIONS
from extraction.notes.scoring import score
from tests.notes.assertion_scores import end_to_end, on_given_spans
from tests.notes.bank_loader import TYPES, Snippet, as_in_bank, load_bank

REPEATS = 20


def main() -> None:
    nlp = load_pipeline("fast")
    out: dict[str, Any] = {}
    for half in ("dev", "test"):
        bank = load_bank(half)
        docs = nlp.pipe([s.text for s in bank])
        found = [[as_in_bank(f) for f in doc._.facts if f.type in TYPES] for doc in docs]
        pairs = list(zip(found, (s.facts for s in bank), strict=True))
        out[half] = score(pairs).to_dict()
        table(half, out[half])
        kinds, places = failures(bank, found)
        out[half]["failures"] = dict(kinds)
        print(f"\n### What fails, {half}\n\n| kind | facts |\n|---|---|")
        for kind, count in kinds.most_common():
            print(f"| {kind} | {count} |")
        if half == "dev":
            print("\nSnippets of dev that fail: " + ", ".join(places))
    out["assertion"] = assertion()
    out["words_per_cpu_second"] = speed(nlp)
    print("\n### Speed, words per CPU-second, one process\n\n| texts | words |\n|---|---|")
    for name, value in out["words_per_cpu_second"].items():
        print(f"| {name} | {value:,} |")
    if "--json" in sys.argv:
        path = Path(sys.argv[sys.argv.index("--json") + 1])
        path.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


def assertion() -> dict[str, Any]:
    """Print and return accuracies on the assertion gold; of `blind` totals only."""
    out: dict[str, Any] = {}
    print("\n## Assertion gold\n\n| part | spans | accuracy | 95 % | " + " | ".join(ASSERTIONS))
    print("|" + "---|" * (len(ASSERTIONS) + 4))
    for part in ("dev", "rules", "second", "third", "blind"):
        runs = {"given": on_given_spans(part), "found": end_to_end(part)}
        if part == "blind":
            runs["given, two annotators"] = on_given_spans(part, settled=True)
        for name, scores in runs.items():
            shares = {s: scores.statuses[s][0] / scores.statuses[s][1] for s in ASSERTIONS}
            row = " | ".join(f"{share:.3f}" for share in shares.values())
            interval = f"{scores.low:.3f} to {scores.high:.3f}"
            print(f"| {part} | {name} | {scores.share:.3f} | {interval} | {row} |")
            out[f"{part}, {name}"] = {
                "accuracy": round(scores.share, 4),
                "low": round(scores.low, 4),
                "high": round(scores.high, 4),
                "facts": scores.of,
                "statuses": {s: round(share, 4) for s, share in shares.items()},
            }
    return out


def table(half: str, scores: dict[str, Any]) -> None:
    print(f"\n## {half}\n\n| | precision | recall | F1 | marked |\n|---|---|---|---|---|")
    rows = {
        "all, strict": scores["strict"],
        "all, relaxed": scores["relaxed"],
        "all, without assertion": scores["spans"],
        **scores["types"],
        **scores["assertions"],
    }
    for name, row in rows.items():
        if not row["marked"]:
            continue
        print(
            f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
            f"| {row['marked']} |"
        )
    print("\n| attribute | right | of |\n|---|---|---|")
    for name, row in scores["attributes"].items():
        print(f"| {name} | {row['right']} | {row['of']} |")


def failures(bank: list[Snippet], found: list[Any]) -> tuple[Counter[str], list[str]]:
    """Count the kinds of failure; name the snippets by topic and number."""
    kinds: Counter[str] = Counter()
    places = []
    for snippet, facts in zip(bank, found, strict=True):
        before = kinds.total()
        ours = {(f.start, f.stop): f for f in facts}
        matched = set()
        for gold in snippet.facts:
            fact = ours.get((gold.start, gold.stop))
            overlaps = [p for p in ours if p[0] < gold.stop and gold.start < p[1]]
            matched.update(overlaps)
            if fact is None:
                kinds["other span" if overlaps else f"missed {gold.type}"] += 1
            elif fact.type != gold.type:
                kinds[f"{gold.type} read as {fact.type}"] += 1
            elif fact.assertion != gold.assertion:
                kinds[f"{gold.assertion} {gold.type} read as {fact.assertion}"] += 1
        kinds.update(f"spurious {f.type}" for p, f in ours.items() if p not in matched)
        if kinds.total() > before:
            places.append(f"{snippet.topic} {snippet.number}")
    return kinds, places


def speed(nlp: Any) -> dict[str, int]:
    short = [s.text for s in load_bank("dev")] * REPEATS
    notes = ["\n\n".join(short[i : i + 10]) for i in range(0, len(short), 10)]
    rates = {}
    for name, texts in (("single sentences", short), ("notes of ten snippets", notes)):
        words = sum(len(text.split()) for text in texts)
        start = time.process_time()
        for doc in nlp.pipe(texts):
            assert doc._.facts is not None
        rates[name] = round(words / (time.process_time() - start))
    return rates


if __name__ == "__main__":
    main()
