"""How the baseline net is built and trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANY = 2000
"""Patients from which the net is wider and sees finer bins."""


@dataclass(frozen=True)
class Shape:
    """Size of the net and pace of its training.

    Attributes
    ----------
    hidden, blocks
        Width, and residual blocks.
    dropout
        Share of a block's outputs that a step leaves out.
    rate, decay
        Learning rate and weight decay of AdamW.
    averaging
        Decay of the running mean of weights that is judged and kept.
    patience
        Checks without improvement after which a member stops.
    batch, repeats
        Most patients in a batch, and how often each comes in it.
    """

    hidden: int = 64
    blocks: int = 1
    dropout: float = 0.15
    rate: float = 3e-3
    decay: float = 1e-2
    averaging: float = 0.98
    patience: int = 15
    batch: int = 256
    repeats: int = 2

    @classmethod
    def of(cls, patients: int, architecture: str = "mlp") -> Shape:
        """The shape for a number of patients."""
        if architecture == "transformer":
            return cls(blocks=2, rate=2e-3, patience=8 if patients >= MANY else 15)
        if patients < MANY:
            return cls()
        return cls(hidden=128, patience=8, batch=512, repeats=1)


@dataclass(frozen=True)
class NetSettings:
    """Options of the baseline net's training, as of `TwinOptions`."""

    members: int = 3
    epochs: int = 150
    device: str = "cpu"
    precision: str = "32"
    checkpoint: Path | None = None
    log: Path | None = None
    architecture: str = "auto"

    def chosen(self) -> str:
        """The architecture; "auto" is "mlp".

        The transformer gains too little for its cost: `generation.twin_model.transformer`.
        """
        return "mlp" if self.architecture == "auto" else self.architecture

    def binding(self) -> dict[str, Any]:
        """The options that change the net."""
        return {
            "members": self.members, "epochs": self.epochs, "precision": self.precision,
            "device": self.device,
        }
