"""Many notes through `fast`: peak memory, notes a second, and a run that is killed and resumed.

Run: python -m benchmarks.notes_scale [--notes 200000] [--workers 2] [--keep-identifiers]
     [--execution serial] [--json FILE]

The notes are invented from templates (about 90 words; every thousandth is broken in some way).
One run goes through; a second one is killed outright (SIGKILL) half-way and run again; the bytes of
both are compared. Peaks are the kernel's high-water marks of the driver and of its largest worker.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from generation.randomness import Stream
from serving import service

MARKS = (10_000, 50_000, 200_000)
TEMPLATE = (
    "Mr. {name} is a {age}-year-old man with {had} and {had2}, seen on 0{month}/1{month}/2021.\n"
    "He denies {no} and {no2} but reports {yes} since last week. Possible {maybe}; {had2} is "
    "stable. His mother had {family}.\n\n"
    "Past medical history: {past} in 2009, s/p appendectomy. Former smoker.\n"
    "Medications: {drug} {dose} mg PO daily, {drug2} 500 mg BID. Stopped {drug3} because of {no}.\n"
    "Vitals: BP {systolic}/{diastolic} mmHg, pulse {pulse}, temp 36.{tenth} C, SpO2 9{tenth} %.\n"
    "Labs: sodium 13{tenth} mmol/L (135-145), creatinine 1.{tenth} mg/dL, HbA1c 7.{tenth} %.\n"
    "Plan: start {drug3} {dose} mg daily; return if {yes} gets worse. Call 212-555-0{pulse}4.\n"
)
WORDS = {
    "name": "Kowalski Nowak Fischer Okafor Haddad Lindqvist Moreau Castellano",
    "had": "hypertension asthma hypothyroidism gout anemia osteoarthritis glaucoma psoriasis",
    "had2": "diabetes COPD obesity migraine epilepsy depression insomnia GERD",
    "no": "fever cough dizziness nausea syncope palpitations dysuria rash",
    "no2": "vomiting diarrhea headache dyspnea wheezing fatigue tremor pruritus",
    "yes": "constipation fatigue headache weakness nausea dizziness insomnia cough",
    "maybe": "pneumonia sinusitis UTI cellulitis bronchitis gastritis anemia sepsis",
    "family": "stroke asthma gout cancer dementia diabetes hypertension glaucoma",
    "past": "pneumonia appendicitis pancreatitis cellulitis stroke hepatitis nephrolithiasis DVT",
    "drug": "lisinopril amlodipine donepezil sertraline atorvastatin losartan omeprazole warfarin",
    "drug2": "metformin levetiracetam naproxen amoxicillin gabapentin ranitidine cephalexin zinc",
    "drug3": "ibuprofen prednisone tramadol furosemide allopurinol aspirin citalopram digoxin",
}
NUMBERS = {
    "age": (40, 90),
    "month": (1, 10),
    "dose": (5, 80),
    "systolic": (100, 180),
    "diastolic": (55, 100),
    "pulse": (50, 99),
    "tenth": (0, 10),
}
BROKEN = ('{"id": 1', '{"subject": "P", "text": " "}', '{"subject": "P", "text": "\\u0001\\u0002"}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--execution", default="processes")
    parser.add_argument("--chunk", type=int, default=500)
    parser.add_argument("--keep-identifiers", action="store_true")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--run", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kill-at", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        drive(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        told = measure(given, Path(folder))
    print(json.dumps(told, indent=1))
    if given.json:
        given.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    sys.exit(0 if told["same_bytes_after_kill"] else 1)


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return the figures of a whole run, and whether a killed one ends in the same bytes."""
    where = folder / "notes.jsonl"
    with where.open("w", encoding="utf-8") as file:
        file.writelines(invented(given.notes))
    begun = time.perf_counter()
    whole = run(given, where, folder / "whole")
    seconds = time.perf_counter() - begun
    run(given, where, folder / "killed", kill_at=0.5)
    stopped = not (folder / "killed").exists()
    run(given, where, folder / "killed")
    return {
        "notes": given.notes,
        "megabytes": round(where.stat().st_size / 1e6, 1),
        "execution": given.execution,
        "workers": given.workers,
        "identifiers": "kept" if given.keep_identifiers else "replaced",
        **whole,
        "seconds": round(seconds, 1),
        "notes_per_second": round(given.notes / seconds, 1),
        "killed_half_way": stopped,
        "same_bytes_after_kill": stopped and hashes(folder / "whole") == hashes(folder / "killed"),
    }


def invented(n: int) -> Iterator[str]:
    """Yield JSON lines; every thousandth is no note."""
    numbers = np.arange(n)
    draws = {
        name: Stream(20261122, "scale").uniform(patient=numbers, index=i)
        for i, name in enumerate([*WORDS, *NUMBERS])
    }
    words = {name: listed.split() for name, listed in WORDS.items()}
    for i in range(n):
        if i % 1000 == 999:
            yield BROKEN[i // 1000 % len(BROKEN)] + "\n"
            continue
        drawn: dict[str, Any] = {k: v[int(draws[k][i] * len(v))] for k, v in words.items()}
        drawn |= {k: int(a + draws[k][i] * (b - a)) for k, (a, b) in NUMBERS.items()}
        row = {"id": f"n{i}", "subject": f"P{i // 5}", "day": i % 5 * 28}
        yield json.dumps({**row, "text": TEMPLATE.format(**drawn)}) + "\n"


def run(
    given: argparse.Namespace, where: Path, out: Path, kill_at: float | None = None
) -> dict[str, Any]:
    """Extract in a process of its own; return what it told last."""
    words = [sys.executable, "-m", "benchmarks.notes_scale", "--run", str(where), str(out)]
    words += ["--workers", str(given.workers), "--execution", given.execution]
    words += ["--chunk", str(given.chunk)]
    words += ["--keep-identifiers"] if given.keep_identifiers else []
    words += [] if kill_at is None else ["--kill-at", str(kill_at)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if kill_at is None:
        done.check_returncode()
        return dict(json.loads(done.stdout.splitlines()[-1]))
    return {}


def drive(given: argparse.Namespace) -> None:
    """Extract, noting the peak of memory when so many notes are done."""
    where, out = given.run
    peaks: dict[str, dict[str, int]] = {}

    def told(what: str, share: float, notes: int) -> None:
        del what
        for mark in (*MARKS, notes):
            if notes and mark <= share * notes and str(mark) not in peaks:
                peaks[str(mark)] = peak()
                print(f"{mark} notes: {peaks[str(mark)]}", file=sys.stderr, flush=True)
        if given.kill_at and notes and share >= given.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    key = None if given.keep_identifiers else where.with_name("key")
    protection = service.Protection(keep_identifiers=given.keep_identifiers, key_file=key)
    pace = service.Pace(given.execution, given.workers, given.chunk, cohort=False, progress=told)
    done = service.extract_notes(where, out, protection=protection, pace=pace)
    counts = {name: done[name] for name in ("n_notes", "n_facts", "set_aside")}
    print(json.dumps({"peak_megabytes": peaks, **counts}))


def peak() -> dict[str, int]:
    """Return the high-water marks of this process and of its largest child, in megabytes."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text("ascii").split()
    return {
        "driver": _high_water(own),
        "worker": max(map(_high_water, map(int, children)), default=0),
    }


def _high_water(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0
    lines = [line for line in text.splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) // 1024 if lines else 0


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file of a folder."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            name = path.relative_to(folder).as_posix()
            found[name] = file_digest(file, "sha256").hexdigest()
    return found


if __name__ == "__main__":
    main()
