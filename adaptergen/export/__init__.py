"""From a spec to a branch of TransformerLens.

A checkout is read, never imported. All edits are made in memory (`draft`), through the engine in
`adaptergen.edit`; then they are shown as one diff, or written all or nothing.
"""

from adaptergen.export.command import Done, dry_run, run

__all__ = ["Done", "dry_run", "run"]
