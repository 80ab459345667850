"""Reading below OUT without following a link out of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from adaptergen import guard
from adaptergen.output.errors import OutputError
from adaptergen.output.wanted import parents


def read(out: Path, path: str) -> bytes | None:
    """The bytes of the file `path` below `out`, None if there is none.

    Refused: a link at any part of the path (`out` itself may be one), a file where a folder
    is wanted, anything that is not a regular file.
    """
    for parent in parents(path):
        if not is_folder(out / parent):
            return None
    place = out / path
    mode = _mode(place)
    if mode is None:
        return None
    if stat.S_ISDIR(mode):
        raise OutputError(
            "a folder stands where a file is wanted",
            "move the folder away, or choose another one with --out",
            place,
        )
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
    if mode is None:
        return False
    if not stat.S_ISDIR(mode):
        raise OutputError(
            "a file stands where a folder is wanted",
            "move the file away, or choose another folder with --out",
            place,
        )
    return True


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
