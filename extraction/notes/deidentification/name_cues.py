"""What stands beside a name: titles, fields, kin, verbs, credentials, signatures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .place_words import UPPER
from .sought import At, Sought


@dataclass(frozen=True)
class Cue:
    """Words that a name follows at once.

    Parameters
    ----------
    sought
        Ends where the name begins.
    small
        Whether the name may be in small letters: `any`, `listed` if lists know it, empty for no.
    unknown
        Whether the first word is taken though it is also a clinical word.
    known
        Whether the name must begin with a word that lists hold.
    several
        Whether more names may follow, joined by `and` or commas.
    """

    sought: Sought
    small: Literal["", "any", "listed"] = ""
    unknown: bool = False
    several: bool = False
    known: bool = False


_TITLE = (
    r"(?:dr|doctor|mr|mrs|ms|mx|miss|mister|missus|prof|professor|sir|madam|rev|reverend|fr|"
    r"pastor|rabbi|"
    r"imam|capt|captain|sgt|sergeant|lt|col|maj|judge|hon|señora|señor|sra|dra|herr|frau|mme|"
    r"monsieur|"
    r"madame|nurse practitioner|nurse|uncle|aunt|auntie|grandma|grandpa|granny|chaplain|officer|"
    r"detective|deputy|coach|father|sister|brother)"
)
_MEN = r"(?:dr|doctor|mr|mrs|ms|mx|miss|mister|prof|professor)"
_FIELD = (
    r"(?:patient(?:'s)?(?: (?:full|legal|preferred))?(?: name)?|pt(?: name)?|name(?: of "
    r"(?:patient|provider|physician|"
    r"insured|contact|spouse|guardian))?|(?:full|legal|preferred|first|last|middle|given|family|"
    r"maiden|birth|"
    r"previous|former|alias|nick)[ \-]?name|surname|aka|a\.k\.a\.?|née|nee|alias|resident(?: "
    r"physician)?|"
    r"(?:attending|referring|primary(?: care)?|ordering|consulting|treating|performing|admitting|"
    r"discharging|"
    r"supervising|responsible|collaborating|assisting|on-?call|family|interpreting|requesting|"
    r"authorizing|"
    r"rendering|covering|primary care)[ /]?(?:md|physician|provider|doctor|surgeon|clinician|"
    r"practitioner|np|nurse|"
    r"radiologist|resident|therapist)?|pcp|provider|physician|surgeon|assistant surgeon|"
    r"assistants?|"
    r"anesthesiologist|anesthetist|"
    r"radiologist|pathologist|cardiologist|neurologist|oncologist|psychiatrist|dermatologist|"
    r"endocrinologist|nephrologist|urologist|pulmonologist|gastroenterologist|rheumatologist|"
    r"pediatrician|dentist|pharmacist|therapist|counselor|psychologist|optometrist|podiatrist|"
    r"dietitian|nurse|rn|scribe|interpreter|translator|technician|tech|technologist|case manager|"
    r"social worker|care coordinator|care manager|coordinator|caregiver|care giver|care partner|"
    r"carer|guardian|spouse|"
    r"next of kin|nok|kin|"
    r"emergency contact|contact(?: person)?|proxy|health care proxy|healthcare proxy|hcp|poa|"
    r"dpoa|hcpoa|power of attorney|"
    r"responsible party|guarantor(?: name)?|subscriber(?: name)?|policy ?holder|insured(?: "
    r"name)?|witness|informant|historian|"
    r"dictated by|dictating|transcribed by|transcriptionist|typed by|entered by|"
    r"(?:electronically |e-?)?signed(?: off)?(?: electronically)?(?: by)?|"
    r"signature|co-?signed(?: by)?|cosigner|authenticated by|verified by|reviewed by|prepared by|"
    r"written by|documented by|recorded by|read by|interpreted by|performed by|ordered by|"
    r"referred by|requested by|completed by|approved by|administered by|obtained by|collected by|"
    r"author|attn|attention|cc|to|from|re|regarding|employer|contact name|landlord|neighbor|"
    r"principal investigator|investigator|pi|sub-?investigator|study nurse|study coordinator|"
    r"clinician|"
    r"consultant|(?:given|consented|seen|staffed) (?:to|by|with)|d/w|dictator|collateral|source|"
    r"companion|escort|relative|lawyer|attorney|"
    r"lead|team|staff|member|donor|recipient|household)"
)
_FAMILY = (
    r"(?:wife|husband|spouse|partner|fianc[eé]e?|girlfriend|boyfriend|mother|father|mom|mum|dad|"
    r"mama|papa|"
    r"son|daughter|brother|sister|sibling|twin|uncle|aunt|cousin|nephew|niece|grandmother|"
    r"grandfather|"
    r"grandma|grandpa|grandson|granddaughter|grandchild|granddaughters|grandsons|stepson|"
    r"stepdaughter|stepmother|stepfather|"
    r"son-in-law|daughter-in-law|mother-in-law|father-in-law|brother-in-law|sister-in-law|"
    r"neighbou?r|friend|roommate|caregiver|carer|caretaker|aide|guardian|boss|coworker|co-worker|"
    r"colleague|"
    r"supervisor|employer|landlord|lawyer|attorney|teacher|coach|pastor|priest|rabbi|sons|"
    r"daughters|brothers|"
    r"sisters|children|kids|parents|ex-wife|ex-husband|widow|widower)"
)
_ROLE = (
    r"(?:child|baby|infant|newborn|patient|"
    r"pt|nurse|physician|doctor|surgeon|cardiologist|neurologist|oncologist|pcp|provider|therapist|"
    r"interpreter|resident|fellow|student|attending|intern|pharmacist|psychiatrist|dentist|"
    r"gentleman|lady)"
)
_KIN = f"(?:{_FAMILY}|{_ROLE})"
_VERB = (
    r"(?:seen|evaluated|examined|followed|managed|treated|assessed|referred|accompanied|escorted|"
    r"brought in|"
    r"brought|driven|raised|assisted|attended|supervised|staffed|dictated|transcribed|typed|signed|"
    r"reviewed|performed|operated on|ordered|prescribed|interpreted|read|written|prepared|authored|"
    r"approved|consulted|interviewed|helped|cared for|called|recommended|started|placed|"
    r"discontinued|"
    r"requested|reported|given|provided|confirmed|translated|witnessed|verified|done|obtained|"
    r"completed|"
    r"recorded|taken|explained|entered|collected|administered|attested|cosigned|co-signed|joined|"
    r"visited|contacted)"
)
_WITH = (
    r"(?:discuss(?:ed|ion)?(?: (?:this|the|it|case|plan|results|findings|and|in detail|at length|"
    r"by phone|today|her|his|care|options)){0,4}|"
    r"spoke|speak|spoken|talked|talk|met|meet(?:ing)?|lives?|living|consult(?:ed|ation)?|"
    r"follow(?:s|ed)?[ \-]?up|appointment|"
    r"appt|visit|conversation|reviewed|scheduled|conferred|call|f/u|agreed|here|present|"
    r"interview(?:ed)?|"
    r"established|session|therapy|works?|working|married|surgery|d/w|comes|came|arrived|along|in "
    r"touch|touched base|confirmed|coordinat(?:e|ed|ing)|checked|checking|arranged|seen|shared|"
    r"stays?|staying)"
)
_START = r"(?:(?<=\n)|(?<=\A))"
_NAME_NEXT = rf"(?=[{UPPER}])"
_ANY_NEXT = r"(?=[^\W\d_])"


def _fold(pattern: str, after: str = _NAME_NEXT, at: At = "words", needs: str = "") -> Sought:
    return Sought(re.compile(f"(?i:{pattern}){after}"), at, needs=needs)


_FILL = (
    r"(?: (?:named|called|is|was|name is|name was|also named))?"
    r"[ ,:(\-–]{1,3}(?:(?:dr|mr|mrs|ms)\.? )?"
)
BEFORE: tuple[Cue, ...] = (
    Cue(
        Sought(
            re.compile(
                rf"(?<![\w])(?<!\d )(?!MR |MS )(?i:{_MEN})s?(?:\.[ \t]{{1,2}}|[ \t])(?=[^\W\d_])"
            ),
            "words",
        ),
        "any",
        True,
        True,
    ),
    Cue(_fold(rf"(?<![\w]){_TITLE}s?[ \t]{{1,2}}"), "", False, True),
    Cue(_fold(rf"(?<![\w])(?:{_TITLE}|pt|patient|{_KIN})[ ,]{{1,2}}", _ANY_NEXT), "listed"),
    Cue(_fold(rf"(?<![\w]){_TITLE}s?\. ?"), "", True, True),
    Cue(_fold(r"\b(?:mr|dr)\.? (?:and|&|/) (?:mrs|ms|dr)\.? "), "", True, True),
    Cue(
        Sought(
            re.compile(
                rf"(?:^|\n|[|;\t•*]|[.,)] |  |"
                rf"- )[ \t•*\-#]{{0,6}}(?i:{_FIELD})(?:\(s\))?[ \t]{{0,3}}"
                rf"(?:\((?i:[a-z ,/]{{1,30}})\) ?)?[:=|][ \t*]{{0,12}}(?:(?i:dr|mr|mrs|ms|"
                rf"miss|prof|"
                rf"/s/)\.?[ ]{{1,2}})?{_ANY_NEXT}"
            ),
            "words",
            before=8,
            opening=rf"\b{_FIELD}\b",
        ),
        "any",
        True,
        True,
    ),
    Cue(
        Sought(
            re.compile(
                rf"(?<!\w)(?i:{_FIELD})[ \t]{{0,2}}"
                rf"(?:(?i:name) ?)?[:=][ \t*]{{0,6}}(?:(?i:dr|mr|mrs|"
                rf"ms|miss|prof)\.? )?{_NAME_NEXT}"
            ),
            "words",
        ),
        "",
        True,
        True,
    ),
    Cue(_fold(rf"(?<!\w){_KIN}[ \t]{{0,2}}[:=][ \t]{{0,6}}")),
    Cue(_fold(r"(?<!\w)(?:/s/|s/)[ ]{1,2}(?:dr\.? )?", _ANY_NEXT, "anywhere", "s/"), "any", True),
    Cue(
        _fold(
            r"\b(?:dear|hi|hello|hey|attn|attention|cc|bcc|c/o|care of|thanks|thank you)[,:]?[ "
            r"](?:(?:dr|mr|mrs|ms)\.? )?"
        ),
        "",
        True,
        True,
    ),
    Cue(
        _fold(
            r"\b(?:sincerely|regards|respectfully|cordially|yours truly|best|thanks|thank you|"
            r"truly yours|yours|signed)(?: yours)?[,.]?[ ]?\n{1,3}[ \t]{0,8}(?:dr\.? )?",
            _ANY_NEXT,
        ),
        "any",
        True,
    ),
    Cue(_fold(rf"\b{_KIN}(?:'s)?{_FILL}"), "", False, True),
    Cue(
        _fold(rf"\b{_KIN}(?:'s)? (?:named|called|(?:whose |'s )?name (?:is|was)) ", _ANY_NEXT),
        "any",
        True,
        True,
    ),
    Cue(
        _fold(
            rf"\b{_VERB} (?:by|per) (?:(?:the|her|his|our|their|my|primary|attending|resident|"
            rf"nurse) ){{0,2}}(?:(?:dr|mr|mrs|ms)\.? )?"
        ),
        "",
        False,
        True,
    ),
    Cue(_fold(rf"\b{_WITH} (?:with|by|and) (?:(?:dr|mr|mrs|ms)\.? )?"), "", False, True),
    Cue(
        _fold(
            r"\b(?:per|via|named|called|name is|name was|known as|goes by|nicknamed|i am|i'm|"
            r"this is|aka|a\.k\.a\.|née|nee|formerly|on behalf of|in care of|signed|told|asked|"
            r"notified|informed|contacted|paged|texted|emailed|phoned|thank|thanks to|referring|"
            r"introduce|meet|regarding|see|saw|sees) (?:(?:dr|mr|mrs|ms)\.? )?"
        ),
        "",
        False,
        True,
    ),
    Cue(_fold(r"\b(?:by|with|for|from|and) (?:(?:dr|mr|mrs|ms)\.? )?"), known=True),
    Cue(_fold(r"(?<=\bI, )", at="anywhere", needs="i, "), "", True),
    Cue(
        _fold(
            r"\b(?:works?|worked|working|employed|employee|employment|job|retired)(?: \w{2,12})? "
            r"(?:at|for|by|with|from) (?:the )?"
        ),
        "",
    ),
)
_CREDENTIAL = (
    r"(?:M\.?D\.?|D\.?O\.?|R\.?N\.?|N\.?P\.?|P\.?A\.?(?:-C)?|Ph\.?D\.?|DDS|DMD|DPM|Pharm\.?D\.?|"
    r"LPN|LVN|CNA|FNP(?:-C|-BC)?|"
    r"APRN|CRNA|MSW|LCSW|LICSW|MPH|MBA|FACS|FACP|FACC|MBBS|MBChB|BSN|MSN|DNP|PsyD|DPT|OTR(?:/L)?|"
    r"OT|PT|RD|CNM|ARNP|"
    r"AGNP|CCRN|RPh|RRT|CMA|EMT|MSc|FRCP|FRCS|SLP|AuD|OD|DC|Esq|Jr|Sr|III|IV)"
)
AFTER = re.compile(
    rf",? (?=(?:{_CREDENTIAL})(?![A-Za-z\d]))|(?=, (?i:(?:his|her|their|my|pt's|patient's|the "
    rf"patient's) (?:\w{{2,8}} )?{_FAMILY})\b)|(?= \((?i:(?:his|her|their|pt's|patient's) "
    rf")?(?i:{_FAMILY})\b)|(?=, (?i:attending|resident physician|medical student|scribe|"
    r"interpreter|nurse practitioner|physician assistant|registered nurse)\b)"
)
# Beside a name that is found: initials, and what follows a particle.
INITIALS_BEFORE = re.compile(r"(?<![\w.'’])(?:(?:[A-Z]\.[ ]?){1,3}|[B-HJ-Z] |[A-Z] [A-Z] )$")
TAIL = re.compile(
    r"(?:,? (?:[A-Z]\.){1,3}(?! [A-Z][a-z])|,? [B-HJ-Z](?![\w'’/.:%\-])(?! ?[=+\d])"
    r"|,? [A-Z] [A-Z](?![\w'’/.:%\-])|[ \-](?:al|el|bin|ibn|von|van|der|den|du|de|del|da|dos|y)"
    rf"[ \-](?:(?:la|las|los|der|den) )?[{UPPER}][^\W\d_]+)"
)
INITIALS_AND_NAME = re.compile(
    rf"(?<![\w.])(?:[A-Z]\. ?){{2,3}}(?P<v>[{UPPER}][^\W\d_]+(?:-[{UPPER}][^\W\d_]+)*)"
)
DOES = Sought(
    re.compile(
        r" (?:called|said|says|agrees|agreed|told|asked|phoned|lives|works|requested|asks|drove|"
        r"declined|"
        r"consented|insists|mentioned|wants|thinks|believes|hopes|smokes|drinks|explains|replied|"
        r"wishes|"
        r"understands|visited|arrived|retired|verbalized|will call|is here|was here|"
        r"is an? \d|is an? "
        r"\w{3,12} \d)\b"
    )
)
NONE = Cue(Sought(re.compile(r"(?!)")))
INITIALS: tuple[Sought, ...] = (
    Sought(
        re.compile(
            r"(?i:\b(?:patient |pt |provider |nurse |staff |physician |author "
            r")?initials?(?![a-z])(?: are| is|:| =| -)? ?(?:of )?)[\"'(]?(?P<v>(?:[A-Z]\. "
            r"?){1,3}(?:[A-Z]\.?(?![A-Za-z:]))?|(?<=ls |s: |re |ls:)[A-Z]{2,4})(?![A-Za-z])"
        ),
        "words",
        needs="initial",
    ),
    Sought(
        re.compile(
            r"(?i:\b(?:patient|pt|subject|dictated by|transcribed by|typed by|signed|signed by|by|"
            r"per|reviewed by|d/w|reported by|mr|ms|mrs|dr)\b[.:,]? ?)\(?(?P<v>(?:[A-Z]\.){2,4}|"
            r"[A-Z]\. ?[A-Z]\.)(?!\w)"
        ),
        "words",
    ),
    Sought(
        re.compile(
            r"(?i:\b(?:dictated by|transcribed by|typed by|signed by|signed|reviewed by|entered by|"
            r"d/w|initialed by|initialed|charted by|"
            r"witnessed by)[:,]? )(?P<v>[A-Z]{2,3})(?![A-Za-z])"
        ),
        "words",
    ),
    Sought(
        re.compile(
            r"(?i:\b(?:transcribed|typed|dictated|scribed?|entered|initials?)(?: by)?): "
            r"?(?P<v>[A-Za-z]{2,3})(?![A-Za-z])"
        ),
        "words",
    ),
    Sought(re.compile(r"(?:(?<=\n)|(?<=\A))(?P<v>[A-Z]{2,3}[/:][A-Za-z]{2,3})(?=\s|$)")),
    Sought(re.compile(r"(?<=[\s(])(?P<v>[A-Z]{2,3}[/:][a-z]{2,3})(?=\s*(?:\n|$))")),
    Sought(
        re.compile(
            r"(?<![\w.])(?P<v>(?:[A-Z]\.){2,3})(?= (?:is|was|has|had|reports|denies|states|"
            r"presents|"
            r"returns|complains|called|tolerated)\b)"
        )
    ),
    Sought(
        re.compile(
            r"(?i:\b(?:patient|pt|subject),? )\(?(?P<v>[A-Z]{2,3})(?=\)?,? (?:is|was|has|reports|"
            r"denies|states|presents|returns|a \d|tolerated|called)\b)"
        ),
        "words",
    ),
)
EPONYM_NOUN = re.compile(
    r"(?:['’]s?)?[ \-](?:(?:[A-Z][a-z]+|and|or|spotted|body|bodies|type|spinal|cell|non)[ "
    r"\-]){0,2}?(?i:disease|syndrome|sign|signs|test|testing|tests|maneuver|manoeuvre|catheter|"
    r"scale|score|criteria|classification|index|tube|drain|lymphoma|palsy|phenomenon|thyroiditis|"
    r"fracture|"
    r"contracture|esophagus|tumou?r|sarcoma|lobectomy|procedure|operation|repair|"
    r"reflex(?:es)?|response|"
    r"nodes?|"
    r"nodules?|bodies|body|cyst|dementia|chorea|stain|monitor|ulcer|disorder|anomaly|malformation|"
    r"tendon|tendonitis|tendinitis|rupture|grade|stage|virus|infection|neuroma|hernia|law|angle|"
    r"line|"
    r"triangle|point|pouch|membrane|clamp|retractor|forceps|needle|stent|valve|shunt|flap|incision|"
    r"position|lesion|arthropathy|ataxia|cells?|gland|duct|canal|boot|block|cast|splint|diet|"
    r"method|"
    r"protocol|equation|formula|coma|questionnaire|inventory|assessment|scan|ring|foramen|ligament|"
    r"muscle|pain|encephalopathy|nephritis|purpura|anemia|granulomatosis|cardiomyopathy|pneumonia|"
    r"deformity|osteotomy|prosthesis|gait|facies|spots?|papules?|respirations?|breathing|curve|"
    r"survival|"
    r"regression|hazards|model|correction|interval|dystrophy|neuropathy|hemangioma|retinopathy|"
    r"heart|macula|melanoma|protein)\b"
)
