"""The folder `OUT/.adaptergen`: it exists only while a build writes, or after one was killed.

It holds the lock, the new files (`0.new`), the old ones (`0.old`) and the journal: enough to finish
a build or to undo it after a kill at any moment. The journal's name says where a killed build
stood: none, the tree is as it was before or as it shall be; `journal.json`, the new files are being
put in place; `undo.json`, the old ones are being put back.

A folder of this name may also come with a repository that others made. So nothing in it is used
before all of it was looked at: a journal has the seal of this user, a file is a file.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from adaptergen import guard
from adaptergen.output.files import OutputError, is_folder, read_file, remove_folder
from adaptergen.output.tree import check_relative

FOLDER = ".adaptergen"
FORWARD = "journal.json"
UNDO = "undo.json"
UNFINISHED = "journal.tmp"

#: The format of a journal.
FORMAT = 2

#: How many seconds a build waits for another one.
PATIENCE = 60.0

_LOCK = "lock"
#: With it git does not see the folder.
_IGNORE = ".gitignore"
_NAMES = re.compile(r"journal\.(json|tmp)|undo\.json|\d+\.(new|old)")
_PAUSE = 0.02
#: A link in place of the lock is refused, and a pipe is not waited for.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Interruption(Enum):
    """What the folder says about an earlier build; the value says what comes of it."""

    RUNNING = "another build is writing here at this moment"
    STAGED = "a build was interrupted, no file is half done; the next build drops its rest"
    HALF_DONE = "a build was interrupted while it wrote; the next build finishes it"
    HALF_UNDONE = "a failed build was interrupted; the next build puts the old files back"


@dataclass(frozen=True)
class Move:
    """One file below OUT and its digests before and after the build (None: no file)."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Journal:
    """The moves in their order, and the folders to make first (parents before children).

    Move number `i` finds its new bytes in `i.new` and the old ones in `i.old`.
    """

    moves: tuple[Move, ...]
    folders: tuple[str, ...]

    def render(self, out: Path) -> bytes:
        """The journal as it is written to disk, sealed for this folder."""
        seal = guard.seal(*_sealed(out, self))
        return json.dumps({"format": FORMAT, "seal": seal, **asdict(self)}, indent=1).encode()


def look(out: Path) -> Interruption | None:
    """Whether a build runs or was interrupted in `out`; changes nothing.

    Raises `OutputError` if the folder holds what no build of this user left there.
    """
    folder = out / FOLDER
    if not (out.exists() and is_folder(out.resolve()) and is_folder(folder)):
        return None
    if _is_locked(folder / _LOCK):
        return Interruption.RUNNING
    found = read_journal(out)
    if found is not None:
        return found[0]
    return Interruption.STAGED if folder.exists() else None


def read_journal(out: Path) -> tuple[Interruption, Journal] | None:
    """The journal of a killed build; None if there is none. Raises `OutputError` like `look`."""
    folder = out / FOLDER
    for name in leftovers(out):
        try:
            status = os.lstat(folder / name)
        except FileNotFoundError:
            # A build has begun, or has just come to its end.
            continue
        if not (_NAMES.fullmatch(name) and stat.S_ISREG(status.st_mode)):
            raise refused(f"a build leaves no such thing as {name!r} here", folder / name)
        # An old file is the user's own under a second name, whoever it belongs to.
        if not (name.endswith(".old") or guard.is_own(status)):
            raise refused("another user wrote this", folder / name)
    for name, found in ((FORWARD, Interruption.HALF_DONE), (UNDO, Interruption.HALF_UNDONE)):
        if (data := read_file(out, f"{FOLDER}/{name}")) is not None:
            return found, _parse_journal(data, out, folder / name)
    return None


def leftovers(out: Path) -> list[str]:
    """What lies in the folder beside the lock."""
    try:
        return sorted({*os.listdir(out / FOLDER)} - {_LOCK, _IGNORE})
    except FileNotFoundError:
        return []


