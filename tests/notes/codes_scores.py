"""The gold of codes, answered."""

import csv
from pathlib import Path

from extraction.notes.codes import SURE, Code, rank

GOLD = Path(__file__).parent / "codes" / "gold.tsv"
Answer = tuple[bool, bool, bool, bool]
"""Whether the first code is right, one of the first five is, one was given, the first is sure."""


def gold_answers() -> dict[str, list[Answer]]:
    """Return an answer for every mention of the gold, by system."""
    answers: dict[str, list[Answer]] = {}
    with GOLD.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            system = "DrugBank" if row["system"] == "drug" else row["system"]
            found = rank(row["mention"], row["fact_type"], systems=[system])
            right = {code.strip() for code in row["codes"].split("|")}
            hits = [_name(code) in right for code in found]
            sure = bool(found) and found[0].score >= SURE
            answers.setdefault(system, []).append(
                (hits[:1] == [True], any(hits), bool(found), sure)
            )
    return answers


def _name(code: Code) -> str:
    return code.display.lower() if code.system == "DrugBank" else code.code
