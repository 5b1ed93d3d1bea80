"""Storage of replicates: the same sums, digest and file for any chunks; what stays, what goes."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from extraction.records import InputError
from generation.randomness import Stream
from simulation import TrialDesign, simulate
from simulation.execution import digest
from simulation.trial import ParametricPopulation
from simulation.trial.characteristics import Arrays
from simulation.trial.moments import BLOCK, Moments, mean
from simulation.trial.storage import FILE, Recorder, ReplicateFile, finished

DESIGN = TrialDesign.parse(
    {
        "arms": [{"name": "P", "control": True}, {"name": "A"}, {"name": "B"}],
        "endpoints": [{"kind": "continuous", "name": "y", "visits": [30]}],
        "n": 60,
        "rule": {"kind": "group_sequential", "looks": {"number": 2}},
        "scenarios": [{"name": "one", "effects": [{"arm": "A", "endpoint": "y", "shift": 0.5}]}],
    }
)
PEOPLE = ParametricPopulation(outcomes={"y": {"kind": "continuous"}})
N = 2 * BLOCK + 1234


def _table(n: int = N) -> Arrays:
    """Invented replicates of DESIGN, of a scale on which naive sums lose digits."""
    stream, rows = Stream(1, "storage"), np.arange(n)[:, None]
    wide, deep = rows + np.zeros((1, 2), int), rows[:, :, None] + np.zeros((1, 2, 2), int)

    def draw(what: int, like: Any) -> Any:
        return stream.normal(like, np.arange(like[0].size).reshape(like[0].shape), what)

    estimate = 1e6 + draw(1, deep)
    estimate[::7, 0, 1] = np.nan
    return {
        "stage": (draw(2, wide) > 0).astype(np.int64),
        "reason": (draw(3, wide) > 0).astype(np.int64) + 1,
        "n": np.round(50 + draw(4, wide)),
        "duration": 300 + draw(5, wide),
        "analysed": np.round(40 + draw(6, wide)),
        "screened": np.round(90 + draw(7, wide)),
        "rejected": draw(8, deep) > 1,
        "estimate": estimate,
        "se": np.abs(draw(9, deep)),
        "information": np.abs(draw(10, deep)),
    }


def _parts(table: Arrays, size: int) -> Iterator[Arrays]:
    for start in range(0, len(table["stage"]), size):
        yield {name: values[start : start + size] for name, values in table.items()}


def _recorded(table: Arrays, size: int, folder: Path | None = None) -> Any:
    with Recorder(DESIGN, {"kind": "none"}, 0, folder, {"of": "this"}) as recorder:
        for part in _parts(table, size):
            recorder.add(part)
        return recorder.finish()


def test_sums_digest_and_file_are_the_same_for_any_chunks(tmp_path: Path) -> None:
    table = _table()
    plain = _recorded(table, 250, tmp_path / "0")
    assert plain.digest() == digest(table)
    for k, size in enumerate((999, BLOCK, BLOCK + 1, N), start=1):
        other = _recorded(table, size, tmp_path / str(k))
        assert other.digest() == plain.digest()
        assert other.scenarios == plain.scenarios  # to the last bit
        assert (tmp_path / str(k) / FILE).read_bytes() == (tmp_path / "0" / FILE).read_bytes()


def test_sums_are_those_of_the_whole_table() -> None:
    table = _table()
    found = _recorded(table, 777).scenarios[0]
    estimate = table["estimate"][:, 0, 1]
    there = np.isfinite(estimate)
    tested = found.hypotheses[1]
    assert tested.rejection.value == table["rejected"][:, 0, 1].mean()
    assert tested.no_estimate == pytest.approx(1 - there.mean(), abs=1e-15)
    assert tested.mean.value == pytest.approx(estimate[there].mean(), rel=1e-14)
    assert tested.mean.se == pytest.approx(estimate[there].std(ddof=1) / there.sum() ** 0.5)
    assert tested.bias is not None and tested.rmse is not None and tested.coverage is not None
    assert tested.bias.value == pytest.approx(estimate[there].mean())
    assert tested.rmse.value == pytest.approx(np.sqrt((estimate[there] ** 2).mean()))
    assert tested.coverage.value == 0
    assert found.efficacy[1].value == np.mean(
        (table["reason"][:, 0] == 1) & (table["stage"][:, 0] == 1)
    )
    assert found.duration == mean(table["duration"][:, 0])


def test_moments_of_nothing_and_of_one_value() -> None:
    nothing, one = Moments.of(np.full(3, np.nan)), Moments.of(np.array([2.0, np.nan]))
    assert nothing + one == one + nothing == one
    assert np.isnan(one.measured().value)
    assert (one + one).measured().value == 2.0 and (one + one).measured().se == 0.0


def test_the_file_reads_as_a_table(tmp_path: Path) -> None:
    table = _table(50)
    result = _recorded(table, 20, tmp_path)
    for name, values in result.table.items():
        assert values.dtype == table[name].dtype
        assert np.array_equal(values, table[name], equal_nan=True)
    assert set(result.held.read("n", "se")) == {"n", "se"}
    assert np.array_equal(result.held.read("n")["n"], table["n"])
    frame = pd.read_parquet(tmp_path / FILE)
    assert list(frame.columns[:4]) == ["replicate", "scenario", "stage", "reason"]
    assert list(frame["scenario"][:2]) == ["no effect", "one"]
    assert list(frame["replicate"]) == list(np.repeat(np.arange(50), 2))
    assert np.array_equal(frame["estimate B: y"].to_numpy()[1::2], table["estimate"][:, 1, 1])


def test_without_a_folder_much_goes_to_a_temporary_file_that_goes_with_the_result() -> None:
    few, many = _recorded(_table(30), 10), _recorded(_table(), 1000)
    assert not isinstance(few.held, ReplicateFile)
    path = many.held.path
    assert path.exists() and len(many.table["stage"]) == N
    del many
    gc.collect()
    assert not path.parent.exists()


def test_what_was_begun_and_not_finished_goes(tmp_path: Path) -> None:
    with Recorder(DESIGN, {}, 0, tmp_path) as recorder:
        for part in _parts(_table(), 1000):
            recorder.add(part)
        assert [path.name for path in tmp_path.iterdir()] == [f"{FILE}.part"]
    assert list(tmp_path.iterdir()) == []


def test_a_finished_file_counts_only_whole_and_of_the_same_work(tmp_path: Path) -> None:
    _recorded(_table(50), 20, tmp_path)
    assert finished(tmp_path, {"of": "this"}) is not None
    assert finished(tmp_path, {"of": "that"}) is None
    assert finished(tmp_path / "nowhere", {"of": "this"}) is None
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data[: len(data) // 2])
    assert finished(tmp_path, {"of": "this"}) is None


def test_a_table_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    pd.DataFrame({"mine": [1]}).to_parquet(tmp_path / FILE)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InputError, match="no simulation has written"):
        simulate(DESIGN, PEOPLE, 40, chunk_size=15, folder=tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_finished_folder_holds_the_replicates_and_no_chunks(tmp_path: Path) -> None:
    first = simulate(DESIGN, PEOPLE, 40, chunk_size=15, folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".lock", "manifest.json", FILE]
    again = simulate(DESIGN, PEOPLE, 40, chunk_size=15, folder=tmp_path)
    assert again.to_dict() == first.to_dict() == simulate(DESIGN, PEOPLE, 40).to_dict()
    (tmp_path / FILE).write_bytes(b"PAR1")
    mended = simulate(DESIGN, PEOPLE, 40, chunk_size=15, folder=tmp_path)
    assert mended.digest() == first.digest() == digest(mended.table)
    (tmp_path / FILE).unlink()
    with pytest.raises(InputError, match="no longer there"):
        mended.table  # noqa: B018


def test_replicates_with_other_arrays_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr("simulation.trial.pool.LAYOUT", 1)
        simulate(DESIGN, PEOPLE, 20, folder=tmp_path)
    with pytest.raises(InputError, match="resume with the same work or choose another folder"):
        simulate(DESIGN, PEOPLE, 20, folder=tmp_path)
