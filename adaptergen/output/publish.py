"""The one path of `build`, `build --check` and `build --diff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaptergen.output import manifest, staging, transaction, tree
from adaptergen.output.compare import Entry, compare
from adaptergen.output.errors import OutputError, explained
from adaptergen.output.lock import locked
from adaptergen.output.report import Outcome, Report
from adaptergen.output.wanted import MANIFEST, OutputTree, check_tree
from adaptergen.output.writer import Recorder, TreeWriter, Writer

#: In the `meta` of a package that people install: its name.
PACKAGE = "plugin"


def recorded(folder: Path) -> Mapping[str, object]:
    """The `meta` of what was written to `folder` before; empty if that was nothing of ours.

    Raises `OutputError` like every reading of the tree.
    """
    with explained(folder):
        data = tree.read(folder, MANIFEST)
    return {} if data is None else manifest.meta(data)


def build(
    out: Path, wanted: Sequence[OutputTree], *, write: bool = True, force: bool = False
) -> Report:
    """Bring `out` to what is wanted, all specs or none; with `write=False` only say what differs.

    `force` overwrites files that were edited by hand or that adaptergen did not make.
    """
    writer: Writer = TreeWriter(force) if write else Recorder(force)
    try:
        for one in wanted:
            _check_kind(out / one.name, one)
        return writer.take(compare(out, wanted))
    except OutputError as error:
        return Report(Outcome.FAILED, error=error)


def _check_kind(folder: Path, wanted: OutputTree) -> None:
    """An installable package is never replaced by what a build writes: its author lives in it."""
    package = recorded(folder).get(PACKAGE)
    if package and PACKAGE not in wanted.meta:
        raise OutputError(
            f"the folder holds the package {package} that `export --plugin` made",
            "build into another folder with --out",
            folder,
        )


def put(root: Path, entries: Sequence[Entry]) -> None:
    """Bring single files below `root` to their new bytes, all or none. Raises `OutputError`.

    A file that is no longer what its entry says it was stops all of it.
    """
    check_tree(entry.path for entry in entries)
    with explained(root):
        # Before a lock is left in a folder that may not be ours.
        staging.look(root)
    with explained(root), locked(root / staging.FOLDER / staging.LOCK):
        transaction.settle(root)
        for entry in entries:
            if tree.read(root, entry.path) != entry.old:
                raise OutputError(
                    "the file was changed after it had been read; nothing was written",
                    "run the same command again",
                    root / entry.path,
                )
        transaction.write(root, entries)
