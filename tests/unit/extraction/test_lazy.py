"""Packages that import their parts when these are asked for."""

from __future__ import annotations

from importlib import import_module

import pytest

PACKAGES = (
    "extraction.sources", "generation.evaluation", "generation.narratives", "serving.service",
    "simulation", "simulation.audit", "simulation.execution", "simulation.trial",
)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_there_and_no_other(name: str) -> None:
    package = import_module(name)
    assert sorted(package.__all__) == dir(package)
    assert all(getattr(package, each) is not None for each in package.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing
