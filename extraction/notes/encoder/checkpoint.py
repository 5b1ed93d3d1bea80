"""A training that was stopped goes on: weights, averages and the optimiser's state, no pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ...records.errors import InputError
from ...records.files import settle

Weights = dict[str, torch.Tensor]
PARTS = ("now", "average", "best", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Saved:
    """Where a training stood at the end of an epoch.

    Parameters
    ----------
    epochs, steps
        How many are done.
    scores
        Held-out score of every epoch.
    stopped
        Whether it had stopped for good.
    parts
        Weights by name: of now, the average, the best, and both moments of AdamW.
    """

    epochs: int
    steps: int
    scores: tuple[float, ...]
    stopped: bool
    parts: Mapping[str, Weights]


def binding(settings: Mapping[str, Any], digests: list[str], seed: int, start: Weights) -> str:
    """Return the hash of what a training depends on; another training has another."""
    total = hashlib.sha256(json.dumps([dict(settings), digests, seed], sort_keys=True).encode())
    for name, value in sorted(start.items()):
        total.update(name.encode() + value.contiguous().numpy().tobytes())
    return total.hexdigest()


class Store:
    """One folder with the last finished epoch of one training.

    Parameters
    ----------
    folder
        Is made when it is missing.
    bound
        Hash of what the training depends on.
    """

    def __init__(self, folder: Path, bound: str) -> None:
        self.folder, self.bound = folder, bound

    def write(self, saved: Saved) -> None:
        """Write an epoch; a kill in between leaves the epoch before."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "training.safetensors.part"
        tensors = {
            f"{part}:{name}": value.contiguous()
            for part, weights in saved.parts.items()
            for name, value in weights.items()
        }
        head = {
            "bound": self.bound, "epochs": saved.epochs, "steps": saved.steps,
            "scores": list(saved.scores), "stopped": saved.stopped,
        }  # fmt: skip
        save_file(tensors, fresh, metadata={"training": json.dumps(head)})
        settle(fresh, self.folder / "training.safetensors")

    def read(self) -> Saved | None:
        """Return the last epoch, or None when there is none.

        Raises
        ------
        InputError
            When the folder belongs to another training or its file is damaged.
        """
        path = self.folder / "training.safetensors"
        if not path.is_file():
            return None
        try:
            head = _head(path)
            bound = head["bound"]
            parts: dict[str, Weights] = {part: {} for part in PARTS}
            for key, value in load_file(path).items():
                part, _, name = key.partition(":")
                parts[part][name] = value
            saved = Saved(
                head["epochs"], head["steps"], tuple(head["scores"]), head["stopped"], parts
            )
        except (SafetensorError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{path.name}: the checkpoint is damaged; remove {self.folder.name} to start anew"
            ) from None
        if bound != self.bound:
            raise InputError(
                f"{self.folder.name}: the checkpoint is of another training (other documents, "
                "settings or seed); give another folder"
            )
        return saved


def _head(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        head: dict[str, Any] = json.loads(file.metadata()["training"])
    return head
