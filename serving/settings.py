"""Settings of a deployment, from the environment (`TRIALTWIN_*`); studies have YAML files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from extraction.records.errors import InputError
from extraction.records.schema import pydantic_faults


class Settings(BaseSettings):
    """Where things lie on this machine; nothing here changes a figure."""

    model_config = SettingsConfigDict(
        env_prefix="TRIALTWIN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    runs: Path = Field(default=Path("runs"), description="folder of run folders")
    var: Path = Field(
        default=Path("var"), description="folder of the log and of the service's database"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info")
    allow_busl: bool = Field(
        default=False,
        description="whether HTTP and pages offer the sdv-* engines. SDV is licensed under "
        "BUSL-1.1, which forbids offering it to third parties as a commercial service",
    )

    @property
    def log_file(self) -> Path:
        """File of the log, one JSON object a line."""
        return self.var / "trialtwin.log"


@cache
def settings() -> Settings:
    """Return the settings, read once.

    Raises
    ------
    InputError
        With every variable that has a wrong value.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise InputError(pydantic_faults(error, "environment TRIALTWIN_*")) from None
