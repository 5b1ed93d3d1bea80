"""Strict and relaxed agreement of spans: micro F1, by type, with bootstrap over documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

REPLICATES = 1000


class Labelled(Protocol):
    """A span with a label; a marked span and a found one both fit."""

    @property
    def start(self) -> int:
        """First character."""

    @property
    def stop(self) -> int:
        """One past the last character."""

    @property
    def label(self) -> str:
        """Its type."""


def count(
    pairs: Iterable[tuple[Sequence[Labelled], Sequence[Labelled]]], labels: Sequence[str]
) -> Counts:
    """Return (documents, labels, 5) counts of found and marked spans.

    The five: marked, found, strict hits (same label and places), found spans that overlap a marked
    one of their label, marked spans that overlap a found one of theirs.

    Parameters
    ----------
    pairs
        Of every document the found and the marked spans.
    labels
        The labels that count.
    """
    return np.asarray(
        [[_document(found, marked, label) for label in labels] for found, marked in pairs],
        np.int64,
    ).reshape(-1, len(labels), 5)


def _document(
    found: Sequence[Labelled], marked: Sequence[Labelled], label: str
) -> tuple[int, int, int, int, int]:
    ours = sorted({(s.start, s.stop) for s in found if s.label == label})
    gold = sorted({(s.start, s.stop) for s in marked if s.label == label})
    return (
        len(gold), len(ours), len(set(ours) & set(gold)), _touching(ours, gold),
        _touching(gold, ours),
    )  # fmt: skip


def _touching(spans: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> int:
    return sum(any(a < d and c < b for c, d in others) for a, b in spans)


def figures(counts: Counts) -> dict[str, Any]:
    """Return precision, recall and F1, strict and relaxed, from five counts.

    Relaxed precision is the share of found spans that overlap a marked one of their label, relaxed
    recall the share of marked spans that overlap a found one.
    """
    marked, found, hits, near_found, near_marked = (int(c) for c in counts)
    return {
        "marked": marked,
        "found": found,
        "strict": _three(hits, found, hits, marked),
        "relaxed": _three(near_found, found, near_marked, marked),
    }


def _three(right: int, found: int, reached: int, marked: int) -> dict[str, float]:
    precision = right / found if found else 1.0
    recall = reached / marked if marked else 1.0
    both = precision + recall
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / both, 4) if both else 0.0,
    }


def micro_f1(counts: Counts) -> float:
    """Return strict micro F1 of (documents, labels, 5) counts; 1 when there is nothing."""
    marked, found, hits = (int(c) for c in counts.sum((0, 1))[:3])
    return 2 * hits / (marked + found) if marked + found else 1.0


def report(counts: Counts, labels: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Return all figures with 95% intervals: micro over the labels, and by label.

    The intervals are percentiles of F1 over `REPLICATES` draws of whole documents.
    """
    draw = np.random.default_rng([seed, len(counts)])
    times = draw.multinomial(len(counts), np.full(len(counts), 1 / max(1, len(counts))), REPLICATES)
    drawn = np.einsum("rd,dlc->rlc", times, counts)
    out: dict[str, Any] = {"documents": len(counts), "micro": figures(counts.sum((0, 1)))}
    _add_intervals(out["micro"], drawn.sum(1))
    out["types"] = {}
    for place, label in enumerate(labels):
        out["types"][label] = figures(counts[:, place].sum(0))
        _add_intervals(out["types"][label], drawn[:, place])
    return out


def _add_intervals(into: dict[str, Any], drawn: Counts) -> None:
    marked, found, hits, near_found, near_marked = np.moveaxis(drawn.astype(float), -1, 0)
    for name, right, reached in (("strict", hits, hits), ("relaxed", near_found, near_marked)):
        precision = np.divide(right, found, out=np.ones_like(right), where=found > 0)
        recall = np.divide(reached, marked, out=np.ones_like(right), where=marked > 0)
        both = precision + recall
        f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
        low, high = np.quantile(f1, [0.025, 0.975]) if len(f1) else (0.0, 1.0)
        into[name]["f1_interval"] = [round(float(low), 4), round(float(high), 4)]
