"""Processes that read notes: none outlives its caller, none waits for threads of another."""

import os
import signal
import subprocess
import sys
import time

import pytest

_NOTES = """
import itertools, multiprocessing
from extraction.notes import Note, extract

def notes(most):
    for number in range(most):
        yield Note(str(number), "S", "P", 0.0, "visit", "Denies chest pain.")
"""
_ENDLESS = """
for number, _ in enumerate(extract(notes(10**9), processes=2, codes=False)):
    if number == 0:
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""
_THREADS = """
import torch
from spacy.language import Language
from extraction.notes.parallel import read_in_processes
from extraction.notes.pipeline import load_pipeline

@Language.component("threads")
def threads(doc):
    torch.relu(torch.randn(2000, 2000)).sum()
    return doc

torch.set_num_threads(4)
nlp = load_pipeline(codes=False)
nlp.add_pipe("threads")
nlp("Denies chest pain.")
print(len(list(read_in_processes(nlp, notes(2), 2))))
"""
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@forks
def test_a_killed_caller_leaves_no_process_behind() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _NOTES + _ENDLESS], stdout=subprocess.PIPE, text=True
    ) as caller:
        assert caller.stdout is not None
        readers = [int(pid) for pid in caller.stdout.readline().split()]
        caller.send_signal(signal.SIGKILL)
    assert len(readers) == 2
    until = time.monotonic() + 30
    while any(map(_runs, readers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_runs, readers))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return True


@forks
def test_processes_read_after_their_caller_used_threads_of_torch() -> None:
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-c", _NOTES + _THREADS], stdout=subprocess.PIPE, timeout=120, check=True
    )
    assert int(done.stdout) == 2
