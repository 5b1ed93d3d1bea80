"""Membership inference by refits that contain a patient and refits that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.evaluation.separation import separation
from generation.evaluation.tables import Floats
from generation.randomness import generator

_FLOOR = 1e-6
_RESAMPLES = 200


@dataclass(frozen=True)
class MembershipAttack:
    """How well an attack tells members from others.

    Parameters
    ----------
    area, se
        Area under the curve, averaged over refits, and its bootstrap standard error (patients
        are resampled with all their refits).
    caught
        Share of members found where one in twenty others is suspected too.
    rare
        Area among the tenth of the patients who are farthest from any other, and its error.
    """

    area: float
    se: float
    caught: float
    rare: tuple[float, float]


def halves(n: int, refits: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which patients each refit contains, shape (refits, n): each is in exactly half of them.

    Refits come in pairs of complementary halves.
    """
    rows = []
    for pair in range(refits // 2):
        inside = np.zeros(n, dtype=bool)
        inside[generator(seed, "audit halves", pair).permutation(n)[: n // 2]] = True
        rows += [inside, ~inside]
    return np.array(rows)


def likelihood_ratios(scores: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """LiRA: how much likelier each score is if the refit contained the patient, (refits, n).

    Normal laws of a patient's scores in and out of the training data, from the refits of the
    *other* pairs, so that members and others are judged by equally many; one variance for all
    patients, as few refits allow no more (Carlini et al. 2022, section VI, doi
    10.1109/SP46214.2022.9833649).

    Parameters
    ----------
    scores
        A score for each refit and patient, larger for members, shape (refits, n).
    """
    def others(mask: npt.NDArray[np.bool_]) -> Floats:
        values = np.where(mask, scores, 0.0)
        return np.asarray((values.sum(axis=0) - _pairs(values)) / (len(scores) // 2 - 1))

    mean_in, mean_out = others(inside), others(~inside)
    centred = scores - np.where(inside, mean_in, mean_out)
    variance = max(float(np.mean(centred**2)), _FLOOR)
    return np.asarray(((scores - mean_out) ** 2 - (scores - mean_in) ** 2) / (2 * variance))


def _pairs(values: Floats) -> Floats:
    """Sum over the two refits of each pair, repeated for both."""
    return np.repeat(values[::2] + values[1::2], 2, axis=0)


def attack_areas(
    scores: Floats, inside: npt.NDArray[np.bool_], rarity: Floats, seed: int
) -> MembershipAttack:
    """Judge an attack's scores, shape (refits, n); `rarity` orders the patients, shape (n,)."""
    areas, influence = _areas(scores, inside)
    rare = rarity >= np.quantile(rarity, 0.9)
    rare_areas, rare_influence = _areas(scores[:, rare], inside[:, rare])
    caught = [
        float(np.mean(s[i] > np.quantile(s[~i], 0.95))) for s, i in zip(scores, inside, strict=True)
    ]
    return MembershipAttack(
        areas, _bootstrap(influence, seed), float(np.mean(caught)),
        (rare_areas, _bootstrap(rare_influence, seed)),
    )


def _areas(scores: Floats, inside: npt.NDArray[np.bool_]) -> tuple[float, Floats]:
    """Mean area over refits and each patient's influence on it."""
    influence = np.zeros(scores.shape[1])
    areas = []
    for score, members in zip(scores, inside, strict=True):
        found = separation(score[members], score[~members])
        areas.append(found.area)
        influence[members] += found.positive / len(scores)
        influence[~members] += found.negative / len(scores)
    return float(np.mean(areas)), influence


def _bootstrap(influence: Floats, seed: int) -> float:
    """Standard error over resampled patients."""
    n = len(influence)
    rng = generator(seed, "audit bootstrap")
    counts = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    return float(np.std((counts - 1) @ influence, ddof=1))
