"""The one path of `build`, `build --check` and `build --diff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adaptergen.output import manifest, tree
from adaptergen.output.compare import compare
from adaptergen.output.errors import OutputError, explained
from adaptergen.output.report import Outcome, Report
from adaptergen.output.wanted import MANIFEST, Wanted
from adaptergen.output.writer import Recorder, TreeWriter, Writer


def recorded(folder: Path) -> Mapping[str, object]:
    """The `meta` of what was written to `folder` before; empty if that was nothing of ours.

    Raises `OutputError` like every reading of the tree.
    """
    with explained(folder):
        data = tree.read(folder, MANIFEST)
    return {} if data is None else manifest.meta(data)


def build(
    out: Path, wanted: Sequence[Wanted], *, write: bool = True, force: bool = False
) -> Report:
    """Bring `out` to what is wanted, all specs or none; with `write=False` only say what differs.

    `force` overwrites files that were edited by hand or that adaptergen did not make.
    """
    writer: Writer = TreeWriter(force) if write else Recorder(force)
    try:
        return writer.take(compare(out, wanted))
    except OutputError as error:
        return Report(Outcome.FAILED, error=error)
