"""A trained tagger on disk: a card in JSON and what differs from the base encoder in safetensors.

Matrices of the encoder are stored as eight-bit differences from the base with a scale for every
row: six layers of 1.8 million numbers take 10.7 MB, and the differences are so small that the
rounding is about a thousandth of a weight. All other trained numbers are stored as they are.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from ...records.errors import InputError
from ...records.storage import atomic_folder
from .base import Base, load_base
from .int8 import can_quantise, quantise
from .network import Network
from .tagger import Tagger
from .tags import TagScheme

CARD, WEIGHTS, LICENCES = "card.json", "weights.safetensors", "LICENSES.md"
OWN = "the user's own"
SHIPPED = Path(__file__).parent / "weights"
FORMAT = 1
_RANGE = "range:"
_MOST_CARD, _MOST_WEIGHTS = 2**25, 2**31  # bytes; more is no tagger of ours

Tensors = dict[str, torch.Tensor]


class Corpus(BaseModel):
    """What the weights learned from, themselves or as the tagger they began from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    licence: str
    heads: tuple[str, ...]
    documents: int
    held_out: tuple[str, ...] = ()
    """Hashes of the documents that the weights never saw."""
    learned: tuple[str, ...] = ()
    """Hashes of the documents they learned from, where these are whole documents."""


class Card(BaseModel):
    """What a tagger is: enough to load it, to name it, and to judge it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    base: str
    base_sha256: str
    heads: dict[str, tuple[str, ...]]
    shown: dict[str, tuple[str, ...]]
    """Of every label set the labels that are reported; the others only help training."""
    window: int
    overlap: int
    agreement: float = 0.0
    """How far the places of a word draw near to each other; see `agreement.agreed`."""
    corpora: tuple[Corpus, ...] = ()
    seed: int = 0
    settings: dict[str, Any] = {}
    scores: dict[str, Any] = {}
    weights_sha256: str = ""
    notes: tuple[str, ...] = ()


def save_tagger(tagger: Tagger, card: Card, folder: Path) -> Card:
    """Write a tagger; return its card with the hash of its weights.

    The folder takes the place of an earlier one at once or not at all. Weights that learned from
    others' corpora, themselves or in what they began from, carry the file of their licences.
    """
    tensors = _packed(tagger.network, load_base(card.base))
    for name, ends in tagger.ranges.items():
        tensors[_RANGE + name] = torch.tensor(ends)
    packed = save(tensors, metadata={"format": str(FORMAT)})
    full = card.model_copy(update={"weights_sha256": hashlib.sha256(packed).hexdigest()})
    with atomic_folder(folder) as fresh:
        told = next((f for f in (folder, SHIPPED) if (f / LICENCES).is_file()), None)
        if told is not None and any(c.source != OWN for c in card.corpora):
            (fresh / LICENCES).write_bytes((told / LICENCES).read_bytes())
        (fresh / WEIGHTS).write_bytes(packed)
        (fresh / CARD).write_text(full.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return full


def read_card(folder: Path) -> Card:
    """Return the card of a tagger.

    Raises
    ------
    InputError
        When there is none, or it cannot be used.
    """
    try:
        return Card.model_validate(json.loads(_bytes(folder, CARD, _MOST_CARD)))
    except OSError:
        raise InputError(
            f"{folder}: no {CARD}; give a folder made by 'trialtwin extract train'"
        ) from None
    except ValidationError as error:
        raise InputError(
            [
                f"{folder.name}/{CARD}: {'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors(include_input=False)
            ]
        ) from None
    except ValueError:
        raise InputError(f"{folder.name}/{CARD}: not JSON; the folder is damaged") from None


def load_tagger(folder: Path = SHIPPED, fast: bool = False) -> Tagger:
    """Return a tagger from its folder; the default is the one that comes with the package.

    Parameters
    ----------
    fast
        Whether to compute in eight bits where the processor can; such a tagger cannot be trained.

    Raises
    ------
    InputError
        When the folder is incomplete or damaged, or the base encoder is missing or another one.
    """
    card = read_card(folder)
    try:
        packed = _bytes(folder, WEIGHTS, _MOST_WEIGHTS)
    except OSError:
        raise InputError(f"{folder.name}: {WEIGHTS} is missing; the folder is incomplete") from None
    if hashlib.sha256(packed).hexdigest() != card.weights_sha256:
        raise InputError(f"{folder.name}/{WEIGHTS}: damaged or changed (its hash differs)")
    base = load_base(card.base, card.base_sha256)
    schemes = {name: TagScheme(labels) for name, labels in card.heads.items()}
    network = Network(base.model, {n: len(s) for n, s in schemes.items()})
    try:
        tensors = load(packed)
        found = [name for name in tensors if name.startswith(_RANGE)]
        ranges = {n.removeprefix(_RANGE): _ends(tensors.pop(n)) for n in found}
        _unpack(network, tensors)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError):
        raise InputError(
            f"{folder.name}/{WEIGHTS}: does not fit its card; the folder is damaged"
        ) from None
    network.eval().requires_grad_(False)
    if fast and can_quantise():
        quantise(network, ranges)
    return Tagger(base, network, schemes, card.window, card.overlap, card.agreement, ranges=ranges)


def _bytes(folder: Path, name: str, most: int) -> bytes:
    """Return a file's bytes; one that is too large is not read."""
    path = folder / name
    if path.stat().st_size > most:
        raise InputError(f"{folder.name}/{name}: it has more than {most} bytes; it is no tagger")
    return path.read_bytes()


def _ends(pair: torch.Tensor) -> tuple[float, float]:
    low, high = pair.tolist()
    return low, high


def _packed(network: Network, base: Base) -> Tensors:
    """What differs from the base: eight-bit differences of matrices, the rest as it is."""
    before = {f"encoder.{n}": p for n, p in base.model.named_parameters()}
    out: Tensors = {}
    for name, now in network.named_parameters():
        value = now.detach()
        if name not in before:
            out[name] = value.half() if value.ndim > 1 else value.clone()
        elif not torch.equal(value, before[name].detach()):
            difference = value - before[name].detach()
            if value.ndim < 2:
                out[name] = difference.clone()
                continue
            scale = difference.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            out[name] = (difference / scale).round().to(torch.int8)
            out[f"{name}.scale"] = scale.squeeze(1)
    return out


def _unpack(network: Network, packed: Tensors) -> None:
    """Add differences to the base's weights; put the others in place."""
    own = dict(network.named_parameters())
    unknown = {n for n in packed if n.removesuffix(".scale") not in own}
    missing = {n for n in own if not n.startswith("encoder.") and n not in packed}
    if unknown or missing:
        raise KeyError
    with torch.no_grad():
        for name, value in packed.items():
            if name.endswith(".scale"):
                continue
            if value.shape != own[name].shape:
                raise ValueError  # a smaller one would be spread over the matrix unseen
            if value.dtype == torch.int8:
                own[name].add_(value.float() * packed[f"{name}.scale"].reshape(-1, 1))
            elif name.startswith("encoder."):
                own[name].add_(value.float())
            else:
                own[name].copy_(value.float())
