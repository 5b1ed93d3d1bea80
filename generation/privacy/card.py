"""The card of a private model: nothing in it may tell more than was paid for."""

from __future__ import annotations

from typing import Any

from extraction.records import Cohort
from generation.engine import Model, ModelCard
from generation.privacy.ledger import PrivacyLedger

WITHHELD = "withheld: a digest would confirm a guess of the private data"

TERMS = (
    "unit: one patient added or removed, with all rows; public: the schema (one guessed from the "
    "patients is not), the planned length of follow-up, the arms with patients, and the number "
    "of patients"
)
_SEEDED = (
    "not differentially private: the noise was drawn from a fixed noise_seed, and whoever knows or "
    "guesses it can take the noise off; fit without noise_seed before anything is released"
)


def private_card(
    cohort: Cohort,
    engine: type[Model],
    seed: int,
    options: dict[str, Any],
    packages: tuple[str, ...],
    ledger: PrivacyLedger,
    warning: str | None,
) -> ModelCard:
    """Card without the exact counts, digest and scores of the training patients."""
    card = ModelCard.describe(
        cohort, engine.engine, engine.engine_version, seed, options, packages
    )
    privacy = {"ledger": ledger.to_dict(), "terms": TERMS, "warning": warning}
    arms = card.arms or cohort.schema.arms  # of an absent arm nothing was learnt
    return card.model_copy(
        update={"n_by_arm": {}, "data_digest": WITHHELD, "privacy": privacy, "arms": arms}
    )


def ledger_of(card: ModelCard) -> PrivacyLedger | None:
    """What a model has spent; None for a model that is not private."""
    return None if card.privacy is None else PrivacyLedger.from_dict(card.privacy["ledger"])


def privacy_notes(card: ModelCard) -> tuple[str, ...]:
    """What a reader of a private sample must know."""
    ledger = ledger_of(card)
    if ledger is None or card.privacy is None:
        return ()
    if ledger.noise_seeded:
        return (_SEEDED,)
    spent = (
        f"differentially private: epsilon {ledger.total():.3g} at delta "
        f"{ledger.delta_budget:.2g}; {card.privacy['terms']}"
    )
    warning = card.privacy.get("warning")
    return (spent, warning) if warning else (spent,)
