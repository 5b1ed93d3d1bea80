import json
from pathlib import Path

import numpy as np
import pytest

from extraction.records import InputError
from generation import load_model
from generation.artifact import pack, read_artifact, read_card, unpack, write_artifact
from generation.cart import CartModel

CARD = {"engine": "twin", "n_train": 20}
STATE = {"a": np.arange(6.0).reshape(2, 3), "b": [np.array([1, 2]), "x", None], "c": {"d": 0.1}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "model", CARD, STATE)


def test_packing_and_unpacking_is_the_identity() -> None:
    back = unpack(*pack(STATE))
    assert np.array_equal(back["a"], STATE["a"])
    assert np.array_equal(back["b"][0], STATE["b"][0])
    assert back["b"][1:] == ["x", None]
    assert back["c"] == {"d": 0.1}


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    card, state = read_artifact(folder)
    assert card == CARD
    assert np.array_equal(state["a"], STATE["a"])


def test_writing_again_replaces_the_model_and_leaves_nothing_beside_it(folder: Path) -> None:
    write_artifact(folder, {**CARD, "n_train": 21}, STATE)
    assert read_card(folder)["card"]["n_train"] == 21
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_the_same_model_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    other = write_artifact(tmp_path / "other", CARD, STATE)
    for name in ("model.json", "arrays.safetensors"):
        assert (folder / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("harm", ["cut", "flipped", "absent"])
def test_damaged_arrays_are_refused(folder: Path, harm: str) -> None:
    path = folder / "arrays.safetensors"
    content = path.read_bytes()
    if harm == "absent":
        path.unlink()
    else:
        path.write_bytes(content[:-3] if harm == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match="missing, cut or changed"):
        read_artifact(folder)


def test_a_changed_card_is_refused(folder: Path) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    document["card"]["n_train"] = 2000
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="changed since it was saved"):
        read_artifact(folder)


@pytest.mark.parametrize(
    ("text", "told"), [("{", "not readable"), ("[]", "fields differ"), ('{"format": 2}', "fields")]
)
def test_another_file_is_refused(folder: Path, text: str, told: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(InputError, match=told):
        read_card(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    path = folder / "model.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(InputError, match="upgrade"):
        read_card(folder)


def test_a_folder_that_is_no_model_is_neither_read_nor_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("keep")
    with pytest.raises(InputError, match=r"no model\.json"):
        read_card(tmp_path / "mine")
    with pytest.raises(InputError, match="not a model"):
        write_artifact(tmp_path / "mine", CARD, STATE)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "keep"


@pytest.mark.parametrize("version", ["0", CartModel.engine_version])
def test_a_model_of_another_version_of_its_engine_is_to_be_fitted_again(
    tmp_path: Path, version: str
) -> None:
    """Whole and unchanged, yet without the parts that this version reads."""
    card = {"engine": "cart", "engine_version": version}
    folder = write_artifact(tmp_path / "model", card, {"columns": {}})
    with pytest.raises(InputError, match=f"model: saved by version {version} .* fit it again"):
        load_model(folder)
