"""Codes of mentions: hidden synonyms, the gold, and what they cost on running text.

Run: python -m benchmarks.codes [--json FILE] [--texts FOLDER] [--hide FRACTION]

Hidden synonyms: of every code with two names or more, one is hidden with probability FRACTION from
an index of the vocabulary alone; the code is to be found by the others. Gold: `tests/notes/codes`.
A code is sure from a score of 0.8. Intervals are Wilson's, 95 %. The cost is the CPU time of the
last component beside that of the others of `fast`, on the notes of FOLDER, first with no mention
known and then a second time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from scipy.stats import norm

from extraction.notes import load_pipeline
from extraction.notes.codes import SURE
from extraction.notes.codes.build import Builder, Entry
from extraction.notes.codes.index import Index
from extraction.notes.codes.packaged import SYSTEMS
from extraction.notes.codes.ranker import Ranker, forms
from extraction.notes.codes.words import content, key
from generation.randomness import generator
from tests.notes.codes_scores import Answer, gold_answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=Path, help="folder of .txt notes to time")
    parser.add_argument("--hide", type=float, default=0.1, help="share of codes that lose a name")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    out: dict[str, Any] = {
        "hidden_synonyms": {name: hidden(m, given.hide) for name, m in SYSTEMS.items()},
        "gold": gold(),
    }
    if given.texts is not None:
        out["cost"] = cost(given.texts)
    print(json.dumps(out, indent=2))
    if given.json is not None:
        given.json.write_text(json.dumps(out, indent=2) + "\n", encoding="utf-8")


def hidden(module: ModuleType, share: float) -> dict[str, Any]:
    """Hide names of a vocabulary and look for their codes by the others."""
    draws = generator(0, "hidden synonyms")
    kept: list[Entry] = []
    asked: list[tuple[str, str]] = []
    for entry in module.entries(module.source()):
        bags: dict[int, list[tuple[str, float]]] = {}
        for term in entry.terms:
            bags.setdefault(key(content(term[0])), []).append(term)
        later = [bag for bag, terms in list(bags.items())[1:] if max(w for _, w in terms) >= 0.9]
        if later and draws.random() < share:
            gone = later[int(draws.integers(len(later)))]
            asked.append((bags.pop(gone)[0][0], entry.code))
            terms = tuple(term for terms in bags.values() for term in terms)
            entry = Entry(entry.code, entry.display, terms)  # noqa: PLW2901
        kept.append(entry)
    return summary(_found(module.SYSTEM, kept, asked))


def _found(system: str, entries: list[Entry], asked: list[tuple[str, str]]) -> Iterable[Answer]:
    with tempfile.TemporaryDirectory() as folder:
        builder = Builder(system, "")
        for entry in entries:
            builder.add(entry)
        drugs = system == "DrugBank"
        builder.write(Path(folder), covers=["medication", "allergy"] if drugs else ["condition"])
        index = Index(Path(folder))
        ranked = Ranker(index).rank([forms(text) for text, _ in asked], 5)
        for (_, code), found in zip(asked, ranked, strict=True):
            codes = [index.code(place) for place, _ in found]
            sure = bool(found) and found[0][1] >= SURE
            yield codes[:1] == [code], code in codes, bool(codes), sure


def gold() -> dict[str, Any]:
    """Score the gold by system and together."""
    parts = gold_answers()
    together = [answer for part in parts.values() for answer in part]
    return {**{name: summary(part) for name, part in parts.items()}, "all": summary(together)}


def summary(answers: Iterable[Answer]) -> dict[str, Any]:
    """Return the shares that are right, and of the sure ones how many are wrong."""
    table = np.array(list(answers), dtype=bool)
    first, five, some, sure = table.T
    return {
        "n": len(table),
        "top_1": share(first),
        "top_5": share(five),
        "none_given": share(~some),
        "sure": share(sure),
        "wrong_among_sure": share(~first[sure]),
        "sure_and_wrong": share(sure & ~first),
    }


def share(hits: Any) -> dict[str, float]:
    """Return a share with Wilson's interval (J Am Stat Assoc 1927;22:209)."""
    n, z = len(hits), float(norm.ppf(0.975))
    if n == 0:
        return {"share": float("nan"), "low": 0.0, "high": 1.0}
    p = float(np.mean(hits))
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"share": round(p, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def cost(folder: Path) -> dict[str, Any]:
    """Time the component beside the pipeline."""
    texts = [p.read_text("utf-8", "replace") for p in sorted(folder.rglob("*.txt"))]
    words = sum(len(text.split()) for text in texts)
    plain = load_pipeline("fast", codes=False)
    start = time.process_time()
    component = load_pipeline("fast").get_pipe("trialtwin_codes")
    loading = time.process_time() - start
    for text in texts[:10]:
        plain(text)
    start = time.process_time()
    docs = [plain(text) for text in texts]
    alone = time.process_time() - start
    passes = []
    for _ in range(2):
        start = time.process_time()
        for doc in docs:
            component(doc)
        passes.append(time.process_time() - start)
    return {
        "notes": len(texts),
        "words": words,
        "load_seconds": round(loading, 2),
        "fast_words_per_cpu_second": round(words / alone),
        "codes_share_first_time": round(passes[0] / alone, 4),
        "codes_share_again": round(passes[1] / alone, 4),
    }


if __name__ == "__main__":
    main()
