"""All or nothing: stage the new files, write a journal, then move them into place.

Whoever finds a journal carries on from it, so the build itself and the recovery after a kill are
the same code. A step that fails turns the journal round, and the old files are moved back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from adaptergen import guard
from adaptergen.output import fs, staging, tree
from adaptergen.output.compare import Entry
from adaptergen.output.errors import OutputError, explained
from adaptergen.output.journal import Journal, Move, refused
from adaptergen.output.lock import locked
from adaptergen.output.manifest import digest
from adaptergen.output.staging import FOLDER, FORWARD, LOCK, UNDO, UNFINISHED
from adaptergen.output.wanted import MANIFEST, parents


def recover(out: Path) -> staging.Interruption | None:
    """Finish or drop what a killed build left in `out`; says what was found."""
    with explained(out):
        if staging.look(out) is None:
            return None
        with locked(out / FOLDER / LOCK):
            return settle(out)


def settle(out: Path) -> staging.Interruption | None:
    """Like `recover`, for the holder of the lock."""
    found = staging.left(out)
    if found is None:
        state = staging.Interruption.STAGED if staging.rest(out) else None
    else:
        state, journal = found
        _check(out, journal)
        if state is staging.Interruption.HALF_DONE:
            _carry_out(out, journal)
        else:
            _undo(out, journal)
    staging.drop(out)
    return state


def _check(out: Path, journal: Journal) -> None:
    """Raise `OutputError` for anything that would stop a recovery half way, or that is not ours."""
    for path in journal.folders:
        for parent in (*parents(path), path):
            tree.is_folder(out / parent)
    for number, move in enumerate(journal.moves):
        tree.read(out, move.path)
        name = f"{FOLDER}/{number}.new"
        if (new := tree.read(out, name)) is not None and digest(new) != move.after:
            raise refused("this is not the file that the build wrote here", out / name)


def write(out: Path, entries: Sequence[Entry]) -> None:
    """Bring all entries to their new bytes, or none; the caller holds the lock."""
    # The manifests come last: until then the old one vouches for the old files.
    entries = sorted(entries, key=lambda entry: entry.path.endswith(f"/{MANIFEST}"))
    try:
        journal = _stage(out, entries)
    except BaseException:
        with suppress(OSError):
            staging.drop(out)
        raise
    _carry_out(out, journal)
    with suppress(OSError):
        # Everything is in place; what is left here is reported and removed by the next build.
        staging.drop(out)


def _stage(out: Path, entries: Sequence[Entry]) -> Journal:
    folder = out / FOLDER
    for number, entry in enumerate(entries):
        if entry.new is not None:
            guard.write_new(folder / f"{number}.new", entry.new)
        if entry.old is not None:
            fs.keep(out / entry.path, folder / f"{number}.old")
    moves = tuple(Move(e.path, _digest(e.old), _digest(e.new)) for e in entries)
    needed = {parent for e in entries if e.new is not None for parent in parents(e.path)}
    missing = tuple(sorted(path for path in needed if not tree.is_folder(out / path)))
    journal = Journal(moves, missing)
    guard.write_new(folder / UNFINISHED, journal.render(out))
    fs.sync_folder(folder)
    fs.replace(folder / UNFINISHED, folder / FORWARD)
    return journal


def _carry_out(out: Path, journal: Journal) -> None:
    try:
        # Inside: a journal that may not last must be turned round, too.
        fs.sync_folder(out / FOLDER)
        for path in journal.folders:
            for parent in (*parents(path), path):
                tree.is_folder(out / parent)
            fs.make_folder(out / path)
        for number, move in enumerate(journal.moves):
            _forward(out, number, move)
        _prune(out, [move.path for move in journal.moves if move.after is None])
        _sync(out, journal)
        fs.remove(out / FOLDER / FORWARD)
    except BaseException:
        if (out / FOLDER / FORWARD).exists():
            fs.replace(out / FOLDER / FORWARD, out / FOLDER / UNDO)
            _undo(out, journal)
            staging.drop(out)
        raise


def _forward(out: Path, number: int, move: Move) -> None:
    new, target = out / FOLDER / f"{number}.new", out / move.path
    if move.after is not None and not new.exists():
        return
    current = _digest(tree.read(out, move.path))
    if current == move.after:
        return
    if current != move.before:
        raise OutputError(
            "the file was changed after a build had begun to write; the old files are back",
            "build again, and it will show that change",
            target,
        )
    if move.after is None:
        fs.remove(target)
    else:
        fs.replace(new, target)


def _undo(out: Path, journal: Journal) -> None:
    for number, move in reversed(list(enumerate(journal.moves))):
        old, target = out / FOLDER / f"{number}.old", out / move.path
        # A file that someone changed meanwhile stays as it is.
        if _digest(tree.read(out, move.path)) != move.after:
            continue
        if move.before is None:
            fs.remove(target)
        elif old.exists():
            for parent in parents(move.path):
                fs.make_folder(out / parent)
            fs.replace(old, target)
    for path in reversed(journal.folders):
        fs.remove_folder(out / path)
    _sync(out, journal)
    fs.remove(out / FOLDER / UNDO)


def _prune(out: Path, removed: Sequence[str]) -> None:
    for path in removed:
        # The first one is the spec's own folder; its manifest stays.
        for parent in reversed(parents(path)[1:]):
            if not fs.remove_folder(out / parent):
                break


def _sync(out: Path, journal: Journal) -> None:
    touched = {parent for move in journal.moves for parent in parents(move.path)}
    for path in sorted(touched):
        if (out / path).is_dir():
            fs.sync_folder(out / path)
    fs.sync_folder(out)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest(data)
