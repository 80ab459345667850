"""The few ways in which the tree is changed. Every step may fail; none leaves half a file behind.

Each is a plain sequence of `os` calls, so that the tests can kill the process before any of them.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from adaptergen import guard

_KEEPS_FOLDER = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST)


def keep(path: Path, copy: Path) -> None:
    """Keep the file at `path` under a second name, with its time stamp where links are possible."""
    try:
        os.link(path, copy)
    except OSError:
        guard.write_new(copy, guard.read(path, small=False))


def replace(source: Path, target: Path) -> None:
    """Move a file over another in one step."""
    os.replace(source, target)


def remove(path: Path) -> None:
    """Remove a file; it may be gone already."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def make_folder(path: Path) -> None:
    """Make a folder whose parent exists; it may exist already."""
    try:
        os.mkdir(path)
    except FileExistsError:
        if not path.is_dir():
            raise


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
