"""The folder `OUT/.adaptergen`: it exists only while a build writes, or after one was killed.

It holds the lock, the new files (`0.new`), the old ones (`0.old`) and the journal. The journal's
name says where a killed build stood: none, the tree is as it was before or as it shall be;
`journal.json`, the new files are being put in place; `undo.json`, the old ones are being put back.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from adaptergen.output import fs, lock, tree

FOLDER = ".adaptergen"
LOCK = "lock"
FORWARD = "journal.json"
UNDO = "undo.json"


class Interruption(Enum):
    """What `.adaptergen` tells about an earlier build; the value says what comes of it."""

    RUNNING = "another build is writing here at this moment"
    STAGED = "a build was interrupted, no file is half done; the next build drops its rest"
    HALF_DONE = "a build was interrupted while it wrote; the next build finishes it"
    HALF_UNDONE = "a failed build was interrupted; the next build puts the old files back"


def look(out: Path) -> Interruption | None:
    """Whether a build runs or was interrupted in `out`; changes nothing."""
    folder = out / FOLDER
    if not (out.exists() and tree.is_folder(out.resolve()) and tree.is_folder(folder)):
        return None
    if lock.PRIMITIVE.held(folder / LOCK):
        return Interruption.RUNNING
    if tree.read(out, f"{FOLDER}/{FORWARD}") is not None:
        return Interruption.HALF_DONE
    if tree.read(out, f"{FOLDER}/{UNDO}") is not None:
        return Interruption.HALF_UNDONE
    return Interruption.STAGED if folder.exists() else None


def drop(out: Path) -> None:
    """Remove everything but the lock. The journal goes first: it speaks of the other files."""
    folder = out / FOLDER
    for name in (FORWARD, UNDO):
        fs.remove(folder / name)
    for name in sorted(os.listdir(folder)):
        if name != LOCK:
            fs.remove(folder / name)
