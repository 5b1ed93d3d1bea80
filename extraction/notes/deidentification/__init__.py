"""De-identification: the 18 Safe Harbor identifiers found and replaced by consistent surrogates."""

from __future__ import annotations

from .deidentifier import Deidentified, Deidentifier
from .found import KINDS, Found
from .keys import new_key, read_key
from .offsets import OffsetMap, Replacement
from .vault import Vault

__all__ = [
    "KINDS",
    "Deidentified",
    "Deidentifier",
    "Found",
    "OffsetMap",
    "Replacement",
    "Vault",
    "new_key",
    "read_key",
]
