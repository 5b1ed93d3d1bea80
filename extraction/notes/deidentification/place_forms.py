"""How places are written: one pattern a form, each bounded."""

from __future__ import annotations

import re

from .listed import entries
from .place_words import UPPER, ZIP

_STATES = entries("states")
_LETTERS = {state for state in _STATES if len(state) == 2}
_STATE = "(?:" + "|".join(_STATES) + r")(?![A-Za-z])"
ANY_STATE = f"(?:{_STATE}|(?i:{'|'.join(s for s in _STATES if s not in _LETTERS)}))"
_CAP = rf"[{UPPER}][^\W\d_]*(?:['’\-][^\W\d_]+)*\.?"
_TOWN_WORD = rf"(?:[dlDL]['’])?[{UPPER}][^\W\d_]+(?:['’][^\W\d_]+)*(?!\w)"
TOWN = (
    rf"(?:(?:St|Ste|Mt|Ft|Pt|Sta)\. )?{_TOWN_WORD}(?:[ \-](?:(?:of|on|the|upon|or|de|del|la|le|"
    r"les|by|sur|"
    rf"am|an|der|y|du|las|los)[ \-]){{0,2}}{_TOWN_WORD}){{0,3}}"
)
SUFFIX = (
    r"(?:street|avenue|boulevard|road|drive|lane|court|circle|place|terrace|highway|parkway|square|"
    r"trail|turnpike|expressway|crescent|alley|plaza|close|mews|grove|ridge|crossing|loop|"
    r"st|ave|av|blvd|rd|dr|ln|ct|cir|pl|ter|terr|hwy|pkwy|sq|trl|way|row|run|path|walk|pike|cres)"
)
_CLEAR_SUFFIX = (
    r"(?:street|avenue|boulevard|road|lane|terrace|highway|parkway|turnpike|"
    r"ave|blvd|rd|ln|hwy|pkwy)"
)
_UNIT = r"(?:apartment|apt|suite|ste|unit|floor|fl|bldg|building|room|rm|lot|flat|no|#)"
STREET = re.compile(
    r"(?<![\w/.\-])\d{1,6}(?:-\d{1,4})?[A-Za-z]?(?: ?½| 1/2)?,? "
    r"(?:(?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\.? )?"
    rf"(?:(?:{_CAP}|\d{{1,3}}(?:st|nd|rd|th)|of|the|de|la|del|[a-z]{{2,12}}(?= (?:{SUFFIX})\b)) "
    rf"){{1,4}}"
    rf"(?i:{SUFFIX})\b\.?(?: (?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?"
    rf"(?:,?\s{{1,2}}(?i:{_UNIT})\.? ?#? ?[A-Za-z]?\d{{0,5}}[A-Za-z]?\b)?(?:,? "
    rf"#\d{{1,5}}[A-Za-z]?)?"
)
ROUTE = re.compile(
    r"(?<!\w)\d{1,6} (?:(?:N|S|E|W)\.? )?(?i:(?:state |county |us |rural )?(?:route|rt|rte|"
    r"highway|hwy|"
    r"county road|fm)) \d{1,4}(?!\w)"
)
NAMED_STREET = re.compile(
    rf"(?:(?<=on )|(?<=at )|(?<=near )|(?<=off )|(?<=of )|(?<=: ))(?:{_CAP} "
    rf"){{1,3}}(?i:{_CLEAR_SUFFIX})\b\.?"
)
FOREIGN_STREET = re.compile(
    r"(?<!\w)(?:(?:\d{1,4}[A-Za-z]?,? )?(?i:rue|via|calle|avenida|av|rua|plaza|piazza|strada|str|"
    r"ulica|ul|bd|"
    r"boulevard|place|chemin|paseo|camino|viale|bulevardul)\.? (?:(?:de|la|las|los|del|du|des|"
    r"della|do|da|"
    rf"san|dos|das|di|[A-Z]\.) ?){{0,3}}{_CAP}(?: {_CAP}){{0,2}}(?:,? (?:n[ro]\.? ?|"
    rf"n°)?\d{{1,4}}[A-Za-z]?)?"
    r"|[A-ZÄÖÜ][a-zäöüß]{2,20}(?:straße|strasse|str\.|weg|platz|gasse|gatan|gade|veien|straat|laan|"
    r"gracht|utca|katu) \d{1,4}[a-z]?)(?!\w)"
)
BOX = re.compile(
    r"(?<!\w)(?:(?:rural route|star route|rr|hc) ?#? ?\d{1,4},? box ?#? ?\d{1,6}|"
    r"(?:rural route|star route) ?#? ?\d{1,4}|(?:p\.? ?o\.? ?box|post office box|rr|hc|box)"
    r" ?#? ?\d{1,6})(?!\w)",
    re.IGNORECASE,
)
UNIT_ALONE = re.compile(
    r"(?<!\w)(?:apartment|apt|suite|ste|flat)\.? ?(?: ?#? ?\d{1,5}[A-Za-z]?|[ "
    r"#]{1,2}(?-i:[A-Z])\d{0,4})(?!\w)",
    re.IGNORECASE,
)
CITY_STATE = re.compile(
    rf"(?<![\w.])(?P<city>{TOWN}),? "
    rf"(?P<state>{_STATE})(?:,? (?P<zip>{ZIP}))?"
)
SITE_FIELD = re.compile(
    r"(?<!\w)(?i:facility|hospital|clinic|nursing home|snf|pharmacy|school|rehab|"
    r""
    r"assisted living|hospice|dialysis (?:unit|center)|place of (?:service|employment)|church|"
    r"practice)"
    rf"(?i: name)?[ ]?[:=] {{0,4}}(?P<city>{_CAP}(?:[ \-](?:{_CAP}|of|the|and|&)){{0,5}})"
)
IN = re.compile(
    rf"(?<=[a-z,] )(?:in|from|near|outside) (?![{UPPER}]{{2}})(?P<city>{TOWN})"
    r"(?=[.,;)\n]| (?:and|for|with|since|when|where|on|after|last|this|to|before|but|because|"
    r"who)\b|$)"
)
AFTER_STREET = re.compile(
    rf"(?:,|\n|,\n|\.) ?(?:\d{{1,2}}º,? ?)?(?:(?P<zip>\d{{4,6}}|[A-Z]{{1,2}}-\d{{4,5}}) "
    rf")?(?P<city>{TOWN})"
)
SMALL_STREET = re.compile(
    r"(?<![\w/.\-])\d{1,6} (?:(?:north|south|east|west|n|s|e|w)\.? )?(?:[a-z]{2,15}|\d{1,3}(?:st|"
    r"nd|rd|th))"
    r"(?: [a-z]{2,15})? (?:street|avenue|road|boulevard|lane|drive|court|ave|blvd|rd)\b\.?",
    re.IGNORECASE,
)
ANY_CASE_CITY_STATE_ZIP = re.compile(
    rf"(?<![\w.])(?P<city>(?:(?<=, )|(?<=\n)|(?<=: )|(?<=\A))[A-Za-z][A-Za-z'\-]{{2,20}}(?: "
    rf"[A-Za-z][A-Za-z'\-]{{2,20}}){{0,2}}),? "
    rf"(?P<state>(?i:{_STATE})),? (?P<zip>{ZIP})"
)
ZIP_ALONE = re.compile(
    rf"(?:(?i:zip(?: ?code)?|postal code|postcode)[ :#=]{{0,3}}(?:is |of )?|{ANY_STATE},? "
    rf")(?P<zip>{ZIP})"
)
LONGEST_BEFORE_ZIP = max(map(len, ("postal code   of ", *(f"{s}, " for s in _STATES))))
POSTCODE = re.compile(
    r"(?<![\w\-])(?!T\d)(?:[A-PR-UWYZ][A-Z]?\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}|"
    r"[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d)(?![\w\-])"
)
FOREIGN_ZIP = re.compile(rf"(?<![\w\-])(?:[A-Z]{{1,2}}-)?\d{{4,6}} (?={_CAP}(?:,|$|\n| \(|\.))")
LIVES = re.compile(
    r"\b(?i:(?:lives?|living|lived|resid(?:es|ing|ed|ents?)|stay(?:s|ed|ing)|hous(?:e|ed|ing)|"
    r"hometown|"
    r"grew up|born|raised|moved|relocat(?:ed|ing)|mov(?:ing|es)|travel(?:s|ed|led|ing|ling)?|"
    r"trip|drives?|drove|"
    r"driving|flew|flies|flying|returned|visit(?:s|ed|ing)?|vacation(?:ed|ing)?|comes|coming|"
    r"transferred|"
    r"native|commut(?:es|ing|ed)|settled|based|farm|home|family|relatives|located)"
    r"(?: (?:back|over|up|down|out|alone|together|currently|here|there|time|recently))?"
    r" (?:in|to|from|near|of|outside|at|outside of|with (?:his|her|their) \w{2,10} in))"
    r" (?:(?i:downtown|rural|the city of|the town of|suburban|nearby|north|south|east|west) "
    rf")?(?P<city>{TOWN})"
)
FROM = re.compile(
    r"\b(?:pt|patient|people|person|man|woman|male|female|family|originally) from "
    rf"(?P<city>{TOWN})"
)
CITY_FIELD = re.compile(
    r"\b(?i:city|town|hometown|birthplace|place of birth|county|municipality|village|"
    r"residence)(?i: of (?:birth|residence|origin))?[ ]?[:=] ?(?P<city>[A-Za-zÀ-ɏ][^\n,;:|"
    r"\d]{1,40})"
)
TOWN_OF = re.compile(
    rf"\b(?i:city|town|village|township|parish|county|borough|municipality) of (?P<city>{TOWN})"
)
COUNTY = re.compile(
    rf"(?<!\w)(?P<city>{_CAP}(?:[ \-]{_CAP}){{0,2}} (?:County|Township|Parish|Borough|"
    r"COUNTY))(?!\w)"
)
FACILITY = re.compile(
    rf"(?<!\w)(?:{_CAP}(?: (?:of|the|and|&|de|la))? ){{0,4}}{_CAP} "
    r"(?:(?:Regional|General|Memorial|Community|Medical|Health|University|Veterans|Children's|"
    r"Family|"
    r"Cancer|Heart|Surgical|Urgent|Care|Rehabilitation|Rehab|Nursing|Specialty|Women's|Eye|"
    r"Orthopedic|"
    r"Primary|Internal|Physical|Behavioral|Mental|Pediatric) ){0,3}"
    r"(?:Hospital|Hospitals|Hosp|Medical Center|Medical Centre|Medical Ctr|Med Ctr|Clinic|"
    r"Clinics|Infirmary|"
    r"Health Center|Health System|Healthcare|Health|Center|Centre|Nursing Home|Hospice|"
    r"Sanatorium|Family Practice|Practice|Urgent Care|Walk-In|Labs|Laboratories|Diagnostics|"
    r"Dialysis|Home Care|Group|Surgicenter|"
    r"Orthopedics|Cardiology|Oncology|Pediatrics|Dermatology|Urology|Imaging|Radiology|Pharmacy|"
    r"Medical Group|Associates|Physicians|Institute|Manor|Assisted Living|Rehabilitation|Rehab|"
    r"HOSPITAL|CLINIC|MEDICAL CENTER|University|College|School|Elementary|High School|Academy|"
    r"Church)(?![A-Za-z])"
)
SAINT = re.compile(
    rf"(?<!\w)(?:St\.?|Saint|Mount|Mt\.?|Our Lady of|Holy|Mercy|Sacred) {_CAP}(?:'s)?(?: "
    r"(?:Hospital|Medical Center|Clinic))?(?= (?:Hospital|hospital|clinic|for|on|in|ED|ER|"
    r"emergency)|[.,;\n])"
)
COORDINATES = re.compile(
    r"(?<![\d.])-?\d{1,3}\.\d{3,8}°? ?[NSns]?, ?-?\d{1,3}\.\d{3,8}(?:°? ?[EWew](?![A-Za-z]))?"
)
