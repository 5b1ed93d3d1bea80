"""The errors of the house: one base class, and messages that are safe to show to anyone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class TrialtwinError(Exception):
    """Any error that Trialtwin raises on purpose; its text holds no patient value."""


class InputError(TrialtwinError, ValueError):
    """What was given cannot be used (exit code 2, HTTP 422).

    Parameters
    ----------
    faults
        One fault or all faults of one input, each "where: what came; what is allowed".
    """

    def __init__(self, faults: str | Iterable[str]) -> None:
        self.faults: tuple[str, ...] = (faults,) if isinstance(faults, str) else tuple(faults)
        super().__init__("\n".join(self.faults))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[str, ...]]]:
        """Rebuild from the faults, so that an error crosses process borders unchanged."""
        return type(self), (self.faults,)


class RefusedError(InputError):
    """A well-formed request that is declined for a statistical or privacy reason (HTTP 409)."""


class Faults:
    """Collects every fault of one input, so that a user mends them in one go.

    Examples
    --------
    >>> faults = Faults("plan.yaml")
    >>> faults.add("arms[1].n is 0; it must be at least 1")
    >>> list(faults)
    ['plan.yaml: arms[1].n is 0; it must be at least 1']
    """

    def __init__(self, where: str = "") -> None:
        self._prefix = f"{where}: " if where else ""
        self._faults: list[str] = []

    def add(self, fault: str) -> None:
        """Note one fault."""
        self._faults.append(self._prefix + fault)

    def __iter__(self) -> Iterator[str]:
        return iter(self._faults)

    def __bool__(self) -> bool:
        return bool(self._faults)

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Note the faults of an `InputError` raised inside and go on."""
        try:
            yield
        except InputError as error:
            for fault in error.faults:
                self.add(fault)

    def raise_if_any(self) -> None:
        """Raise one `InputError` with everything noted so far, each fault once."""
        if self._faults:
            raise InputError(dict.fromkeys(self._faults))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint "; did you mean X?" for a misspelt name, or an empty string."""
    from difflib import get_close_matches

    original = {k.lower(): k for k in known}
    close = get_close_matches(name.lower(), original, n=1)
    return f"; did you mean {original[close[0]]}?" if close else ""
