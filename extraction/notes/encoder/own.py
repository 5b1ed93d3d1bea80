"""Fine-tuning on a user's own marked documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...records.errors import InputError
from .artifact import OWN, SHIPPED, Card, Corpus, load_tagger, read_card
from .base import load_base
from .documents import Document, split
from .gold import judge
from .module import Progress, put
from .settings import TrainingSettings
from .tagger import Tagger
from .training import Task, begin, train

HEAD = "own"
LEAST_DOCUMENTS = 5
_MEASURED = 64  # documents whose numbers give the ranges for eight bits


def train_own(
    documents: Sequence[Document],
    name: str,
    labels: Sequence[str] = (),
    start: Path | None = SHIPPED,
    base: str | None = None,
    settings: TrainingSettings | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> tuple[Tagger, Card]:
    """Train a tagger of the labels of marked documents; its card holds the held-out scores.

    Parameters
    ----------
    documents
        With what is marked in them; a part by hash is held out to stop in time and to report.
    name
        Of the corpus, for the card.
    labels
        Those to learn; empty learns all that are marked.
    start
        Folder of the tagger whose encoder is trained further; not used with `base`.
    base
        An encoder by name or path to begin from instead.
    settings
        Of the training.

    Raises
    ------
    InputError
        With every reason why these documents cannot be learned from.
    """
    told = settings or TrainingSettings()
    wanted = _labels(documents, labels)
    seen, out = split(documents, told.held_out)
    if not seen:
        raise InputError("documents: all are held out; give more documents or a smaller share")
    task = Task(HEAD, wanted, seen, out, scored=wanted, swap=told.swap)
    tagger = _begun(task, start, base, told, seed)
    scores = train(tagger, (task,), told, seed, progress, checkpoint)
    tagger.measure([d.text for d in seen[:_MEASURED]])
    card = Card(
        name=name,
        base=tagger.base.name,
        base_sha256=tagger.base.sha256,
        heads={HEAD: wanted},
        shown={HEAD: wanted},
        window=told.window,
        overlap=told.overlap,
        agreement=told.agreement,
        corpora=(
            Corpus(
                name=name, source=OWN, licence=OWN, heads=(HEAD,),
                documents=len(seen), held_out=tuple(sorted(d.digest() for d in out)),
                learned=tuple(sorted(d.digest() for d in seen)),
            ),
            *(() if base is not None or start is None else read_card(start).corpora),
        ),
        seed=seed,
        settings=told.model_dump(),
    )  # fmt: skip
    figures: dict[str, Any] = {"held_out_f1_by_epoch": [round(s, 4) for s in scores]}
    if any(s.label in wanted for d in out for s in d.spans):
        figures["held_out"] = judge(tagger, card, out, HEAD, seed)
    return tagger, card.model_copy(update={"scores": figures})


def _labels(documents: Sequence[Document], labels: Sequence[str]) -> tuple[str, ...]:
    marked = Counter(s.label for d in documents for s in d.spans)
    faults = []
    if len(documents) < LEAST_DOCUMENTS:
        faults.append(
            f"documents: {len(documents)} came; at least {LEAST_DOCUMENTS} are needed, "
            "and some hundred spans of every label to learn it well"
        )
    if not marked:
        faults.append("documents: nothing is marked in them; mark spans in the .ann files")
    faults += [
        f"labels: {x!r} is marked nowhere; marked are {', '.join(sorted(marked))}"
        for x in labels
        if x not in marked and marked
    ]
    if faults:
        raise InputError(faults)
    return tuple(dict.fromkeys(labels)) or tuple(sorted(marked))


def _begun(
    task: Task, start: Path | None, base: str | None, settings: TrainingSettings, seed: int
) -> Tagger:
    if base is not None or start is None:
        chosen = load_base() if base is None else load_base(base)
        return begin(chosen, (task,), seed, settings.dropout)
    card = read_card(start)
    before = load_tagger(start)
    learned = {
        name: value.detach().clone()
        for name, value in before.network.named_parameters()
        if not name.startswith("heads.")
    }
    tagger = begin(load_base(card.base, card.base_sha256), (task,), seed, settings.dropout)
    put(tagger.network, learned)
    return tagger
