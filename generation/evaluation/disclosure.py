"""Whether synthetic patients give away who was in the training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from generation.evaluation.metric import (
    INSUFFICIENT,
    NOT_SHOWN,
    WITHIN,
    WORSE,
    Control,
    Metric,
    Verdict,
)
from generation.evaluation.reference import Reference
from generation.evaluation.separation import separation
from generation.evaluation.tables import Floats, Table
from generation.randomness import generator

PASS_BELOW = 0.56
ENOUGH = 200
_REPEATS = 20
_RELABELLED = 60
_MOST = 1500


@dataclass(frozen=True)
class _Attack:
    """Area under the curve of an attack and each pool patient's influence on it."""

    area: float
    influence: Floats

    @property
    def se(self) -> float:
        return float(np.sqrt((self.influence**2).sum()))


def privacy(
    reference: Reference, synthetic: Sequence[Table], log_probs: Sequence[Floats] | None = None
) -> list[Metric]:
    """All privacy metrics.

    Parameters
    ----------
    log_probs
        For every fold the model's log-likelihood of each pool patient, shape (pool,); None
        leaves the loss-based attack out.
    """
    distances = _distances(reference, synthetic)
    known = reference.cached("disclosure", lambda: _known(reference))
    metrics = [
        _membership_metric(
            "membership_distance",
            "membership inference by distance to the nearest synthetic patient",
            reference,
            _by_distance(reference, distances),
            {name: Control.around(a.area, a.se) for name, a in known["attacks"].items()},
        ),
        _distance_share(reference, distances, known["shares"]),
        _exact_matches(reference, synthetic),
    ]
    return metrics if log_probs is None else metrics + _by_loss(reference, np.array(log_probs))


def embed(table: Table, pool: Table) -> Floats:
    """Coordinates whose city-block distance is a Gower distance, shape (n, dimensions).

    Numbers become their rank among the pool's (0 to 1), missing ones the middle with half a unit
    on an indicator; categories are indicators of half a unit, missing being one of them.
    """
    parts: list[Floats] = []
    for j in range(pool.numbers.shape[1]):
        values, known = table.numbers[:, j], pool.numbers[:, j]
        known = np.sort(known[~np.isnan(known)])
        rank = np.searchsorted(known, values, "left") + np.searchsorted(known, values, "right")
        missing = np.isnan(values)
        place = np.where(missing, 0.5, rank / (2 * max(len(known), 1)))
        parts.append(np.column_stack([place, 0.5 * missing]))
    for j, levels in enumerate(pool.layout.levels):
        parts.append(0.5 * (table.codes[:, [j]] == np.arange(-1, len(levels))))
    return np.concatenate(parts, axis=1)


def _distances(reference: Reference, synthetic: Sequence[Table]) -> list[Floats]:
    """Distance of each fold's synthetic patients (at most 1,500) from every pool patient."""
    pool = reference.cached("embedded", lambda: embed(reference.pool, reference.pool))
    return [cdist(embed(t.head(_MOST), reference.pool), pool, "cityblock") for t in synthetic]


def _known(reference: Reference) -> dict[str, dict[str, _Attack] | dict[str, Floats]]:
    """Attack and distance share on a copy and on independent marginals."""
    found = {
        kind: _distances(reference, reference.draw_full(kind)) for kind in ("copy", "independent")
    }
    return {
        "attacks": {kind: _by_distance(reference, d) for kind, d in found.items()},
        "shares": {kind: _shares(reference, d) for kind, d in found.items()},
    }


def _by_distance(reference: Reference, distances: Sequence[Floats]) -> _Attack:
    """Members are guessed to be those with a synthetic patient nearby."""
    return _attack(reference, lambda i: -distances[i].min(axis=0))


