"""A population by formula: covariates with a Gaussian copula, outcomes by their laws."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self, final

import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy.special import ndtr, ndtri

from extraction.records.errors import nearest
from extraction.records.schema import CohortSchema, Variable
from generation.randomness import decision_id
from simulation.trial.outcomes import Endpoint, Latent, Law
from simulation.trial.outcomes.base import Floats
from simulation.trial.outcomes.continuous import ContinuousEndpoint, ContinuousLaw
from simulation.trial.outcomes.count import MOST_EVENTS, CountLaw
from simulation.trial.plan import Finite, Name, NotNegative, Plan, Positive, Stated
from simulation.trial.population.base import Baseline, Place, Population

_LEAVES = decision_id("trial.leaves")


@final
class NormalCovariate(Plan):
    """A number with a normal law."""

    kind: Literal["normal"] = "normal"
    name: Name
    mean: Finite = 0.0
    sd: Positive = 1.0

    @property
    def variable(self) -> Variable:
        """Its place in the schema."""
        return Variable(name=self.name, kind="continuous", role="baseline")

    def value(self, z: Floats) -> Floats:
        """Values from standard normals."""
        return self.mean + self.sd * z


@final
class CategoryCovariate(Plan):
    """A category; effects count from the first."""

    kind: Literal["category"] = "category"
    name: Name
    categories: tuple[Name, ...] = Field(min_length=2, max_length=50)
    shares: tuple[NotNegative, ...] = Field(description="of the categories; they sum to 1")

    @field_validator("categories")
    @classmethod
    def _differing(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(categories)) < len(categories):
            raise ValueError("a category stands twice; categories must differ")
        return categories

    @field_validator("shares")
    @classmethod
    def _whole(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if abs(sum(shares) - 1) > 1e-6:
            raise ValueError("they must sum to 1")
        return shares

    @model_validator(mode="after")
    def _paired(self) -> Self:
        if len(self.shares) != len(self.categories):
            raise ValueError("shares: one for each category")
        return self

    @property
    def variable(self) -> Variable:
        """Its place in the schema."""
        kind: Any = "binary" if len(self.categories) == 2 else "categorical"
        return Variable(name=self.name, kind=kind, role="baseline", categories=self.categories)

    def value(self, z: Floats) -> Floats:
        """Category numbers from standard normals, cut at the shares' quantiles."""
        edges = ndtri(np.clip(np.cumsum(self.shares)[:-1], 0, 1))
        return np.searchsorted(edges, z, side="right").astype(np.float64)


Covariate = Annotated[NormalCovariate | CategoryCovariate, Field(discriminator="kind")]


@final
class Correlation(Plan):
    """Correlation of two covariates, or of two outcomes, on the normal scale."""

    between: tuple[Name, Name]
    value: float = Field(gt=-1, lt=1)


