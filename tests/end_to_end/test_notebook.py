"""The notebooks in examples/: kept clean, and every cell of the tour runs."""

import json
import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("**/*.ipynb"))
LARGEST_BYTES = 60_000
# An absolute path of somebody's machine, whatever the system.
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(home|Users|root|work|tmp|mnt|opt|var|usr)/|\b[A-Z]:\\\\")

# Run after the last cell: what the tour found, as one line of JSON.
FINDINGS = """
import json

print(json.dumps({
    "arms": sorted(set(synthetic.subjects["arm"])),
    "youngest": float(synthetic.subjects["AGE"].min()),
    "n": [len(synthetic), verdict.n_region, len(controls.where(request))],
    "refusal": refusal,
    "standard_errors": standard_errors.to_numpy()[:, 1:].tolist(),
    "train_met_held_out": len(set(controls.subject_ids) & set(held_controls.subject_ids)),
    "controls_of_metrics": sorted({c for m in evaluation.metrics for c in m.controls}),
    "groups": sorted({m.group for m in evaluation.metrics}),
    "history_ends": float(history.cohort.observations["day"].max()),
    "week_8_ends": week_8.high,
    "patient_in_train": patient in set(train.subject_ids),
    "median_and_band": bands[["q0.025", "q0.1", "q0.5", "q0.9", "q0.975"]].to_numpy().tolist(),
    "levels": [row["level"] for row in checked.coverage()],
    "judged": [len(checked.patients), checked.without_truth],
    "type_one_error": [trial.type_one_error.value, trial.type_one_error.se],
    "power": {s.name.split()[0]: s.any_rejection.value for s in trial.scenarios},
    "readme": (out / "csv" / "README.txt").read_text("utf-8"),
    "same_again": again.digest() == synthetic.digest(),
}))
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_hold_no_outputs_and_no_machine_path(path: Path) -> None:
    text = path.read_text("utf-8")
    book = nbformat.reads(text, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(not cell.metadata for cell in book.cells)
    assert len(text.encode()) < LARGEST_BYTES


def test_examples_name_no_path_of_a_machine() -> None:
    files = [path for path in EXAMPLES.glob("*") if path.is_file()]
    assert [p.name for p in files if MACHINE_PATH.search(p.read_text("utf-8"))] == []


@pytest.mark.parametrize("text", ["see /" + "home/ann/x", '"/' + 'work/a"', "C:\\\\data"])
def test_a_path_of_a_machine_would_be_found(text: str) -> None:
    assert MACHINE_PATH.search(text)


def test_every_notebook_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text("utf-8")
    assert [p.name for p in NOTEBOOKS if p.name not in listed] == []


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, Any]]:
    """The executed quickstart (the kernel is a process of its own) and its findings."""
    book = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(FINDINGS))
    place = tmp_path_factory.mktemp("notebook")
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}
    with pytest.MonkeyPatch.context() as patch:
        # This environment's kernel, and nothing read from or left in the home folder.
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")
        patch.setenv("JUPYTER_RUNTIME_DIR", str(place / "runtime"))
        client = NotebookClient(
            book,
            kernel_name="python3",
            timeout=300,
            allow_errors=True,
            resources={"metadata": {"path": str(place)}},
        )
        client.execute(env=environment | {"IPYTHONDIR": str(place / "ipython")})
    printed = [o.text for o in book.cells[-1].outputs if o.output_type == "stream"]
    return book, json.loads(printed[-1]) if printed else {}


def outputs(book: Any, *kinds: str) -> list[Any]:
    return [o for cell in book.cells for o in cell.get("outputs", []) if o.output_type in kinds]


def test_no_cell_fails_or_warns(tour: tuple[Any, dict[str, Any]]) -> None:
    book, _ = tour
    assert [f"{o.ename}: {o.evalue}" for o in outputs(book, "error")] == []
    assert [o.text for o in outputs(book, "stream") if o.name == "stderr"] == []


def test_both_figures_are_drawn(tour: tuple[Any, dict[str, Any]]) -> None:
    book, _ = tour
    shown = outputs(book, "display_data", "execute_result")
    assert sum("image/png" in o.data for o in shown) == 2


def test_the_control_arm_meets_the_request_and_the_gate_refuses(
    tour: tuple[Any, dict[str, Any]],
) -> None:
    _, found = tour
    assert found["arms"] == ["Placebo"]
    assert found["youngest"] >= 70
    assert len(set(found["n"])) == 1
    assert "at least 20 are needed" in found["refusal"]


def test_more_synthetic_patients_bring_no_more_information(
    tour: tuple[Any, dict[str, Any]],
) -> None:
    _, found = tour
    naive, honest = zip(*found["standard_errors"], strict=True)
    assert naive[-1] < naive[0] / 5  # 40 times the rows
    assert honest[-1] > 5 * naive[-1]


def test_the_judgement_is_on_patients_never_seen_and_beside_controls(
    tour: tuple[Any, dict[str, Any]],
) -> None:
    _, found = tour
    assert found["train_met_held_out"] == 0
    assert found["controls_of_metrics"] == ["copy", "independent", "planted", "real"]
    assert {"calibration", "fidelity", "privacy", "utility", "validity"} <= set(found["groups"])


def test_the_twin_knows_nothing_after_week_8(tour: tuple[Any, dict[str, Any]]) -> None:
    _, found = tour
    assert found["history_ends"] <= found["week_8_ends"]
    assert not found["patient_in_train"]
    assert all(row == sorted(row) and row[0] < row[-1] for row in found["median_and_band"])
    assert found["levels"] == [0.5, 0.8, 0.95]
    assert min(found["judged"]) > 50


def test_the_next_trial_keeps_its_level_and_gains_power_with_the_effect(
    tour: tuple[Any, dict[str, Any]],
) -> None:
    _, found = tour
    level, error = found["type_one_error"]
    assert level - 4.4 * error < 0.025  # one-sided, false alarm 1 in 200,000
    power = found["power"]
    assert power["-1"] < power["-2"] < power["-3"]


def test_what_is_exported_says_what_is_behind_it(tour: tuple[Any, dict[str, Any]]) -> None:
    _, found = tour
    assert "n_train=65" in found["readme"]
    assert "invalid" in found["readme"]
    assert found["same_again"]
