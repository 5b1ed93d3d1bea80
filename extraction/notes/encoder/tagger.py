"""The tagger: texts in, labelled spans with scores out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from .agreement import agreed
from .base import Base
from .batches import collate, packed
from .decoding import best_of_texts
from .int8 import Ranges, measured
from .network import Network
from .tags import TagScheme
from .windows import Cut, Window, cut, sentence_starts, windows

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """A span that the tagger found.

    Parameters
    ----------
    start, stop
        Character places, half open.
    label
        Its type.
    score
        Mean probability of its words' tags, 0 to 1.
    heads
        Name of the label set.
    """

    start: int
    stop: int
    label: str
    score: float
    heads: str


@dataclass
class Tagger:
    """An encoder with trained heads.

    Parameters
    ----------
    base
        The encoder and its tokenizer.
    network
        With the weights in place.
    schemes
        The tags of every label set.
    window, overlap
        In word pieces; see `extraction.notes.encoder.windows.windows`.
    agreement
        How far the places of a word draw near to each other; see `agreement.agreed`.
    batch
        Most word pieces that are computed side by side.
    ranges
        Of the inputs of its matrices, for computing in eight bits; empty when not measured.
    """

    base: Base
    network: Network
    schemes: Mapping[str, TagScheme]
    window: int = 126
    overlap: int = 64
    agreement: float = 0.0
    batch: int = 1024
    ranges: Ranges = field(default_factory=dict)

    @property
    def marks(self) -> tuple[int, int]:
        """The pieces that open and close what the encoder reads."""
        tokenizer = self.base.tokenizer
        opens = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else 0
        closes = tokenizer.sep_token_id if tokenizer.sep_token_id is not None else opens
        return int(opens), int(closes)

    @property
    def pad(self) -> int:
        """The piece that fills a batch."""
        return int(self.base.tokenizer.pad_token_id or 0)

    def tag(self, texts: Sequence[str], names: Iterable[str] | None = None) -> list[list[Found]]:
        """Return the spans of every text in the order of their places.

        Parameters
        ----------
        texts
            Any number; windows of like length are computed together.
        names
            The label sets to ask; None asks all. Spans of different sets may overlap.
        """
        asked = tuple(self.schemes if names is None else names)
        cuts = [cut(text, self.base.tokenizer) for text in texts]
        made = tuple(windows(cuts, self.window, self.overlap))
        scores = self._scores(made, cuts, asked)
        found: list[list[Found]] = [[] for _ in texts]
        for name in asked:
            self._decode(name, scores[name], cuts, found)
        return [sorted(spans, key=lambda s: (s.start, s.stop, s.heads)) for spans in found]

    def measure(self, texts: Sequence[str]) -> None:
        """Measure the ranges that computing in eight bits needs, on texts like those to come."""
        with measured(self.network) as ranges:
            self.tag(texts)
        self.ranges = dict(ranges)

    def _scores(
        self, made: Sequence[Window], cuts: Sequence[Cut], asked: tuple[str, ...]
    ) -> dict[str, list[Floats]]:
        """Log probabilities of the tags of every word of every text."""
        out = {
            name: [
                np.zeros((len(c.tokens.words), len(self.schemes[name])), np.float32) for c in cuts
            ]
            for name in asked
        }
        sizes = np.asarray([len(w.pieces) for w in made], np.int64)
        self.network.eval()
        with torch.inference_mode():
            for rows in packed(np.argsort(sizes, kind="stable"), sizes, self.batch):
                chosen = [made[i] for i in rows]
                found = self.network(collate(chosen, self.marks, self.pad), asked)
                for name in asked:
                    logs = found[name].log_softmax(-1).numpy()
                    for one, mine in zip(chosen, logs, strict=True):
                        kept = mine[one.keep_from - one.start : one.keep_to - one.start]
                        out[name][one.text][one.keep_from : one.keep_to] = kept
        return out

    def _decode(
        self, name: str, scores: list[Floats], cuts: Sequence[Cut], found: list[list[Found]]
    ) -> None:
        scheme = self.schemes[name]
        opens = [sentence_starts(c.tokens) for c in cuts]
        drawn = [
            agreed(logs, one.tokens.words, self.agreement)
            for logs, one in zip(scores, cuts, strict=True)
        ]
        best = best_of_texts(scheme, drawn, opens)
        for text, (one, logs, tags) in enumerate(zip(cuts, drawn, best, strict=True)):
            tokens = one.tokens
            for start, stop, label in scheme.decode(tags.tolist()):
                sure = np.exp(logs[np.arange(start, stop), tags[start:stop]]).mean()
                found[text].append(
                    Found(
                        tokens.starts[start], tokens.stops[stop - 1], label,
                        round(float(sure), 4), name,
                    )
                )  # fmt: skip
