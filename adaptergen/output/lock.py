"""One build at a time in an output folder. A dead build never blocks the next one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adaptergen import guard
from adaptergen.output import fs, tree
from adaptergen.output.errors import OutputError
from adaptergen.output.lock_kinds import Primitive, choose

PRIMITIVE: Primitive = choose()
PATIENCE = 60.0
#: With it git does not see the folder of the lock.
IGNORE = ".gitignore"
_PAUSE = 0.02


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; make its folder before, remove it (if empty) after."""
    handle = _acquire(path)
    try:
        _hide(path.parent)
        yield
    finally:
        try:
            _show(path)
        finally:
            PRIMITIVE.release(path, handle)
            _leave(path.parent)


def _acquire(path: Path) -> int:
    give_up = time.monotonic() + PATIENCE
    while True:
        os.makedirs(path.parent.parent, exist_ok=True)
        if not tree.is_folder(path.parent):
            fs.make_folder(path.parent)
        try:
            handle = PRIMITIVE.acquire(path)
        except FileNotFoundError:
            # The last holder has just removed the folder: make it again.
            handle = None
        except BaseException:
            _leave(path.parent)
            raise
        if handle is not None:
            return handle
        if time.monotonic() > give_up:
            raise OutputError(
                f"another build has been writing here for over {PATIENCE:.0f} seconds",
                "wait until it ends, or end it, then build again",
                path.parent.parent,
            )
        time.sleep(_PAUSE)


def _hide(folder: Path) -> None:
    # What is left here after a kill, or meanwhile, is nothing to commit.
    with suppress(FileExistsError):
        guard.write_new(folder / IGNORE, b"*\n")


def _show(path: Path) -> None:
    with suppress(OSError):
        if set(os.listdir(path.parent)) == {path.name, IGNORE}:
            fs.remove(path.parent / IGNORE)


def _leave(folder: Path) -> None:
    # The work is done or undone: a folder that stays is only reported, and removed by the next.
    with suppress(OSError):
        fs.remove_folder(folder)
