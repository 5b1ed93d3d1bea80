"""SDV's synthesizers of one flat table: Gaussian copula, CTGAN, TVAE and CopulaGAN."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import pandas as pd
from pydantic import Field

from extraction.records import Cohort
from generation.assembly import TrialArrays
from generation.engine import Options, check_planned_visits
from generation.sdv_engines.common import TABLE, SdvModel, metadata, sdtypes
from generation.sdv_engines.frames import to_table

Distribution = Literal["beta", "norm", "truncnorm", "gamma", "uniform"]


class GaussianCopulaOptions(Options):
    """Options of SDV's Gaussian copula."""

    default_distribution: Distribution = Field(
        "beta", description="marginal distribution of numbers"
    )


class NetworkOptions(Options):
    """Options of SDV's networks; the defaults are SDV's."""

    epochs: int = Field(300, ge=1, le=5000, description="passes over the training patients")
    batch_size: int = Field(
        500, ge=10, le=50_000, multiple_of=10, description="patients a step, whole tens"
    )
    embedding_dim: int = Field(128, ge=2, le=1024, description="width of the latent vector")
    enable_gpu: bool = Field(False, description="whether a GPU is used where there is one")


class CopulaGanOptions(NetworkOptions):
    """Options of SDV's CopulaGAN; the defaults are SDV's."""

    default_distribution: Distribution = Field(
        "beta", description="marginal distribution of numbers"
    )


class SingleTableModel(SdvModel):
    """An SDV synthesizer over the flat table of a cohort: visits are columns at their day."""

    synthesizer_name: ClassVar[str]

    @classmethod
    def _arrays(cls, cohort: Cohort) -> TrialArrays:
        check_planned_visits(cohort.schema, cls.engine)
        return super()._arrays(cohort)

    @classmethod
    def _fitted(cls, frame: pd.DataFrame, cohort: Cohort, options: Any) -> Any:
        from sdv import single_table

        kind = getattr(single_table, cls.synthesizer_name)
        synthesizer = kind(metadata(sdtypes(frame)), **options.model_dump())
        synthesizer.fit({TABLE: frame})
        return synthesizer

    def _rows(self, n: int) -> pd.DataFrame:
        drawn: pd.DataFrame = self.synthesizer.sample(n)[TABLE]
        return drawn.reset_index(drop=True)

    def _write(self, frame: pd.DataFrame, n: int, until_day: float | None) -> TrialArrays:
        return self.columns.write(to_table(self.columns, frame, self.fixed), n, until_day)


class GaussianCopulaModel(SingleTableModel):
    """SDV's GaussianCopulaSynthesizer over the flat table of a cohort."""

    engine: ClassVar[str] = "sdv-gaussian-copula"
    kind = GaussianCopulaOptions
    synthesizer_name = "GaussianCopulaSynthesizer"


class CtganModel(SingleTableModel):
    """SDV's CTGANSynthesizer (Xu et al., 2019, "Modeling tabular data using conditional GAN")."""

    engine: ClassVar[str] = "sdv-ctgan"
    kind = NetworkOptions
    synthesizer_name = "CTGANSynthesizer"
    packages = ("sdv", "ctgan", "rdt", "torch")


class TvaeModel(SingleTableModel):
    """SDV's TVAESynthesizer (Xu et al., 2019)."""

    engine: ClassVar[str] = "sdv-tvae"
    kind = NetworkOptions
    synthesizer_name = "TVAESynthesizer"
    packages = ("sdv", "ctgan", "rdt", "torch")


class CopulaGanModel(SingleTableModel):
    """SDV's CopulaGANSynthesizer: CTGAN on normal scores of the marginals."""

    engine: ClassVar[str] = "sdv-copulagan"
    kind = CopulaGanOptions
    synthesizer_name = "CopulaGANSynthesizer"
    packages = ("sdv", "ctgan", "copulas", "rdt", "torch")
