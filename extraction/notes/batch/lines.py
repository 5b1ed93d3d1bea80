"""Lines of a file, decoded one by one, none longer than is allowed."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from ...records import InputError
from .cleaning import text_of

_WIDE = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def lines(
    path: Path, most: int, guessed: Callable[[], object] = int
) -> Iterator[tuple[int, str | None]]:
    """Yield the place in bytes at which a line begins, and the line with its end.

    Parameters
    ----------
    path
        A file in UTF-8, in UTF-16 or UTF-32 with their mark, or in Windows-1252, line by line.
    most
        Bytes; a longer line comes as None and is never held as a whole.
    guessed
        Called for every line whose encoding was guessed.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    try:
        with ExitStack() as stack:
            binary = stack.enter_context(path.open("rb"))
            encoding = _wide(binary)
            if encoding is None:
                yield from _narrow_lines(binary, most, guessed)
            else:
                text = io.TextIOWrapper(binary, encoding, errors="replace", newline="\n")
                yield from _wide_lines(stack.enter_context(text), binary, most)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError:
        raise InputError(f"{path.name}: the file cannot be read") from None


def _wide(binary: IO[bytes]) -> str | None:
    head = binary.read(4)
    binary.seek(0)
    return next((encoding for mark, encoding in _WIDE if head.startswith(mark)), None)


def _narrow_lines(
    binary: IO[bytes], most: int, guessed: Callable[[], object]
) -> Iterator[tuple[int, str | None]]:
    place = 0
    while line := binary.readline(most + 1):
        begun, place = place, place + len(line)
        if len(line) <= most:
            text, unsure = text_of(line)
            if unsure:
                guessed()
            yield begun, text
            continue
        while line and not line.endswith(b"\n"):
            line = binary.readline(most)
            place += len(line)
        yield begun, None


def _wide_lines(
    text: io.TextIOWrapper, binary: IO[bytes], most: int
) -> Iterator[tuple[int, str | None]]:
    while line := text.readline(most + 1):
        begun = binary.tell()
        if len(line) <= most:
            yield begun, line
            continue
        while line and not line.endswith("\n"):
            line = text.readline(most)
        yield begun, None
