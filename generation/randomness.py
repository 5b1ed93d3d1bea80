"""Random draws that belong to an identity, never to a place in a batch.

A draw is named by a seed, a stream and four whole numbers: the replicate, the patient, the
decision and an index within the decision. The counter-based generator Philox4x32-10 turns that
name into 128 random bits, so the same patient gets the same draw whatever the batch, the order,
the chunk, the number of workers or the design around it (common random numbers).

Source: Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3",
SC'11, doi 10.1145/2063384.2063405.
"""

import hashlib
from typing import Final, Self, cast, final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Integers = npt.ArrayLike
Words = npt.NDArray[np.uint64]
Floats = npt.NDArray[np.float64]

_MASK: Final = 0xFFFFFFFF


def _digest(seed: int, stream: str, *ids: int) -> bytes:
    """16 bytes that name a seed, a stream and further identities without ambiguity."""
    name = "\x1f".join([str(int(seed)), stream, *(str(int(i)) for i in ids)])
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def decision_id(name: str) -> int:
    """Stable 31-bit number of a named decision, the same in every process and release."""
    word = hashlib.blake2b(name.encode(), digest_size=4).digest()
    return int.from_bytes(word, "little") & 0x7FFFFFFF


def integer_seed(seed: int, stream: str, *ids: int) -> int:
    """Seed in [0, 2**31) for a library that takes a whole number only."""
    return int.from_bytes(_digest(seed, stream, *ids)[:4], "little") & 0x7FFFFFFF


def generator(seed: int, stream: str, *ids: int) -> np.random.Generator:
    """NumPy generator for work that is not keyed by patient (training, bootstraps).

    The same seed, stream and ids give the same generator in every process.
    """
    key = int.from_bytes(_digest(seed, stream, *ids), "little")
    return np.random.Generator(np.random.Philox(key=key))


def _word(values: Integers, name: str) -> Words:
    """One counter word; refuses what would silently collide with another identity."""
    array = np.asarray(values)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} is of type {array.dtype}; whole numbers are needed")
    if array.size and (int(array.min()) < 0 or int(array.max()) > _MASK):
        raise ValueError(f"{name} lies outside 0 to 2**32 - 1")
    return array.astype(np.uint64)


def _fills_table(replicate: Words, patient: Words, decision: Words, index: Words) -> bool:
    """Whether the draws are replicates (R, 1) by patients (1 or R, N) of one decision."""
    return (
        decision.ndim == index.ndim == 0
        and replicate.ndim == patient.ndim == 2
        and replicate.shape[1] == 1
        and patient.shape[0] in (1, len(replicate))
    )


@final
class Stream:
    """A named stream of keyed draws.

    Parameters
    ----------
    seed
        Seed of the run, any whole number.
    name
        Name of the stream; streams of different names are independent.

    Examples
    --------
    >>> stream = Stream(1, "dropout")
    >>> both = stream.uniform(patient=np.arange(2))
    >>> bool(both[1] == stream.uniform(patient=1))
    True
    """

    def __init__(self, seed: int, name: str) -> None:
        self.seed = int(seed)
        self.name = name
        key = _digest(self.seed, name)
        self._key = tuple(np.frombuffer(key[:8], dtype="<u4").astype(np.uint64))
        self._rows: tuple[Integers, Integers] | None = None

    def rows(self, replicate: Integers, patient: Integers) -> Self:
        """The same stream, where patient k is the identity in row k of two tables of shape (n,).

        For many draws (patients) of many subjects (replicates) in one batch.
        """
        named = type(self)(self.seed, self.name)
        named._rows = (np.asarray(replicate), np.asarray(patient))
        return named

    def _counter(
        self, replicate: Integers, patient: Integers, decision: Integers, index: Integers
    ) -> tuple[Words, Words, Words, Words]:
        if self._rows is not None:
            place = np.asarray(patient)
            replicate, patient = (np.asarray(table)[place] for table in self._rows)
        return (
            _word(replicate, "replicate"),
            _word(patient, "patient"),
            _word(decision, "decision"),
            _word(index, "index"),
        )

    def words(
        self,
        replicate: Integers = 0,
        patient: Integers = 0,
        decision: Integers = 0,
        index: Integers = 0,
    ) -> tuple[Words, Words, Words, Words]:
        """Four random 32-bit words for each identity, in uint64 arrays of the broadcast shape.

        Raises
        ------
        TypeError, ValueError
            If an identity is not a whole number in [0, 2**32).
        """
        from generation.philox import philox4x32

        drawn = philox4x32(*self._counter(replicate, patient, decision, index), *self._key)
        return cast(tuple[Words, Words, Words, Words], tuple(np.asarray(word) for word in drawn))

    def bits(
        self,
        replicate: Integers = 0,
        patient: Integers = 0,
        decision: Integers = 0,
        index: Integers = 0,
    ) -> Words:
        """64 random bits for each identity, uint64 of the broadcast shape."""
        from generation.philox import bits64

        return np.asarray(bits64(*self._counter(replicate, patient, decision, index), *self._key))

    def uniform(
        self,
        replicate: Integers = 0,
        patient: Integers = 0,
        decision: Integers = 0,
        index: Integers = 0,
    ) -> Floats:
        """Draw uniforms in the open interval (0, 1) from 53 bits, of the broadcast shape.

        The value is (k + 1/2) / 2**53 held to 53 bits; the top cell is rounded down so that 1
        never comes.
        """
        from generation.philox import uniform53, uniform53_table

        counter = self._counter(replicate, patient, decision, index)
        if _fills_table(*counter):
            rows, columns, *one = counter
            table: Floats = uniform53_table(
                rows[:, 0].copy(),
                np.ascontiguousarray(columns),
                *(w.item() for w in one),
                *self._key,
            )
            return table
        return np.asarray(uniform53(*counter, *self._key))

    def normal(
        self,
        replicate: Integers = 0,
        patient: Integers = 0,
        decision: Integers = 0,
        index: Integers = 0,
    ) -> Floats:
        """Draw standard normals by inversion, of the broadcast shape."""
        return np.asarray(ndtri(self.uniform(replicate, patient, decision, index)))
