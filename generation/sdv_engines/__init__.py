"""Engines of the Synthetic Data Vault (SDV 2.0), for comparison.

SDV and the packages under it are licensed under BUSL-1.1, see :data:`BUSL_CLAUSE`. SDV
saves pickles only, and pickles are never loaded here: a saved SDV model is its data hash,
seed and options, from which it is refitted.
"""

from generation.sdv_engines.common import BUSL_CLAUSE
from generation.sdv_engines.sequential import ParModel
from generation.sdv_engines.single_table import (
    CopulaGanModel,
    CtganModel,
    GaussianCopulaModel,
    TvaeModel,
)

__all__ = [
    "BUSL_CLAUSE",
    "CopulaGanModel",
    "CtganModel",
    "GaussianCopulaModel",
    "ParModel",
    "TvaeModel",
]
