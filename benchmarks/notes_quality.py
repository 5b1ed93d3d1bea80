"""How well the shipped tagger finds clinical entities in documents it never saw.

Run: python -m benchmarks.notes_quality [--data FOLDER] [--folds FOLDER ...] [--most N]
     [--json FILE]

FOLDER holds the corpora in the folders `maccrobat2020`, `bc5cdr_ncbi` and `phee` (CC BY 4.0, CC BY
4.0, MIT; sources in `extraction/notes/encoder/weights/LICENSES.md`). Only documents that a card
lists as held out, by the hash of their words, are scored: of BC5CDR half of `devel`, of NCBI
`devel`, of PHEE `dev`. The shipped weights learned all case reports of MACCROBAT, so those are
scored by taggers of the same recipe that did not: `--folds` names folders that `python -m
benchmarks.train_tagger --fold` made, each judged on the reports that its card lists as held out.
Figures are micro F1 with 95% intervals over documents (blocks of ten sentences where a file marks
none). No text is printed.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora import DATA, absent
from extraction.notes import load_pipeline
from extraction.notes.encoder.artifact import SHIPPED, Card, load_tagger, read_card
from extraction.notes.encoder.brat import read_brat
from extraction.notes.encoder.corpora import read_iob, read_phee
from extraction.notes.encoder.documents import Document, Span
from extraction.notes.encoder.gold import judge
from extraction.notes.encoder.relations import pairs
from extraction.notes.encoder.scoring import count, report
from extraction.notes.encoder.tagger import Found, Tagger

GOALS = {
    "maccrobat strict": 0.66, "maccrobat relaxed": 0.80, "bc5cdr chemical": 0.88,
    "bc5cdr disease": 0.79, "ncbi disease": 0.78, "phee drug to effect": 0.70,
    "phee drug to dose": 0.70,
}  # fmt: skip
# What a fact of the rules is called in the reports' label set.
RULES = {
    "age": "Age", "sex": "Sex", "condition": "Disease_disorder", "symptom": "Sign_symptom",
    "adverse_event": "Sign_symptom", "medication": "Medication",
    "procedure": "Therapeutic_procedure",
}  # fmt: skip


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--data", type=Path, default=DATA, help="folder of the corpora")
    asked.add_argument("--model", type=Path, default=SHIPPED)
    asked.add_argument("--folds", type=Path, nargs="*", default=[], help="for the case reports")
    asked.add_argument("--exact", action="store_true", help="compute in float32, not eight bits")
    asked.add_argument("--most", type=int, help="documents read of each corpus; else all")
    asked.add_argument("--json", type=Path)
    told = asked.parse_args()
    if absent(told.data, "maccrobat2020", "bc5cdr_ncbi", "phee"):
        return
    card = read_card(told.model)
    tagger = load_tagger(told.model, fast=not told.exact)
    print(f"model {card.name}, seed {card.seed}, weights {card.weights_sha256[:12]}")
    out: dict[str, Any] = {"model": card.name, "weights": card.weights_sha256, "seed": card.seed}
    began = time.process_time()

    reports = read_brat(told.data / "maccrobat2020")[: told.most]
    out["maccrobat"] = case_reports(told.folds or [told.model], reports, not told.exact)
    iob = told.data / "bc5cdr_ncbi"
    for name, folder in (("bc5cdr", "BC5CDR-IOB"), ("ncbi", "NCBI-disease-IOB")):
        blocks = unseen(card, read_iob(iob / folder / "devel.tsv"))[: told.most]
        out[name] = judge(tagger, card, blocks, name)
    events = unseen(card, read_phee(told.data / "phee" / "dev.json"))[: told.most]
    out["phee"] = judge(tagger, card, events, "phee")
    out["phee"]["relations"] = relations(tagger, events)
    out["cpu_seconds"] = round(time.process_time() - began, 1)
    show(out)
    if told.json:
        told.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def unseen(card: Card, documents: Sequence[Document]) -> list[Document]:
    """The documents that a card lists as held out."""
    held = {digest for corpus in card.corpora for digest in corpus.held_out}
    return [d for d in documents if d.digest() in held]


def case_reports(
    folders: Sequence[Path], documents: Sequence[Document], fast: bool
) -> dict[str, Any] | None:
    """Every tagger on the reports that it did not learn from, taken together; None without any."""
    judged: list[Document] = []
    found: list[list[Found]] = []
    labels: tuple[str, ...] = ()
    for folder in folders:
        card = read_card(folder)
        mine = [d for d in unseen(card, documents) if d not in judged]
        labels = card.shown["reports"]
        print(f"MACCROBAT: {len(mine)} reports held out of weights {card.weights_sha256[:12]}")
        if mine:
            found += load_tagger(folder, fast=fast).tag([d.text for d in mine], ("reports",))
            judged += mine
    if not judged:
        return None
    counts = count(((f, d.spans) for f, d in zip(found, judged, strict=True)), labels)
    return {**report(counts, labels), "ablation": ablation(found, labels, judged)}


def ablation(
    model: Sequence[Sequence[Found]], labels: Sequence[str], documents: Sequence[Document]
) -> dict[str, dict[str, Any]]:
    """Rules alone, model alone and both, on the types that the rules know and on all."""
    nlp = load_pipeline("fast")
    rules = [
        [Span(f.start, f.stop, RULES[f.type]) for f in doc._.facts if f.type in RULES]
        for doc in nlp.pipe(d.text for d in documents)
    ]
    both = [added(ours, theirs) for ours, theirs in zip(model, rules, strict=True)]
    common = tuple(x for x in labels if x in set(RULES.values()))
    out: dict[str, dict[str, Any]] = {}
    for name, found in (("rules", rules), ("model", model), ("both", both)):
        for scope, kept in (("types of the rules", common), ("all types", tuple(labels))):
            counts = count(((f, d.spans) for f, d in zip(found, documents, strict=True)), kept)
            out[f"{name}, {scope}"] = report(counts, kept)["micro"]
    return out


def added(model: Sequence[Found], rules: Sequence[Span]) -> list[Any]:
    """The model's spans and those of the rules that overlap none of them."""
    return [
        *model,
        *(r for r in rules if all(r.stop <= m.start or m.stop <= r.start for m in model)),
    ]


