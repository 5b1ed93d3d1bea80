"""map_chunks: order, equality over backends and grids, refusals, resuming."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records.errors import InputError, TrialtwinError
from simulation.execution import concatenate, digest, map_chunks

Call = Callable[..., list[Any]]


@pytest.fixture
def run() -> Call:
    """map_chunks on a function of the support module, 10 items in chunks of 3 unless told."""

    def call(name: str, payload: dict[str, Any] | None = None, **options: Any) -> list[Any]:
        arguments = {"n_items": 10, "chunk_size": 3, "allow": ("tests",)} | options
        return map_chunks(
            f"tests.support.execution_support:{name}", payload or {"seed": 1}, **arguments
        )

    return call


def test_results_come_in_chunk_order(run: Call) -> None:
    results = run("draws")
    assert [len(r) for r in results] == [3, 3, 3, 1]
    assert list(concatenate(results)["item"]) == list(range(10))


@pytest.mark.parametrize("name", ["draws", "arrays"])
@pytest.mark.parametrize("chunk_size", [1, 4, 10, 99])
def test_the_grid_does_not_matter(run: Call, name: str, chunk_size: int) -> None:
    assert digest(run(name, chunk_size=chunk_size)) == digest(run(name))


def test_processes_give_the_serial_bytes_with_one_thread_each(run: Call) -> None:
    assert digest(run("draws", execution="processes", workers=2)) == digest(run("draws"))
    held = run("threads", execution="processes", workers=1, chunk_size=10)
    assert np.all(held[0]["threads"] == 1)


def test_ray_gives_the_serial_bytes(run: Call, ray_session: object) -> None:
    for chunk_size in (3, 5):
        over_ray = run("draws", execution="ray", workers=2, chunk_size=chunk_size)
        assert digest(over_ray) == digest(run("draws"))


def test_a_resumed_chunk_equals_a_fresh_one(run: Call, tmp_path: Path) -> None:
    for name in ("draws", "arrays"):
        folder = tmp_path / name
        fresh, resumed, plain = (run(name, folder=f) for f in (folder, folder, None))
        for left, right in zip(fresh, resumed, strict=True):
            if isinstance(left, pd.DataFrame):
                pd.testing.assert_frame_equal(left, right)
        assert digest(fresh) == digest(resumed) == digest(plain)


def test_finished_chunks_are_skipped_and_damaged_ones_done_again(run: Call, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    payload = {"seed": 1, "marks": str(marks)}
    folder = tmp_path / "work"
    first = run("counted", payload, folder=folder)
    assert len(list(marks.iterdir())) == 4
    damaged = folder / "chunk-000001.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-7])
    (folder / "chunk-000002.parquet").unlink()
    again = run("counted", payload, folder=folder)
    starts = [int(path.name.split("-")[0]) for path in marks.iterdir()]
    assert sorted(starts) == [0, 3, 3, 6, 6, 9]
    assert digest(again) == digest(first)


@pytest.mark.parametrize(
    ("name", "payload", "options"),
    [
        ("arrays", {"seed": 1}, {}),
        ("draws", {"seed": 2}, {}),
        ("draws", {"seed": 1}, {"n_items": 11}),
        ("draws", {"seed": 1}, {"chunk_size": 4}),
    ],
)
def test_a_folder_of_other_work_is_refused(
    run: Call, tmp_path: Path, name: str, payload: dict[str, Any], options: dict[str, Any]
) -> None:
    run("draws", folder=tmp_path)
    with pytest.raises(InputError, match="resume with the same work"):
        run(name, payload, folder=tmp_path, **options)


def test_an_unreadable_manifest_is_refused(run: Call, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        run("draws", folder=tmp_path)


def test_the_manifest_holds_no_time_and_no_payload(run: Call, tmp_path: Path) -> None:
    run("draws", {"seed": 1, "secret": "Jane"}, folder=tmp_path / "a")
    run("draws", {"seed": 1, "secret": "Jane"}, folder=tmp_path / "b")
    texts = [(tmp_path / f / "manifest.json").read_text() for f in "ab"]
    assert texts[0] == texts[1]
    assert "Jane" not in texts[0]
    assert json.loads(texts[0])["work"]["n_items"] == 10


def test_all_wrong_arguments_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        map_chunks("os:system", {"x": object()}, -1, 0, execution="threads", workers=0)
    places = [fault.split(":")[0] for fault in caught.value.faults]
    assert places == ["function", "n_items", "chunk_size", "payload", "workers", "execution"]


@pytest.mark.parametrize(
    "name", ["simulation", "simulation.trial:", "simulation:_x", "simulation.nowhere:f", "os:f"]
)
def test_a_function_must_be_public_existing_and_trusted(name: str) -> None:
    with pytest.raises(InputError, match="function"):
        map_chunks(name, {}, 1, 1)


@pytest.mark.parametrize("execution", ["serial", "processes"])
def test_errors_travel_without_patient_text(run: Call, execution: str) -> None:
    with pytest.raises(InputError) as caught:
        run("bad_input", execution=execution, workers=1)
    assert caught.value.faults == ("first: wrong", "second: wrong")
    with pytest.raises(TrialtwinError, match=r"chunk 0 \(items 0 to 2\).*ValueError") as leak:
        run("leaky", execution=execution, workers=1)
    assert "Jane" not in str(leak.value)


def test_what_cannot_be_stored_is_refused(run: Call) -> None:
    with pytest.raises(TrialtwinError, match="text and None only"):
        run("unstorable")


def test_progress_rises_to_one(run: Call, tmp_path: Path) -> None:
    told: list[float] = []
    run("draws", folder=tmp_path, progress=lambda what, fraction: told.append(fraction))
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_no_items_give_no_results(run: Call) -> None:
    assert run("draws", n_items=0) == []


def test_digest_sees_names_types_values_and_missing_text() -> None:
    base = pd.DataFrame({"a": [1.0, np.nan], "b": pd.Series(["x", None], dtype=object)})
    others = [
        base.rename(columns={"a": "c"}),
        base.assign(a=[1.0, 2.0]),
        base.assign(a=base["a"].astype("float32")),
        base.assign(b=pd.Series(["x", ""], dtype=object)),
    ]
    assert len({digest(base), *(digest(o) for o in others)}) == 5
    assert digest(base) == digest(base.copy())


def test_a_worker_of_trials_starts_without_what_only_some_analyses_need() -> None:
    code = (
        "import sys, simulation.trial.replicate, simulation.trial.conduct\n"
        "print(*{'scipy.stats', 'scipy.interpolate'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "", "import scipy; name its parts where they are used"
