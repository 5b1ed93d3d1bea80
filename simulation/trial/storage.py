"""Storage: replicates as they come, into sums, a digest and a Parquet file of row groups."""

import json
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from extraction.records.errors import InputError, TrialtwinError
from extraction.records.files import settle
from simulation.execution.results import Digest
from simulation.trial.characteristics import Arrays, OperatingCharacteristics
from simulation.trial.design import TrialDesign
from simulation.trial.moments import BLOCK
from simulation.trial.summary import Summary

FILE: Final = "replicates.parquet"
_ABOUT: Final = b"trialtwin"
_DIGEST: Final = b"trialtwin.digest"


@final
class InMemory:
    """Replicates of at most one block."""

    def __init__(self, table: Arrays) -> None:
        self._table = table

    def read(self, *names: str) -> Arrays:
        """Return arrays of all replicates: those named, or the whole table."""
        return {name: self._table[name] for name in names or self._table}


@final
class ReplicateFile:
    """Replicates in a Parquet file: a row for each replicate and scenario, a row group a block.

    Columns are replicate, scenario, what is counted once a trial (stage, reason, n, ...) and, for
    each hypothesis, `rejected HYPOTHESIS`, `estimate HYPOTHESIS`, ...; where arms adapt also
    `arm_n ARM`.

    Parameters
    ----------
    path
        Of a finished file.
    passing
        A folder that goes when this does; None keeps the file.
    """

    def __init__(self, path: Path, passing: Path | None = None) -> None:
        self.path = path
        if passing is not None:
            weakref.finalize(self, shutil.rmtree, passing, ignore_errors=True)

    def about(self) -> dict[str, Any]:
        """Return what the file says of itself: work, scenarios, hypotheses, arrays, digest."""
        metadata = pq.read_metadata(self.path).metadata or {}
        told = json.loads(metadata.get(_ABOUT, b"{}"))
        return dict(told) | {"digest": metadata.get(_DIGEST, b"").decode()}

    def blocks(self, *names: str) -> Iterator[Arrays]:
        """Arrays of the replicates, block by block: those named, or the whole table."""
        held = self.about()["arrays"]
        arrays = {name: held[name] for name in names or held}
        columns = ["scenario", *(c for told in arrays.values() for c in told["names"])]
        with pq.ParquetFile(self.path) as file:
            for group in range(file.num_row_groups):
                yield _arrays(file.read_row_group(group, columns), arrays)

    def read(self, *names: str) -> Arrays:
        """Return arrays of all replicates: those named, or the whole table, into memory.

        Raises
        ------
        InputError
            If the file is gone.
        """
        if not self.path.exists():
            raise InputError(f"{FILE}: it is no longer there; simulate again to have replicates")
        parts = list(self.blocks(*names))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def finished(folder: Path | None, work: Mapping[str, Any]) -> ReplicateFile | None:
    """Return the file that an earlier run of the same work has finished, if it is whole.

    Raises
    ------
    InputError
        If a file of that name is there that no simulation has written: it would be replaced.
    """
    if folder is None or not (path := folder / FILE).exists():
        return None
    file = ReplicateFile(path)
    try:
        about = file.about()
    except (OSError, ValueError, TypeError, pa.ArrowException):
        return None
    if "work" not in about:
        raise InputError(
            f"{FILE}: no simulation has written the one in {folder.name!r}; choose another folder"
        )
    if about["work"] != dict(work):
        return None
    total = Digest()
    try:
        for block in file.blocks():
            total.update(block)
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None
    return file if total.hexdigest() == about["digest"] else None


@final
class Recorder:
    """Takes replicates in order, keeps their sums and digest, and writes them down.

    Use it as a context: what was begun and not finished goes at its end.

    Parameters
    ----------
    design, population, seed
        What is simulated.
    folder
        Where `replicates.parquet` is to lie; None: up to one block is held in memory, more goes
        to a temporary file that lives as long as the result.
    work
        Identity of the work, for `finished`.
    """

    def __init__(
        self,
        design: TrialDesign,
        population: Mapping[str, Any],
        seed: int,
        folder: Path | None = None,
        work: Mapping[str, Any] | None = None,
    ) -> None:
        self.design = design
        self.population = population
        self.seed = seed
        self.rows = 0
        self._summary = Summary(design)
        self._digest = Digest()
        self._waiting: list[Arrays] = []
        self._folder = folder
        self._temporary: Path | None = None
        self._about = {
            "work": dict(work or {}),
            "design": design.name,
            "seed": seed,
            "scenarios": [truth.name for truth in design.truths],
            "hypotheses": [tested.name for tested in design.tested],
            "arms": [arm.name for arm in design.arms],
        }
        self._file: _Writer | None = None
        self._result: OperatingCharacteristics | None = None

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._result is None:
            if self._file is not None:
                self._file.abandon()
            if self._temporary is not None:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def add(self, table: Arrays) -> None:
        """Take the next replicates, however many."""
        self._waiting.append(table)
        self.rows += len(table["stage"])
        waiting = sum(len(part["stage"]) for part in self._waiting)
        if waiting > BLOCK:
            whole = _together(self._waiting)
            cut = waiting - waiting % BLOCK
            for start in range(0, cut, BLOCK):
                self._take({name: v[start : start + BLOCK] for name, v in whole.items()})
            rest = {name: values[cut:].copy() for name, values in whole.items()}
            self._waiting = [rest] if cut < waiting else []

    def finish(self) -> OperatingCharacteristics:
        """Sum up; the file gets its name."""
        held: InMemory | ReplicateFile
        last = _together(self._waiting) if self._waiting else None
        if last is not None and self._file is None and self._folder is None:
            self._sum(last)
            held = InMemory(last)
        else:
            if last is not None:
                self._take(last)
            assert self._file is not None
            held = ReplicateFile(self._file.close(self._digest.hexdigest()), self._temporary)
        self._waiting = []
        self._result = OperatingCharacteristics(
            self.design,
            self.population,
            self.rows,
            self.seed,
            self._summary.scenarios(),
            self._digest.hexdigest(),
            held,
        )
        return self._result

    def _sum(self, block: Arrays) -> None:
        self._summary.add(block)
        self._digest.update(block)

    def _take(self, block: Arrays) -> None:
        self._sum(block)
        if self._file is None:
            if self._folder is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="trial-"))
            folder = self._folder or self._temporary
            assert folder is not None
            self._file = _Writer(folder, self._about, block)
        self._file.write(block)


