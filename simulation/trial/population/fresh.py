"""A population whose every patient is drawn anew from a generative model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, final

import numpy as np
from pydantic import TypeAdapter

from extraction.records.errors import InputError
from extraction.records.schema import CohortSchema
from generation.randomness import integer_seed
from simulation.trial.outcomes import Endpoint, Latent
from simulation.trial.outcomes.base import NEVER, Floats, Indices
from simulation.trial.population.base import Baseline, Place, Population
from simulation.trial.population.residents import Columns, Local, Remote, digest_of
from simulation.trial.population.tables import LEAVES, outcome_columns, table_of
from simulation.trial.population.twins import TwinPopulation, coupled

if TYPE_CHECKING:
    from generation.engine import Model
    from simulation.trial.design import TrialDesign

_REPLICATES: Final = 256
_PATIENTS: Final = 1024
_ATTEMPTS: Final = 200
_ENDPOINTS: Final[TypeAdapter[tuple[Endpoint, ...]]] = TypeAdapter(tuple[Endpoint, ...])


@final
class FreshTwins(Population):
    """Candidates drawn anew from a model, by keyed draws: no two are copies of one twin.

    A table of twins adds its own sampling error to every figure, and all replicates share it;
    here the Monte Carlo errors hold for the model as it is. What remains untold is the model's
    own error: nobody adds information beyond the patients whom it has learnt from.

    Parameters
    ----------
    pool
        Twins of the same model, for laws that are the same for all (a hazard over time).
    plan
        What a draw depends on, the model and the candidate apart, as JSON (`drawn`).
    model
        The model; None in a worker, which gets it from `source`.
    device
        "cpu", "gpu", or "auto": a GPU if there is one. Bytes may differ between the two.
    """

    def __init__(
        self,
        pool: TwinPopulation,
        plan: str,
        model: "Model | None",
        device: str,
        source: Local | Remote | None = None,
    ) -> None:
        self._pool = pool
        self.plan = plan
        self._model = model
        self._device = device
        self._source = source

    @classmethod
    def from_model(
        cls,
        model: "Model",
        design: "TrialDesign",
        n: int = 2000,
        given: dict[str, Any] | None = None,
        seed: int = 0,
        device: str = "cpu",
    ) -> Self:
        """Build from a generative model; n twins serve for laws that are the same for all.

        Raises
        ------
        InputError
            As `TwinPopulation.from_model`, or if the engine cannot draw patients by number.
        """
        if not model.keyed:
            raise InputError(
                f"population: engine {model.engine!r} draws n patients at once, not each anew by "
                "number; leave `fresh` out, or use engine 'twin', 'mixture' or 'cart'"
            )
        pool = TwinPopulation.from_model(model, design, n, given, seed)
        plan = {
            "arm": design.control.name,
            "given": given,
            "seed": seed,
            "endpoints": [e.model_dump(mode="json") for e in design.endpoints],
            "time_unit": design.time_unit,
            "complete": design.dropout.kind != "as_learnt",
        }
        return cls(pool, json.dumps(plan, sort_keys=True), model, device)

    @property
    def baseline_schema(self) -> CohortSchema:
        """Baseline variables."""
        return self._pool.baseline_schema

    def baseline(self, place: Place) -> Baseline:
        """Draw the candidates whole: their outcomes under control come along."""
        replicates, patients = np.broadcast_arrays(place.replicates, place.patients)
        held = self._drawing().draw(self.plan, replicates.ravel(), patients.ravel())
        shaped = {name: values.reshape(replicates.shape) for name, values in held.items()}
        values = {v.name: shaped.pop(v.name) for v in self.baseline_schema.variables}
        return Baseline(values, outcomes=shaped)

    def _drawing(self) -> Local | Remote:
        if self._source is None:
            raise TypeError("a population of fresh twins draws where it was received")
        return self._source

    def latent(self, endpoint: Endpoint, place: Place, baseline: Baseline) -> Latent:
        """Take the outcomes that were drawn."""
        assert baseline.outcomes is not None
        held = [baseline.outcomes[c] for c in outcome_columns(endpoint)]
        return coupled(endpoint, held, place, self._pool)

    def leaves(self, place: Place, baseline: Baseline) -> Floats | None:
        """Times at which the twins leave."""
        if json.loads(self.plan)["complete"]:
            return None
        assert baseline.outcomes is not None
        left = baseline.outcomes[LEAVES]
        return np.where(np.isnan(left), NEVER, left)

    def endpoint_faults(self, endpoint: Endpoint) -> list[str]:
        """Say whether the patients lack an endpoint."""
        return self._pool.endpoint_faults(endpoint)

    def describe(self) -> dict[str, Any]:
        """Return origin, and the table of laws."""
        return {**self._pool.describe(), "kind": "fresh_twins", "device": self._device}

    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Save the model; a worker gets its path and hash."""
        assert self._model is not None
        laws, paths = self._pool.send(folder)
        name = json.dumps(self._model.card.model_dump(mode="json"), sort_keys=True)
        place = folder / f"model-{integer_seed(0, name):08x}"
        if not place.exists():
            self._model.save(place)
        facts = {
            "kind": "fresh",
            "laws": laws,
            "plan": self.plan,
            "model_sha256": digest_of(place),
            "device": self._device,
        }
        return facts, {**paths, "model": str(place.resolve())}

    @classmethod
    def receive(cls, facts: dict[str, Any], paths: dict[str, str]) -> Self:
        """Open in a worker what `send` wrote, or find the actors that hold the model."""
        source: Local | Remote
        if "residents" in paths:
            source = Remote(paths["residents"].split(","))
        else:
            source = Local(paths["model"], facts["model_sha256"], facts["device"])
        pool = TwinPopulation.receive(facts["laws"], paths["population"])
        return cls(pool, facts["plan"], None, facts["device"], source)


