"""All or nothing: stage the new files, write a journal, then move them into place.

Whoever finds a journal carries on from it, so the build itself and the recovery after a kill are
the same code. A step that fails turns the journal round, and the old files are moved back.

`build` is the one path of `build`, `build --check` and `build --diff`; `put` writes single files
that others made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from adaptergen import guard
from adaptergen.output import staging
from adaptergen.output.compare import Comparison, Entry, Outcome, Report, compare
from adaptergen.output.files import (
    OutputError,
    explained,
    is_folder,
    keep,
    parents,
    read_file,
    remove_folder,
    sync_folder,
)
from adaptergen.output.staging import (
    FOLDER,
    FORWARD,
    UNDO,
    UNFINISHED,
    Interruption,
    Journal,
    Move,
)
from adaptergen.output.tree import MANIFEST, OutputTree, check_paths, digest, read_manifest

#: In the `meta` of a package that people install: its name.
PACKAGE = "plugin"


def build(
    out: Path, trees: Sequence[OutputTree], *, write: bool = True, force: bool = False
) -> Report:
    """Bring `out` to what is wanted, all specs or none; with `write=False` only say what differs.

    `force` overwrites files that were edited by hand or that adaptergen did not make.
    """
    try:
        for tree in trees:
            _check_package(out / tree.name, tree)
        seen = _judge(compare(out, trees), force)
        # A refusal is looked at again under the lock: what seems to be an edit may be another
        # build at work.
        if not write or seen.outcome is Outcome.UNCHANGED:
            return seen
        with explained(out), staging.locked(out):
            found = _recover(out)
            # Another build may have written between the first look and the lock.
            fresh = compare(out, trees)
            if fresh.guarded and not force:
                return Report(Outcome.REFUSED, fresh, found)
            if not fresh.pending:
                return Report(Outcome.UNCHANGED, fresh, found)
            _write(out, fresh.pending)
            return Report(Outcome.WRITTEN, fresh, found)
    except OutputError as error:
        return Report(Outcome.FAILED, error=error)


def put(root: Path, entries: Sequence[Entry]) -> None:
    """Bring single files below `root` to their new bytes, all or none. Raises `OutputError`.

    A file that is no longer what its entry says it was stops all of it.
    """
    check_paths(entry.path for entry in entries)
    with explained(root):
        # Before a lock is left in a folder that may not be ours.
        staging.look(root)
        with staging.locked(root):
            _recover(root)
            for entry in entries:
                if read_file(root, entry.path) != entry.old:
                    raise OutputError(
                        "the file was changed after it had been read; nothing was written",
                        "run the same command again",
                        root / entry.path,
                    )
            _write(root, entries)


def recover(out: Path) -> Interruption | None:
    """Finish or drop what a killed build left in `out`; says what was found."""
    with explained(out):
        if staging.look(out) is None:
            return None
        with staging.locked(out):
            return _recover(out)


def recorded_meta(folder: Path) -> Mapping[str, object]:
    """The `meta` of what was written to `folder` before; empty if adaptergen wrote nothing there.

    Raises `OutputError` like every reading of the tree.
    """
    with explained(folder):
        meta = read_manifest(read_file(folder, MANIFEST), folder / MANIFEST).get("meta")
    return meta if isinstance(meta, dict) else {}


def _check_package(folder: Path, tree: OutputTree) -> None:
    """An installable package is never replaced by what a build writes: its author lives in it."""
    package = recorded_meta(folder).get(PACKAGE)
    if package and PACKAGE not in tree.meta:
        raise OutputError(
            f"the folder holds the package {package} that `export --plugin` made",
            "build into another folder with --out",
            folder,
        )


def _judge(comparison: Comparison, force: bool) -> Report:
    """What a build would find."""
    if comparison.interruption is not None:
        return Report(Outcome.INTERRUPTED, comparison)
    if comparison.guarded and not force:
        return Report(Outcome.REFUSED, comparison)
    return Report(Outcome.STALE if comparison.pending else Outcome.UNCHANGED, comparison)


def _recover(out: Path) -> Interruption | None:
    """Like `recover`, for the holder of the lock."""
    found = staging.read_journal(out)
    if found is None:
        state = Interruption.STAGED if staging.leftovers(out) else None
    else:
        state, journal = found
        _check(out, journal)
        if state is Interruption.HALF_DONE:
            _carry_out(out, journal)
        else:
            _undo(out, journal)
    staging.drop(out)
    return state


def _check(out: Path, journal: Journal) -> None:
    """Raise `OutputError` for what would stop a recovery half way, or is not of this build."""
    _check_folders(out, journal.folders)
    for number, move in enumerate(journal.moves):
        read_file(out, move.path)
        name = f"{FOLDER}/{number}.new"
        if (new := read_file(out, name)) is not None and digest(new) != move.after:
            raise staging.refused("this is not the file that the build wrote here", out / name)


def _check_folders(out: Path, folders: Sequence[str]) -> None:
    for path in folders:
        for parent in (*parents(path), path):
            is_folder(out / parent)


def _write(out: Path, entries: Sequence[Entry]) -> None:
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
            keep(out / entry.path, folder / f"{number}.old")
    moves = tuple(Move(entry.path, _digest(entry.old), _digest(entry.new)) for entry in entries)
    needed = {
        parent for entry in entries if entry.new is not None for parent in parents(entry.path)
    }
    missing = tuple(sorted(path for path in needed if not is_folder(out / path)))
    journal = Journal(moves, missing)
    guard.write_new(folder / UNFINISHED, journal.render(out))
    sync_folder(folder)
    os.replace(folder / UNFINISHED, folder / FORWARD)
    return journal


def _carry_out(out: Path, journal: Journal) -> None:
    try:
        # Inside: a journal that may not last must be turned round, too.
        sync_folder(out / FOLDER)
        for path in journal.folders:
            _check_folders(out, [path])
            (out / path).mkdir(exist_ok=True)
        for number, move in enumerate(journal.moves):
            _forward(out, number, move)
        _prune(out, [move.path for move in journal.moves if move.after is None])
        _sync(out, journal)
        (out / FOLDER / FORWARD).unlink(missing_ok=True)
    except BaseException:
        if (out / FOLDER / FORWARD).exists():
            os.replace(out / FOLDER / FORWARD, out / FOLDER / UNDO)
            _undo(out, journal)
            staging.drop(out)
        raise


def _forward(out: Path, number: int, move: Move) -> None:
    new, target = out / FOLDER / f"{number}.new", out / move.path
    if move.after is not None and not new.exists():
        return
    current = _digest(read_file(out, move.path))
    if current == move.after:
        return
    if current != move.before:
        raise OutputError(
            "the file was changed after a build had begun to write; the old files are back",
            "build again, and it will show that change",
            target,
        )
    if move.after is None:
        target.unlink(missing_ok=True)
    else:
        os.replace(new, target)


def _undo(out: Path, journal: Journal) -> None:
    for number, move in reversed(list(enumerate(journal.moves))):
        old, target = out / FOLDER / f"{number}.old", out / move.path
        # A file that someone changed meanwhile stays as it is.
        if _digest(read_file(out, move.path)) != move.after:
            continue
        if move.before is None:
            target.unlink(missing_ok=True)
        elif old.exists():
            for parent in parents(move.path):
                (out / parent).mkdir(exist_ok=True)
            os.replace(old, target)
    for path in reversed(journal.folders):
        remove_folder(out / path)
    _sync(out, journal)
    (out / FOLDER / UNDO).unlink(missing_ok=True)


def _prune(out: Path, removed: Sequence[str]) -> None:
    for path in removed:
        # The first one is the spec's own folder; its manifest stays.
        for parent in reversed(parents(path)[1:]):
            if not remove_folder(out / parent):
                break


def _sync(out: Path, journal: Journal) -> None:
    touched = {parent for move in journal.moves for parent in parents(move.path)}
    for path in sorted(touched):
        if (out / path).is_dir():
            sync_folder(out / path)
    sync_folder(out)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest(data)
