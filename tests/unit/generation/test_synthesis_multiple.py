"""Multiple synthesis: bootstrap resamples, resuming, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extraction.records import Cohort, InputError, RefusedError
from generation import synthesis
from generation.synthesis import MultipleSynthesis, bootstrap_rows, multiple
from tests.support.records_support import small_cohort


def test_a_resample_keeps_the_size_of_each_arm() -> None:
    cohort = small_cohort(50)
    rows = bootstrap_rows(cohort, 3, 0)
    drawn = synthesis.resample(cohort, rows)
    assert drawn.subjects["arm"].value_counts().to_dict() == cohort.subjects[
        "arm"].value_counts().to_dict()
    assert len(np.unique(rows)) < len(rows)
    assert drawn.subjects["subject_id"].is_unique


def test_a_copy_of_a_patient_brings_every_fact_along() -> None:
    cohort = small_cohort(30)
    drawn = synthesis.resample(cohort, np.array([4, 4, 7]))
    for name in ("observations", "episodes", "events"):
        real, copies = getattr(cohort, name), getattr(drawn, name)
        counts = np.bincount(cohort.positions(real), minlength=len(cohort))
        assert len(copies) == 2 * counts[4] + counts[7]
    assert drawn.subjects["AGE"].iloc[0] == cohort.subjects["AGE"].iloc[4]
    assert drawn.timeline("B-000001").cohort.observations["value"].equals(
        drawn.timeline("B-000002").cohort.observations["value"])


def test_refits_differ_and_the_same_seed_gives_the_same_bytes() -> None:
    cohort = small_cohort(40)
    one = multiple(cohort, "cart", m=3, seed=1, n=25)
    two = multiple(cohort, "cart", m=3, seed=1, n=25)
    assert one.digests == two.digests
    assert len(set(one.digests)) == 3
    assert one.n_train == 40
    assert [len(c) for c in one.cohorts] == [25] * 3


def test_finished_refits_are_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort, folder = small_cohort(40), tmp_path / "multiple"
    whole = multiple(cohort, "cart", m=4, seed=2, n=20)
    fitted: list[int] = []
    plain = synthesis.replicate

    def stops_at_two(cohort: Cohort, work: dict[str, object], index: int) -> Cohort:
        if index == 2 and 2 not in fitted:
            fitted.append(2)
            raise KeyboardInterrupt
        fitted.append(index)
        return plain(cohort, work, index)

    monkeypatch.setattr(synthesis, "replicate", stops_at_two)
    with pytest.raises(KeyboardInterrupt):
        multiple(cohort, "cart", m=4, seed=2, n=20, folder=folder)
    with pytest.raises(InputError, match="2 of 4 refits are not finished"):
        MultipleSynthesis.load(folder)
    resumed = multiple(cohort, "cart", m=4, seed=2, n=20, folder=folder)
    assert resumed.digests == whole.digests == MultipleSynthesis.load(folder).digests
    assert fitted == [0, 1, 2, 2, 3]
    saved = MultipleSynthesis.load(whole.save(tmp_path / "saved"))
    assert saved.digests == whole.digests


def test_a_folder_of_other_work_is_refused(tmp_path: Path) -> None:
    cohort = small_cohort(40)
    multiple(cohort, "cart", m=2, seed=2, n=20, folder=tmp_path)
    with pytest.raises(InputError, match="another seed"):
        multiple(cohort, "cart", m=2, seed=3, n=20, folder=tmp_path)
    with pytest.raises(InputError, match="no multiple synthesis"):
        MultipleSynthesis.load(tmp_path / "none")


def test_k_fold_members_are_refused_with_the_reason() -> None:
    with pytest.raises(RefusedError, match=r"K/\(K - 1\)\^2"):
        multiple(small_cohort(40), "cart", scheme="k_fold")


def test_wrong_numbers_are_told_together() -> None:
    with pytest.raises(InputError) as caught:
        multiple(small_cohort(40), "cart", m=1, n=0)
    assert len(caught.value.faults) == 2
