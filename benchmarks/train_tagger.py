"""Train the weights that are shipped, from the public corpora.

Run: python -m benchmarks.train_tagger --data FOLDER --out FOLDER [--work FOLDER]
     [--fold 0|1|2|3] [--seeds 1 2] [--precision bf16]

FOLDER holds `maccrobat2020`, `chia`, `bc5cdr_ncbi` and `phee` (see `weights/LICENSES.md`). First
all layers learn the abstracts, criteria and reports of reactions together. Then the upper layers
learn the case reports, with some of their marked words swapped, beside a part of the others, once
for every seed, and the averages of the weights are averaged. What every part learned is kept in the
folder of `--work`, and read from there the next time.

All case reports are learned, unless `--fold` holds a quarter of them out, chosen by the hash of
their words: four such trainings judge the recipe on every report (`benchmarks.notes_quality
--folds`). Half of BC5CDR's `devel`, by hash, is learned as well; the other half, NCBI's `devel` and
PHEE's `dev` are held out, and listed in the card. All epochs are run: nothing is chosen on the way.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from extraction.notes.encoder.artifact import Card, Corpus, save_tagger
from extraction.notes.encoder.base import Base, load_base
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
# How often a window is read in an epoch of the first and of the second phase.
PLAN = {
    "reports": (0.0, 1.33), "bc5cdr": (1.0, 0.15), "ncbi": (0.6, 0.1), "phee": (1.0, 0.15),
    "chia": (0.8, 0.04),
}  # fmt: skip
FOLDS = 4
SOURCES = {
    "reports": ("MACCROBAT2020", "Caufield et al.", "CC BY 4.0"),
    "bc5cdr": (
        "BC5CDR train, half of devel",
        "Li et al. 2016, MTL-Bioinformatics-2016",
        "CC BY 4.0",
    ),
    "ncbi": ("NCBI disease train", "Doğan et al. 2014, MTL-Bioinformatics-2016", "CC BY 4.0"),
    "phee": ("PHEE train", "Sun et al. 2022", "MIT"),
    "chia": ("Chia", "Kury et al. 2020", "CC BY 4.0"),
}
FIRST = TrainingSettings(
    epochs=2,
    frozen_layers=0,
    rate=6e-4,
    layer_decay=0.8,
    average=0.998,
    window=254,
    swap=0.0,
)
# Of the case reports alone words are swapped.
SECOND = TrainingSettings(epochs=4, frozen_layers=2, rate=5e-4, layer_decay=0.85, swap=0.4)

Parts = dict[str, tuple[tuple[Document, ...], tuple[Document, ...]]]
"""Of every label set the documents to learn and those held out."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--data", type=Path, required=True)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--work", type=Path, help="folder for what each part of it learned")
    asked.add_argument("--fold", type=int, choices=range(FOLDS), help="case reports held out")
    asked.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    asked.add_argument("--precision", choices=["32", "bf16"], default="32")
    told = asked.parse_args()
    parts = corpora(told.data, told.fold)
    changed = {"precision": told.precision}
    first, second = FIRST.model_copy(update=changed), SECOND.model_copy(update=changed)

    base = load_base()
    learned = kept(told.work, "first", partial(first_phase, base, parts, first, told.seeds[0]))
    share = "all" if told.fold is None else told.fold
    runs = [
        kept(
            told.work, f"second-{share}-{seed}",
            partial(second_phase, base, parts, second, seed, learned),
        )
        for seed in told.seeds
    ]  # fmt: skip
    tagger = begin(base, tasks(parts, 1), told.seeds[0])
    put(tagger.network, {n: torch.stack([r[n] for r in runs]).mean(0) for n in runs[0]})
    tagger.window, tagger.overlap = second.window, second.overlap
    tagger.agreement = second.agreement
    tagger.measure([d.text for name in ("reports", "bc5cdr", "phee") for d in parts[name][0][::40]])
    card = save_tagger(tagger, card_of(tagger, parts, told.seeds, first, second), told.out)
    print(f"weights {card.weights_sha256[:12]}, {time.process_time():.0f} CPU-seconds")


