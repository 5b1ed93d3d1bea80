"""Killed workers and a killed driver: the rows are the same. Nothing here depends on timing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extraction.records.errors import InputError, TrialtwinError
from simulation.execution import digest, map_chunks
from simulation.execution.manifest import locked

ROOT = Path(__file__).parents[2]
ALLOW = ("tests",)

DRIVER = """
import sys
from simulation.execution import map_chunks
if __name__ == "__main__":
    map_chunks("tests.support.execution_support:waits_for_mark",
               {"seed": 1, "marks": sys.argv[1]}, 10, 3,
               execution=sys.argv[3], workers=1, folder=sys.argv[2], allow=("tests",),
               progress=lambda what, fraction: print(what, flush=True))
"""


def _plain() -> str:
    return digest(
        map_chunks("tests.support.execution_support:draws", {"seed": 1}, 10, 3, allow=ALLOW)
    )


def test_chunks_of_a_killed_worker_are_done_again(tmp_path: Path) -> None:
    payload = {"seed": 1, "marks": str(tmp_path)}
    results = map_chunks(
        "tests.support.execution_support:killed_once",
        payload,
        10,
        3,
        "processes",
        workers=2,
        allow=ALLOW,
    )
    assert (tmp_path / "killed").exists()
    assert digest(results) == _plain()


def test_ray_does_chunks_of_a_killed_worker_again(tmp_path: Path, ray_session: object) -> None:
    payload = {"seed": 1, "marks": str(tmp_path)}
    results = map_chunks(
        "tests.support.execution_support:killed_once", payload, 10, 3, "ray", workers=2, allow=ALLOW
    )
    assert (tmp_path / "killed").exists()
    assert digest(results) == _plain()


def test_a_chunk_that_always_kills_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    with pytest.raises(TrialtwinError, match=r"chunk 1 \(items 3 to 5\).*its worker died 4 times"):
        map_chunks(
            "tests.support.execution_support:always_killed",
            {"seed": 1},
            10,
            3,
            "processes",
            workers=1,
            folder=tmp_path,
            allow=ALLOW,
        )
    assert (tmp_path / "chunk-000000.parquet").exists()


@pytest.mark.parametrize("execution", ["serial", "processes"])
def test_a_killed_driver_resumes_with_the_same_rows(tmp_path: Path, execution: str) -> None:
    marks, folder = tmp_path / "marks", tmp_path / "work"
    marks.mkdir()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, str(script), str(marks), str(folder), execution]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as driver:
        assert driver.stdout is not None
        for line in driver.stdout:
            if line.startswith("2 of 4"):
                break
        driver.send_signal(signal.SIGKILL)
        driver.stdout.read()  # ends when the last orphan that holds the pipe has ended
    assert driver.returncode == -signal.SIGKILL
    (marks / "go").touch()
    done_before = {path.name.split("-")[0] for path in marks.iterdir()} - {"go"}
    payload = {"seed": 1, "marks": str(marks)}
    again = map_chunks(
        "tests.support.execution_support:waits_for_mark", payload, 10, 3, folder=folder, allow=ALLOW
    )
    starts = [path.name.split("-")[0] for path in marks.iterdir()]
    assert done_before == {"0", "3"}
    assert starts.count("0") == starts.count("3") == 1
    assert digest(again) == _plain()


def test_a_half_written_chunk_is_not_taken_for_a_finished_one(tmp_path: Path) -> None:
    (tmp_path / "chunk-000000.parquet.part").write_bytes(b"PAR1")
    (tmp_path / "chunk-000001.parquet").write_bytes(b"PAR1")
    results = map_chunks(
        "tests.support.execution_support:draws", {"seed": 1}, 10, 3, folder=tmp_path, allow=ALLOW
    )
    assert digest(results) == _plain()


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(InputError, match="another run"):
        map_chunks(
            "tests.support.execution_support:draws", {"seed": 1}, 4, 2, folder=tmp_path, allow=ALLOW
        )


def test_a_full_disk_keeps_what_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simulation.execution import manifest

    write = manifest.write_checked

    def full(path: Path, data: bytes) -> None:
        if path.name.startswith("chunk-000002"):
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(manifest, "write_checked", full)
        with pytest.raises(TrialtwinError, match="finished chunks are kept"):
            map_chunks(
                "tests.support.execution_support:draws",
                {"seed": 1},
                10,
                3,
                folder=tmp_path,
                allow=ALLOW,
            )
    again = map_chunks(
        "tests.support.execution_support:draws", {"seed": 1}, 10, 3, folder=tmp_path, allow=ALLOW
    )
    assert digest(again) == _plain()
