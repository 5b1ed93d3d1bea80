"""Names that a reader looks for at the door of a package are there, and come when asked for."""

import subprocess
import sys
from importlib import import_module

import pytest

DOORS = {
    "extraction.sources": ("public_trial", "public_trials", "read_source"),
    "generation": ("engines", "fit", "load_model", "require"),
    "simulation": ("TrialDesign", "Twin", "cross_forecast", "simulate"),
}


@pytest.mark.parametrize("package", DOORS)
def test_names_are_at_the_door(package: str) -> None:
    door = import_module(package)
    assert set(DOORS[package]) <= set(door.__all__)
    assert set(door.__all__) <= set(dir(door))
    assert all(callable(getattr(door, name)) for name in DOORS[package])
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = door.no_such_name


def test_applicability_is_found_from_generation() -> None:
    import generation

    assert callable(generation.applicability.applicability)
    assert "applicability" in generation.__all__


def test_no_module_hides_a_name_of_the_evaluation() -> None:
    # In a new process: once a name is a module here, it is one in every later import.
    script = (
        "from generation.evaluation import DisclosureAudit, Evaluation, compare, cross_evaluate\n"
        "from generation.evaluation import disclosure_audit, evaluate\n"
        "assert all(map(callable, (compare, cross_evaluate, disclosure_audit, evaluate)))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
