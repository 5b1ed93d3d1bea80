"""Faults of a file's YAML are told with their place."""

from pathlib import Path

import pytest

from extraction.records import InputError
from simulation.trial import TrialDesign


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("n: 400\narms: []\nn: 40\n", "line 3, column 1: 'n' stands twice"),
        ("arms:\n  - {name: P, name: Q}\n", "line 2, column 15: 'name' stands twice"),
        ("n: 40\n\tarms: []\n", "line 2"),
    ],
)
def test_a_fault_of_yaml_has_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "design.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match="mend the YAML there") as caught:
        TrialDesign.read(path)
    assert told in str(caught.value)
