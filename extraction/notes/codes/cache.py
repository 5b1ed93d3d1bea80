"""Built indexes on disk: made once, whole or not at all, and found again by what they stand on."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path

from ...records import InputError
from .index import DamagedError, Index

LOG = logging.getLogger("trialtwin.codes")
_KEPT = 3  # indexes of one vocabulary, e.g. of several installed versions
_OWN = Path(__file__).parent


def cache_folder() -> Path:
    """Return where built indexes lie: ``$XDG_CACHE_HOME``, else ``~/.cache``, in `trialtwin`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "trialtwin" / "codes"


def digest(paths: Iterable[Path], *words: str) -> str:
    """Return 24 hex digits for what an index stands on: files, words, and the code that builds."""
    total = sha256(code_digest().encode())
    for path in paths:
        with path.open("rb") as file:
            total.update(file_digest(file, "sha256").digest())
    total.update("\x1f".join(words).encode())
    return total.hexdigest()[:24]


@cache
def code_digest() -> str:
    """Return the SHA-256 of the modules and word lists that decide what stands in an index."""
    notes = _OWN.parent
    parts = [*_OWN.rglob("*.py"), *_OWN.rglob("*.txt"), *(notes / "terms").glob("*.txt")]
    parts += [notes / "tokens.py", notes / "lexicon.py", notes / "entities.py"]
    total = sha256()
    for path in sorted(parts):
        total.update(path.relative_to(notes).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def built(name: str, what: str, write: Callable[[Path], None]) -> Index:
    """Return the index of this name, built now where there is none that is whole.

    Parameters
    ----------
    name
        Of its folder; it holds the digest of all that the index stands on.
    what
        Said in the line that tells of the building.
    write
        Writes the index into an empty folder.

    Raises
    ------
    InputError
        When the disk does not take it.
    """
    try:
        return Index(cache_folder() / name)  # the cache may be there to be read only
    except (DamagedError, RuntimeError):  # RuntimeError: there is no home
        root = _root()
    with _alone(root / f".{name}.lock"):
        try:
            return Index(root / name)  # another process has built it meanwhile
        except DamagedError:
            return _make(root / name, what, write)


def _make(folder: Path, what: str, write: Callable[[Path], None]) -> Index:
    LOG.warning(
        "building the index of %s, once (about 10 seconds of processor time; more for a large file "
        "of your own): %s",
        what,
        folder,
    )
    for left in folder.parent.glob(f".{folder.name}.*"):  # by a process that was killed
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(fresh)
        if folder.exists():  # damaged
            _remove(folder)
        os.replace(fresh, folder)
        _forget(folder)
    except OSError as error:
        raise InputError(
            f"codes: the index of {what} cannot be written to {folder.parent} "
            f"({os.strerror(error.errno or 0)}); make room there, or set XDG_CACHE_HOME"
        ) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return Index(folder)


def _forget(folder: Path) -> None:
    """Delete all but the newest indexes of a vocabulary; what has them open keeps them."""
    alike = folder.name.rsplit("-", 1)[0]
    known = [p for p in folder.parent.glob(f"{alike}-*") if p.is_dir()]
    for old in sorted(known, key=lambda p: p.stat().st_mtime)[:-_KEPT]:
        _remove(old)


def _remove(folder: Path) -> None:
    """Delete an index; it goes from its place at once, as another may be put there meanwhile."""
    gone = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def _root() -> Path:
    """Make the cache, readable by its owner only, since a vocabulary in it may be licensed."""
    try:
        root = cache_folder()
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError):
        return _passing()
    return root if os.access(root, os.W_OK | os.X_OK) else _passing()


@cache
def _passing() -> Path:
    """Return a folder for this process where there is no place that stays."""
    LOG.warning("codes: the cache cannot be written (XDG_CACHE_HOME); indexes are for this run")
    return Path(_holder().name)


@cache
def _holder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="trialtwin-codes-")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process in at a time."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
