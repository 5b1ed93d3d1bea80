"""Many notes through `fast`: peak memory, notes a second, and a run that is killed and resumed.

Run: python -m benchmarks.notes_scale [--notes 200000] [--compare 20000] [--workers 2]
     [--execution serial] [--keep-identifiers] [--json FILE]

The notes are invented from templates (about 95 words, of which five stand in no other note; every
thousandth is broken in some way). One run goes through `--compare` of them; a second one is killed
outright (SIGKILL) half-way and run again; the bytes of both are compared. Where `--notes` is more,
a run over all is killed half-way too and run again. Memory is told at every tenth: what is held
then, and the kernel's high-water mark, of the driver and of its largest worker.
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

MARKS = 10
TEMPLATE = (
    "Mr. {name} is a {age}-year-old man with {had} and {had2}, seen on 0{month}/1{month}/2021.\n"
    "He denies {no} and {no2} but reports {yes} since last week. Possible {maybe}; {had2} is "
    "stable. His mother had {family}.\n\n"
    "Past medical history: {past} in 2009, s/p appendectomy. Former smoker.\n"
    "Medications: {drug} {dose} mg PO daily, {drug2} 500 mg BID. Stopped {drug3} because of {no}.\n"
    "Vitals: BP {systolic}/{diastolic} mmHg, pulse {pulse}, temp 36.{tenth} C, SpO2 9{tenth} %.\n"
    "Labs: sodium 13{tenth} mmol/L (135-145), creatinine 1.{tenth} mg/dL, HbA1c 7.{tenth} %.\n"
    "Plan: start {drug3} {dose} mg daily; return if {yes} gets worse. Call 212-555-0{pulse}4.\n"
    "Remarks: {fresh}.\n"
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
    parser.add_argument("--compare", type=int, default=20_000, help="notes read without a kill too")
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
    compared = min(given.compare, given.notes)
    told: dict[str, Any] = {
        "execution": given.execution,
        "workers": given.workers,
        "identifiers": "kept" if given.keep_identifiers else "replaced",
        "compared": killed(given, folder, compared, whole=True),
    }
    told["same_bytes_after_kill"] = told["compared"].pop("same_bytes")
    if given.notes > compared:
        told["all"] = killed(given, folder, given.notes)
    return told


def killed(
    given: argparse.Namespace, folder: Path, notes: int, whole: bool = False
) -> dict[str, Any]:
    """Read notes in a run that is killed half-way and run again; with `whole` also without."""
    where = folder / f"{notes}.jsonl"
    with where.open("w", encoding="utf-8") as file:
        file.writelines(invented(notes))
    out, other = folder / f"{notes}", folder / f"{notes}-whole"
    begun, cpu = time.perf_counter(), os.times()
    first = run(given, where, out, kill_at=0.5)
    stopped = not out.exists()
    last = run(given, where, out)
    now = os.times()
    told = {
        "notes": notes,
        "megabytes": round(where.stat().st_size / 1e6, 1),
        "killed_half_way": stopped,
        "memory": {"before_kill": first["memory"], "resumed": last["memory"]},
        **{name: last[name] for name in ("n_notes", "n_facts", "set_aside")},
        "seconds": round(time.perf_counter() - begun, 1),
        "cpu_seconds": round(
            now.children_user + now.children_system - cpu.children_user - cpu.children_system, 1
        ),
    }
    if whole:
        run(given, where, other)
        told["same_bytes"] = stopped and hashes(other) == hashes(out)
    return told


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
        drawn["fresh"] = " ".join(word(5 * i + k) for k in range(5))
        row = {"id": f"n{i}", "subject": f"P{i // 5}", "day": i % 5 * 28}
        yield json.dumps({**row, "text": TEMPLATE.format(**drawn)}) + "\n"


def word(number: int) -> str:
    """Return a word that no other number below 2 ** 32 has."""
    number = number * 2_654_435_761 % 2**32
    return "".join(
        "bdfgklmnprstvzjh"[number >> s & 15] + "aeio"[number >> s + 4 & 3] for s in range(0, 32, 6)
    )


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
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return {**(told[-1] if kill_at is None else {}), "memory": [t for t in told if "driver" in t]}


def drive(given: argparse.Namespace) -> None:
    """Extract, noting the peak of memory when so many notes are done."""
    where, out = given.run
    reached = -1

    def told(what: str, share: float, notes: int) -> None:
        nonlocal reached
        del what
        if notes and int(share * MARKS) > reached:
            reached = int(share * MARKS)
            line = json.dumps({"notes": round(share * notes), **memory()})
            print(line, flush=True)
            print(line, file=sys.stderr, flush=True)
        if given.kill_at and notes and share >= given.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    key = None if given.keep_identifiers else where.with_name("key")
    protection = service.Protection(keep_identifiers=given.keep_identifiers, key_file=key)
    pace = service.Pace(given.execution, given.workers, given.chunk, cohort=False, progress=told)
    done = service.extract_notes(where, out, protection=protection, pace=pace)
    print(json.dumps({name: done[name] for name in ("n_notes", "n_facts", "set_aside")}))


def memory() -> dict[str, str]:
    """Return megabytes held and held at most by this process and by its largest child."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children").read_text("ascii").split()
    of_children = [_held(int(child)) for child in children]
    held = {"driver": _held(own), "worker": max(of_children, default=(0, 0))}
    return {who: f"{now} MB, at most {most} MB" for who, (now, most) in held.items() if most}


def _held(pid: int) -> tuple[int, int]:
    """Return resident megabytes, now and at most."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0, 0
    held = {line.split(":")[0]: line.split() for line in text.splitlines()}
    now, most = (int(held.get(name, ("", "0"))[1]) // 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


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