def drop(out: Path) -> None:
    """Remove everything but the lock. The journal goes first: it speaks of the other files."""
    for name in (FORWARD, UNDO, *leftovers(out)):
        (out / FOLDER / name).unlink(missing_ok=True)


def refused(why: str, place: Path) -> OutputError:
    """The error for a staging folder from which nothing is recovered."""
    hint = f"look at the files with `git diff`, remove {place.parent}, then run the command again"
    return OutputError(f"{why}; nothing was recovered", hint, place)


def _parse_journal(data: bytes, out: Path, place: Path) -> Journal:
    """Read a journal back; refused is one that no build of this user wrote, in this folder.

    So are paths that would lead out of OUT, or to where a build never writes.
    """
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise ValueError("another format")
        moves = tuple(
            Move(check_relative(move["path"]), move["before"], move["after"])
            for move in content["moves"]
        )
        journal = Journal(moves, tuple(check_relative(folder) for folder in content["folders"]))
        genuine = guard.is_genuine(content["seal"], *_sealed(out, journal))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused(
            f"the journal of an interrupted build cannot be read ({error})", place
        ) from error
    if not genuine:
        raise refused("this user's builds on this machine did not write this journal here", place)
    return journal


def _sealed(out: Path, journal: Journal) -> tuple[bytes, ...]:
    content = json.dumps(asdict(journal), sort_keys=True)
    return b"journal", os.fsencode(os.path.realpath(out)), content.encode()


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Let one build at a time write below `out`; a build that dies does not block the next.

    Makes the staging folder before, and removes it (if it is empty) after.
    """
    folder = out / FOLDER
    handle = _wait_for_lock(folder)
    try:
        with suppress(FileExistsError):
            # What is left here after a kill, or meanwhile, is nothing to commit.
            guard.write_new(folder / _IGNORE, b"*\n")
        yield
    finally:
        try:
            with suppress(OSError):
                if {*os.listdir(folder)} == {_LOCK, _IGNORE}:
                    os.unlink(folder / _IGNORE)
        finally:
            _release(folder / _LOCK, handle)
            _remove_if_empty(folder)


def _wait_for_lock(folder: Path) -> int:
    give_up = time.monotonic() + PATIENCE
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not is_folder(folder):
            folder.mkdir(exist_ok=True)
        try:
            handle = _lock(folder / _LOCK)
        except FileNotFoundError:
            # The last holder has just removed the folder: make it again.
            handle = None
        except BaseException:
            _remove_if_empty(folder)
            raise
        if handle is not None:
            return handle
        if time.monotonic() > give_up:
            raise OutputError(
                f"another build has been writing here for over {PATIENCE:.0f} seconds",
                "wait until it ends, or end it, then build again",
                folder.parent,
            )
        time.sleep(_PAUSE)


def _lock(path: Path) -> int | None:
    """A handle of the file that holds the lock; None while another process holds it."""
    # When it is needed: most builds write nothing.
    from filelock import lock_descriptor

    handle = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
    try:
        # The holder before may have removed the file: then nobody else sees the one locked here.
        if lock_descriptor(handle, blocking=False) and os.path.samestat(
            os.fstat(handle), os.stat(path)
        ):
            return handle
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _release(path: Path, handle: int) -> None:
    """Remove the lock file and let go of it. Windows cannot remove a file that is open."""
    try:
        if os.name != "nt":
            with suppress(OSError):
                os.unlink(path)
    finally:
        os.close(handle)
    if os.name == "nt":
        with suppress(OSError):
            os.unlink(path)


def _is_locked(path: Path) -> bool:
    """Whether a living process holds the lock; changes nothing."""
    from filelock import lock_descriptor

    try:
        # NFS locks only what is open for writing; the lock of another user can only be read.
        access = os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY
        handle = os.open(path, access | _NO_LINK)
    except FileNotFoundError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    finally:
        os.close(handle)


def _remove_if_empty(folder: Path) -> None:
    # The work is done or undone: a folder that stays is only reported, and removed by the next.
    with suppress(OSError):
        remove_folder(folder)