def resummarise(
    design: TrialDesign, population: Mapping[str, Any], seed: int, file: ReplicateFile
) -> OperatingCharacteristics:
    """Sum up the replicates of a finished file, which stays as it is."""
    summary, rows = Summary(design), 0
    for block in file.blocks():
        summary.add(block)
        rows += len(block["stage"])
    digest = file.about()["digest"]
    return OperatingCharacteristics(
        design, population, rows, seed, summary.scenarios(), digest, file
    )


def _together(tables: Sequence[Arrays]) -> Arrays:
    if len(tables) == 1:
        return tables[0]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


@final
class _Writer:
    """Writes row groups under another name until the last."""

    def __init__(self, folder: Path, about: Mapping[str, Any], first: Arrays) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._part = folder / f"{FILE}.part"
        self._scenarios: list[str] = about["scenarios"]
        self._columns = {
            name: _columns(name, values, about["arms" if name == "arm_n" else "hypotheses"])
            for name, values in first.items()
        }
        arrays = {name: self._columns[name] for name in first}
        told = json.dumps({**about, "arrays": arrays}, sort_keys=False).encode()
        self._schema = self._rows(first, 0).schema.with_metadata({_ABOUT: told})
        self._next = 0
        self._file = pq.ParquetWriter(
            self._part, self._schema, compression="zstd", use_dictionary=["scenario"]
        )

    def _rows(self, block: Arrays, first: int) -> pa.Table:
        n, scenarios = len(block["stage"]), len(self._scenarios)
        columns: dict[str, Any] = {
            "replicate": np.repeat(np.arange(first, first + n), scenarios),
            "scenario": pa.DictionaryArray.from_arrays(
                np.tile(np.arange(scenarios, dtype=np.int32), n), self._scenarios
            ),
        }
        for name, values in block.items():
            flat = values.reshape(n * scenarios, -1)
            columns |= {column: flat[:, k] for k, column in enumerate(self._columns[name]["names"])}
        return pa.table({name: pa.array(values) for name, values in columns.items()})

    def write(self, block: Arrays) -> None:
        """Write a row group.

        Raises
        ------
        TrialtwinError
            If the disk refuses.
        """
        rows = self._rows(block, self._next).replace_schema_metadata(self._schema.metadata)
        try:
            self._file.write_table(rows, row_group_size=len(rows))
        except OSError as error:
            raise TrialtwinError(
                f"{FILE}: it could not be written; free the disk and run again"
            ) from error
        self._next += len(block["stage"])

    def close(self, digest: str) -> Path:
        """Finish the file and give it its name."""
        self._file.add_key_value_metadata({_DIGEST.decode(): digest})
        self._file.close()
        settle(self._part, self._path)
        return self._path

    def abandon(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._part.unlink(missing_ok=True)


def _columns(name: str, values: np.ndarray[Any, Any], known: list[str]) -> dict[str, Any]:
    """Names of the columns of an array (R, S, ...), and the shape behind replicates and scenarios.

    An array over what is known by names (hypotheses or arms) has them; others number their columns.
    """
    shape = list(values.shape[2:])
    if not shape:
        return {"shape": shape, "names": [name]}
    labels = known if shape == [len(known)] else map(str, range(int(np.prod(shape))))
    return {"shape": shape, "names": [f"{name} {label}" for label in labels]}


def _arrays(rows: pa.Table, arrays: Mapping[str, Any]) -> Arrays:
    scenarios = len(rows.column("scenario").combine_chunks().dictionary)
    n = len(rows) // scenarios
    found = {}
    for name, told in arrays.items():
        flat = [rows.column(column).to_numpy() for column in told["names"]]
        values = np.stack(flat, axis=-1) if told["shape"] else flat[0]
        found[name] = np.ascontiguousarray(values.reshape(n, scenarios, *told["shape"]))
    return found
