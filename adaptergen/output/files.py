"""Reading and changing files below OUT, without following a link out of it.

What stands in the way is an `OutputError`: what, where, and how to fix it. Each change is a plain
sequence of `os` calls, so that the tests can end the process before any of them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adaptergen import guard
from adaptergen.problems import InputError

_SPACE = ("the disk is full", "free some space (or raise the quota), then build again")
_RIGHTS = (
    "this user may not read or write here",
    "make the folder writable for this user, or choose another with --out",
)
_FILE_IN_THE_WAY = (
    "a file stands where a folder is wanted",
    "move the file away, or choose another folder with --out",
)
_FOLDER_IN_THE_WAY = (
    "a folder stands where a file is wanted",
    "move the folder away, or choose another one with --out",
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
    errno.EISDIR: _FOLDER_IN_THE_WAY,
    errno.ENAMETOOLONG: ("the path is too long", "choose a folder with a shorter path with --out"),
    errno.ELOOP: ("a link leads in a circle", "replace the link by a real folder"),
}
_KEEPS_FOLDER = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)


class OutputError(InputError):
    """The environment stands in the way: what, where, and how to fix it. Nothing is lost."""

    def __init__(self, message: str, hint: str, path: Path) -> None:
        super().__init__(f"{path}: {message}", hint)


@contextmanager
def explained(fallback: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into an `OutputError`, at `fallback` if it names no path."""
    try:
        yield
    except guard.Unfit as error:
        raise OutputError(error.message, error.hint, Path(error.filename)) from error
    except OSError as error:
        reason = (error.strerror or str(error), "fix this, then run the same command again")
        message, hint = _EXPLANATIONS.get(error.errno or 0, reason)
        # A rename has two names; the second is the one that the user knows.
        name = error.filename2 or error.filename
        path = Path(name) if isinstance(name, str) else fallback
        raise OutputError(message, hint, path) from error


def read_file(out: Path, path: str) -> bytes | None:
    """The bytes of the file `path` below `out`, None if there is none.

    Refused: a link at any part of the path (`out` itself may be one), a file where a folder
    is wanted, anything that is not a regular file.
    """
    place = out / path
    if not all(is_folder(out / parent) for parent in parents(path)):
        return None
    mode = _mode(place)
    if mode is None:
        return None
    if stat.S_ISDIR(mode):
        raise OutputError(*_FOLDER_IN_THE_WAY, place)
    if not stat.S_ISREG(mode):
        # Opening a pipe or a device could block for ever.
        raise OutputError("this is not a regular file", "move it away, then build again", place)
    try:
        return guard.read(place, small=False, within=out)
    except FileNotFoundError:
        return None


def is_folder(place: Path) -> bool:
    """Whether a real folder is at `place`; False if nothing is there."""
    mode = _mode(place)
    if mode is not None and not stat.S_ISDIR(mode):
        raise OutputError(*_FILE_IN_THE_WAY, place)
    return mode is not None


def parents(path: str) -> list[str]:
    """The folders of a relative path, the outermost first: `a/b/c` -> `a`, `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def keep(path: Path, copy: Path) -> None:
    """Keep the file at `path` under a second name, with its time stamp where links are possible."""
    try:
        os.link(path, copy)
    except OSError:
        guard.write_new(copy, guard.read(path, small=False))


def remove_folder(path: Path) -> bool:
    """Remove a folder if it is empty; whether it is gone."""
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno not in _KEEPS_FOLDER:
            raise
        return error.errno == errno.ENOENT
    return True


def sync_folder(path: Path) -> None:
    """Make renames in the folder last through a power cut, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems cannot sync a folder; theirs is no better way.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            error.filename = str(path)
            raise
    finally:
        os.close(handle)


def _mode(place: Path) -> int | None:
    try:
        mode = os.lstat(place).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise OutputError(
            "a link inside the output folder could lead out of it",
            "replace the link by a real file or folder (the output folder itself may be a link)",
            place,
        )
    return mode
