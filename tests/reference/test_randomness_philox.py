"""Philox4x32-10 against Random123's known-answer vectors (kat_vectors of Random123 1.14.0,
D. E. Shaw Research; Salmon et al. 2011, doi 10.1145/2063384.2063405)."""

import subprocess
import sys

import numpy as np
import pytest

from generation.philox import philox4x32
from generation.randomness import Stream

VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def _words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    given = np.array([*_words(counter), *_words(key)], dtype=np.uint64)
    assert [int(w) for w in philox4x32(*given)] == _words(expected)


def test_all_vectors_at_once_give_the_same_words() -> None:
    zero = np.zeros(1, dtype=np.uint64)
    many = np.arange(5, dtype=np.uint64)
    batch = philox4x32(many, zero, zero, zero, zero, zero)
    assert [int(w[0]) for w in batch] == _words(VECTORS[0][2])


def test_words_are_drawn_where_no_folder_can_be_written() -> None:
    closed = (
        "from numba.core import caching\n"
        "def refuse(self): raise OSError('read-only')\n"
        "caching._CacheLocator.ensure_cache_path = refuse\n"
        "from generation.randomness import Stream\n"
        "print(int(Stream(1, 'a').bits()))"
    )
    drawn = subprocess.run([sys.executable, "-c", closed], capture_output=True, check=True)
    assert int(drawn.stdout) == int(Stream(1, "a").bits())