def _by_loss(reference: Reference, log_probs: Floats) -> list[Metric]:
    """Members are guessed to be those the model finds likely, shape (folds, pool).

    With several folds there is a second, stronger attack: a patient's likelihood relative to its
    mean under the other folds' models, which removes how typical the patient is (the likelihood
    ratio attack of Carlini et al. 2022, doi 10.1109/SP46214.2022.9833649, in its simplest form).
    Its attacker holds the model and others fitted to nearly all the same patients.
    """
    loss = _membership_metric(
        "membership_loss",
        "membership inference by the model's likelihood",
        reference,
        _attack(reference, lambda i: log_probs[i]),
        {},
    )
    folds = len(reference.folds)
    if folds == 1:
        return [loss]
    relative = log_probs - (log_probs.sum(axis=0) - log_probs) / (folds - 1)
    ratio = _membership_metric(
        "membership_ratio",
        "membership inference by the likelihood relative to reference models",
        reference,
        _attack(reference, lambda i: relative[i]),
        {},
    )
    return [loss, ratio]


def _attack(reference: Reference, scores: Callable[[int], Floats]) -> _Attack:
    """Area under the curve of members against non-members, averaged over folds."""
    influence = np.zeros(len(reference.pool))
    areas = []
    folds = len(reference.folds)
    for i, fold in enumerate(reference.folds):
        score = scores(i)
        found = separation(score[fold.train], score[fold.holdout])
        areas.append(found.area)
        influence[fold.train] += found.positive / folds
        influence[fold.holdout] += found.negative / folds
    return _Attack(float(np.mean(areas)), influence)


def _sizes(reference: Reference) -> tuple[int, int]:
    """Different patients that were ever members, and ever non-members."""
    members = np.unique(np.concatenate([f.train for f in reference.folds]))
    return len(members), len(reference.held_out)


def _membership_metric(
    name: str, label: str, reference: Reference, attack: _Attack, controls: dict[str, Control]
) -> Metric:
    members, others = _sizes(reference)
    low, high = attack.area - 1.96 * attack.se, attack.area + 1.96 * attack.se
    verdict = _membership_verdict(low, high, min(members, others))
    return Metric(
        name,
        "privacy",
        label,
        attack.area,
        attack.se,
        "chance",
        {"real": Control(0.5), **controls},
        verdict,
        _membership_sentence(label, attack.area, (low, high), verdict, min(members, others)),
        {"members": members, "non_members": others, "pass_below": PASS_BELOW},
        attack.area + reference.spread(attack.influence),
    )


def _membership_verdict(low: float, high: float, smaller: int) -> Verdict:
    if not np.isfinite(high):
        return NOT_SHOWN
    if low > 0.5 and high > PASS_BELOW:
        return WORSE
    if smaller < ENOUGH:
        return INSUFFICIENT
    return WITHIN if high <= PASS_BELOW else NOT_SHOWN


def _membership_sentence(
    label: str, area: float, interval: tuple[float, float], verdict: Verdict, smaller: int
) -> str:
    ends = {
        WITHIN: "",
        WORSE: ", as training patients can be told from others",
        NOT_SHOWN: f", as the upper bound is above {PASS_BELOW}",
        INSUFFICIENT: f", with {smaller} patients on the smaller side; {ENOUGH} are needed",
    }
    return (
        f"{label[0].upper()}{label[1:]} finds training patients with AUC {area:.3f} "
        f"[{interval[0]:.3f}, {interval[1]:.3f}] (0.5 gives nobody away, 1 everybody; passes up to "
        f"{PASS_BELOW}): {verdict}{ends[verdict]}."
    )


def _shares(reference: Reference, distances: Sequence[Floats]) -> Floats:
    """Share of synthetic patients nearer to training than to held-out ones, by repeat.

    The training patients are thinned to the number held out, so that .5 means none remembered;
    a tie counts a half.
    """
    repeats = []
    for k in range(_REPEATS):
        shares = []
        for i, (fold, d) in enumerate(zip(reference.folds, distances, strict=True)):
            rng = generator(reference.seed, "evaluation-dcr", k, i)
            size = min(len(fold.train), len(fold.holdout))
            near = d[:, rng.permutation(fold.train)[:size]].min(axis=1)
            far = d[:, rng.permutation(fold.holdout)[:size]].min(axis=1)
            shares.append(_share(near, far))
        repeats.append(float(np.mean(shares)))
    return np.array(repeats)