def drawn(model: "Model", plan: str, replicates: Indices, patients: Indices) -> Columns:
    """Columns (K,) of candidates: baseline, outcomes under control, and when they leave.

    A candidate is one patient of the model, by his replicate and number. Where the design says
    itself who leaves, a candidate without an outcome gives his place to another draw of his own.

    Parameters
    ----------
    plan
        arm, given, seed, endpoints, time_unit and complete, as JSON.
    """
    asked = json.loads(plan)
    endpoints = _ENDPOINTS.validate_python(asked["endpoints"])
    columns = [c for e in endpoints for c in outcome_columns(e)]
    found: Columns = {}
    open_ = np.arange(len(replicates))
    for attempt in range(_ATTEMPTS):
        for rows, table in _lots(model, asked, endpoints, replicates, patients, open_, attempt):
            for name, values in table.items():
                found.setdefault(name, np.full(len(replicates), np.nan))[rows] = values
        if not asked["complete"]:
            return found
        lacking = np.isnan([found[c][open_] for c in columns]).any(axis=0)
        open_ = open_[lacking]
        if not len(open_):
            return found
    raise InputError(
        f"population: {len(open_)} candidates have no outcome in {_ATTEMPTS} draws each; let "
        "patients leave as learnt, or choose an endpoint that more of the model's patients have"
    )


def _lots(
    model: "Model",
    asked: dict[str, Any],
    endpoints: tuple[Endpoint, ...],
    replicates: Indices,
    patients: Indices,
    rows: Indices,
    attempt: int,
) -> Any:
    """Rows, and their columns, by lots of candidates who share a seed."""
    lot, lane = replicates[rows] // _REPLICATES, patients[rows] // _PATIENTS
    number = replicates[rows] % _REPLICATES * _PATIENTS + patients[rows] % _PATIENTS
    for a, b in np.unique(np.stack([lot, lane], axis=1), axis=0).tolist():
        mine = np.flatnonzero((lot == a) & (lane == b))
        numbers, place = np.unique(number[mine], return_inverse=True)
        seed = _seed(asked["seed"], a, b, attempt)
        cohort = model.sample_numbers(numbers, asked["given"], asked["arm"], seed)
        table = table_of(cohort, endpoints, asked["time_unit"])
        yield rows[mine], {c: table[c].to_numpy(dtype=np.float64)[place] for c in table}


def _seed(seed: int, *ids: int) -> int:
    """62 bits: of the many lots of a long run no two may have one seed."""
    high, low = (integer_seed(seed, f"trial.fresh.{half}", *ids) for half in ("high", "low"))
    return high * 2**31 + low
