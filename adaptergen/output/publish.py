"""The one path of `build`, `build --check` and `build --diff`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adaptergen.output.compare import compare
from adaptergen.output.errors import OutputError
from adaptergen.output.report import Outcome, Report
from adaptergen.output.wanted import Wanted
from adaptergen.output.writer import Recorder, TreeWriter, Writer


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
