"""Findings mended: all edits in memory, then written all or nothing."""

from __future__ import annotations

from adaptergen.audit.gather import Audit
from adaptergen.output.compare import Entry, State
from adaptergen.output.files import read_file
from adaptergen.output.transaction import put, recover


def fixed(found: Audit) -> tuple[Entry, ...]:
    """Mend what can be mended; the files that were changed."""
    recover(found.root)
    files: dict[str, tuple[bytes, bytes]] = {}
    for finding in found.findings:
        if finding.mend is not None:
            path, change = finding.mend
            old, new = files.get(path) or ((read_file(found.root, path) or b""),) * 2
            files[path] = old, change(new)
    entries = tuple(
        Entry(path, State.CHANGED, old, new)
        for path, (old, new) in sorted(files.items())
        if old != new
    )
    if entries:
        put(found.root, entries)
    return entries
