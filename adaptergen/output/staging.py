"""The folder `OUT/.adaptergen`: it exists only while a build writes, or after one was killed.

It holds the lock, the new files (`0.new`), the old ones (`0.old`) and the journal. The journal's
name says where a killed build stood: none, the tree is as it was before or as it shall be;
`journal.json`, the new files are being put in place; `undo.json`, the old ones are being put back.

A folder of this name may also come with a repository that others made. So nothing in it is used
before all of it was looked at: a journal has the seal of this user, a file is a file.
"""

from __future__ import annotations

import os
import re
import stat
from enum import Enum
from pathlib import Path

from adaptergen.output import fs, lock, tree
from adaptergen.output.journal import Journal, parse, refused
from adaptergen.output.seal import own

FOLDER = ".adaptergen"
LOCK = "lock"
FORWARD = "journal.json"
UNDO = "undo.json"
UNFINISHED = "journal.tmp"

_NAMES = re.compile(r"journal\.(json|tmp)|undo\.json|\d+\.(new|old)")


class Interruption(Enum):
    """What `.adaptergen` tells about an earlier build; the value says what comes of it."""

    RUNNING = "another build is writing here at this moment"
    STAGED = "a build was interrupted, no file is half done; the next build drops its rest"
    HALF_DONE = "a build was interrupted while it wrote; the next build finishes it"
    HALF_UNDONE = "a failed build was interrupted; the next build puts the old files back"


def look(out: Path) -> Interruption | None:
    """Whether a build runs or was interrupted in `out`; changes nothing.

    Raises `OutputError` if the folder holds what no build of this user left there.
    """
    folder = out / FOLDER
    if not (out.exists() and tree.is_folder(out.resolve()) and tree.is_folder(folder)):
        return None
    if lock.PRIMITIVE.held(folder / LOCK):
        return Interruption.RUNNING
    found = left(out)
    if found is not None:
        return found[0]
    return Interruption.STAGED if folder.exists() else None


def left(out: Path) -> tuple[Interruption, Journal] | None:
    """The journal of a killed build; None if there is none. Raises `OutputError` like `look`."""
    folder = out / FOLDER
    for name in rest(out):
        try:
            status = os.lstat(folder / name)
        except FileNotFoundError:
            # A build has begun, or has just come to its end.
            continue
        if not (_NAMES.fullmatch(name) and stat.S_ISREG(status.st_mode)):
            raise refused(f"a build leaves no such thing as {name!r} here", folder / name)
        # An old file is the user's own under a second name, whoever it belongs to.
        if not (name.endswith(".old") or own(status)):
            raise refused("another user wrote this", folder / name)
    for name, found in ((FORWARD, Interruption.HALF_DONE), (UNDO, Interruption.HALF_UNDONE)):
        if (data := tree.read(out, f"{FOLDER}/{name}")) is not None:
            return found, parse(data, out, folder / name)
    return None


def rest(out: Path) -> list[str]:
    """What lies in the folder beside the lock."""
    try:
        return sorted({*os.listdir(out / FOLDER)} - {LOCK, lock.IGNORE})
    except FileNotFoundError:
        return []


def drop(out: Path) -> None:
    """Remove everything but the lock. The journal goes first: it speaks of the other files."""
    for name in (FORWARD, UNDO, *rest(out)):
        fs.remove(out / FOLDER / name)
