"""Drug names with DrugBank numbers, out of the package drug-named-entity-recognition.

The package stores them as a pickle. It is never unpickled: its SHA-256 is checked, and its
instructions are read one by one, of which only those that build lists, dictionaries, texts and
numbers are followed; none can name a function. The MeSH numbers in it are left, since many name
what a drug does and not the drug.
"""

from __future__ import annotations

import bz2
import pickletools
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, final

from ....records import InputError
from ..build import Entry
from .packaged import packaged_file

SYSTEM = "DrugBank"
_PACKAGE = "drug-named-entity-recognition"
_SHA256 = "ec10a1c7b633fc4bae8d0eecff053892c0e37f49e18eaf59c8a1e9f40fc80d9d"
_PINNED = "2.0.9"
_MOST_BYTES = 64 * 2**20  # unpacked; it is 8 MB


def source() -> Path:
    """Return the file of names of the installed package.

    Raises
    ------
    InputError
        When the package is not installed, or its file is not the one that was looked at.
    """
    path = packaged_file(
        _PACKAGE, "drug_named_entity_recognition/drug_ner_dictionary.pkl.bz2", SYSTEM
    )
    if sha256(path.read_bytes()).hexdigest() != _SHA256:
        raise InputError(
            f"codes: {path.name} is not that of {_PACKAGE} {_PINNED}; install that version"
        )
    return path


# Names of a family of drugs that the file gives to one of them alone: none of these is sure.
_SHARED = {"penicillin": frozenset({"DB00417", "DB01053"})}


def version(path: Path) -> str:
    """Return the release of the package; the file states none of DrugBank's own."""
    return f"{_PACKAGE} {_PINNED}"


def entries(path: Path) -> Iterator[Entry]:
    """Yield drugs that have a DrugBank number, with their other names and brands."""
    data = plain_data(bz2.BZ2Decompressor().decompress(path.read_bytes(), _MOST_BYTES))
    known = data["drug_canonical_to_data"]
    names: dict[str, list[str]] = {}
    for variant, canonicals in data["drug_variant_to_canonical"].items():
        for canonical in canonicals:
            names.setdefault(canonical, []).append(variant)
    for canonical, about in known.items():
        if "drugbank_id" in about:
            number = about["drugbank_id"]
            shared = [name for name, numbers in _SHARED.items() if number in numbers]
            others = [n for n in [*names.get(canonical, ()), *shared] if n != canonical]
            shown = str(about.get("name") or canonical)
            yield Entry(number, shown, ((canonical, 1.0), *((n, 0.97) for n in others)))


def plain_data(data: bytes) -> Any:
    """Return the lists, dictionaries, texts and numbers that a pickle describes.

    Raises
    ------
    InputError
        When it holds any other instruction, such as one that names a class.
    """
    machine = _Machine()
    for operation, argument, _ in pickletools.genops(data):
        step = getattr(machine, f"do_{operation.name.lower()}", None)
        if step is None:
            raise InputError(f"codes: the file of drugs holds {operation.name}; it is not followed")
        step(argument)
    return machine.result


@final
class _Machine:
    """The instructions that are followed, and the stack that they work on."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memory: list[Any] = []
        self.result: Any = None

    def _push(self, value: Any) -> None:
        self.stack.append(value)

    do_short_binunicode = do_binunicode = do_binfloat = _push

    def _pass(self, _: Any) -> None:
        """Leave framing alone."""

    do_proto = do_frame = _pass

    def do_newtrue(self, _: Any) -> None:
        self.stack.append(True)

    def do_newfalse(self, _: Any) -> None:
        self.stack.append(False)

    def do_empty_list(self, _: Any) -> None:
        self.stack.append([])

    def do_empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def do_memoize(self, _: Any) -> None:
        self.memory.append(self.stack[-1])

    def do_binget(self, place: int) -> None:
        self.stack.append(self.memory[place])

    do_long_binget = do_binget

    def do_mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _taken(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def do_append(self, _: Any) -> None:
        value = self.stack.pop()
        self.stack[-1].append(value)

    def do_appends(self, _: Any) -> None:
        items = self._taken()
        self.stack[-1].extend(items)

    def do_setitem(self, _: Any) -> None:
        value, name = self.stack.pop(), self.stack.pop()
        self.stack[-1][name] = value

    def do_setitems(self, _: Any) -> None:
        items = self._taken()
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def do_stop(self, _: Any) -> None:
        self.result = self.stack.pop()
