"""A training on disk: killed at any moment, it goes on to the same model.

One safetensors file, replaced as a whole after every check: weights, their running means, the
best ones, the optimiser's moments and where the training stands. It is bound to the data, the
options and the seed; masks, batches and dropout are keyed by epoch, so no random state is needed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl

from extraction.records import InputError
from extraction.records.files import write_atomically

if TYPE_CHECKING:
    from generation.twin_model.training_module import BaselineNet

FILE = "training.safetensors"
_FORMAT = "1"
_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Binding:
    """What a training is bound to: digests of its data, of its options and its seed."""

    data: str
    options: str
    seed: str

    @classmethod
    def of(cls, tables: dict[str, np.ndarray], options: dict[str, Any], seed: int) -> Binding:
        """Digests of all that the training reads.

        Parameters
        ----------
        tables
            Arrays by name: what the net is shown, and its first weights.
        options
            Options that change the result.
        """
        data = hashlib.sha256()
        for name, table in sorted(tables.items()):
            data.update(f"{name} {table.dtype} {table.shape};".encode())
            data.update(np.ascontiguousarray(table).tobytes())
        text = json.dumps(options, sort_keys=True)
        return cls(data.hexdigest(), hashlib.sha256(text.encode()).hexdigest(), str(seed))

    def as_dict(self) -> dict[str, str]:
        """The digests by name."""
        return {"data": self.data, "options": self.options, "seed": self.seed}


@dataclass(frozen=True)
class SavedTraining:
    """A training read from disk: arrays by name, and the epochs that are done."""

    arrays: dict[str, np.ndarray]
    epochs_done: int
    finished: bool


class TrainingStore:
    """The folder that holds one training.

    Parameters
    ----------
    folder
        Made when it does not exist.
    binding
        What the training is bound to.
    """

    def __init__(self, folder: Path | str, binding: Binding) -> None:
        self.path, self.binding = Path(folder) / FILE, binding
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> SavedTraining | None:
        """The training so far, None where there is none.

        Raises
        ------
        InputError
            If the file belongs to another training, or was cut or changed.
        """
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="numpy") as file:
                about = dict(file.metadata() or {})
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            state = json.loads(about.get("state", "{}"))
        except (SafetensorError, OSError, ValueError) as error:
            raise InputError(
                f"checkpoint: {self._name}: cut or not a training; delete the file to start anew"
            ) from error
        self._check(about, state, arrays)
        return SavedTraining(arrays, int(state["epochs_done"]), bool(state["finished"]))

    def write(self, arrays: dict[str, np.ndarray], epochs_done: int, finished: bool) -> None:
        """Replace the file as a whole: a kill leaves the former one or this one."""
        from safetensors.numpy import save

        state = json.dumps({"epochs_done": epochs_done, "finished": finished})
        about = {"format": _FORMAT, "state": state, "arrays": _digest(arrays, state)}
        data = save(arrays, metadata={**about, **self.binding.as_dict()})
        write_atomically(self.path, data)

    @property
    def _name(self) -> str:
        return f"{self.path.parent.name}/{FILE}"

    def _check(
        self, about: dict[str, str], state: dict[str, Any], arrays: dict[str, np.ndarray]
    ) -> None:
        if about.get("format") != _FORMAT or about.get("arrays") != _digest(
            arrays, about.get("state", "")
        ):
            raise InputError(
                f"checkpoint: {self._name}: changed, or of another version; "
                "delete the file to start anew"
            )
        faults = [
            f"checkpoint: {self._name}: belongs to a training with other {what}; "
            "give an empty folder, or the same data, options and seed"
            for what, mine in self.binding.as_dict().items()
            if about.get(what) != mine
        ]
        if faults:
            raise InputError(faults)


class TrainingCheckpoint(pl.callbacks.Checkpoint):
    """Lightning callback that stores the training after every check of the module.

    Lightning runs callbacks of this kind after the module's own end of the epoch.
    """

    def __init__(self, store: TrainingStore) -> None:
        super().__init__()
        self.store = store

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Store weights, best weights, moments and counters."""
        module: BaselineNet = pl_module  # type: ignore[assignment]
        if not module.checked:
            return
        arrays = {
            name: value.detach().cpu().numpy().copy()
            for name, value in module.state_dict().items()
        }
        optimizer = trainer.optimizers[0]
        for name, parameter in module.weights.items():
            moments = optimizer.state[parameter]
            for moment in _MOMENTS:
                arrays[f"{moment}.{name}"] = moments[moment].cpu().numpy().copy()
            arrays[f"step.{name}"] = np.array(float(moments["step"]), dtype=np.float32)
        self.store.write(arrays, module.epoch + 1, module.finished)


def optimizer_state(saved: SavedTraining, name: str) -> dict[str, np.ndarray]:
    """AdamW's state of one weight."""
    keys = (*_MOMENTS, "step")
    return {key: saved.arrays[f"{key}.{name}"] for key in keys}


def _digest(arrays: dict[str, np.ndarray], state: str) -> str:
    digest = hashlib.sha256(state.encode())
    for name, array in sorted(arrays.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
