"""A plan's hash, its lock file, and what analysing without them means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, final

from pydantic import TypeAdapter

from extraction.records.errors import InputError, RefusedError
from extraction.records.files import write_atomically
from simulation.trial.planned.plan import AnalysisPlan

LOCK_VERSION = 1
State = Literal["locked", "exploratory"]


@final
@dataclass(frozen=True)
class Lock:
    """What a lock file says.

    Attributes
    ----------
    sha256
        Hash of the plan.
    locked_at
        When, in UTC (ISO 8601).
    versions
        Of the programs at that time.
    code
        Digest of the analyses' source at that time.
    amended
        Earlier locks of this file, oldest first: hash and time.
    external
        Digest of the external controls' cohort; None where the plan has none.
    """

    sha256: str
    locked_at: str
    versions: Mapping[str, str]
    code: str
    amended: tuple[Mapping[str, str], ...] = ()
    external: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As the file holds it."""
        return {"lock_version": LOCK_VERSION, **asdict(self), "amended": list(self.amended)}

    @classmethod
    def read(cls, path: Path) -> Lock | None:
        """Read a lock file; None where there is none.

        Raises
        ------
        InputError
            When it is no lock file.
        """
        if not path.is_file():
            return None
        try:
            text = path.read_bytes()
            if json.loads(text)["lock_version"] != LOCK_VERSION:
                raise ValueError
            return TypeAdapter(cls).validate_json(text, strict=True)
        except (ValueError, TypeError, KeyError):
            raise InputError(
                f"{path.name}: it cannot be read as a lock; restore the file that --lock wrote"
            ) from None


def plan_digest(plan: AnalysisPlan) -> str:
    """SHA-256 of a plan's meaning: every field with its default, and each analysis filled in.

    Comments, order of keys and layout of the YAML file do not count.
    """
    content = {
        "plan": plan.model_dump(mode="json"),
        "questions": [question.model_dump(mode="json") for question in plan.questions],
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def lock_path(plan: Path) -> Path:
    """Where the lock of a plan's file lies: PLAN.yaml has PLAN.lock.json."""
    return plan.with_suffix(".lock.json")


def lock_plan(
    path: Path, now: str, versions: Mapping[str, str], code: str, overwrite: bool = False
) -> tuple[Lock, Path]:
    """Lock the plan of a file.

    Parameters
    ----------
    now
        Time in UTC.
    versions, code
        Of the programs that will analyse it.
    overwrite
        Whether a changed plan may be locked again; the earlier hash stays in the file.

    Raises
    ------
    InputError
        With the plan's faults.
    RefusedError
        When another plan is locked there and `overwrite` is not set.
    """
    plan, place = AnalysisPlan.read(path), lock_path(path)
    digest = plan_digest(plan)
    given = plan.external_controls
    external = None if given is None else given.read(path).digest()
    held = Lock.read(place)
    if held is not None and (held.sha256, held.external) == (digest, external):
        return held, place
    if held is not None and not overwrite:
        raise RefusedError(
            f"{place.name}: another plan is locked there, or other external controls; give the "
            "changed plan a new name, or --overwrite to amend it (the earlier hash stays in the "
            "file)"
        )
    earlier = () if held is None else (
        *held.amended, {"sha256": held.sha256, "locked_at": held.locked_at}
    )  # fmt: skip
    lock = Lock(digest, now, dict(versions), code, earlier, external)
    text = json.dumps(lock.to_dict(), indent=1, sort_keys=True) + "\n"
    write_atomically(place, text.encode())
    return lock, place


def state_of(
    plan: AnalysisPlan, path: Path, exploratory: bool = False
) -> tuple[State, Lock | None]:
    """Whether an analysis of this plan is locked, and its lock.

    Raises
    ------
    RefusedError
        When the plan is not locked, or differs from its lock, unless `exploratory` is set.
    """
    held = Lock.read(lock_path(path))
    if held is not None and held.sha256 == plan_digest(plan):
        return ("exploratory" if exploratory else "locked"), held
    if exploratory:
        return "exploratory", held
    if held is None:
        raise RefusedError(
            f"{path.name}: the plan is not locked; lock it before outcomes are read (trialtwin "
            f"analyse --lock {path.name}), or say --exploratory"
        )
    raise RefusedError(
        f"{path.name}: the plan differs from its lock {lock_path(path).name}; restore the locked "
        "plan, or say --exploratory (the results then say so everywhere)"
    )


def external_deviation(
    lock: Lock | None, digest: str | None, path: Path, exploratory: bool = False
) -> tuple[str, ...]:
    """Say whether the external controls are another cohort than at the lock.

    Raises
    ------
    RefusedError
        When they are, unless `exploratory` is set.
    """
    if lock is None or lock.external == digest:
        return ()
    told = f"the external controls' cohort is {(digest or 'none')[:12]} and was "
    told += f"{(lock.external or 'none')[:12]} at the lock"
    if exploratory:
        return (told,)
    raise RefusedError(
        f"{path.name}: {told}; restore the cohort that was locked, or say --exploratory"
    )
