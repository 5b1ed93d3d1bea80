"""kill -9 in the middle of a training: the next fit with its folder ends with the same model."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from extraction.records import InputError
from generation import fit
from generation.engine import ModelCard
from generation.twin_model import training_checkpoint
from generation.twin_model.model import TwinModel
from generation.twin_model.training_checkpoint import FILE
from tests.support.generation_support import simulated_trial

PATIENCE_SECONDS = 300
EPOCHS = 24
CHILD = """
import sys, time
from extraction.records import Cohort
from generation import fit
from generation.twin_model import training_checkpoint

def slowly(self, arrays, epochs_done, finished, write=training_checkpoint.TrainingStore.write):
    write(self, arrays, epochs_done, finished)
    if epochs_done >= 7:
        time.sleep(600)  # the parent kills now

training_checkpoint.TrainingStore.write = slowly
fit(
    Cohort.read(sys.argv[3]), seed=4, epochs=int(sys.argv[2]), checkpoint=sys.argv[1],
    architecture=sys.argv[4],
)
"""


def digest(model: TwinModel) -> str:
    """Digest of every number in the model."""
    from generation.artifact import pack

    structure, arrays = pack(model.parts.state())
    found = hashlib.sha256(repr(structure).encode())
    for name, array in sorted(arrays.items()):
        found.update(name.encode() + np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def fitted(**options: object) -> TwinModel:
    model = fit(simulated_trial(120, seed=3), seed=4, epochs=EPOCHS, **options)
    assert isinstance(model, TwinModel)
    return model


def killed(folder: Path, architecture: str) -> None:
    """Start a training and kill it after its fourth check."""
    root = Path(__file__).parents[2]
    cohort = simulated_trial(120, seed=3).write(folder.with_name("cohort"))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(EPOCHS), str(cohort), architecture],
        cwd=root,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _epochs_done(folder) < 7:
        assert process.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline, "the training did not begin"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def _epochs_done(folder: Path) -> int:
    import json

    from safetensors import safe_open

    if not (folder / FILE).exists():
        return 0
    with safe_open(folder / FILE, framework="numpy") as file:
        return int(json.loads(file.metadata()["state"])["epochs_done"])


@pytest.mark.parametrize("architecture", ["mlp", "transformer"])
def test_a_killed_training_goes_on_to_the_same_model(tmp_path: Path, architecture: str) -> None:
    folder = tmp_path / "training"
    killed(folder, architecture)
    assert _epochs_done(folder) < EPOCHS
    (folder / "training.safetensors.part").write_bytes(b"cut")  # as a kill while writing leaves it
    resumed = fitted(checkpoint=folder, architecture=architecture)
    plain = fitted(architecture=architecture)
    assert digest(resumed) == digest(plain)
    assert resumed.card == plain.card
    assert not list(folder.iterdir())


def stopped_after_training(folder: Path) -> None:
    """A fit that ends between its training and its model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelCard, "describe", None)
        with pytest.raises(TypeError):
            fitted(checkpoint=folder)


def test_a_finished_training_is_read_once_and_then_removed(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    stopped_after_training(folder)
    assert _epochs_done(folder) > 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_checkpoint.TrainingStore, "write", None)  # it is not repeated
        again = fitted(checkpoint=folder)
    assert digest(again) == digest(fitted())
    assert not list(folder.iterdir())


def test_a_folder_of_another_training_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "training"
    stopped_after_training(folder)
    with pytest.raises(InputError, match="other seed"):
        fit(simulated_trial(120, seed=3), seed=5, epochs=EPOCHS, checkpoint=folder)
    with pytest.raises(InputError, match="other options"):
        fit(simulated_trial(120, seed=3), seed=4, epochs=EPOCHS, members=2, checkpoint=folder)
    with pytest.raises(InputError, match="other options"):
        fitted(checkpoint=folder, architecture="transformer")
    with pytest.raises(InputError, match="other data"):
        fit(simulated_trial(120, seed=9), seed=4, epochs=EPOCHS, checkpoint=folder)

    whole = (folder / FILE).read_bytes()
    for damaged, fault in ((whole[: len(whole) // 2], "cut"), (whole[:-4] + b"abcd", "changed")):
        (folder / FILE).write_bytes(damaged)
        with pytest.raises(InputError, match=fault):
            fitted(checkpoint=folder)
