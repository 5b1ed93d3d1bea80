"""Verification: does the program compute what it says, checked where it is used.

Reference values: rpact 3.3.4 (R), getDesignGroupSequential, getDesignCharacteristics and
getSampleSizeSurvival, one-sided alpha .025, power .90; Schoenfeld (1981), doi
10.1093/biomet/68.1.316.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from simulation.analysis.sample_size_survival import sample_size_events
from simulation.analysis.sequential import group_sequential
from simulation.execution.results import digest
from simulation.operating_characteristics.batches import batches
from simulation.operating_characteristics.tables import monte_carlo_limits
from simulation.trial.characteristics import OperatingCharacteristics
from simulation.trial.design import TrialDesign
from simulation.trial.replay import replay
from simulation.trial.rules.group_sequential import GroupSequentialRule
from simulation.trial.storage import ReplicateFile

_BOUNDS: Final = {
    "O'Brien-Fleming": ("obrien_fleming", (3.471091, 2.454432, 2.004036)),
    "Pocock": ("pocock", (2.289478, 2.289478, 2.289478)),
    "Lan-DeMets O'Brien-Fleming": ("lan_demets_obrien_fleming", (3.710303, 2.511427, 1.993047)),
    "Lan-DeMets Pocock": ("lan_demets_pocock", (2.279428, 2.294911, 2.295940)),
}
_EVENTS: Final = {0.6: 161.0686, 0.7: 330.3779, 0.75: 507.8443}
_SIZES: Final = {
    "O'Brien-Fleming": (1.0161007, 0.798709),
    "Pocock": (1.1506381, 0.721033),
    "Lan-DeMets O'Brien-Fleming": (1.0118528, 0.811472),
    "Lan-DeMets Pocock": (1.1542202, 0.721157),
}
"""Inflation over the fixed size, and expected over fixed size under the alternative."""
_PRINTED: Final = {"bounds": 5.1e-7, "sizes": 5.1e-7, "events": 5.1e-5}
"""Half a unit of the last digit printed."""
_SMALL: Final = 40


def verify(
    design: TrialDesign,
    population: Any,
    found: OperatingCharacteristics,
    progress: Callable[[str, float], None] | None = None,
) -> list[dict[str, Any]]:
    """Check the program against references, and a result against itself.

    Parameters
    ----------
    design, population
        As they were simulated.
    found
        The result.
    progress
        Told before each group of checks, and at the end.

    Returns
    -------
    list of dict
        what, kind (exact, simulated), reference, obtained, tolerance, source, agrees.
    """
    groups: list[tuple[str, Callable[[], list[dict[str, Any]]]]] = [
        ("reference values", lambda: [*_bounds(), *_sizes(), *_events()]),
        ("chunks and workers", lambda: [_invariant(design, population, found.seed)]),
        ("replay", lambda: [_replayed(design, population, found)]),
        ("level", lambda: _level(design, found)),
    ]
    checks: list[dict[str, Any]] = []
    tell = progress or (lambda _what, _share: None)
    for place, (what, group) in enumerate(groups):
        tell(what, place / len(groups))
        checks += group()
    tell(f"{len(checks)} checks", 1.0)
    return checks


def _bounds() -> list[dict[str, Any]]:
    checks = []
    for name, (family, reference) in _BOUNDS.items():
        rule = GroupSequentialRule.model_validate({"boundary": family, "looks": {"number": 3}})
        obtained = rule.critical(0.025)
        checks.append(
            _check(
                f"critical z of three looks, {name}",
                reference,
                obtained,
                _PRINTED["bounds"],
                "rpact 3.3.4",
            )
        )
    return checks


def _sizes() -> list[dict[str, Any]]:
    checks = []
    for name, reference in _SIZES.items():
        design = group_sequential(_BOUNDS[name][0], 3, alpha=0.025, power=0.9)
        obtained = (design.inflation, float(design.expected_ratio()))
        what = f"size and expected size of three looks over the fixed size, {name}"
        checks.append(_check(what, reference, obtained, _PRINTED["sizes"], "rpact 3.3.4"))
    return checks


def _events() -> list[dict[str, Any]]:
    return [
        _check(
            f"events for 90 % power at hazard ratio {ratio:g}",
            (reference,),
            (float(sample_size_events(ratio, power=0.9)),),
            _PRINTED["events"],
            "rpact 3.3.4; Schoenfeld 1981",
        )
        for ratio, reference in _EVENTS.items()
    ]


def _check(
    what: str, reference: Any, obtained: Any, tolerance: float, source: str
) -> dict[str, Any]:
    worst = float(np.max(np.abs(np.subtract(reference, obtained))))
    return {
        "what": what,
        "kind": "exact",
        "reference": list(reference),
        "obtained": [float(value) for value in obtained],
        "tolerance": tolerance,
        "source": source,
        "agrees": worst <= tolerance,
    }


def _invariant(design: TrialDesign, population: Any, seed: int) -> dict[str, Any]:
    """Digests of the first replicates: one process and one chunk; two processes, chunks of 7."""
    digests = []
    for running in ({"chunk_size": _SMALL}, {"execution": "processes", "workers": 2}):
        options: Any = {"chunk_size": 7} | running
        with batches(design, population, seed, options) as held:
            digests.append(digest(held.run(design, 0, _SMALL)))
    return {
        "what": f"digest of {_SMALL} replicates: one process and chunk, two processes and 6 chunks",
        "kind": "exact",
        "reference": [digests[0][:12]],
        "obtained": [digests[1][:12]],
        "tolerance": 0.0,
        "source": "this run",
        "agrees": digests[0] == digests[1],
    }


def _replayed(
    design: TrialDesign, population: Any, found: OperatingCharacteristics
) -> dict[str, Any]:
    # The first block is enough, and a large run is not read as a whole.
    file = found.held
    table = next(file.blocks()) if isinstance(file, ReplicateFile) else file.read()
    last = len(table["stage"]) - 1
    differing = 0
    for place, truth in enumerate(design.truths):
        alone = replay(design, population, found.seed, last, truth.name)
        differing += sum(
            not np.array_equal(np.asarray(alone.row[name]), values[last, place], equal_nan=True)
            for name, values in table.items()
        )
    return {
        "what": f"figures of replicate {last} replayed alone that differ from the whole run's",
        "kind": "exact",
        "reference": [0],
        "obtained": [differing],
        "tolerance": 0.0,
        "source": "this run",
        "agrees": differing == 0,
    }


def _level(design: TrialDesign, found: OperatingCharacteristics) -> list[dict[str, Any]]:
    """Type I error, of several hypotheses the familywise one, against the rule's alpha."""
    if not np.isfinite(design.rule.critical(design.rule.alpha)).any():
        return []
    error, alpha = found.familywise_error, design.rule.alpha
    what = "type I error" if len(design.tested) == 1 else "familywise error under no effect"
    low, _ = monte_carlo_limits(error.value, found.replicates, 0.99)
    return [
        {
            "what": f"{what} of this design, not shown to exceed alpha (99 %)",
            "kind": "simulated",
            "reference": [alpha],
            "obtained": [error.value],
            "tolerance": 2.576 * error.se,
            "source": f"{found.replicates:,} replicates of this run",
            "agrees": low <= alpha,
        }
    ]
