"""What a server offers and where it keeps its state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field

from extraction.records.errors import InputError
from extraction.records.schema import checked
from serving.settings import Settings, settings

_MODEL = "see configs/serve.yaml"


class ServiceConfig(BaseModel):
    """A server's configuration; nothing here changes a patient.

    The command line takes it from the environment (`serving.settings`), ``serve run`` from
    ``configs/serve.yaml``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    models: dict[str, Path] = Field(
        default_factory=dict,
        description="run folders by the name that users see; all under `runs` when empty",
    )
    runs: Path = Field(Path("runs"), description="folder of runs, searched for models")
    var: Path = Field(Path("var"), description="folder of the job database and of results")
    database: str | None = Field(
        None, description="SQLAlchemy URL of the job database; SQLite under `var` when empty"
    )
    allow_busl: bool = Field(
        False,
        description="whether models of the sdv-* engines are offered. SDV is licensed under "
        "BUSL-1.1, which forbids offering it to third parties as a commercial service",
    )
    samplers: int = Field(2, ge=1, le=64, description="requests that sample at the same time")
    wait_seconds: float = Field(30, gt=0, description="longest wait for a free sampler")
    lease_seconds: float = Field(
        20, ge=0.5, le=3600, description="silence after which a worker's job goes to another"
    )

    @property
    def database_url(self) -> str:
        """URL of the job database."""
        return self.database or f"sqlite:///{self.var.resolve()}/jobs.sqlite3"

    @property
    def job_folder(self) -> Path:
        """Folder with one folder a job."""
        return self.var / "jobs"

    @classmethod
    def of(cls, found: Settings | None = None) -> Self:
        """Return the configuration that the environment gives."""
        found = found or settings()
        given = {"runs": found.runs, "var": found.var, "allow_busl": found.allow_busl}
        return cls.model_validate(given)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a YAML file: these fields, or a Ray Serve file with them as an application's args.

        Raises
        ------
        InputError
            With every fault of the file.
        """
        try:
            found = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, ValueError, yaml.YAMLError):
            raise InputError(f"{path.name}: it cannot be read as YAML; {_MODEL}") from None
        if not isinstance(found, dict):
            raise InputError(f"{path.name}: a mapping of settings is needed; {_MODEL}")
        applications = found.get("applications")
        if isinstance(applications, list) and applications and isinstance(applications[0], dict):
            found = applications[0].get("args") or {}
        return cls.parse(found, path.name)

    @classmethod
    def parse(cls, values: dict[str, Any], where: str = "serve.yaml") -> Self:
        """Check a deployment's values, naming every fault at once; the rest as the environment has.

        Raises
        ------
        InputError
            With every fault.
        """
        return checked(cls, {**cls.of().model_dump(), **values}, where)
