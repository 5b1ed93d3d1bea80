"""Identifiers of notes on their way into a store: replaced by default, kept only when asked."""

import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from extraction.notes import Note
from extraction.notes.deidentification import Vault, read_key
from extraction.records import InputError
from serving import service
from serving.cli.lazy import program
from tests.support import canary


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    lines = [
        {"subject": "P-1", "id": "a", "day": 0, "text": canary.NOTE},
        {
            "subject": "P-1",
            "id": "b",
            "day": 7,
            "text": f"Mrs. {canary.SURNAME} denies chest pain.",
        },
    ]
    path = folder / "notes.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    return path


def stored(folder: Path) -> str:
    """Everything that stands in the files of a folder, tables as CSV."""
    tables = [pd.read_parquet(f).to_csv() for f in folder.rglob("*.parquet")]
    rest = [f.read_text("utf-8") for f in folder.rglob("*.json")]
    return "\n".join([*tables, *rest])


def test_nothing_of_a_patient_is_stored_by_default(notes: Path, tmp_path: Path) -> None:
    done = service.extract_notes(notes, tmp_path / "out")
    assert canary.leaks([stored(tmp_path / "out"), json.dumps(done)]) == []
    assert done["identifiers"] == "replaced"
    assert done["replaced"] == {"date": 2, "mrn": 1, "name": 3, "phone": 1}


def test_spans_index_the_stored_text(notes: Path, tmp_path: Path) -> None:
    service.extract_notes(notes, tmp_path / "out")
    texts = pd.read_parquet(tmp_path / "out" / "notes.parquet").set_index("note_id")["text"]
    facts = pd.read_parquet(tmp_path / "out" / "facts.parquet")
    assert len(facts) > 2
    for row in facts.itertuples():
        assert texts[row.note_id][row.start : row.stop] == row.text


def test_a_key_makes_runs_agree_and_a_vault_turns_them_back(notes: Path, tmp_path: Path) -> None:
    key, vault = tmp_path / "keys" / "notes.key", tmp_path / "safe" / "vault"
    chosen = service.Protection(key_file=key, vault=vault, code_ids=True)
    for name in ("one", "two"):
        service.extract_notes(notes, tmp_path / name / "out", protection=chosen)
    one, two = (pd.read_parquet(tmp_path / n / "out" / "notes.parquet") for n in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)
    assert set(one["subject_id"]) & {"P-1"} == set()
    kept = [Note(**row) for row in one.to_dict("records")]  # type: ignore[misc]
    back = list(Vault(vault, read_key(key)).restore(kept))
    assert back[0].text == canary.NOTE and back[0].subject_id == "P-1"


def test_keeping_identifiers_needs_a_word_and_warns(notes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["extract", "notes", str(notes), "--out", str(out), "--keep-identifiers"]
    result = CliRunner().invoke(program, asked)
    assert result.exit_code == 0
    assert "Warning: Identifiers were kept" in result.stderr
    assert canary.SURNAME in pd.read_parquet(out / "notes.parquet")["text"][0]


def test_choices_that_contradict_each_other_are_refused(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a key file"):
        service.extract_notes(notes, tmp_path / "o", protection=service.Protection(vault=tmp_path))
    both = service.Protection(keep_identifiers=True, code_ids=True)
    with pytest.raises(InputError, match="excludes a key file"):
        service.extract_notes(notes, tmp_path / "o", protection=both)


def test_a_vault_beside_the_notes_is_refused_and_nothing_is_written(
    notes: Path, tmp_path: Path
) -> None:
    chosen = service.Protection(key_file=tmp_path / "key", vault=tmp_path / "vault")
    with pytest.raises(InputError, match="beside the folder of the notes that are stored"):
        service.extract_notes(notes, tmp_path / "out", protection=chosen)
    assert not (tmp_path / "out").exists() and not (tmp_path / "key").exists()


def test_a_key_in_the_folder_of_the_notes_or_in_the_vault_is_refused(
    notes: Path, tmp_path: Path
) -> None:
    out, vault = tmp_path / "out", tmp_path / "safe" / "vault"
    for key in (out / "notes.key", vault / "notes.key"):
        chosen = service.Protection(key_file=key, vault=vault)
        with pytest.raises(InputError, match="key file: it would lie in the"):
            service.extract_notes(notes, out, protection=chosen)
    assert not out.exists() and not vault.exists()


def test_notes_stored_with_their_identifiers_are_not_shown_unasked(
    notes: Path, tmp_path: Path
) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    kept = service.Protection(keep_identifiers=True)
    service.extract_notes(notes, out, protection=kept)
    assert out.stat().st_mode & 0o077 == 0
    with pytest.raises(InputError, match="identifiers were kept"):
        service.show_notes(out, page)
    assert not page.exists()
    with pytest.raises(InputError, match="vault"):
        service.show_notes(out, page, protection=service.Protection(key_file=page, vault=tmp_path))
    service.show_notes(out, page, protection=kept)
    assert canary.SURNAME in page.read_text("utf-8")
    (out / "extraction.json").write_text("{", "utf-8")
    with pytest.raises(InputError, match="damaged"):
        service.show_notes(out, page, overwrite=True)


def test_bad_notes_of_the_canary_come_out_in_no_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"subject": "", "text": "' + canary.NAME + '"}\nno json', "utf-8")
    with pytest.raises(InputError) as caught:
        service.extract_notes(path, tmp_path / "o")
    assert canary.leaks([str(caught.value)]) == []


def test_the_hook_sees_a_secret_that_comes_out(tmp_path: Path) -> None:
    (tmp_path / f"{canary.SURNAME.lower()}.txt").touch()
    (tmp_path / "run.log").write_text(canary.MRN, "utf-8")
    assert canary.left_in(tmp_path) == [canary.SURNAME, canary.MRN]
    (tmp_path / f"{canary.SURNAME.lower()}.txt").unlink()
    (tmp_path / "run.log").unlink()