@final
class ParametricPopulation(Stated, Population):
    """Candidates by formula.

    Raises
    ------
    InputError
        With every fault of the configuration.

    Examples
    --------
    >>> people = ParametricPopulation(
    ...     covariates=[{"kind": "normal", "name": "age", "mean": 70, "sd": 8}],
    ...     outcomes={"OS": {"kind": "time_to_event", "median": 12,
    ...                      "log_hazard_ratios": {"age": 0.02}}})
    >>> people.describe()["outcomes"]
    {'OS': 'time_to_event'}
    """

    kind: Literal["parametric"] = "parametric"
    covariates: tuple[Covariate, ...] = ()
    outcomes: dict[str, Law] = Field(min_length=1, description="law under control, by endpoint")
    correlations: tuple[Correlation, ...] = Field(
        default=(), description="between covariates, or between outcomes"
    )
    leaving_rate: float = Field(default=0.0, ge=0, description="hazard of leaving the trial")

    @classmethod
    def _where(cls) -> str:
        return "population"

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        known = [c.name for c in self.covariates]
        every = {*known, *self.outcomes}
        faults = [
            f"covariates: the name {name!r} stands twice; names must differ"
            for name in sorted({n for n in known if known.count(n) > 1})
        ]
        faults += self._term_faults()
        faults += [
            f"correlations: {name!r} is neither covariate nor outcome{nearest(name, every)}"
            for name in sorted({n for c in self.correlations for n in c.between} - every)
        ]
        if not faults:
            faults += [
                "correlations: they contradict each other; lower some"
                for group in (known, list(self.outcomes))
                if np.linalg.eigvalsh(self._matrix(group)).min() <= 0
            ]
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _term_faults(self) -> list[str]:
        """Say which terms of the outcomes' laws are no covariates."""
        terms = set(self._terms())
        return [
            f"outcomes.{outcome}: {name!r} is no covariate; known are "
            f"{', '.join(sorted(terms)) or 'none'}{nearest(name, terms)}"
            for outcome, law in self.outcomes.items()
            for name in [*law.coefficients, *getattr(law, "correlations", {})]
            if name not in terms
        ]

    def _terms(self) -> list[str]:
        """Names that coefficients may use: numbers, second categories, and name=category."""
        terms = []
        for covariate in self.covariates:
            if isinstance(covariate, NormalCovariate):
                terms.append(covariate.name)
            else:
                terms += [f"{covariate.name}={level}" for level in covariate.categories[1:]]
        return terms

    def _matrix(self, names: list[str]) -> Floats:
        matrix = np.eye(len(names)) if names else np.eye(1)
        for correlation in self.correlations:
            one, other = correlation.between
            if one in names and other in names:
                i, j = names.index(one), names.index(other)
                matrix[i, j] = matrix[j, i] = correlation.value
        return matrix

    @property
    def baseline_schema(self) -> CohortSchema:
        """Baseline variables."""
        return CohortSchema(
            study_id="parametric", variables=tuple(c.variable for c in self.covariates)
        )

    def baseline(self, place: Place) -> Baseline:
        """Draw covariates; each one's draws do not depend on which others there are."""
        names = [c.name for c in self.covariates]
        drawn = [place.normal(decision_id(f"covariate.{name}")) for name in names]
        mixed = _mixed(drawn, self._matrix(names))
        return Baseline({c.name: c.value(z) for c, z in zip(self.covariates, mixed, strict=True)})

    def latent(self, endpoint: Endpoint, place: Place, baseline: Baseline) -> Latent:
        """Draw an endpoint under control by its law."""
        law: Any = self.outcomes[endpoint.name]
        linear = self._linear(law.coefficients, baseline)
        key = decision_id(f"outcome.{endpoint.name}")
        if isinstance(endpoint, ContinuousEndpoint):
            visits = [place.normal(key, visit) for visit in range(len(endpoint.visits))]
            explained = sum(
                (r * self._standard(name, baseline) for name, r in law.correlations.items()), 0.0
            )
            return ContinuousLaw.draw(law, np.stack(visits), linear, explained)
        if law.kind == "count":
            gaps = [-np.log(place.uniform(key, 1 + j)) for j in range(_events(law, endpoint))]
            frailty = _frailty(place.uniform(key), law.dispersion)
            return CountLaw.draw(law, np.stack(gaps), frailty, linear)
        drawn: Latent = law.draw(self._joint_uniform(endpoint.name, place), linear)
        return drawn

    def _joint_uniform(self, name: str, place: Place) -> Floats:
        """Uniforms of an outcome; correlated with those of others where it is asked for."""
        tied = [c for c in self.correlations if name in c.between]
        if not tied:
            return place.uniform(decision_id(f"outcome.{name}"))
        names = sorted(self.outcomes)
        drawn = [place.normal(decision_id(f"outcome.{other}")) for other in names]
        return np.asarray(ndtr(_mixed(drawn, self._matrix(names))[names.index(name)]))

    def _linear(self, coefficients: dict[str, float], baseline: Baseline) -> Any:
        """Sum of coefficient times centred number, or indicator."""
        total: Any = 0.0
        for term, coefficient in coefficients.items():
            name, _, level = term.partition("=")
            covariate = next(c for c in self.covariates if c.name == name)
            if isinstance(covariate, NormalCovariate):
                total = total + coefficient * (baseline.values[name] - covariate.mean)
            else:
                number = covariate.categories.index(level)
                total = total + coefficient * (baseline.values[name] == number)
        return total

    def _standard(self, name: str, baseline: Baseline) -> Floats:
        covariate = next(c for c in self.covariates if c.name == name)
        assert isinstance(covariate, NormalCovariate)
        return (baseline.values[name] - covariate.mean) / covariate.sd

    def leaves(self, place: Place, baseline: Baseline) -> Floats | None:
        """Draw exponential times of leaving."""
        if self.leaving_rate == 0:
            return None
        return -np.log(place.uniform(_LEAVES)) / self.leaving_rate

    def endpoint_faults(self, endpoint: Endpoint) -> list[str]:
        """Say whether the outcome is missing or of another kind."""
        law = self.outcomes.get(endpoint.name)
        if law is None:
            return [
                f"endpoint {endpoint.name!r}: the population has no such outcome; it has "
                f"{', '.join(self.outcomes)}{nearest(endpoint.name, self.outcomes)}"
            ]
        if law.kind != endpoint.kind:
            return [
                f"endpoint {endpoint.name!r}: it is {endpoint.kind}, and the population's outcome "
                f"is {law.kind}; make them agree"
            ]
        return []

    def describe(self) -> dict[str, Any]:
        """Return names and kinds."""
        return {
            "kind": "parametric",
            "covariates": [c.name for c in self.covariates],
            "outcomes": {name: law.kind for name, law in self.outcomes.items()},
        }

    def send(self, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
        """Everything travels as configuration."""
        return self.model_dump(mode="json"), {}


def _mixed(drawn: list[Floats], correlation: Floats) -> list[Floats]:
    """Correlated normals from independent ones, by the Cholesky factor, term by term."""
    factor = np.linalg.cholesky(correlation)
    return [
        z
        if factor[i, i] == 1
        else sum((factor[i, j] * drawn[j] for j in range(i + 1) if factor[i, j] != 0), np.zeros(1))
        for i, z in enumerate(drawn)
    ]


def _frailty(uniform: Floats, dispersion: float) -> Floats:
    """Gamma frailties of mean 1 and the given variance."""
    if dispersion == 0:
        return np.ones_like(uniform)
    from scipy.special import gammaincinv

    return np.asarray(gammaincinv(1 / dispersion, uniform) * dispersion)


def _events(law: Any, endpoint: Any) -> int:
    """Events to follow for each patient: far in the tail of the law, at three times its rate."""
    mean = 3 * law.rate * endpoint.follow_up
    spread = np.sqrt(mean + law.dispersion * mean**2)
    return int(min(MOST_EVENTS, np.ceil(mean + 8 * spread + 5)))
