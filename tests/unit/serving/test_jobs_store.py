"""The job table: one holder at a time, nothing lost, nothing done twice by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from extraction.records import InputError, RefusedError
from serving.jobs.store import MOST_ATTEMPTS, JobStore, LeaseLostError
from serving.jobs.tables import open_database


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> JobStore:
    url = f"sqlite:///{tmp_path}/jobs.sqlite3"
    return JobStore(open_database(url), lease_seconds=10, clock=clock)


REQUEST = {"model": "demo", "n": 3}


def test_a_job_waits_is_leased_and_is_done(store: JobStore) -> None:
    job = store.submit("controls", REQUEST)
    assert (job.state, job.request) == ("queued", REQUEST)
    lease = store.claim()
    assert lease is not None
    assert store.claim() is None
    store.heartbeat(lease, 0.5, "1 of 2 chunks")
    running = store.get(job.id)
    assert running is not None
    assert (running.state, running.progress, running.doing) == ("running", 0.5, "1 of 2 chunks")
    store.finish(lease, {"digest": "abc"})
    done = store.get(job.id)
    assert done is not None
    assert (done.state, done.progress, done.outcome) == ("done", 1.0, {"digest": "abc"})
    assert store.counts() == {"done": 1}


def test_the_same_key_and_request_give_the_same_job(store: JobStore) -> None:
    first = store.submit("controls", REQUEST, "key")
    assert store.submit("controls", dict(reversed(REQUEST.items())), "key").id == first.id
    assert store.submit("controls", REQUEST).id != first.id
    assert len(store.latest()) == 2


def test_a_key_belongs_to_one_request(store: JobStore) -> None:
    store.submit("controls", REQUEST, "key")
    with pytest.raises(RefusedError, match="new key"):
        store.submit("controls", {**REQUEST, "n": 4}, "key")
    with pytest.raises(InputError):
        store.submit("controls", REQUEST, "")


def test_the_oldest_job_comes_first(store: JobStore, clock: Clock) -> None:
    first = store.submit("controls", REQUEST)
    clock.now += 1
    store.submit("controls", REQUEST)
    lease = store.claim()
    assert lease is not None
    assert lease.job.id == first.id


def test_a_silent_workers_job_goes_to_the_next_who_alone_may_write(
    store: JobStore, clock: Clock
) -> None:
    store.submit("controls", REQUEST)
    old = store.claim()
    assert old is not None
    clock.now += 9
    store.heartbeat(old)
    clock.now += 9
    assert store.claim() is None
    clock.now += 2
    new = store.claim()
    assert new is not None
    assert new.token > old.token
    for write in (
        lambda: store.heartbeat(old),
        lambda: store.finish(old, {}),
        lambda: store.fail(old, ()),
        lambda: store.release(old),
    ):
        with pytest.raises(LeaseLostError):
            write()
    store.finish(new, {"digest": "new"})
    done = store.get(new.job.id)
    assert done is not None
    assert done.outcome == {"digest": "new"}


def test_cancelling(store: JobStore) -> None:
    waiting = store.submit("controls", REQUEST)
    cancelled = store.cancel(waiting.id)
    assert cancelled is not None
    assert cancelled.state == "cancelled"
    running = store.submit("controls", REQUEST)
    lease = store.claim()
    assert lease is not None
    asked = store.cancel(running.id)
    assert asked is not None
    assert asked.state == "running"
    assert store.heartbeat(lease) is True
    store.end_cancelled(lease)
    assert store.counts() == {"cancelled": 2}
    assert store.cancel("none") is None


def test_a_finished_job_is_not_cancelled(store: JobStore) -> None:
    job = store.submit("controls", REQUEST)
    lease = store.claim()
    assert lease is not None
    store.finish(lease, {})
    after = store.cancel(job.id)
    assert after is not None
    assert after.state == "done"


def test_an_orderly_stop_is_no_attempt(store: JobStore) -> None:
    store.submit("controls", REQUEST)
    for _ in range(MOST_ATTEMPTS + 2):
        lease = store.claim()
        assert lease is not None
        store.release(lease)


def test_a_job_that_kills_its_worker_each_time_is_given_up(store: JobStore, clock: Clock) -> None:
    job = store.submit("controls", REQUEST)
    for _ in range(MOST_ATTEMPTS):
        assert store.claim() is not None
        clock.now += 11
    assert store.claim() is None
    after = store.get(job.id)
    assert after is not None
    assert after.state == "failed"
    assert "memory" in after.faults[0]


def test_jobs_outlive_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/deep/jobs.sqlite3"
    job = JobStore(open_database(url)).submit("controls", REQUEST)
    again = JobStore(open_database(url)).get(job.id)
    assert again == job
