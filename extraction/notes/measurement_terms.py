"""Names, units and filling words of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .lexicon import NUMBER_WORDS, Lexicon, keyed, read_lines, word_set

FURTHEST = 14  # words between a name and its number
MONTHS = word_set(
    "january february march april may june july august september october november december jan "
    "feb mar apr jun jul aug sep sept oct nov dec"
)
TIME_UNITS = word_set(
    "day days week weeks month months year years hour hours hr hrs minute minutes min mins wk wks "
    "yr yrs mo h d pm am"
)
DOSE_UNITS = word_set("mg mcg ug µg μg g gm units unit iu tablet tablets tab tabs")
COUNTED = word_set("day days week visit cycle month year hospital on# pod session stage")
# Words that may stand between the name of a measurement and its number.
GLUE = (
    word_set(
        "of was is were are : = , - at on the a an in last previous prior visit baseline "
        "admission discharge today yesterday night morning afternoon evening week weeks month "
        "months year years day days hour hours ago now currently this home clinic level levels "
        "count score total value result reading readings measured recorded noted ~ < > ≤ ≥ "
        "approximately about around remains remained stable high low elevated normal slightly "
        "mildly markedly up down to fell rose dropped increased decreased improved risen fallen "
        "worsened came back as serum plasma blood sitting seated standing supine resting "
        "fasting random oral tympanic axillary left right arm mean repeat repeated arrival "
        "screening randomization lying rest then found and with had been has his her patient's "
        "taken today's ( ) initially before first again recent latest current ambulatory room "
        "air monday tuesday wednesday thursday friday saturday sunday summer winter spring fall "
        "autumn earlier under hospital ed er triage checked showed shows scored only out just "
        "one stood read reads reported went + end weekend previously formerly undetectable "
        "start cycle enrolment enrollment follow entry examination check time calculated "
        "estimated adjusted corrected performance test testing study normalized normalised rising "
        "falling climbing climbed declined dropping trending trended uptrending downtrending "
        "unchanged steady plateaued increasing decreasing peaked "
    )
    | MONTHS
    | frozenset(NUMBER_WORDS)
)
DEFINITE = word_set("last previous prior this that same past")
GOALS = word_set("goal target ideal desired normal reference ref range targets goals")
NOW = word_set("now today currently tonight present presently")
LATER = NOW | {"then", "subsequently", "later"}
PAST = word_set("previously was prior formerly baseline from last ago yesterday")
TURNS = NOW | word_set(
    "previously was prior last before yesterday then from baseline earlier versus vs compared this "
    "initially up down formerly repeat repeated subsequently later"
)
MOVED = word_set(
    "improved risen fallen fell rose dropped increased decreased declined climbed came recovered "
    "normalized normalised up down back worsened"
)
COMPARATORS = frozenset("<>≤≥")
# Told as a range that was measured; beside other names a range is that of reference.
RANGED = frozenset({"ejection_fraction", "fetal_heart_rate", "pulse", "peak_flow"})
SCORES = frozenset({"mmse_total", "adas_cog_total"})
DEFAULT_UNITS = {
    "systolic_blood_pressure": "mm[Hg]",
    "diastolic_blood_pressure": "mm[Hg]",
    "pulse": "/min",
    "respiratory_rate": "/min",
    "oxygen_saturation": "%",
    "bmi": "kg/m2",
    "mmse_total": "{score}",
    "adas_cog_total": "{score}",
    "mean_arterial_pressure": "mm[Hg]",
    "fetal_heart_rate": "/min",
    "oxygen_flow": "L/min",
    "ejection_fraction": "%",
}
_FLOWS = {"oxygen_flow", "peak_flow"}
_LUNGS = {"fev1", "fvc"}
# Short or common spellings of a unit count only beside these names.
ONLY_FOR = {
    "Cel": {"temperature"},
    "[degF]": {"temperature"},
    "m": {"height"},
    "[in_i]": {"height"},
    "[ft_i]": {"height"},
    "cm": {"height"},
    "[lb_av]": {"weight"},
    "[oz_av]": {"weight"},
    "kg": {"weight"},
    "{score}": SCORES,
    "s": set[str](),
    "pg": {"mean_corpuscular_haemoglobin"},
    "fL": {"mean_corpuscular_volume"},
    "L": _FLOWS | _LUNGS,
    "L/min": _FLOWS,
    "ms": {"qtc_interval"},
    "mm/h": {"erythrocyte_sedimentation_rate"},
}
PLAUSIBLE = {
    "temperature": ((30, 43), (86, 110)),
    "pulse": ((25, 250),),
    "respiratory_rate": ((5, 70),),
    "potassium": ((1, 10),),
    "chloride": ((50, 160),),
    "calcium": ((0.5, 20),),
    "magnesium": ((0.1, 10),),
    "sodium": ((90, 200),),
    "weight": ((20, 400),),
    "blood_ph": ((6.5, 8.0),),
    "oxygen_saturation": ((30, 100),),
    "oxygen_flow": ((0.1, 80),),
    "ejection_fraction": ((5, 90),),
    "mean_arterial_pressure": ((20, 200),),
    "fetal_heart_rate": ((40, 240),),
    "peak_flow": ((30, 1000),),
    "qtc_interval": ((0.2, 0.8), (200, 800)),
    "anion_gap": ((0, 60),),
}
# Names whose number must be plausible, however they are written.
CHECKED = frozenset({
    "blood_ph", "oxygen_saturation", "oxygen_flow", "ejection_fraction",
    "mean_arterial_pressure", "fetal_heart_rate", "qtc_interval", "anion_gap",
})  # fmt: skip
FLOW_UNITS = word_set("l lpm liter liters")
TELLING: dict[str, tuple[tuple[str, ...], ...]] = {
    "pulse": (("bpm",), ("beats", "/", "min"), ("beats", "per", "minute")),
    "respiratory_rate": (("breaths", "/", "min"), ("breaths", "per", "minute")),
    "temperature": (("°", "c"), ("°", "f"), ("deg", "c"), ("deg", "f"), ("degrees",)),
    "oxygen_saturation": (
        ("%", "on", "room", "air"),
        ("%", "on", "ra"),
        ("%", "ra"),
        ("%", "room", "air"),
        ("%", "saturation"),
    ),
}
VITALS = frozenset(
    {
        "systolic_blood_pressure",
        "diastolic_blood_pressure",
        "pulse",
        "temperature",
        "respiratory_rate",
        "weight",
        "height",
        "bmi",
        "oxygen_saturation",
        "mmse_total",
        "adas_cog_total",
        "oxygen_flow",
        "inspired_oxygen",
        "ejection_fraction",
        "qtc_interval",
        "mean_arterial_pressure",
        "fetal_heart_rate",
        "fev1",
        "fvc",
        "fev1_percent_predicted",
        "fvc_percent_predicted",
        "peak_flow",
    }
)


@dataclass(frozen=True, slots=True)
class Name:
    """What a spelling of a measurement's name stands for."""

    type: str
    name: str


@cache
def names() -> Lexicon:
    """Return the lexicon of names of measurements."""
    lexicon = Lexicon()
    for head, spellings in keyed(read_lines("measurements.txt")):
        kind, name = head.split(" ")
        for spelling in spellings:
            lexicon.add(spelling, Name(kind, name))
    return lexicon


@cache
def units() -> Lexicon:
    """Return the lexicon of units as written; the payload is the UCUM code."""
    lexicon = Lexicon()
    for code, spellings in keyed(read_lines("units.txt")):
        for spelling in spellings:
            lexicon.add(spelling, code)
    return lexicon
