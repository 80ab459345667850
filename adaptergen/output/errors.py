"""What can go wrong around the output folder, said so that the user can mend it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adaptergen import guard

_SPACE = ("the disk is full", "free some space (or raise the quota), then build again")
_RIGHTS = (
    "this user may not read or write here",
    "make the folder writable for this user, or choose another with --out",
)
_FILE_IN_THE_WAY = (
    "a file stands where a folder is wanted",
    "move the file away, or choose another folder with --out",
)
_EXPLANATIONS = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: (
        "the file system is read-only",
        "choose a writable folder with --out, or remount it writable",
    ),
    errno.ENOTDIR: _FILE_IN_THE_WAY,
    errno.EEXIST: _FILE_IN_THE_WAY,
    errno.EISDIR: (
        "a folder stands where a file is wanted",
        "move the folder away, or choose another one with --out",
    ),
    errno.ENAMETOOLONG: ("the path is too long", "choose a folder with a shorter path with --out"),
    errno.ELOOP: ("a link leads in a circle", "replace the link by a real folder"),
}


class OutputError(Exception):
    """The environment stands in the way: what, where, and what mends it. Nothing is lost."""

    def __init__(self, message: str, hint: str, path: Path) -> None:
        super().__init__(message, hint, path)
        self.message = message
        self.hint = hint
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.message}\n  hint: {self.hint}"


@contextmanager
def explained(fallback: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into an `OutputError`, at `fallback` if it names no path."""
    try:
        yield
    except OSError as error:
        raise _explain(error, fallback) from error


def _explain(error: OSError, fallback: Path) -> OutputError:
    if isinstance(error, guard.Unfit):
        return OutputError(error.message, error.hint, Path(error.filename))
    reason = (error.strerror or str(error), "mend this, then run the same command again")
    message, hint = _EXPLANATIONS.get(error.errno or 0, reason)
    # A rename has two names; the second is the place the user knows.
    name = error.filename2 or error.filename
    return OutputError(message, hint, Path(name) if isinstance(name, str) else fallback)
