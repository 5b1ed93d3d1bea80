"""Training a tagger: documents in, a network with the best weights out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from ...quiet import quiet_lightning
from .base import Base
from .batches import TaggedSet, epoch_batches, tagged
from .checkpoint import Store, binding
from .documents import Document
from .frozen import remembered
from .module import Chosen, Progress, TaggerModule, put, steps_of
from .network import Network
from .scoring import count, micro_f1
from .settings import TrainingSettings
from .swaps import mentions, swapped
from .tagger import Tagger
from .tags import TagScheme


@dataclass(frozen=True)
class Task:
    """What one label set learns from.

    Parameters
    ----------
    name
        Of the label set.
    labels
        Its labels.
    train
        Documents to learn from.
    held_out
        Documents that decide when to stop; may be empty.
    weight
        How often a document is read in an epoch.
    scored
        Labels that count for stopping; empty for all.
    swap
        Share of marked words that become others of their label, anew in every epoch.
    """

    name: str
    labels: tuple[str, ...]
    train: tuple[Document, ...]
    held_out: tuple[Document, ...] = ()
    weight: float = 1.0
    scored: tuple[str, ...] = ()
    swap: float = 0.0


class _Epochs(IterableDataset[Chosen]):
    def __init__(self, sets: Sequence[_Set], budget: int, seed: int, first: int) -> None:
        self.sets, self.budget, self.seed, self.epoch = sets, budget, seed, first

    def __iter__(self) -> Iterator[Chosen]:
        now = [one.at(self.seed, self.epoch) for one in self.sets]
        yield from epoch_batches(now, self.budget, self.seed, self.epoch)
        self.epoch += 1


class _Set:
    """A task's windows: the same in every epoch, or of documents with swapped words."""

    def __init__(self, task: Task, tagger: Tagger, settings: TrainingSettings) -> None:
        self.task, self.tagger, self.settings = task, tagger, settings
        self.plain = self._tagged(task.train)
        self.known = mentions(task.train, task.labels)

    def at(self, seed: int, epoch: int) -> TaggedSet:
        if not self.task.swap:
            return self.plain
        draw = np.random.default_rng([seed, epoch, 29])
        changed = [swapped(d, self.known, self.task.swap, draw) for d in self.task.train]
        return replace(self._tagged(changed), passing=True)

    def _tagged(self, documents: Sequence[Document]) -> TaggedSet:
        task, told = self.task, self.settings
        return tagged(
            task.name, documents, self.tagger.schemes[task.name], self.tagger.base.tokenizer,
            told.window, told.overlap, task.weight, frozenset(task.scored),
        )  # fmt: skip


def begin(base: Base, tasks: Sequence[Task], seed: int, dropout: float = 0.1) -> Tagger:
    """Return an untrained tagger whose heads begin with weights drawn from the seed."""
    schemes = {t.name: TagScheme(t.labels) for t in tasks}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(base.model, {n: len(s) for n, s in schemes.items()}, dropout)
    return Tagger(base, network, schemes)


def train(
    tagger: Tagger,
    tasks: Sequence[Task],
    settings: TrainingSettings,
    seed: int,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    stop_after: int | None = None,
) -> list[float]:
    """Train a tagger in place and return the held-out score of every epoch.

    Parameters
    ----------
    tagger
        As `begin` or an artefact gives it.
    tasks
        Label sets with their documents.
    checkpoint
        Folder for the last finished epoch; a training that was stopped goes on from there, to the
        weights it would have come to.
    stop_after
        Epochs to run of those the schedule is made for; None runs all.

    Raises
    ------
    InputError
        When the checkpoint is of another training.
    """
    tagger.window, tagger.overlap = settings.window, settings.overlap
    tagger.agreement = settings.agreement
    sets = [_Set(task, tagger, settings) for task in tasks]
    module = TaggerModule(
        tagger.network, settings, tagger.marks, tagger.pad,
        steps_of([s.plain for s in sets], settings.batch, seed), lambda: score(tagger, tasks),
        seed, progress,
    )  # fmt: skip
    if checkpoint is not None:
        digests = [
            f"{t.name} {t.swap} {d.digest()}" for t in tasks for d in (*t.train, *t.held_out)
        ]
        bound = binding(settings.model_dump(), digests, seed, module.average)
        module.store = Store(checkpoint, bound)
        saved = module.store.read()
        if saved is not None:
            module.go_on_from(saved)
    if not module.finished():
        _fit(module, sets, settings, seed, stop_after or settings.epochs)
    put(tagger.network, module.best)
    tagger.network.eval()
    return module.scores


def _fit(
    module: TaggerModule,
    sets: Sequence[_Set],
    settings: TrainingSettings,
    seed: int,
    last: int,
) -> None:
    """Train what is left to train."""
    with quiet_lightning(), remembered(module.network, settings.frozen_layers) as memory:
        module.memory = memory
        trainer = pl.Trainer(
            accelerator="cpu", devices=1, max_epochs=last - module.epochs_done,
            precision="bf16-mixed" if settings.precision == "bf16" else "32-true", logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            num_sanity_val_steps=0, use_distributed_sampler=False,
        )  # fmt: skip
        data = _Epochs(sets, settings.batch, seed, module.epochs_done)
        try:
            trainer.fit(module, DataLoader(data, batch_size=None))
        except SystemExit as stop:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from stop
    module.memory = None


def score(tagger: Tagger, tasks: Sequence[Task]) -> float | None:
    """Return the mean strict micro F1 over the tasks that hold documents out."""
    found = [micro_f1(task_counts(tagger, task)) for task in tasks if task.held_out]
    return float(np.mean(found)) if found else None


def task_counts(tagger: Tagger, task: Task) -> Any:
    """Return the counts of a task's held-out documents; see `scoring.count`."""
    labels = task.scored or task.labels
    spans = tagger.tag([d.text for d in task.held_out], (task.name,))
    return count(((f, d.spans) for f, d in zip(spans, task.held_out, strict=True)), labels)
