"""The spaCy components; between them a draft travels in `doc.user_data`, facts after them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from .adverse import drop_causes, grade, type_adverse_events
from .allergies import add_allergies
from .assertion.cues import CueList, cue_list
from .care import add_care_events
from .careful import TEXT
from .codes.code import codes_of
from .codes.finder import Finder, finder_of
from .demographics import add_demographics
from .draft import Draft
from .drug_details import add_details
from .entities import add_terms, find_terms, part
from .events import describe_events
from .facts import Fact, FactType
from .genomics import add_genomic_findings
from .given import add_given
from .habits import add_habit_facts
from .imaging import add_imaging_findings
from .measurements import add_measurements
from .medications import link_attributes
from .ranges import add_ranges
from .results import add_results
from .scales import add_scores
from .sections import mark_sections
from .stages import add_stages
from .tokens import tokenize
from .trends import add_trends

DRAFT = "trialtwin_draft"
FACTS = "trialtwin_facts"
GIVEN = "trialtwin_given"
SPANS = "facts"


def draft_of(doc: Doc) -> Draft:
    """Return the draft of a document; the first component of the pipeline makes it."""
    draft = doc.user_data.get(DRAFT)
    if draft is None:
        text = doc.user_data.pop(TEXT, None)
        draft = Draft(tokenize(doc.text if text is None else text))
        mark_sections(draft)
        doc.user_data[DRAFT] = draft
    return draft


@Language.component("trialtwin_sections")
def sections(doc: Doc) -> Doc:
    """Find sentences and sections."""
    draft_of(doc)
    return doc


@Language.factory("trialtwin_entities", default_config={"vocabularies": []})
def create_entities(nlp: Language, name: str, vocabularies: list[list[str]]) -> EntitiesComponent:
    """Return the component; `vocabularies` are folders of users' own with their default type."""
    return EntitiesComponent([finder_of(Path(folder), type_) for folder, type_ in vocabularies])


class EntitiesComponent:
    """Finds every type of fact, and links the attributes of drugs.

    Parameters
    ----------
    finders
        Of the terms of users' own vocabularies.
    """

    def __init__(self, finders: Sequence[Finder] = ()) -> None:
        self.finders = tuple(finders)

    def __call__(self, doc: Doc) -> Doc:
        """Fill one document's draft."""
        draft = draft_of(doc)
        add_given(draft, doc.user_data.pop(GIVEN, ()))
        terms, special = part(find_terms(draft, self.finders))
        add_demographics(draft)
        add_genomic_findings(draft, special)
        add_scores(draft, special)
        add_imaging_findings(draft)
        add_habit_facts(draft, special)
        add_care_events(draft, special)
        add_measurements(draft, terms)
        add_results(draft)
        add_terms(draft, terms)
        add_stages(draft)
        add_trends(draft)
        link_attributes(draft)
        add_allergies(draft)
        add_details(draft)
        add_ranges(draft)
        return doc


@Language.component("trialtwin_adverse_events")
def adverse_events(doc: Doc) -> Doc:
    """Tell adverse events from other problems, and what is told of them."""
    draft = draft_of(doc)
    drop_causes(draft)
    type_adverse_events(draft)
    grade(draft)
    describe_events(draft)
    return doc


@Language.factory("trialtwin_facts", default_config={"spans": True})
def create_facts(nlp: Language, name: str, spans: bool) -> FactsComponent:
    """Return the last component; `spans` also fills the span group `facts`."""
    return FactsComponent(spans)


class FactsComponent:
    """Turns the draft into plain values, which travel between processes with the document.

    Parameters
    ----------
    spans
        Whether the span group `facts` is filled too, labelled by type.
    """

    def __init__(self, spans: bool = True) -> None:
        self.spans = spans

    def __call__(self, doc: Doc) -> Doc:
        """Finish one document."""
        facts = draft_of(doc).facts()
        doc.user_data.pop(DRAFT, None)
        doc.user_data[FACTS] = facts
        if self.spans:
            doc.spans[SPANS] = list(_spans(doc, facts))
        return doc


class AssertionComponent:
    """Asks one concept (negation, ...) about every mention of a draft.

    Parameters
    ----------
    concept
        Name of the concept, which is the folder of its cue list.
    assess
        Its logic: marks the mentions of a draft by the cues it is given.
    path
        A cue list to use in place of the own one.
    """

    def __init__(
        self, concept: str, assess: Callable[[Draft, CueList], None], path: str | None = None
    ) -> None:
        self.assess = assess
        self.cues = cue_list(concept) if path is None else read_cues(Path(path))

    def __call__(self, doc: Doc) -> Doc:
        """Mark one document's mentions."""
        draft = draft_of(doc)
        if draft.mentions:
            self.assess(draft, self.cues)
        return doc


def with_spans(nlp: Language, text: str, spans: Iterable[tuple[int, int, FactType]]) -> Doc:
    """Return a document whose facts at these places and of these types are already known.

    The pipeline then adds only what does not overlap them, and judges them like its own.

    Parameters
    ----------
    spans
        First character, one past the last, and type of each; they must not overlap.
    """
    doc = nlp.make_doc(text)
    doc.user_data[GIVEN] = [tuple(span) for span in spans]
    return nlp(doc)


def read_cues(path: Path) -> CueList:
    """Read a user's cue list; the form is that of the package's `terms.txt`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return CueList.parse(s.strip() for s in lines if s.strip() and not s.startswith("#"))


def facts_of(doc: Doc) -> tuple[Fact, ...]:
    """Return the facts of a document, in the order of the text; empty before the pipeline ran."""
    said = doc.user_data.get(FACTS, ())
    if not isinstance(said, tuple):  # in another process every tuple became a list
        said = map(_tuples, said)
    return tuple(map(_fact, said))


def _fact(said: dict[str, Any]) -> Fact:
    codes = said.get("codes")
    return Fact.of(said if codes is None else {**said, "codes": codes_of(codes)})


def _tuples(said: dict[str, Any]) -> dict[str, Any]:
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}
    if "codes" in plain:
        plain["codes"] = tuple(map(tuple, plain["codes"]))
    return plain


def _spans(doc: Doc, facts: Collection[dict[str, Any]]) -> Iterable[Span]:
    known = doc.vocab.strings  # a number in place of each label saves half the time of a span
    labels = {type_: known.add(type_) for type_ in {fact["type"] for fact in facts}}
    for fact in facts:
        label = labels[fact["type"]]
        span = doc.char_span(fact["start"], fact["stop"], label=label, alignment_mode="expand")
        if span is not None:
            yield span


if not Doc.has_extension("facts"):
    Doc.set_extension("facts", getter=facts_of)
