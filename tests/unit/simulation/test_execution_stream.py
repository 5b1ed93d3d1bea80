"""stream: several works in one pool, their order, their memory, what stays in folders."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extraction.records.errors import InputError, TrialtwinError
from simulation.execution import Digest, Work, concatenate, digest, map_chunks, stream
from simulation.execution.results import Result
from simulation.execution.streaming import AHEAD_PER_WORKER

SUPPORT = "tests.support.execution_support"


def work(name: str = "draws", n: int = 10, size: int = 3, seed: int = 1, **options: Any) -> Work:
    payload = {"seed": seed} | options.pop("payload", {})
    return Work(f"{SUPPORT}:{name}", payload, n, size, allow=("tests",), **options)


def by_work(works: list[Work], **options: Any) -> list[list[Result]]:
    found: list[list[Result]] = [[] for _ in works]
    for number, result in stream(works, **options):
        found[number].append(result)
    return found


def alone(one: Work) -> str:
    return digest(map_chunks(one.function, dict(one.payload), one.n_items, 3, allow=("tests",)))


@pytest.mark.parametrize("execution", ["serial", "processes"])
def test_works_come_one_after_another_each_in_chunk_order(execution: str) -> None:
    works = [work(seed=1), work(seed=2, n=0), work("arrays", seed=3, n=7, size=2)]
    told: list[str] = []
    numbers, found = [], by_work(works, execution=execution, workers=2)
    for number, _ in stream(works, progress=lambda what, _: told.append(what)):
        numbers.append(number)
    assert numbers == [0, 0, 0, 0, 2, 2, 2, 2]
    assert told[-1] == "8 of 8 chunks"
    assert found[1] == []
    assert [digest(found[0]), digest(found[2])] == [alone(works[0]), alone(works[2])]


def test_ray_gives_the_same_of_several_works(ray_session: object) -> None:
    works = [work(seed=1), work("arrays", seed=3)]
    found = by_work(works, execution="ray", workers=2)
    assert [digest(part) for part in found] == [alone(one) for one in works]


def test_no_chunk_begins_far_ahead_of_its_turn(tmp_path: Path) -> None:
    """The first result taken, of 99 single items no more than the limit have begun."""
    one = work("counted", n=99, size=1, payload={"marks": str(tmp_path)})
    results = stream([one], "processes", workers=1)
    next(results)
    begun = len(list(tmp_path.iterdir()))
    results.close()
    assert begun <= 2 + AHEAD_PER_WORKER


def test_a_killed_worker_costs_no_row_of_any_work(tmp_path: Path) -> None:
    marks = {"payload": {"marks": str(tmp_path)}}
    works = [work("killed_once", seed=1, **marks), work(seed=2)]
    found = by_work(works, execution="processes", workers=2)
    assert (tmp_path / "killed").exists()
    assert digest(found[0]) == alone(work(seed=1))
    assert digest(found[1]) == alone(works[1])


@pytest.mark.parametrize("execution", ["serial", "processes"])
def test_every_work_resumes_from_its_own_folder(tmp_path: Path, execution: str) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    works = [
        work("counted", seed=k, payload={"marks": str(marks)}, folder=tmp_path / str(k))
        for k in range(3)
    ]
    results = stream(works[:2])
    for _ in range(5):
        next(results)
    results.close()
    assert len(list(marks.iterdir())) == 5
    found = by_work(works, execution=execution, workers=1)
    assert len(list(marks.iterdir())) == 12
    assert [digest(part) for part in found] == [alone(work(seed=k)) for k in range(3)]


def test_passing_chunks_go_when_the_last_was_taken(tmp_path: Path) -> None:
    first = work(folder=tmp_path / "a", passing=True)
    both = [first, work(seed=2, folder=tmp_path / "b", passing=True)]
    results = stream([first])
    for _ in range(first.chunks):
        next(results)
    results.close()  # whoever took them did not come back: nothing says that they are safe
    assert len(list((tmp_path / "a").glob("chunk-*"))) == first.chunks
    by_work(both)
    left = [p.name for name in "ab" for p in sorted((tmp_path / name).iterdir())]
    assert left == [".lock", "manifest.json"] * 2


def test_a_line_cut_short_is_no_chunk(tmp_path: Path) -> None:
    one = work(folder=tmp_path)
    plain = digest([result for _, result in stream([one])])
    log = tmp_path / "chunks.jsonl"
    log.write_bytes(log.read_bytes()[:-9])
    for _ in range(2):
        assert digest([result for _, result in stream([one])]) == plain
    whole = [line for line in log.read_text().splitlines() if line.endswith("}")]
    assert [json.loads(line)["chunk"] for line in whole] == [0, 1, 2, 3]


def test_a_log_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    one = work(folder=tmp_path / "work", passing=True)
    list(stream([replace(one, passing=False)]))
    other = tmp_path / "other.npz"
    other.write_bytes(b"kept")
    line = {"chunk": 1, "file": "../other.npz", "sha256": "0"}
    with (tmp_path / "work" / "chunks.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    list(stream([one]))
    assert other.read_bytes() == b"kept"


def test_a_chunk_file_that_goes_while_it_is_read_is_told(tmp_path: Path) -> None:
    one = work(folder=tmp_path)
    list(stream([one]))
    results = stream([one])
    next(results)
    (tmp_path / "chunk-000001.parquet").unlink()
    with pytest.raises(TrialtwinError, match="chunk 1: its file was changed or removed"):
        next(results)


def test_faults_of_all_works_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        stream([work(n=-1), work(size=0)], "threads", workers=0)
    places = [fault.split(":")[0] for fault in caught.value.faults]
    assert places == ["works[0].n_items", "works[1].chunk_size", "workers", "execution"]


def test_a_digest_in_parts_is_that_of_the_whole() -> None:
    table = {
        "x": np.arange(24.0).reshape(6, 2, 2),
        "k": np.arange(6),
        "t": np.array(["a", "bc", "", "a", "d", "e"]),
    }
    for cuts in ([6], [1, 5], [2, 2, 2]):
        parts, start = Digest(), 0
        for length in cuts:
            parts.update({name: v[start : start + length] for name, v in table.items()})
            start += length
        assert parts.hexdigest() == digest(table)
    moved = table | {"t": np.array(["a", "b", "c", "a", "d", "e"])}
    assert digest(moved) != digest(table)
    assert digest(concatenate([table, table])) != digest(table)
    with pytest.raises(InputError, match="differ in names, types or shapes"):
        parts.update(table | {"k": np.arange(6.0)})
