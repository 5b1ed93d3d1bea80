"""A design file that has every patient drawn anew from a model."""

from pathlib import Path

from serving.service.trial_options import patients_of
from simulation.trial import FreshTwins, TwinPopulation
from tests.support.fresh_support import design, model


def test_a_design_chooses_between_a_table_and_fresh_patients(tmp_path: Path) -> None:
    source = {"kind": "model", "model": str(model().save(tmp_path / "model")), "twins": 200}
    people, card = patients_of(design(population=source), None, 0)
    assert isinstance(people, TwinPopulation)
    asked = source | {"fresh": True, "device": "auto"}
    people, card = patients_of(design(population=asked), None, 0)
    assert isinstance(people, FreshTwins)
    told = people.describe()
    assert (told["kind"], told["device"], told["rows"]) == ("fresh_twins", "auto", 200)
    assert card is not None and card["engine"] == "cart"
