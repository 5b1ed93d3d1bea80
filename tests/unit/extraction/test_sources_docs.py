"""The walk through docs/your-data.md runs as it stands."""

import re
from pathlib import Path

import pytest
import yaml

from extraction.sources.mapping import load_mapping


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def test_every_python_block_runs_in_order(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = root / "docs" / "your-data.md"
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in _blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)  # noqa: S102  (our own page)
    told = capsys.readouterr().out
    assert "did you mean karnofsky?" in told
    assert "column karnof is missing" in told
    assert "MYTRIAL" in told and "STUDY" not in told
    drafted = load_mapping(tmp_path / "mapping.yaml")
    assert not {"txgrp", "time_d", "censor_d"} & {v.name for v in drafted.variables}
    assert (tmp_path / "cohorts" / "mytrial" / "cohort.json").is_file()


def test_every_yaml_fragment_completes_to_a_mapping(root: Path) -> None:
    fragments = _blocks(root / "docs" / "your-data.md", "yaml")
    assert len(fragments) == 3
    for fragment in fragments:
        load_mapping({"study_id": "X", "subject": "id", **yaml.safe_load(fragment)})