def kept(
    work: Path | None, name: str, learn: Callable[[], dict[str, torch.Tensor]]
) -> dict[str, torch.Tensor]:
    path = None if work is None else work / f"{name}.safetensors"
    if path is not None and path.is_file():
        return load_file(path)
    learned = learn()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({n: v.contiguous() for n, v in learned.items()}, path)
    return learned


def corpora(data: Path, fold: int | None) -> Parts:
    iob, phee = data / "bc5cdr_ncbi", data / "phee"
    ncbi = iob / "NCBI-disease-IOB"
    seen, out = split(read_iob(iob / "BC5CDR-IOB" / "devel.tsv"), 0.5)
    reports = read_brat(data / "maccrobat2020")
    return {
        "reports": (
            tuple(d for d in reports if fold_of(d) != fold),
            tuple(d for d in reports if fold_of(d) == fold),
        ),
        "bc5cdr": (read_iob(iob / "BC5CDR-IOB" / "train.tsv") + seen, out),
        "ncbi": (read_iob(ncbi / "train.tsv"), read_iob(ncbi / "devel.tsv")),
        "phee": (read_phee(phee / "train.json"), read_phee(phee / "dev.json")),
        "chia": split(read_brat(data / "chia"), 0.04),
    }


def fold_of(document: Document) -> int:
    """The fold of a document: its hash decides, no draw."""
    return int(document.digest()[8:], 16) % FOLDS


def first_phase(
    base: Base, parts: Parts, settings: TrainingSettings, seed: int
) -> dict[str, torch.Tensor]:
    tagger = begin(base, tasks(parts, 0), seed)
    train(tagger, [t for t in tasks(parts, 0) if t.weight], settings, seed)
    print(f"first phase: {time.process_time():.0f} CPU-seconds")
    return {n: v for n, v in state(tagger).items() if "reports" not in n}


def second_phase(
    base: Base,
    parts: Parts,
    settings: TrainingSettings,
    seed: int,
    learned: dict[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    # The encoder is changed in place, so all of it is put back before every seed.
    tagger = begin(base, tasks(parts, 1), seed)
    put(tagger.network, learned)
    train(tagger, tasks(parts, 1), settings, seed)
    print(f"second phase, seed {seed}: {time.process_time():.0f} CPU-seconds")
    return state(tagger)


def tasks(parts: Parts, phase: int) -> list[Task]:
    labels = {
        "reports": REPORTS + BESIDE, "bc5cdr": ("Chemical", "Disease"), "ncbi": ("Disease",),
        "phee": PHEE, "chia": CHIA,
    }  # fmt: skip
    return [
        Task(
            name, labels[name], seen, (), PLAN[name][phase],
            scored=REPORTS if name == "reports" else (),
            swap=SECOND.swap if name == "reports" else 0.0,
        )
        for name, (seen, _) in parts.items()
    ]  # fmt: skip


def state(tagger: Tagger) -> dict[str, torch.Tensor]:
    return {
        n: p.detach().clone() for n, p in tagger.network.named_parameters() if "embeddings" not in n
    }


def card_of(
    tagger: Tagger,
    parts: Parts,
    seeds: Sequence[int],
    first: TrainingSettings,
    second: TrainingSettings,
) -> Card:
    labels = {t.name: t.labels for t in tasks(parts, 1)}
    return Card(
        name="trialtwin-clinical-tagger-2",
        base=tagger.base.name,
        base_sha256=tagger.base.sha256,
        heads=labels,
        shown={**labels, "reports": REPORTS},
        window=second.window,
        overlap=second.overlap,
        agreement=second.agreement,
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
            "seeds": list(seeds), "first": first.model_dump(), "second": second.model_dump(),
            "plan": PLAN,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
