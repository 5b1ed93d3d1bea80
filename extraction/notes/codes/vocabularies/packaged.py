"""Files of installed packages, found without importing the packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from ....records import InputError


class NotInstalledError(InputError):
    """The package of a vocabulary is not installed."""


def packaged_file(package: str, pattern: str, what: str) -> Path:
    """Return the file of an installed package whose path matches a pattern.

    Raises
    ------
    NotInstalledError
        With what to install.
    InputError
        When the package has no such file.
    """
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        raise NotInstalledError(
            f"codes: {what} needs the package {package}, which is not installed; "
            f"run `pip install {package}`, or leave {what} out"
        ) from None
    found = sorted(Path(str(f.locate())) for f in files if f.match(pattern))
    if not found or not found[-1].is_file():
        raise InputError(f"codes: {package} has no {pattern}; install the version we pin")
    return found[-1]