def relations(tagger: Tagger, documents: Sequence[Document]) -> dict[str, dict[str, float]]:
    """End to end: pairs of found spans against marked pairs, where both ends overlap."""
    spans = tagger.tag([d.text for d in documents], ("phee",))
    out = {}
    for name, labels in (("effect", ("effect", "benefit")), ("dose", ("dose",))):
        rows = np.asarray([
            pair_counts(
                pairs(d.text, found, name, one_unit=True),
                [(d.spans[k.head], d.spans[k.tail]) for k in d.links if k.label in labels],
            )
            for d, found in zip(documents, spans, strict=True)
        ])  # fmt: skip
        out[name] = pair_figures(rows)
    return out


def pair_counts(found: Sequence[Any], marked: Sequence[Any]) -> tuple[int, int, int, int]:
    def near(one: Any, other: Any) -> bool:
        return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))

    right = sum(any(near(f, m) for m in marked) for f in found)
    reached = sum(any(near(f, m) for f in found) for m in marked)
    return len(marked), len(found), right, reached


def pair_figures(rows: Any) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    times = draw.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), 1000)
    marked, found, right, reached = rows.sum(0)
    low, high = np.quantile([_f1(*r) for r in times @ rows], [0.025, 0.975])
    return {
        "marked": int(marked), "found": int(found), "precision": round(right / found, 4),
        "recall": round(reached / marked, 4), "f1": round(_f1(*rows.sum(0)), 4),
        "f1_interval": [round(float(low), 4), round(float(high), 4)],
    }  # fmt: skip


def _f1(marked: float, found: float, right: float, reached: float) -> float:
    precision, recall = right / max(found, 1), reached / max(marked, 1)
    return float(2 * precision * recall / max(precision + recall, 1e-12))


def show(out: dict[str, Any]) -> None:
    reports = out["maccrobat"]
    rows = {
        "bc5cdr chemical": out["bc5cdr"]["types"]["Chemical"]["strict"],
        "bc5cdr disease": out["bc5cdr"]["types"]["Disease"]["strict"],
        "ncbi disease": out["ncbi"]["types"]["Disease"]["strict"],
        "phee drug to effect": out["phee"]["relations"]["effect"],
        "phee drug to dose": out["phee"]["relations"]["dose"],
    }
    if reports is not None:
        rows = {f"maccrobat {way}": reports["micro"][way] for way in ("strict", "relaxed")} | rows
    print("\n| | precision | recall | F1 | 95% interval | goal |\n|---|---|---|---|---|---|")
    for name, row in rows.items():
        low, high = row["f1_interval"]
        print(
            f"| {name} | {row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} "
            f"| {low:.3f} to {high:.3f} | {GOALS[name]:.2f} |"
        )
    if reports is not None:
        show_reports(reports)
    print(f"\nCPU-seconds: {out['cpu_seconds']}")


def show_reports(reports: dict[str, Any]) -> None:
    print("\n## MACCROBAT by type\n\n| type | marked | precision | recall | strict | relaxed |")
    print("|---|---|---|---|---|---|")
    for name, row in reports["types"].items():
        strict = row["strict"]
        print(
            f"| {name} | {row['marked']} | {strict['precision']:.3f} | {strict['recall']:.3f} "
            f"| {strict['f1']:.3f} | {row['relaxed']['f1']:.3f} |"
        )
    print("\n## Rules, model, both\n\n| | strict | relaxed |\n|---|---|---|")
    for name, row in reports["ablation"].items():
        print(f"| {name} | {row['strict']['f1']:.3f} | {row['relaxed']['f1']:.3f} |")


if __name__ == "__main__":
    main()
