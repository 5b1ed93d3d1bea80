"""Train the weights that are shipped, from the public corpora.

Run: python -m benchmarks.train_tagger --data FOLDER --out FOLDER [--seeds 1 2] [--precision bf16]

FOLDER holds `maccrobat2020`, `chia`, `bc5cdr_ncbi` and `phee` (see `weights/LICENSES.md`). First
all layers learn the abstracts, criteria and reports of reactions together, the first third of a
schedule of three epochs; then the upper four layers learn the case reports beside a part of the
others, once for every seed, and the averages of the weights are averaged. Documents held out by
the hash of their words are listed in the card. BC5CDR's and NCBI's `devel` and PHEE's `dev` are
not read. About 23 CPU-minutes with bf16, twice that without.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from extraction.notes.encoder.artifact import Card, Corpus, save_tagger
from extraction.notes.encoder.base import load_base
from extraction.notes.encoder.brat import read_brat
from extraction.notes.encoder.corpora import read_iob, read_phee
from extraction.notes.encoder.documents import Document, split
from extraction.notes.encoder.module import put
from extraction.notes.encoder.settings import TrainingSettings
from extraction.notes.encoder.tagger import Tagger
from extraction.notes.encoder.training import Task, begin, train

REPORTS = (
    "Age", "Sex", "History", "Family_history", "Sign_symptom", "Disease_disorder",
    "Diagnostic_procedure", "Lab_value", "Therapeutic_procedure", "Medication", "Dosage",
    "Administration", "Frequency", "Severity", "Date", "Duration",
)  # fmt: skip
# Learned beside them, so that what is none of the sixteen is told apart by what it is; not shown.
BESIDE = (
    "Biological_structure", "Detailed_description", "Clinical_event", "Nonbiological_location",
    "Coreference", "Distance", "Activity",
)  # fmt: skip
PHEE = (
    "Drug", "Effect", "Dosage", "Route", "Frequency", "Duration", "Time_elapsed", "Indication",
    "Age", "Sex", "Population", "Race", "Subject_disorder", "Trigger",
)  # fmt: skip
CHIA = (
    "Condition", "Drug", "Procedure", "Measurement", "Value", "Temporal", "Qualifier",
    "Observation", "Person", "Device", "Negation", "Multiplier", "Mood", "Reference_point", "Visit",
)  # fmt: skip
# Share held out, how often a window is read in an epoch of the first and of the second phase.
PLAN = {
    "reports": (0.15, 0.0, 1.33), "bc5cdr": (0.08, 1.2, 0.5), "ncbi": (0.08, 0.8, 0.25),
    "phee": (0.06, 1.2, 0.5), "chia": (0.04, 0.6, 0.1),
}  # fmt: skip
SOURCES = {
    "reports": ("MACCROBAT2020", "Caufield et al.", "CC BY 4.0"),
    "bc5cdr": ("BC5CDR train", "Li et al. 2016, MTL-Bioinformatics-2016", "CC BY 4.0"),
    "ncbi": ("NCBI disease train", "Doğan et al. 2014, MTL-Bioinformatics-2016", "CC BY 4.0"),
    "phee": ("PHEE train", "Sun et al. 2022", "MIT"),
    "chia": ("Chia", "Kury et al. 2020", "CC BY 4.0"),
}
FIRST = TrainingSettings(
    epochs=3, patience=3, frozen_layers=0, rate=6e-4, layer_decay=0.8, average=0.998
)
SECOND = TrainingSettings(epochs=3, patience=3, frozen_layers=2, rate=5e-4, layer_decay=0.85)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    asked.add_argument("--precision", choices=["32", "bf16"], default="32")
    told = asked.parse_args()
    parts = {name: split(d, PLAN[name][0]) for name, d in corpora(told.data).items()}
    changed = {"precision": told.precision}
    first, second = FIRST.model_copy(update=changed), SECOND.model_copy(update=changed)

    base = load_base()
    tagger = begin(base, tasks(parts, 1), told.seeds[0])
    wide = [t for t in tasks(parts, 1) if t.weight]
    note("first phase", train(tagger, wide, first, told.seeds[0], stop_after=1))
    learned = state(tagger)
    runs = []
    for seed in told.seeds:
        tagger = begin(base, tasks(parts, 2), seed)
        put(tagger.network, {n: v for n, v in learned.items() if not n.startswith("heads.reports")})
        note(f"second phase, seed {seed}", train(tagger, tasks(parts, 2), second, seed))
        runs.append(state(tagger))
    put(tagger.network, {n: sum(r[n] for r in runs) / len(runs) for n in runs[0]})
    tagger.measure([d.text for name in ("reports", "bc5cdr", "phee") for d in parts[name][0][::40]])
    card = save_tagger(tagger, card_of(tagger, parts, told.seeds, first, second), told.out)
    print(f"weights {card.weights_sha256[:12]}, {time.process_time():.0f} CPU-seconds")


def corpora(data: Path) -> dict[str, tuple[Document, ...]]:
    iob = data / "bc5cdr_ncbi"
    return {
        "reports": read_brat(data / "maccrobat2020"),
        "bc5cdr": read_iob(iob / "BC5CDR-IOB" / "train.tsv"),
        "ncbi": read_iob(iob / "NCBI-disease-IOB" / "train.tsv"),
        "phee": read_phee(data / "phee" / "train.json"),
        "chia": read_brat(data / "chia"),
    }


def tasks(
    parts: dict[str, tuple[tuple[Document, ...], tuple[Document, ...]]], phase: int
) -> list[Task]:
    labels = {
        "reports": REPORTS + BESIDE, "bc5cdr": ("Chemical", "Disease"), "ncbi": ("Disease",),
        "phee": PHEE, "chia": CHIA,
    }  # fmt: skip
    return [
        Task(
            name, labels[name], seen, out, PLAN[name][phase],
            scored=REPORTS if name == "reports" else (),
        )
        for name, (seen, out) in parts.items()
    ]  # fmt: skip


def state(tagger: Tagger) -> dict[str, torch.Tensor]:
    return {
        n: p.detach().clone() for n, p in tagger.network.named_parameters() if "embeddings" not in n
    }


def card_of(
    tagger: Tagger,
    parts: dict[str, tuple[tuple[Document, ...], tuple[Document, ...]]],
    seeds: Sequence[int],
    first: TrainingSettings,
    second: TrainingSettings,
) -> Card:
    labels = {t.name: t.labels for t in tasks(parts, 2)}
    return Card(
        name="trialtwin-clinical-tagger-1",
        base=tagger.base.name,
        base_sha256=tagger.base.sha256,
        heads=labels,
        shown={**labels, "reports": REPORTS},
        window=second.window,
        overlap=second.overlap,
        corpora=tuple(
            Corpus(
                name=SOURCES[name][0], source=SOURCES[name][1], licence=SOURCES[name][2],
                heads=(name,), documents=len(seen), held_out=tuple(sorted(d.digest() for d in out)),
                learned=tuple(sorted(d.digest() for d in seen)) if name == "reports" else (),
            )
            for name, (seen, out) in parts.items()
        ),
        seed=seeds[0],
        settings={
            "seeds": list(seeds), "first": first.model_dump(), "first_epochs_run": 1,
            "second": second.model_dump(), "plan": PLAN,
        },
    )  # fmt: skip


def note(what: str, scores: Sequence[float]) -> None:
    told = ", ".join(f"{s:.3f}" for s in scores)
    print(f"{what}: mean held-out strict F1 by epoch {told}; {time.process_time():.0f} CPU-seconds")


if __name__ == "__main__":
    main()