def _relabelled(reference: Reference, distances: Sequence[Floats]) -> Floats:
    """Shares when the pool is cut into the two groups at random: no group was trained on."""
    found = []
    for k in range(_RELABELLED):
        shares = []
        for i, (fold, d) in enumerate(zip(reference.folds, distances, strict=True)):
            rng = generator(reference.seed, "evaluation-dcr-null", k, i)
            size = min(len(fold.train), len(fold.holdout))
            rows = rng.permutation(d.shape[1])[: 2 * size]
            shares.append(_share(d[:, rows[:size]].min(axis=1), d[:, rows[size:]].min(axis=1)))
        found.append(float(np.mean(shares)))
    return np.array(found)


def _share(near: Floats, far: Floats) -> float:
    return float(np.mean(near < far) + 0.5 * np.mean(near == far))


def _distance_share(
    reference: Reference, distances: Sequence[Floats], known: dict[str, Floats]
) -> Metric:
    repeats = _shares(reference, distances)
    value = float(repeats.mean())
    null = Control.of(_relabelled(reference, distances))
    spread = (null.high or 0.5) - null.value
    bound = 0.5 + spread
    caught = float(known["copy"].mean()) > bound
    verdict: Verdict = WORSE if value > bound else (WITHIN if caught else NOT_SHOWN)
    if verdict == WITHIN and min(_sizes(reference)) < ENOUGH:
        verdict = INSUFFICIENT
    ends = {
        WORSE: ", as training patients are remembered",
        WITHIN: "; a smoke alarm only",
        NOT_SHOWN: ", as a copy of the data would pass as well at this size",
        INSUFFICIENT: f"; {ENOUGH} patients on either side are needed",
    }
    return Metric(
        "dcr_share",
        "privacy",
        "share of synthetic patients nearer to training than to held-out patients",
        value,
        spread / 1.96,
        "chance",
        {
            "real": Control(0.5, 0.5 - spread, bound),
            **{kind: Control.of(values) for kind, values in known.items()},
        },
        verdict,
        f"{value:.1%} of synthetic patients are nearer to a training than to a held-out patient "
        f"(equal numbers of both; 50% remembers nobody, 100% everybody; highest by chance "
        f"{bound:.1%}): {verdict}{ends[verdict]}.",
        {"repeats": len(repeats), "real_against_real_limit": bound},
    )


def _exact_matches(reference: Reference, synthetic: Sequence[Table]) -> Metric:
    """Rows that equal a training patient in every column."""
    ours, others = [], []
    pool = row_keys(reference.pool)
    for fold, table in zip(reference.folds, synthetic, strict=True):
        ours.append(np.isin(row_keys(table), pool[fold.train]))
        others.append(np.isin(pool[fold.holdout], pool[fold.train]))
    matched, base = np.concatenate(ours), np.concatenate(others)
    low, high = wilson(int(matched.sum()), len(matched))
    base_low, base_high = wilson(int(base.sum()), len(base))
    rate, base_rate = float(matched.mean()), float(base.mean())
    verdict: Verdict = WORSE if low > base_high else WITHIN
    copied = float(
        np.mean(
            [
                np.isin(row_keys(t), pool[f.train]).mean()
                for t, f in zip(reference.draw_full("copy"), reference.folds, strict=True)
            ]
        )
    )
    compared = "more than" if verdict == WORSE else "not shown to be more than"
    return Metric(
        "exact_matches",
        "privacy",
        "synthetic patients equal to a training patient in every column",
        rate,
        float(np.sqrt(rate * (1 - rate) / len(matched))),
        "lower",
        {"real": Control(base_rate, base_low, base_high), "copy": Control(copied)},
        verdict,
        f"{int(matched.sum())} of {len(matched)} synthetic patients equal a training patient in "
        f"every column (none is best; at most {high:.1%}), {compared} held-out patients do "
        f"({int(base.sum())} of {len(base)}): {verdict}.",
        {"matches": int(matched.sum()), "synthetic": len(matched), "upper": high},
        limits=(low, high),
    )


def row_keys(table: Table) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """One key a row; equal keys mean equal values (and gaps) in every column."""
    cells = np.ascontiguousarray(np.nan_to_num(table.features, nan=-1e300) + 0.0)
    return cells.view(np.dtype((np.void, cells.shape[1] * cells.itemsize))).ravel()


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927, doi 10.1080/01621459.1927.10502953)."""
    if n == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
