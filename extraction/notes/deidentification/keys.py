"""The key of a de-identification: read, made, and parted into keys of one purpose each."""

from __future__ import annotations

import os
import secrets
from hashlib import blake2b
from pathlib import Path

from ...records import InputError

KEY_BYTES = 32


def read_key(path: Path) -> bytes:
    """Read a key from a file of 64 hexadecimal digits that only its owner can read.

    Raises
    ------
    InputError
        When there is no such file, others can read it, or it holds no key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
        key = bytes.fromhex(text)
    except FileNotFoundError:
        raise InputError("key file: there is no such file; make one with a new key") from None
    except (OSError, ValueError):
        raise InputError(_WRONG) from None
    faults = []
    if os.name == "posix" and mode & 0o077:
        faults.append("key file: others than its owner can read it; allowed: mode 600 (chmod 600)")
    if len(key) != KEY_BYTES:
        faults.append(_WRONG)
    if faults:
        raise InputError(faults)
    return key


def new_key(path: Path) -> bytes:
    """Make a random key and write it to a new file that only its owner can read.

    Raises
    ------
    InputError
        When the file exists or cannot be written.
    """
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InputError("key file: it exists; a key is never overwritten") from None
    except OSError:
        raise InputError(
            "key file: it cannot be written; name a place where you may write"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
    return key


def checked_key(key: bytes | str | None) -> bytes:
    """Return a key of at least 32 bytes; a random one, kept nowhere, when none is given.

    Raises
    ------
    InputError
        When it is shorter, or text that is not hexadecimal digits.
    """
    if key is None:
        return secrets.token_bytes(KEY_BYTES)
    if isinstance(key, str):
        try:
            key = bytes.fromhex(key)
        except ValueError:
            raise InputError("key: as text it must be hexadecimal digits") from None
    if not isinstance(key, bytes) or len(key) < KEY_BYTES:
        raise InputError(f"key: it has fewer than {KEY_BYTES} bytes; draw one with new_key")
    return key


def subkey(key: bytes, purpose: str) -> bytes:
    """Return the key of one purpose; knowing it tells nothing of the others."""
    return blake2b(
        purpose.encode(), key=blake2b(key, digest_size=64).digest(), digest_size=32
    ).digest()


_WRONG = f"key file: it does not hold a key; it must be {2 * KEY_BYTES} hexadecimal digits"
